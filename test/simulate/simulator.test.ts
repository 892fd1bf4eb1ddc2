import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatDate, type SimulatedRecord } from '../../src/simulate/record.ts';
import { Simulator, type SimulatorOptions } from '../../src/simulate/simulator.ts';
import { Authority } from '../fakes/http-certificates.ts';
import {
  type Ask,
  askLogs,
  bearer,
  errorCode,
  FORM,
  LOGS,
  logsBody,
  nextOf,
  post,
  recordsOf,
  signed,
  tokenForm,
  walk,
} from './client.ts';

const NOON = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const JSON_TYPE = { 'content-type': 'application/json' };
const DAY: Ask = { from: NOON - 24 * HOUR, to: NOON };

let clock = NOON;
let running: Simulator[] = [];

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await Simulator.start({ now: () => clock, ...options });
  running.push(simulator);
  return simulator;
}

beforeEach(() => {
  clock = NOON;
});

afterEach(async () => {
  await Promise.all(running.map((simulator) => simulator.stop()));
  running = [];
});

function at(second: number, name = 'x'): Record<string, unknown> {
  return { date: formatDate(NOON + second * 1000), fileName: name };
}

describe('the token call', () => {
  test('gives a bearer token for 1799 seconds', async () => {
    const simulator = await start();
    const reply = await post(`${simulator.url}/oauth/token`, FORM, tokenForm(simulator));
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      access_token: expect.stringMatching(/^.{20,}$/),
      token_type: 'Bearer',
      expires_in: 1799,
      scope: '',
    });
    expect(simulator.stats.tokens).toBe(1);
  });

  test.each([
    ['a wrong secret', { client_secret: 'guess' }, 401, 'InvalidClientIdentifier'],
    ['an unknown client', { client_id: 'guess' }, 401, 'InvalidClientIdentifier'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a field more', { scope: 'all' }, 400, 'invalid_request'],
  ])('refuses %s', async (_, changes, status, code) => {
    const simulator = await start();
    const reply = await post(`${simulator.url}/oauth/token`, FORM, tokenForm(simulator, changes));
    expect([reply.status, errorCode(reply)]).toEqual([status, code]);
    expect(simulator.stats.tokens).toBe(0);
  });

  test('refuses JSON, and a field given twice', async () => {
    const simulator = await start();
    const url = `${simulator.url}/oauth/token`;
    const { clientId, clientSecret } = simulator.credentials;
    const content = JSON.stringify({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'client_credentials',
    });
    expect((await post(url, JSON_TYPE, content)).status).toBe(400);
    expect((await post(url, FORM, `${tokenForm(simulator)}&client_id=${clientId}`)).status).toBe(400);
  });
});

