import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { otlp } from '../../src/outputs/otlp.ts';
import type { Output } from '../../src/outputs/output.ts';
import { MAIL_CANARY, outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { HttpReceiver, type Reaction } from '../fakes/http-receiver.ts';
import { encoded, OtlpCollector } from '../fakes/otlp-collector.ts';
import { messages } from '../fakes/otlp-messages.ts';
import { eventOf, hostileRecords } from '../formats/records.ts';

let http: HttpReceiver;
let collector: OtlpCollector;
const outputs: Output[] = [];

beforeEach(async () => {
  http = await HttpReceiver.start();
  collector = new OtlpCollector();
  http.react = collector.react;
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await http.close();
});

const ENCODINGS = ['protobuf', 'json'] as const;

describe.each(ENCODINGS)('a batch in %s', (encoding) => {
  it.each([true, false])('is one request, gzip %s', async (gzip) => {
    await send({ encoding, gzip });
    expect(collector.records.map(({ body }) => body)).toEqual(textsOf(someEvents(3)));
    expect(collector.records.map(({ attributes }) => attributes['log.record.uid'])).toEqual(
      someEvents(3).map(({ id }) => id),
    );
    const [request] = collector.requests;
    expect(collector.requests).toHaveLength(1);
    expect(request?.headers).toMatchObject({
      'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      'user-agent': 'mimecast-forwarder/0.0.0',
    });
    expect(request?.headers['content-encoding']).toBe(gzip ? 'gzip' : undefined);
  });

  it('has the time of the event in nanoseconds, and when it was seen', async () => {
    const before = BigInt(Date.now());
    await send({ encoding });
    const [first] = collector.records;
    expect(first?.record).toMatchObject({ timeUnixNano: `${Date.UTC(2026, 0, 1, 0, 0, 1)}000000` });
    const seen = BigInt(String(first?.record.observedTimeUnixNano)) / 1_000_000n;
    expect(seen >= before && seen <= BigInt(Date.now())).toBe(true);
  });

  it('says who sends', async () => {
    await send({ encoding, serviceName: 'mail', resourceAttributes: { 'deployment.environment.name': 'prod' } });
    expect(collector.records[0]).toMatchObject({
      resource: { 'service.name': 'mail', 'deployment.environment.name': 'prod' },
      scope: { name: 'mimecast-forwarder', version: '0.0.0' },
    });
  });

  it('may hold anything', async () => {
    const events = Object.values(hostileRecords).map((record) => eventOf(record));
    await open({ encoding }).send(events, new AbortController().signal);
    expect(collector.records).toHaveLength(events.length);
  });

  it('that is too large for one request is several', async () => {
    const format = { ...rawFormat, render: () => ({ text: '"'.repeat(1_000_000), shortened: true }) };
    const sent = await open({ encoding, maxMessageBytes: '2MiB' }, { format }).send(someEvents(20), signal());
    expect(sent).toEqual({ rejected: [], shortened: 20 });
    expect(collector.records).toHaveLength(20);
    const sizes = collector.requests.map(({ wire }) => gunzipSync(wire).length);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(sizes.length).toBe(encoding === 'json' ? 5 : 3);
  });

  describe('that is taken in part', () => {
    it('is kept whole as rejects, for nobody knows which ones were refused, and is not sent again', async () => {
      collector.rejectedOf = () => 2;
      const events = someEvents(5);
      const { rejected, unsettled } = await open({ encoding }).send(events, signal());
      expect(rejected.map(({ event }) => event)).toEqual(events);
      expect(new Set(rejected.map(({ reason }) => reason)).size).toBe(1);
      expect(rejected[0]?.reason).toMatch(/refused 2 of its 5 log records .*log\.record\.uid/);
      expect(rejected[0]?.reason).not.toContain('größer'); // What the receiver says is not passed on.
      expect(unsettled).toBeUndefined();
      expect(collector.requests).toHaveLength(1);
    });

    it('but not at all says so', async () => {
      collector.rejectedOf = ({ length }) => length;
      const { rejected, shortened } = await open({ encoding }).send(someEvents(2), signal());
      expect(rejected.map(({ reason }) => reason)).toEqual(Array(2).fill('the receiver refused it (partialSuccess)'));
      expect(shortened).toBe(0);
    });

    it('with nothing refused is a warning, and all is taken', async () => {
      answer(encoding, 200, messages.response, {
        partialSuccess: { rejectedLogRecords: 0, errorMessage: 'slow down' },
      });
      expect(await send({ encoding })).toEqual({ rejected: [], shortened: 0 });
    });
  });

  it('that is refused tells the code of the answer, and none of its words', async () => {
    answer(encoding, 400, messages.status, { code: 3, message: `bad: ${MAIL_CANARY}` });
    const error = await failure({ encoding });
    expect(error).toMatchObject({
      disposition: 'split',
      message: `${http.origin} answered 400 Bad Request (gRPC status 3)`,
    });
  });

  it('may be answered in the other encoding', async () => {
    const other = encoding === 'json' ? 'protobuf' : 'json';
    answer(other, 200, messages.response, { partialSuccess: { rejectedLogRecords: 200 } });
    const { rejected } = await open({ encoding }).send(someEvents(300), signal());
    expect(rejected).toHaveLength(300);
    expect(rejected[0]?.reason).toContain('200 of its 300');
  });

  it('is probed with a request without telemetry', async () => {
    expect(await open({ encoding }).probe(signal())).toBe(`${http.origin} accepted an empty request`);
    expect(collector.requests).toHaveLength(1);
    expect(collector.records).toEqual([]);
  });
});

describe('a status', () => {
  it.each([
    [429, 'retry', 'rate_limited'],
    [502, 'retry', 'server'],
    [503, 'retry', 'server'],
    [504, 'retry', 'server'],
    // Final in OTLP: repeated rarely, and told at once.
    [500, 'halt', 'server'],
    [501, 'halt', 'server'],
    [505, 'halt', 'server'],
    [408, 'halt', 'timeout'],
    [425, 'halt', 'server'],
    [400, 'split', 'refused'],
    [413, 'split', 'refused'],
    [422, 'split', 'refused'],
    [401, 'halt', 'auth'],
    [403, 'halt', 'auth'],
    [407, 'halt', 'auth'],
    [404, 'halt', 'refused'],
    [405, 'halt', 'refused'],
    [415, 'halt', 'refused'],
    [307, 'halt', 'refused'],
    [206, 'halt', 'refused'],
    [260, 'halt', 'refused'],
  ])('%i: %s, %s', async (status, disposition, reason) => {
    http.react = () => ({ status, body: '{}' });
    const error = await failure({});
    expect(error).toMatchObject({ disposition, reason });
    if (disposition === 'halt') expect(error.hint).toMatch(/\.$/);
  });

  it.each([200, 202, 204])('%i is success', async (status) => {
    http.react = () => ({ status });
    expect(await send({})).toEqual({ rejected: [], shortened: 0 });
  });

  it.each([
    ['in seconds', () => '60', 60_000],
    ['as a date', () => new Date(Date.now() + 60_000).toUTCString(), 60_000],
    ['of a day', () => '86400', 900_000],
  ])('429 with a Retry-After %s is obeyed, within reason', async (_, value, expected) => {
    http.react = () => ({ status: 429, headers: { 'retry-after': value() } });
    const { retryAfterMs = 0 } = await failure({});
    expect(Math.abs(retryAfterMs - expected)).toBeLessThan(3000);
  });
});

describe('an answer 200', () => {
  it.each<[string, Reaction]>([
    ['that is a page', { status: 200, body: '<html>Sign in</html>' }],
    ['of more than 4 MiB', { status: 200, body: Buffer.alloc(10_000_000, ' ') }],
  ])('%s counts for nothing', async (_, reaction) => {
    http.react = () => reaction;
    expect(await failure({})).toMatchObject({
      disposition: 'halt',
      reason: 'server',
      hint: expect.stringMatching(/url/),
    });
    await expect(open({}).probe(signal())).rejects.toMatchObject({ disposition: 'halt' });
  });

  it('that breaks off does not say how much was refused, so the batch is sent again', async () => {
    http.react = () => 'half';
    expect(await failure({ timeout: '200ms' })).toMatchObject({ disposition: 'retry', reason: 'unconfirmed' });
  });

  it('of many bytes is read to the end', async () => {
    const partialSuccess = { rejectedLogRecords: 1, errorMessage: 'x'.repeat(3_000_000) };
    answer('protobuf', 200, messages.response, { partialSuccess });
    expect((await send({})).rejected).toHaveLength(3);
  });
});

it('settles the requests before the one that fails', async () => {
  const format = { ...rawFormat, render: () => ({ text: 'x'.repeat(5_000_000), shortened: false }) };
  collector.refuse = () => (collector.requests.length === 1 ? { status: 503 } : undefined);
  const events = someEvents(3);
  const sent = await open({ maxMessageBytes: '8MiB' }, { format }).send(events, signal());
  expect(sent).toMatchObject({
    rejected: [],
    unsettled: { events: events.slice(1), error: { disposition: 'retry', reason: 'server' } },
  });
});

describe('the url', () => {
  it.each(['', '/', '/v1/logs', '/v1/logs/', '?tenant=a', '/v1/logs?tenant=a'])('may end with "%s"', async (end) => {
    await send({ url: `${http.origin}${end}` });
    expect(collector.requests[0]?.path).toMatch(/^\/v1\/logs(\?tenant=a)?$/);
  });

  it('may have a path of its own', async () => {
    http.react = ({ path }) => ({ status: path === '/otlp/v1/logs' ? 204 : 404 });
    expect(await send({ url: `${http.origin}/otlp` })).toEqual({ rejected: [], shortened: 0 });
  });
});

it('a probe tells wrong credentials and paths from a receiver that takes no empty request', async () => {
  for (const status of [401, 403, 404]) {
    http.react = () => ({ status });
    await expect(open({}).probe(signal())).rejects.toMatchObject({ disposition: 'halt' });
  }
  http.react = () => ({ status: 400 });
  expect(await open({}).probe(signal())).toContain('only an event proves the rest');
});

describe('options', () => {
  const good = { url: 'https://collector.example:4318' };

  it('have defaults', () => {
    expect(otlp.options.parse(good)).toEqual({
      ...good,
      encoding: 'protobuf',
      headers: {},
      gzip: true,
      serviceName: 'mimecast-forwarder',
      resourceAttributes: {},
      maxMessageBytes: 256 * 1024,
      timeout: 30_000,
    });
  });

  it.each([
    [{ url: 'collector:4318' }, 'url'],
    [{ encoding: 'grpc' }, 'encoding'],
    [{ headers: { 'Content-Type': 'text/plain' } }, 'headers'],
    [{ headers: { 'Content-Encoding': 'zstd' } }, 'headers'],
    [{ serviceName: '' }, 'serviceName'],
    [{ resourceAttributes: { 'service.name': 'a' } }, 'resourceAttributes'],
    [{ resourceAttributes: { a: 1 } }, 'resourceAttributes'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
  ])('refuse %o', (wrong, path) => {
    const { error } = otlp.options.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
  });
});

function open(options: object, context: object = {}): Output {
  const output = otlp.create(otlp.options.parse({ url: http.origin, ...options }), outputContext(context));
  outputs.push(output);
  return output;
}

function signal(): AbortSignal {
  return new AbortController().signal;
}

async function send(options: object) {
  return await open(options).send(someEvents(3), signal());
}

async function failure(options: object) {
  return await open(options)
    .send(someEvents(3), signal())
    .then(
      () => expect.unreachable('it was accepted'),
      (error: unknown) => error as Error & { hint?: string; retryAfterMs?: number },
    );
}

function answer(encoding: 'protobuf' | 'json', status: number, type: typeof messages.response, content: object): void {
  const contentType = encoding === 'json' ? 'application/json' : 'application/x-protobuf';
  http.react = () => encoded(contentType, status, type, content);
}
