import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import { formatDate } from '../../src/simulate/record.ts';
import { Simulator, type SimulatorOptions } from '../../src/simulate/simulator.ts';
import { type Ask, askLogs, bearer, errorCode, FORM, nextOf, post, recordsOf, tokenForm, walk } from './client.ts';

const NOON = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const ASK: Ask = { from: NOON - 24 * HOUR, to: NOON, oldestFirst: true, pageSize: 10 };

let clock = NOON;
let running: Simulator[] = [];

/** A simulator with 40 records in the hour before noon. */
async function start(faults: string, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await Simulator.start({ now: () => clock, faults: parseFaults(faults), ...options });
  running.push(simulator);
  simulator.seed(40, { from: NOON - HOUR, to: NOON });
  return simulator;
}

beforeEach(() => {
  clock = NOON;
});

afterEach(async () => {
  await Promise.all(running.map((simulator) => simulator.stop()));
  running = [];
});

const text = (one: unknown) => JSON.stringify(one);

describe('faults of a gateway: nothing is served, and the next request may do better', () => {
  test('429 says how many milliseconds to wait, and refuses whoever does not', async () => {
    const simulator = await start('429:count=1,by=150ms');
    const authorization = await bearer(simulator);
    const reply = await askLogs(simulator, ASK, authorization);
    expect([reply.status, errorCode(reply)]).toEqual([429, 'rate_limit_exceeded']);
    expect(reply.headers).toMatchObject({ 'x-ratelimit-reset': '150', 'x-ratelimit-remaining': '0' });
    expect((await askLogs(simulator, ASK, authorization)).status).toBe(429);
    expect(simulator.stats).toMatchObject({ impatient: 1, byFault: { '429': 1 } });
    await expect.poll(async () => (await askLogs(simulator, ASK, authorization)).status).toBe(200);
  });

  test('401 goes away by itself; the token stays good', async () => {
    const simulator = await start('401:first=1');
    const authorization = await bearer(simulator);
    const reply = await askLogs(simulator, ASK, authorization);
    expect([reply.status, errorCode(reply)]).toEqual([401, 'Unauthorized Request']);
    expect((await askLogs(simulator, ASK, authorization)).status).toBe(200);
  });

  test('token-expiry ends the token that was sent, and no other', async () => {
    const simulator = await start('token-expiry:first=1');
    const [first, second] = [await bearer(simulator), await bearer(simulator)];
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const reply = await askLogs(simulator, ASK, first);
      expect([reply.status, errorCode(reply)]).toEqual([401, 'token_expired']);
    }
    expect((await askLogs(simulator, ASK, second)).status).toBe(200);
  });

  test('5xx comes in all four kinds, the same row for the same seed', async () => {
    const row = async () => {
      const simulator = await start('5xx');
      const authorization = await bearer(simulator);
      const statuses: number[] = [];
      for (let call = 0; call < 25; call += 1) statuses.push((await askLogs(simulator, ASK, authorization)).status);
      return statuses;
    };
    const statuses = await row();
    expect([...new Set(statuses)].toSorted()).toEqual([500, 502, 503, 504]);
    expect(await row()).toEqual(statuses);
  });

  test('html is a page for people with status 200', async () => {
    const reply = await askLogs(await start('html'), ASK);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(reply.text).toMatch(/^<!doctype html>/);
  });

  test('empty-body is a 400 with nothing in it', async () => {
    const reply = await askLogs(await start('empty-body'), ASK);
    expect([reply.status, reply.text]).toEqual([400, '']);
  });

  test('forbidden is a 403 that names the product', async () => {
    const reply = await askLogs(await start('forbidden'), ASK);
    expect([reply.status, errorCode(reply)]).toEqual([403, 'app_forbidden']);
  });

  test('reset ends the connection before an answer', async () => {
    const simulator = await start('reset:first=1');
    const authorization = await bearer(simulator);
    await expect(askLogs(simulator, ASK, authorization)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await askLogs(simulator, ASK, authorization)).status).toBe(200);
  });

  test('cut ends the body half-way, and what it carried does not count as served', async () => {
    const simulator = await start('cut:first=1');
    const authorization = await bearer(simulator);
    await expect(askLogs(simulator, ASK, authorization)).rejects.toThrow();
    expect(simulator.stats).toMatchObject({ pages: 0, records: 0 });
    expect(simulator.served.count).toBe(0);
    await askLogs(simulator, ASK, authorization);
    expect(simulator.served.count).toBe(10);
  });

  test('slow takes its time, and then all is well', async () => {
    const simulator = await start('slow:by=120ms');
    const authorization = await bearer(simulator);
    const began = performance.now();
    expect((await askLogs(simulator, ASK, authorization)).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(110);
  });

  test('on=token strikes the token call alone', async () => {
    const simulator = await start('5xx:first=1,on=token,401:count=1,on=token,html:first=2,on=token');
    const calls: number[] = [];
    for (let call = 0; call < 4; call += 1) {
      calls.push((await post(`${simulator.url}/oauth/token`, FORM, tokenForm(simulator))).status);
    }
    expect(calls[0]).toBeGreaterThanOrEqual(500);
    expect(calls.slice(1)).toEqual([200, 200, 401]);
    expect((await askLogs(simulator, ASK)).status).toBe(200);
    expect(simulator.stats.byFault).toEqual({ '5xx': 1, '401': 1, html: 2 });
  });
});