describe('who may come in', () => {
  test.each([
    ['nothing', {}, 'unauthorized'],
    ['an invented token', { authorization: 'Bearer invented' }, 'token_verification_failed'],
    ['basic authentication', { authorization: 'Basic eDp5' }, 'unauthorized'],
  ])('not %s', async (_, headers: Record<string, string>, code) => {
    const simulator = await start();
    const reply = await post(`${simulator.url}${LOGS}`, { ...JSON_TYPE, ...headers }, logsBody(DAY));
    expect([reply.status, errorCode(reply)]).toEqual([401, code]);
  });

  test('a token until its time is over', async () => {
    const simulator = await start({ tokenLifetime: 60_000 });
    const authorization = await bearer(simulator);
    clock = NOON + 59_999;
    expect((await askLogs(simulator, DAY, authorization)).status).toBe(200);
    clock = NOON + 60_000;
    const reply = await askLogs(simulator, DAY, authorization);
    expect([reply.status, errorCode(reply)]).toEqual([401, 'token_expired']);
  });

  test('API 1.0 with a right signature; its JSON escapes slashes', async () => {
    const simulator = await start({ now: Date.now });
    simulator.add({ date: formatDate(Date.now() - HOUR), fileType: 'application/pdf' });
    const body = logsBody({ from: Date.now() - 2 * HOUR, to: Date.now() });
    for (const zone of ['UTC', 'GMT']) {
      const headers = signed(simulator.credentials.hmac, {
        'x-mc-date': new Date().toUTCString().replace('GMT', zone),
      });
      const reply = await post(`${simulator.url}${LOGS}`, headers, body);
      expect(reply.status).toBe(200);
      expect(reply.text).toContain('"application\\/pdf"');
      expect(recordsOf(reply)[0]?.fileType).toBe('application/pdf');
    }
  });

  test.each([
    ['a wrong secret key', { secretKey: 'AAAA' }, {}, 'err_xdk_invalid_signature'],
    ['a wrong application key', { applicationKey: 'x' }, {}, 'err_xdk_invalid_signature'],
    ['a wrong access key', { accessKey: 'x' }, {}, 'err_xdk_invalid_signature'],
    ['another application', {}, { 'x-mc-app-id': 'x' }, 'err_developer_key'],
    ['an id that is no GUID', {}, { 'x-mc-req-id': '1' }, 'err_xdk_invalid_signature'],
    ['an old date', {}, { 'x-mc-date': new Date(Date.now() - HOUR).toUTCString() }, 'err_xdk_invalid_signature'],
    ['a date in ISO', {}, { 'x-mc-date': new Date().toISOString() }, 'err_xdk_invalid_signature'],
    [
      'the wrong weekday',
      {},
      { 'x-mc-date': new Date().toUTCString().replace(/^.../, 'Xxx') },
      'err_xdk_invalid_signature',
    ],
  ])('not API 1.0 with %s', async (_, keys, headers: Record<string, string>, code) => {
    const simulator = await start({ now: Date.now });
    const sent = signed({ ...simulator.credentials.hmac, ...keys }, headers);
    const reply = await post(`${simulator.url}${LOGS}`, sent, logsBody({}));
    expect([reply.status, errorCode(reply)]).toEqual([401, code]);
  });

  test('not a request of API 1.0 that comes a second time', async () => {
    const simulator = await start({ now: Date.now });
    const headers = signed(simulator.credentials.hmac);
    expect((await post(`${simulator.url}${LOGS}`, headers, logsBody({}))).status).toBe(200);
    expect((await post(`${simulator.url}${LOGS}`, headers, logsBody({}))).status).toBe(401);
  });
});

describe('what a request may say', () => {
  const range = { from: '2026-03-01T00:00:00+0000', to: '2026-03-01T11:00:00Z' };

  test.each([
    ['no body', '', 'err_validation_json', undefined],
    ['no data', '{}', 'err_validation_null', 'data'],
    ['an empty data array', '{"data":[]}', 'err_validation_invalid', 'data'],
    ['two data elements', JSON.stringify({ data: [range, range] }), 'err_validation_invalid', 'data'],
    [
      'a fraction of a second',
      JSON.stringify({ data: [{ ...range, from: '2026-03-01T00:00:00.5Z' }] }),
      'err_validation_invalid',
      'data.0.from',
    ],
    ['a blank time', JSON.stringify({ data: [{ ...range, to: '' }] }), 'err_validation_blank', 'data.0.to'],
    ['null for a time', JSON.stringify({ data: [{ ...range, to: null }] }), 'err_validation_null', 'data.0.to'],
    [
      'from after to',
      JSON.stringify({ data: [{ from: range.to, to: range.from }] }),
      'err_validation_date_range',
      'data.0.from',
    ],
    [
      'a route that there is not',
      JSON.stringify({ data: [{ route: 'sideways' }] }),
      'err_validation_invalid',
      'data.0.route',
    ],
    [
      'a text for oldestFirst',
      JSON.stringify({ data: [{ oldestFirst: 'true' }] }),
      'err_validation_invalid',
      'data.0.oldestFirst',
    ],
    ['an unknown key', JSON.stringify({ data: [{ ...range, pageSize: 5 }] }), 'err_validation_invalid', 'data.0'],
    ['page_size', '{"meta":{"pagination":{"page_size":5}},"data":[{}]}', 'err_validation_invalid', 'meta.pagination'],
    [
      'no records a page',
      '{"meta":{"pagination":{"pageSize":0}},"data":[{}]}',
      'err_validation_invalid',
      'meta.pagination.pageSize',
    ],
    [
      '501 records a page',
      '{"meta":{"pagination":{"pageSize":501}},"data":[{}]}',
      'err_validation_invalid',
      'meta.pagination.pageSize',
    ],
    [
      'an invented page token',
      '{"meta":{"pagination":{"pageToken":"x.y"}},"data":[{}]}',
      'err_validation_invalid_page_token',
      'meta.pagination.pageToken',
    ],
  ])('not %s', async (_, body, code, field) => {
    const simulator = await start();
    const reply = await post(`${simulator.url}${LOGS}`, { ...JSON_TYPE, authorization: await bearer(simulator) }, body);
    expect([reply.status, errorCode(reply), reply.body.fail?.[0]?.errors?.[0]?.field]).toEqual([400, code, field]);
    expect(simulator.stats.refused).toBe(1);
  });

  test('not another content type', async () => {
    const simulator = await start();
    const headers = { 'content-type': 'text/plain', authorization: await bearer(simulator) };
    expect((await post(`${simulator.url}${LOGS}`, headers, logsBody(DAY))).status).toBe(400);
  });

  test('an empty page token stands for the first page', async () => {
    const simulator = await start();
    expect((await askLogs(simulator, { ...DAY, pageToken: '' })).status).toBe(200);
  });

  test('other paths, queries and methods are not there; / tells people what this is', async () => {
    const simulator = await start();
    expect((await post(`${simulator.url}/api/ttp/url/get-logs`, JSON_TYPE, '{}')).status).toBe(404);
    expect((await post(`${simulator.url}${LOGS}?page=1`, JSON_TYPE, '{}')).status).toBe(404);
    const get = await post(`${simulator.url}${LOGS}`, {}, '', 'GET');
    expect([get.status, get.headers.allow]).toEqual([405, 'POST']);
    expect((await post(`${simulator.url}/`, {}, '', 'GET')).text).toContain('simulated Mimecast API');
    expect((await post(`${simulator.url}${LOGS}`, JSON_TYPE, 'x'.repeat(70_000))).status).toBe(413);
  });
});

