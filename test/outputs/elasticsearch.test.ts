import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import { ecs } from '../../src/formats/ecs.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import { elasticsearch } from '../../src/outputs/elasticsearch.ts';
import type { Output, OutputError, Sent } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { MAIL_CANARY, outputContext, someEvents } from '../contract/output-harness.ts';
import { FakeCluster, type ItemFault } from '../fakes/elasticsearch.ts';
import { type Answer, HttpReceiver, type ReceivedRequest } from '../fakes/http-receiver.ts';
import { eventOf, hostileRecords, ID, plainRecord } from '../formats/records.ts';

let cluster: FakeCluster;
let receiver: HttpReceiver;
const outputs: Output[] = [];

beforeEach(async () => {
  cluster = new FakeCluster();
  receiver = await HttpReceiver.start();
  receiver.react = (request) => cluster.answer(request);
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await receiver.close();
});

describe('a request', () => {
  it('is an action and a document for each event, every line ended', async () => {
    const events = someEvents(2);
    const { method, path, headers, text } = await requestFor(events, {});
    expect(method).toBe('POST');
    expect(decodeURIComponent(path)).toBe(
      '/logs-mimecast_ttp_ap-default/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.caused_by.type',
    );
    expect(headers).toMatchObject({ 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' });
    expect(headers).not.toHaveProperty('authorization');
    expect(text).toBe(
      '{"create":{"_id":"00000000000000000000000000000001"}}\n' +
        `{"@timestamp":"2026-01-01T00:00:01.000Z","seq":1,"subject":"${MAIL_CANARY} 1 – größer"}\n` +
        '{"create":{"_id":"00000000000000000000000000000002"}}\n' +
        `{"@timestamp":"2026-01-01T00:00:02.000Z","seq":2,"subject":"${MAIL_CANARY} 2 – größer"}\n`,
    );
  });

  it('goes to another index, through a pipeline, below a path, not compressed', async () => {
    cluster.pipelines.add('mail & co');
    const served = receiver.react;
    receiver.react = (request) => served({ ...request, path: request.path.replace('/es/', '/') });
    const options = { url: `${receiver.origin}/es/`, index: 'mail', pipeline: 'mail & co', gzip: false };
    const { path, headers } = await requestFor(someEvents(1), options);
    expect(path).toMatch(/^\/es\/mail\/_bulk\?/);
    expect(headers).not.toHaveProperty('content-encoding');
  });

  it.each([
    [
      { apiKey: 'VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==' },
      'VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==',
    ],
    // The same, as it is shown by `POST /_security/api_key` in two fields.
    [
      { apiKey: 'VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw' },
      'VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==',
    ],
  ])('has an API key either way: %j', async (options, key) => {
    cluster.authorization = `ApiKey ${key}`;
    await requestFor(someEvents(1), options);
  });

  it('has a user and a password', async () => {
    // RFC 7617 §2 has this very pair.
    cluster.authorization = 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==';
    await requestFor(someEvents(1), { username: 'Aladdin', password: 'open sesame' });
  });

  it.each(['apiKey', 'password'])('follows the file of its %s when the cluster refuses the old one', async (key) => {
    const folder = mkdtempSync(join(tmpdir(), 'elasticsearch-'));
    writeFileSync(join(folder, 'secret'), 'old');
    const user = key === 'password' && { username: 'u' };
    const output = open({ ...user, [key]: Secret.fromFile(join(folder, 'secret')) });
    cluster.authorization = key === 'password' ? `Basic ${Buffer.from('u:new').toString('base64')}` : 'ApiKey new';
    writeFileSync(join(folder, 'secret'), 'new');
    expect(await failure(output, someEvents(1))).toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    expect(await send(output, someEvents(1))).toEqual({ rejected: [], shortened: 0 });
    rmSync(folder, { recursive: true });
  });

  it.each([
    [401, 1],
    [403, 3],
  ])('follows the file of its key when items come back with %i: %i of 3', async (status, refused) => {
    const folder = mkdtempSync(join(tmpdir(), 'elasticsearch-'));
    const file = join(folder, 'key');
    writeFileSync(file, 'old');
    const output = open({ apiKey: Secret.fromFile(file) });
    const events = someEvents(3);
    faultAt(
      Object.fromEntries(Array.from({ length: refused }, (_, at) => [at, { status, type: 'security_exception' }])),
    );
    expect(await errorOf(output, events)).toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(file, 'new');
    expect(await errorOf(output, events)).toMatchObject({ disposition: 'retry', reason: 'auth', retryAfterMs: 0 });
    faultAt({});
    cluster.authorization = 'ApiKey new';
    expect(await send(output, events)).toEqual({ rejected: [], shortened: 0 });
    rmSync(folder, { recursive: true });
  });

  it('is one of several when the batch is too long for one', async () => {
    const events = someEvents(3000);
    const output = open({ maxRequestBytes: '64KiB', gzip: false });
    expect(await send(output, events)).toEqual({ rejected: [], shortened: 0 });
    expect(cluster.requests.length).toBeGreaterThan(5);
    for (const { wire } of cluster.requests.slice(0, -1)) {
      expect(wire.length).toBeLessThanOrEqual(64 * 1024);
      expect(wire.length).toBeGreaterThan(64 * 1024 - 300);
    }
    expect([...cluster.documents.keys()]).toEqual(events.map(({ id }) => id));
  });

  it('can have as many documents as a batch, and its answer is read whole', async () => {
    cluster.faultOf = () => ({ status: 400, type: 'document_parsing_exception' });
    const { rejected } = await send(open({}), someEvents(10_000));
    expect(rejected).toHaveLength(10_000);
    expect(cluster.requests).toHaveLength(1);
  });
});

describe('a document', () => {
  it('is the event in ECS, as it is', async () => {
    const format = buildFormat(ecs);
    await requestFor([eventOf(plainRecord)], {}, { format });
    expect(cluster.documents.get(ID)).toBe(format.render(eventOf(plainRecord)).text);
  });

  it('gets the time that a data stream wants, where its format has none', async () => {
    const format = buildFormat(json);
    await requestFor([eventOf(plainRecord)], {}, { format });
    const { '@timestamp': timestamp, ...rest } = JSON.parse(cluster.documents.get(ID) ?? '');
    expect(timestamp).toBe('2021-10-14T18:54:32.000Z');
    expect(rest).toEqual(JSON.parse(format.render(eventOf(plainRecord)).text));
  });

  it.each([
    ['{"a":1,"@timestamp":"2026-01-01T00:00:00Z"}', '{"a":1,"@timestamp":"2026-01-01T00:00:00Z"}'],
    ['{"a":"\\"@timestamp\\""}', '{"@timestamp":"2026-01-01T00:00:01.000Z","a":"\\"@timestamp\\""}'],
    ['{"a":{"@timestamp":1}}', '{"@timestamp":"2026-01-01T00:00:01.000Z","a":{"@timestamp":1}}'],
    ['{ }', '{"@timestamp":"2026-01-01T00:00:01.000Z"}'],
  ])('has one time, whatever the format wrote: %s', async (text, document) => {
    await requestFor(someEvents(1), {}, { format: textFormat(text, 'application/json') });
    expect([...cluster.documents.values()]).toEqual([document]);
  });

  it.each([
    ['CEF:0|"a"|\\', 'text/plain; charset=utf-8'],
    ['"a text"', 'application/json'],
  ])('holds a text that is no object as its message: %s', async (text, mediaType) => {
    await requestFor(someEvents(1), {}, { format: textFormat(text, mediaType) });
    const [id, document] = [...cluster.documents][0] ?? [];
    expect(JSON.parse(document ?? '')).toEqual({
      '@timestamp': '2026-01-01T00:00:01.000Z',
      message: text,
      event: { id },
    });
  });

  it('is shortened to maxMessageBytes', async () => {
    const format = buildFormat(ecs);
    const output = open({ maxMessageBytes: '2KiB' }, { format });
    const record = { ...plainRecord, subject: 'x'.repeat(5000) };
    expect(await send(output, [eventOf(record)])).toEqual({ rejected: [], shortened: 1 });
    expect(Buffer.byteLength(cluster.documents.get(ID) ?? '')).toBeLessThanOrEqual(2048);
  });

  it('is taken, whatever a record holds', async () => {
    const output = open({ maxMessageBytes: '8KiB' }, { format: buildFormat(ecs) });
    for (const record of Object.values(hostileRecords)) {
      cluster.documents.clear();
      expect(await send(output, [eventOf(record)])).toMatchObject({ rejected: [] });
      expect(cluster.documents.size).toBe(1);
    }
  });
});

describe('an item', () => {
  it.each([
    [400, 'document_parsing_exception', 'refused by ORIGIN: 400 document_parsing_exception'],
    [400, 'mapper_parsing_exception', 'refused by ORIGIN: 400 mapper_parsing_exception'],
    [400, `illegal ${MAIL_CANARY}`, 'refused by ORIGIN: 400'],
    [400, 'x'.repeat(65), 'refused by ORIGIN: 400'],
    [413, 'document_too_large', 'refused by ORIGIN: 413 document_too_large'],
    [405, 'method_not_allowed', 'refused by ORIGIN: 405 method_not_allowed'],
  ])('that is refused with %i %s becomes a reject, and the rest is stored', async (status, type, reason) => {
    const events = someEvents(4);
    faultAt({ 2: { status, type, reason: MAIL_CANARY } });
    expect(await send(open({}), events)).toEqual({
      rejected: [{ event: events[2], reason: reason.replace('ORIGIN', receiver.origin) }],
      shortened: 0,
    });
    expect(cluster.documents.size).toBe(3);
  });

  it.each([
    ['index_closed_exception'],
    ['validation_exception'],
    ['illegal_argument_exception'],
    ['some_later_exception'],
  ])('that is refused with 400 %s like all the others says nothing about its event', async (type) => {
    faultAt(Object.fromEntries([0, 1, 2].map((at) => [at, { status: 400, type, reason: MAIL_CANARY }])));
    const error = await failure(open({}), someEvents(3));
    expect(error).toMatchObject({
      disposition: 'halt',
      reason: 'refused',
      message: expect.stringContaining(`400 ${type}`),
      hint: expect.stringContaining('logs-mimecast_ttp_ap-default'),
    });
    expectQuiet(error);
  });

  it.each([
    ['document_parsing_exception', undefined],
    ['mapper_parsing_exception', undefined],
    ['strict_dynamic_mapping_exception', undefined],
    ['illegal_argument_exception', 'max_bytes_length_exceeded_exception'],
  ])('that is refused alone with 400 %s (%s) becomes a reject: it is about the document', async (type, cause) => {
    faultAt({ 0: { status: 400, type, cause } });
    expect((await send(open({}), someEvents(1))).rejected).toHaveLength(1);
  });

  it('that is there already is done with, and stays as it is', async () => {
    const output = open({});
    await send(output, someEvents(2));
    const before = [...cluster.documents];
    expect(await send(output, someEvents(3))).toEqual({ rejected: [], shortened: 0 });
    expect([...cluster.documents].slice(0, 2)).toEqual(before);
    expect(cluster.documents.size).toBe(3);
  });

  it.each([
    [429, 'es_rejected_execution_exception', 'rate_limited', 'retry'],
    [429, 'cluster_block_exception', 'rate_limited', 'retry'],
    [503, 'unavailable_shards_exception', 'server', 'retry'],
    [500, 'illegal_state_exception', 'server', 'retry'],
    [401, 'security_exception', 'auth', 'halt'],
    [403, 'security_exception', 'auth', 'halt'],
    [404, 'index_not_found_exception', 'refused', 'halt'],
  ])('that comes back with %i %s is sent again alone', async (status, type, reason, disposition) => {
    const events = someEvents(4);
    const output = open({});
    faultAt({ 1: { status, type, reason: MAIL_CANARY }, 3: { status, type } });
    const { unsettled, rejected } = await send(output, events);
    expect(rejected).toEqual([]);
    expect(unsettled?.events).toEqual([events[1], events[3]]);
    expect(unsettled?.error).toMatchObject({
      reason,
      disposition,
      message: expect.stringContaining(`${status} ${type}`),
    });
    expectQuiet(unsettled?.error);
    faultAt({});
    expect(await send(output, unsettled?.events ?? [])).toEqual({ rejected: [], shortened: 0 });
    expect(cluster.documents.size).toBe(4);
  });

  it('is waited for as long as the answer says', async () => {
    faultAt({ 0: { status: 429, type: 'es_rejected_execution_exception' } });
    receiver.react = (request) => ({ ...cluster.answer(request), headers: { 'retry-after': '9' } });
    const { unsettled } = await send(open({}), someEvents(2));
    expect(unsettled?.error?.retryAfterMs).toBe(9000);
  });

  it('tells of what somebody has to mend before what time will mend', async () => {
    faultAt({
      0: { status: 429, type: 'es_rejected_execution_exception' },
      1: { status: 403, type: 'security_exception' },
      2: { status: 503, type: 'unavailable_shards_exception' },
      3: { status: 400, type: 'document_parsing_exception' },
    });
    const { unsettled, rejected } = await send(open({}), someEvents(5));
    expect(unsettled?.events).toHaveLength(3);
    expect(unsettled?.error).toMatchObject({ disposition: 'halt', reason: 'auth' });
    expect(rejected).toHaveLength(1);
  });

  it('that fails like all the others fails the batch', async () => {
    cluster.autoCreate = false;
    const error = await failure(open({ index: 'not-there' }), someEvents(3));
    expect(error).toMatchObject({
      disposition: 'halt',
      reason: 'refused',
      message: expect.stringContaining('404 index_not_found_exception'),
    });
    expect(error.hint).toContain('not-there');
  });

  it('counts as shortened only when it was stored', async () => {
    faultAt({ 0: { status: 400, type: 'document_parsing_exception' }, 1: { status: 429, type: 'x' } });
    const format = {
      ...textFormat('{"a":1}', 'application/json'),
      render: () => ({ text: '{"a":1}', shortened: true }),
    };
    expect(await send(open({}, { format }), someEvents(4))).toMatchObject({ shortened: 2 });
  });
});

describe('a whole request', () => {
  it.each([
    [429, 'retry', 'rate_limited'],
    [503, 'retry', 'server'],
    [502, 'retry', 'server'],
    [413, 'split', 'refused'],
    [400, 'split', 'refused'],
    [401, 'halt', 'auth'],
    [403, 'halt', 'auth'],
    [404, 'halt', 'refused'],
    [302, 'halt', 'refused'],
  ])('answered with %i: %s', async (status, disposition, reason) => {
    receiver.react = ({ text }) => ({ status, body: text });
    expect(await failure(open({}), someEvents(2))).toMatchObject({ disposition, reason });
  });

  it('over the limit of the cluster is split', async () => {
    cluster.maxContentLength = 1000;
    expect(await failure(open({}), someEvents(20))).toMatchObject({ disposition: 'split' });
    expect(await send(open({}), someEvents(2))).toMatchObject({ rejected: [] });
  });

  it('that fails leaves those before it done', async () => {
    let count = 0;
    receiver.react = (request) => {
      count += 1;
      return count === 2 ? { status: 503 } : cluster.answer(request);
    };
    const { unsettled } = await send(open({ maxRequestBytes: '64KiB' }), someEvents(1000));
    expect(unsettled?.error).toMatchObject({ disposition: 'retry' });
    expect(cluster.documents.size + (unsettled?.events.length ?? 0)).toBe(1000);
  });

  const good = (count: number) =>
    JSON.stringify({ errors: false, items: Array(count).fill({ create: { status: 201 } }) });
  it.each<[string, string | Buffer]>([
    ['is no JSON', '<html>welcome</html>'],
    ['is empty', ''],
    ['has too few items', good(1)],
    ['has too many items', good(3)],
    [
      'has items of another kind',
      JSON.stringify({ errors: false, items: [{ index: { status: 200 } }, { index: { status: 200 } }] }),
    ],
    ['has items without a status', JSON.stringify({ items: [{ create: {} }, { create: {} }] })],
    ['does not end', Buffer.alloc(10_000_000, good(2).slice(0, -1))],
  ])('whose answer %s is sent again, and doubles nothing', async (_, body) => {
    const output = open({});
    receiver.react = (request) => ({ ...cluster.answer(request), body });
    expect(await failure(output, someEvents(2))).toMatchObject({ disposition: 'retry', reason: 'unconfirmed' });
    receiver.react = (request) => cluster.answer(request);
    expect(await send(output, someEvents(2))).toEqual({ rejected: [], shortened: 0 });
    expect(cluster.documents.size).toBe(2);
  });

  it('whose answer breaks off is sent again', async () => {
    receiver.react = () => 'half';
    expect(await failure(open({ timeout: '300ms' }), someEvents(1))).toMatchObject({ disposition: 'retry' });
  });

  it('whose items have an error that is a text, as proxies may write it, is read all the same', async () => {
    const item = (create: object) => ({ create });
    const answerWith = (...items: object[]) => {
      receiver.react = () => ({ status: 200, body: JSON.stringify({ items }) });
    };
    const bad = item({ status: 400, error: 'bad' });
    answerWith(item({ status: 201 }), bad);
    expect((await send(open({}), someEvents(2))).rejected).toMatchObject([
      { reason: `refused by ${receiver.origin}: 400` },
    ]);
    answerWith(bad);
    expect(await failure(open({}), someEvents(1))).toMatchObject({ disposition: 'halt' });
  });
});

describe('a probe', () => {
  it.each([
    [{ number: '9.1.0', build_flavor: 'default' }, 'Elasticsearch 9.1.0'],
    [{ number: '3.2.0', distribution: 'opensearch' }, 'OpenSearch 3.2.0'],
  ])('names the product: %j', async (version, product) => {
    cluster.version = version;
    expect(await probe({})).toBe(`${receiver.origin} is ${product}; logs-mimecast_ttp_ap-default is there`);
  });

  it('says what is missing', async () => {
    const said = await probe({ index: 'elsewhere', pipeline: 'not-there' });
    expect(said).toMatch(/; elsewhere is missing: .*; pipeline not-there is missing: /);
    cluster.pipelines.add('not-there');
    expect(await probe({ pipeline: 'not-there' })).toMatch(/; pipeline not-there is there$/);
  });

  it('counts credentials that may only write as good', async () => {
    cluster.writeOnly = true;
    expect(await probe({})).toMatch(/knows the credentials.*cannot be told \(403 Forbidden\)$/);
  });

  it.each<[string, Answer, object]>([
    ['credentials that are refused', { status: 401 }, { disposition: 'halt', reason: 'auth' }],
    ['a path with nothing on it', { status: 404 }, { disposition: 'halt' }],
    ['Kibana', { status: 200, body: '<html>' }, { disposition: 'halt', hint: expect.stringContaining('Kibana') }],
    ['a version that is none', { status: 200, body: '{"version":{"number":"<b>"}}' }, { disposition: 'halt' }],
    ['a cluster that starts', { status: 503 }, { disposition: 'retry' }],
  ])('fails on %s', async (_, answer, error) => {
    receiver.react = () => answer;
    await expect(probe({})).rejects.toMatchObject(error);
  });

  it('writes nothing', async () => {
    await probe({});
    expect(cluster.requests.map(({ method }) => method)).toEqual(['GET', 'HEAD']);
  });
});

describe('options', () => {
  const good = { url: 'https://elastic.example:9200' };

  it('have defaults', () => {
    expect(elasticsearch.options.parse(good)).toEqual({
      ...good,
      index: 'logs-mimecast_ttp_ap-default',
      gzip: true,
      maxRequestBytes: 5 * 1024 ** 2,
      maxMessageBytes: 1024 ** 2,
      timeout: 30_000,
    });
  });

  it.each([
    [{ url: 'https://elastic:changeme@elastic.example' }, 'url'],
    [{ index: 'Upper' }, 'index'],
    [{ index: '_bulk' }, 'index'],
    [{ index: 'a/b' }, 'index'],
    [{ index: 'logs-*' }, 'index'],
    [{ index: '..' }, 'index'],
    [{ index: 'a,b' }, 'index'],
    [{ index: 'x'.repeat(256) }, 'index'],
    [{ username: 'u' }, 'username'],
    [{ password: 'p' }, 'username'],
    [{ apiKey: 'k', username: 'u', password: 'p' }, 'apiKey'],
    [{ maxRequestBytes: '1KiB' }, 'maxRequestBytes'],
  ])('refuse %o', (wrong, path) => {
    const { error } = elasticsearch.options.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
    expect(JSON.stringify(error?.issues)).not.toContain('changeme');
  });
});

/** Why a send did not settle all of its events, or none. */
function errorOf(output: Output, events: readonly ForwarderEvent[]): Promise<unknown> {
  return send(output, events).then(
    ({ unsettled }) => unsettled?.error,
    (error) => error,
  );
}

function open(options: object, context: object = {}): Output {
  const parsed = elasticsearch.options.parse({ url: receiver.origin, ...options });
  const output = elasticsearch.create(parsed, outputContext(context));
  outputs.push(output);
  return output;
}

const send = (output: Output, events: readonly ForwarderEvent[]): Promise<Sent> =>
  output.send(events, new AbortController().signal);

const probe = (options: object): Promise<string> => open(options).probe(new AbortController().signal);

async function requestFor(
  events: readonly ForwarderEvent[],
  options: object,
  context: object = {},
): Promise<ReceivedRequest> {
  expect(await send(open(options, context), events)).toEqual({ rejected: [], shortened: 0 });
  return receiver.requests.at(-1) ?? expect.unreachable('nothing arrived');
}

async function failure(output: Output, events: readonly ForwarderEvent[]): Promise<OutputError> {
  const error = await send(output, events).then(
    () => expect.unreachable('it was accepted'),
    (thrown: OutputError) => thrown,
  );
  expectQuiet(error);
  return error;
}

/** Receivers put what they were sent into their answers. */
function expectQuiet(error: unknown): void {
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(MAIL_CANARY);
}

/** Faults by the place of the event in `someEvents`. */
function faultAt(faults: Readonly<Record<number, ItemFault>>): void {
  cluster.faultOf = (id) => faults[Number.parseInt(id, 16) - 1];
}

function textFormat(text: string, mediaType: string) {
  return { name: 'text', mediaType, render: () => ({ text, shortened: false }) };
}