describe('faults of the API', () => {
  test('fail-in-200 and status-in-200 look like success until one reads them', async () => {
    const simulator = await start('fail-in-200:first=1,status-in-200:first=1');
    const fail = await askLogs(simulator, ASK);
    expect([fail.status, fail.body.meta?.status, fail.body.data, errorCode(fail)]).toEqual([
      200,
      200,
      [],
      'err_internal_error',
    ]);
    const status = await askLogs(simulator, ASK);
    expect([status.status, status.body.meta?.status, status.body.fail]).toEqual([200, 500, []]);
    expect(simulator.served.count).toBe(0);
    expect(recordsOf(await askLogs(simulator, ASK))).toHaveLength(10);
  });

  test('page-token-expiry refuses a good token; the walk can start again', async () => {
    const simulator = await start('page-token-expiry:first=1');
    const first = await askLogs(simulator, ASK);
    const second = await askLogs(simulator, { ...ASK, pageToken: nextOf(first) });
    expect([second.status, errorCode(second)]).toEqual([400, 'err_validation_invalid_page_token']);
    expect((await walk(simulator, ASK)).flat()).toHaveLength(40);
  });

  test('empty-with-next shows an empty page in the middle of a walk, and nothing is lost to who goes on', async () => {
    const simulator = await start('empty-with-next:every=2');
    const pages = await walk(simulator, ASK);
    expect(pages.map((page) => page.length)).toEqual([10, 0, 10, 0, 10, 0, 10]);
    expect(pages.flat().map(text)).toEqual([...simulator.visibleRecords()].map(text));
  });

  test('empty-with-next:at=end has a next where there is nothing at all', async () => {
    const simulator = await start('empty-with-next:at=end');
    expect((await walk(simulator, ASK)).flat()).toHaveLength(40);
    const nothing = await askLogs(simulator, { ...ASK, to: NOON - 20 * HOUR });
    expect(nothing.body.data).toEqual([]);
    expect(nextOf(nothing)).toBeDefined();
  });

  test('repeated-next gives the token back that was sent; with at=end only on the last page', async () => {
    const simulator = await start('repeated-next:first=1');
    const token = nextOf(await askLogs(simulator, ASK));
    expect(nextOf(await askLogs(simulator, { ...ASK, pageToken: token }))).toBe(token);
    expect(nextOf(await askLogs(simulator, { ...ASK, pageToken: token }))).not.toBe(token);

    const atEnd = await start('repeated-next:at=end');
    const half = { ...ASK, pageSize: 25 };
    const first = await askLogs(atEnd, half);
    const last = await askLogs(atEnd, { ...half, pageToken: nextOf(first) });
    expect(recordsOf(last)).toHaveLength(15);
    expect(nextOf(last)).toBe(nextOf(first));
  });

  test('duplicate-pages overlap by half a page, and still show everything', async () => {
    const simulator = await start('duplicate-pages');
    const pages = await walk(simulator, ASK);
    const [first = [], second = []] = pages;
    expect(second.slice(0, 5)).toEqual(first.slice(5));
    expect(new Set(pages.flat().map(text))).toEqual(new Set([...simulator.visibleRecords()].map(text)));
    expect(pages.flat().length).toBeGreaterThan(40);
    expect(await walk(simulator, { ...ASK, pageSize: 1 })).toHaveLength(40);
  });

  test('shuffle changes the order inside a second, never that of seconds', async () => {
    const simulator = await start('shuffle');
    const truth = Array.from({ length: 30 }, (_, index) => ({
      date: formatDate(NOON - 10_000 + Math.floor(index / 10) * 1000),
      fileName: String(index),
    }));
    simulator.add(...truth);
    const ask = { ...ASK, from: NOON - 10_000, to: NOON - 8000, pageSize: 500 };
    const got = recordsOf(await askLogs(simulator, ask));
    expect(got.map(text)).not.toEqual(truth.map(text));
    expect(got.map((one) => one.date)).toEqual(truth.map((one) => one.date));
    expect(got.map(text).toSorted()).toEqual(truth.map(text).toSorted());
    expect(recordsOf(await askLogs(simulator, ask))).not.toEqual(got);
  });

  test('malformed-record comes on top of the true ones, in every kind, the same each time', async () => {
    const simulator = await start('malformed-record');
    const pages = await walk(simulator, { ...ASK, pageSize: 3 });
    const truth = new Set([...simulator.visibleRecords()].map(text));
    const malformed = pages
      .flat()
      .map(text)
      .filter((one) => !truth.has(one));
    expect(malformed).toHaveLength(pages.length);
    expect(pages.flat()).toHaveLength(40 + pages.length);
    expect(malformed.some((one) => one === 'null')).toBe(true);
    expect(malformed.some((one) => /^\d+$/.test(one))).toBe(true);
    expect(malformed.some((one) => one.startsWith('{') && !one.includes('"date"'))).toBe(true);
    expect(malformed.some((one) => one.includes('last Tuesday'))).toBe(true);
    expect(simulator.served.malformed).toEqual(new Set(malformed));
    await walk(simulator, { ...ASK, pageSize: 3 });
    expect(simulator.served.malformed).toEqual(new Set(malformed));
  });

  test('refuse-future minds a `to` later than the clock of the API, and no other', async () => {
    const simulator = await start('refuse-future');
    expect((await askLogs(simulator, ASK)).status).toBe(200);
    const reply = await askLogs(simulator, { ...ASK, to: NOON + 1000 });
    expect([reply.status, errorCode(reply)]).toEqual([400, 'err_validation_enddate_in_the_future']);
  });

  test('clock-skew moves the whole API: its Date header and what is recent', async () => {
    const simulator = await start('clock-skew:by=-90s');
    expect((await askLogs(simulator, ASK)).headers.date).toBe('Sun, 01 Mar 2026 11:58:30 GMT');
    simulator.inject({ name: 'clock-skew', by: 90_000 });
    expect((await askLogs(simulator, ASK)).headers.date).toBe('Sun, 01 Mar 2026 12:00:00 GMT');
    simulator.clearFaults('clock-skew');
    expect(simulator.now()).toBe(NOON);
  });

  test('late records surface after their date, some of them', async () => {
    const simulator = await start('', {});
    simulator.inject(...parseFaults('late:p=0.5,by=90s'));
    simulator.startTraffic({ ratePerSecond: 10 });
    clock = NOON + 20_000;
    const soon = [...simulator.visibleRecords()].length - 40;
    expect(soon).toBeGreaterThan(60);
    expect(soon).toBeLessThan(140);
    simulator.stopTraffic();
    const ask = { ...ASK, to: clock, pageSize: 500 };
    expect(recordsOf(await askLogs(simulator, ask))).toHaveLength(soon + 40);
    clock += 91_000;
    const all = recordsOf(await askLogs(simulator, ask));
    expect(all.length).toBeGreaterThanOrEqual(240);
    expect([...simulator.visibleRecords(NOON + 20_000)]).toHaveLength(soon + 40);
    expect([...simulator.unservedRecords()]).toEqual([]);
    expect([...simulator.servedRecords()].map(text)).toEqual(all.map(text));
  });

  test('faults come and go while it runs', async () => {
    const simulator = await start('');
    expect((await askLogs(simulator, ASK)).status).toBe(200);
    simulator.inject({ name: 'forbidden' });
    expect((await askLogs(simulator, ASK)).status).toBe(403);
    simulator.clearFaults();
    expect((await askLogs(simulator, ASK)).status).toBe(200);
  });

  test('many at once, and a client that follows the rules of each still gets every record', async () => {
    const simulator = await start(
      '5xx:p=0.2,cut:p=0.1,reset:p=0.1,html:p=0.1,empty-with-next:p=0.2,duplicate-pages:p=0.3,fail-in-200:p=0.1,page-token-expiry:p=0.05',
    );
    const authorization = await bearer(simulator);
    const seen = new Set<string>();
    let pageToken: string | undefined;
    for (let call = 0; call < 400; call += 1) {
      const reply = await askLogs(simulator, { ...ASK, pageToken }, authorization).catch(() => undefined);
      if (reply?.status === 400) pageToken = undefined;
      if (reply?.status !== 200 || !reply.body.data || reply.body.fail?.length) continue;
      for (const one of recordsOf(reply)) seen.add(text(one));
      pageToken = nextOf(reply);
      if (pageToken === undefined) break;
    }
    expect(pageToken).toBeUndefined();
    expect(seen).toEqual(new Set([...simulator.visibleRecords()].map(text)));
    expect([...simulator.unservedRecords()]).toEqual([]);
  });
});