describe('a walk', () => {
  const keyOf = (one: SimulatedRecord) => JSON.stringify(one);

  test.each([true, false])(
    'with oldestFirst %s shows every record once, in order, for every page size',
    async (oldestFirst) => {
      const simulator = await start();
      simulator.seed(83, { from: NOON - 30_000, to: NOON });
      const truth = [...simulator.visibleRecords()] as unknown as SimulatedRecord[];
      const expected = (oldestFirst ? truth : truth.toReversed()).map(keyOf);
      for (const pageSize of [1, 2, 3, 7, 10, 41, 82, 83, 84, 500]) {
        const pages = await walk(simulator, { ...DAY, oldestFirst, pageSize });
        expect(pages.flat().map(keyOf)).toEqual(expected);
        expect(pages).toHaveLength(Math.ceil(83 / pageSize));
      }
      expect(simulator.served.count).toBe(83);
      expect([...simulator.unservedRecords()]).toEqual([]);
    },
  );

  test('goes newest first, in pages of 100, when the request does not say', async () => {
    const simulator = await start();
    simulator.seed(150, { from: NOON - HOUR, to: NOON });
    const first = await askLogs(simulator, DAY);
    expect(recordsOf(first)).toHaveLength(100);
    expect(recordsOf(first)[0]?.date).toBe([...simulator.visibleRecords()].at(-1)?.date);
    expect(first.body.meta).toEqual({
      status: 200,
      pagination: { pageSize: 100, totalCount: 150, next: expect.any(String) },
    });
  });

  test('takes in both ends of its range', async () => {
    const simulator = await start();
    simulator.add(at(-11), at(-10, 'first'), at(-5, 'middle'), at(0, 'last'), at(1));
    clock = NOON + 60_000;
    const reply = await askLogs(simulator, { from: NOON - 10_000, to: NOON, oldestFirst: true });
    expect(recordsOf(reply).map((one) => one.fileName)).toEqual(['first', 'middle', 'last']);
    expect(recordsOf(await askLogs(simulator, { from: NOON, to: NOON }))).toHaveLength(1);
  });

  test('without a range goes from midnight to now, and stays there when the clock goes on', async () => {
    const simulator = await start();
    simulator.add(at(-12 * 3600 - 1, 'yesterday'), at(-12 * 3600, 'midnight'), at(0, 'noon'));
    const authorization = await bearer(simulator);
    const first = await askLogs(simulator, { oldestFirst: true, pageSize: 1 }, authorization);
    clock = NOON + 60_000;
    simulator.add(at(30, 'later'));
    const second = await askLogs(
      simulator,
      { oldestFirst: true, pageSize: 1, pageToken: nextOf(first) },
      authorization,
    );
    expect([first, second].flatMap(recordsOf).map((one) => one.fileName)).toEqual(['midnight', 'noon']);
    expect(nextOf(second)).toBeUndefined();
  });

  test('finds by route and result', async () => {
    const simulator = await start();
    simulator.seed(1000, { from: NOON - HOUR, to: NOON });
    const wanted = [...simulator.visibleRecords()].filter(
      (one) => one.route === 'inbound' && one.result === 'malicious',
    );
    const pages = await walk(simulator, {
      ...DAY,
      oldestFirst: true,
      pageSize: 5,
      route: 'inbound',
      result: 'malicious',
    });
    expect(wanted.length).toBeGreaterThan(5);
    expect(pages.flat()).toEqual(wanted);
  });

  test('serves no more than the server allows, and says so', async () => {
    const simulator = await start({ pageSize: 10 });
    simulator.seed(25, { from: NOON - HOUR, to: NOON });
    const pages = await walk(simulator, { ...DAY, pageSize: 500 });
    expect(pages.map((page) => page.length)).toEqual([10, 10, 5]);
  });

  test('its tokens are good for one filter, and for their time', async () => {
    const simulator = await start({ pageTokenLifetime: 60_000 });
    simulator.seed(10, { from: NOON - HOUR, to: NOON });
    const first = await askLogs(simulator, { ...DAY, pageSize: 2 });
    const again = (changes: Ask) => askLogs(simulator, { ...DAY, pageSize: 2, pageToken: nextOf(first), ...changes });
    expect((await again({})).status).toBe(200);
    expect((await again({ pageSize: 5 })).status).toBe(200);
    for (const other of [{ to: NOON - 1000 }, { from: NOON - HOUR }, { oldestFirst: true }, { route: 'inbound' }]) {
      const reply = await again(other);
      expect([reply.status, errorCode(reply)]).toEqual([400, 'err_validation_invalid_page_token']);
    }
    clock = NOON + 60_001;
    expect((await again({})).status).toBe(400);
  });

  test('of nothing is an empty data array without next', async () => {
    const simulator = await start();
    const reply = await askLogs(simulator, DAY);
    expect(reply.body).toEqual({
      meta: { pagination: { pageSize: 0, totalCount: 0 }, status: 200 },
      data: [],
      fail: [],
    });
  });
});

describe('records', () => {
  test('are the same for the same seed and clock, tokens too', async () => {
    const [one, two, other] = [await start(), await start(), await start({ seed: 'other' })];
    for (const simulator of [one, two, other]) simulator.seed(50, { from: NOON - HOUR, to: NOON });
    expect([...one.visibleRecords()]).toEqual([...two.visibleRecords()]);
    expect([...one.visibleRecords()]).not.toEqual([...other.visibleRecords()]);
    expect(await bearer(one)).toBe(await bearer(two));
  });

  test('are shown when they are visible, not before', async () => {
    const simulator = await start();
    simulator.addAt(NOON + 5000, at(-60, 'late'));
    expect(recordsOf(await askLogs(simulator, DAY))).toEqual([]);
    clock = NOON + 5000;
    expect(recordsOf(await askLogs(simulator, DAY)).map((one) => one.fileName)).toEqual(['late']);
    expect([...simulator.visibleRecords(NOON + 4999)]).toEqual([]);
  });

  test('of the future wait for their time; the rows of one mail share their second', async () => {
    const simulator = await start();
    simulator.seed(100, { from: NOON - 50_000, to: NOON + 50_000 });
    const visible = [...simulator.visibleRecords()];
    expect(visible.length).toBeGreaterThan(45);
    expect(visible.length).toBeLessThan(55);
    expect(visible[1]?.date).toBe(visible[0]?.date);
    clock = NOON + 50_000;
    expect([...simulator.visibleRecords()]).toHaveLength(100);
  });

  test('arrive at the rate of the traffic, dated when they arrive, whoever looks', async () => {
    const simulator = await start();
    simulator.startTraffic({ ratePerSecond: 2 });
    expect([...simulator.visibleRecords()]).toEqual([]);
    clock = NOON + 10_000;
    const first = recordsOf(await askLogs(simulator, { ...DAY, to: clock }));
    expect(first).toHaveLength(20);
    expect(first.at(-1)?.date).toBe(formatDate(NOON));
    clock = NOON + 20_000;
    const second = recordsOf(await askLogs(simulator, { from: NOON + 10_000, to: clock }));
    expect(second.length).toBeGreaterThanOrEqual(20);
    expect(second.length).toBeLessThanOrEqual(23);
    expect([...simulator.visibleRecords()]).toHaveLength(40);
    simulator.stopTraffic();
    clock = NOON + HOUR;
    expect([...simulator.visibleRecords()]).toHaveLength(40);
  });

  test('seeded into running traffic do not disturb it, and are not owed by it', async () => {
    const simulator = await start();
    simulator.startTraffic({ ratePerSecond: 1 });
    clock = NOON + 10_000;
    simulator.seed(7, { from: NOON - HOUR, to: NOON });
    clock = NOON + 100_000;
    const dates = [...simulator.visibleRecords()].map((one) => String(one.date));
    expect(dates.length).toBeGreaterThanOrEqual(107);
    expect(dates.length).toBeLessThanOrEqual(109);
    expect(dates).toEqual(dates.toSorted());
  });

  test('of one mail arrive together, however often somebody looks', async () => {
    const simulator = await start();
    simulator.startTraffic({ ratePerSecond: 1 });
    for (let second = 0; second < 60; second += 1) {
      clock += 1000;
      simulator.visibleRecords();
    }
    const datesOf = Map.groupBy(simulator.visibleRecords(), (one) => one.messageId || one.fileName);
    const sizes = [...datesOf.values()].map((rows) => [rows.length, new Set(rows.map((one) => one.date)).size]);
    expect(sizes).toContainEqual([3, 1]);
    expect(sizes.filter(([, seconds]) => seconds !== 1)).toEqual([]);
  });

  test('that are odd are served as they are', async () => {
    const simulator = await start();
    simulator.add({ subject: 'no date' }, { date: 'yesterday', nested: { a: [1] } });
    expect(recordsOf(await askLogs(simulator, { ...DAY, oldestFirst: true }))).toEqual([
      { subject: 'no date' },
      { date: 'yesterday', nested: { a: [1] } },
    ]);
  });

  test('twenty thousand are walked without one missing', async () => {
    const simulator = await start();
    simulator.seed(20_000, { from: NOON - 24 * HOUR, to: NOON });
    const pages = await walk(simulator, { ...DAY, oldestFirst: true, pageSize: 500 });
    expect(pages).toHaveLength(40);
    expect(simulator.served.count).toBe(20_000);
    expect([...simulator.unservedRecords()]).toEqual([]);
    expect(simulator.stats).toMatchObject({ pages: 40, records: 20_000, refused: 0, tokens: 1, requests: 41 });
  });
});

describe('the server', () => {
  test('tells its own time', async () => {
    const simulator = await start();
    expect((await askLogs(simulator, DAY)).headers.date).toBe('Sun, 01 Mar 2026 12:00:00 GMT');
  });

  test('keeps to its quota, and adds one request back at a time', async () => {
    const simulator = await start({ rateLimit: { requests: 2, perMs: 400 } });
    const authorization = await bearer(simulator);
    const first = await askLogs(simulator, DAY, authorization);
    expect(first.headers).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' });
    await askLogs(simulator, DAY, authorization);
    const over = await askLogs(simulator, DAY, authorization);
    expect([over.status, errorCode(over)]).toEqual([429, 'rate_limit_exceeded']);
    const reset = Number(over.headers['x-ratelimit-reset']);
    expect(reset).toBeGreaterThan(50);
    expect(reset).toBeLessThanOrEqual(200);
    expect((await askLogs(simulator, DAY, authorization)).status).toBe(429);
    expect(simulator.stats.impatient).toBe(1);
    await expect.poll(async () => (await askLogs(simulator, DAY, authorization)).status).toBe(200);
    expect(simulator.stats.records).toBe(0);
  });

  test('stops at once, also in the middle of a slow answer, and twice', async () => {
    const simulator = await start({ faults: [{ name: 'slow', by: 60_000 }] });
    const asked = askLogs(simulator, DAY).catch((error: unknown) => error);
    await expect.poll(() => simulator.stats.byFault.slow).toBe(1);
    await simulator.stop();
    await simulator.stop();
    expect(await asked).toBeInstanceOf(Error);
  });

  test('says what is wrong when its port is taken', async () => {
    const simulator = await start();
    await expect(start({ port: simulator.port })).rejects.toMatchObject({ code: 'SIMULATOR_LISTEN' });
  });

  test('speaks HTTPS with the key that it is given', async () => {
    const authority = new Authority();
    const { key, cert } = authority.issue('localhost');
    const simulator = await start({ tls: { key, cert } });
    const dispatcher = new Agent({ connect: { ca: authority.ca, servername: 'localhost' } });
    const reply = await request(`${simulator.url}/`, { dispatcher });
    expect(simulator.url).toMatch(/^https:/);
    expect(await reply.body.text()).toContain('simulated');
    await dispatcher.close();
    authority.remove();
  });
});
