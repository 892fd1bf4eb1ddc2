import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Shipment } from '../../src/deliver/shipment.ts';
import { ForwarderEvent } from '../../src/event.ts';
import { loki } from '../../src/outputs/loki.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat } from '../contract/output-harness.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { FakeLoki } from '../fakes/loki.ts';
import { eventOf, feed, hostileRecords, plainRecord } from '../formats/records.ts';

const NOW = Date.UTC(2026, 5, 15, 12, 34, 56);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let http: HttpReceiver;
let server: FakeLoki;
const outputs: Output[] = [];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  http = await HttpReceiver.start();
  server = new FakeLoki();
  http.react = server.react;
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await http.close();
  vi.useRealTimers();
});

describe('a push', () => {
  it('has each line with its time in nanoseconds, as text, and what to filter by', async () => {
    await send({}, [eventAt(NOW - MINUTE)]);
    expect(server.stored).toEqual([
      {
        stream: { job: 'mimecast-forwarder' },
        timestamp: BigInt(NOW - MINUTE) * 1_000_000n,
        line: expect.stringContaining('"result":"malicious"'),
        metadata: {
          event_id: '00000000000000000000000000000001',
          feed: 'attachment',
          level: 'critical',
          result: 'malicious',
          action: 'user release, none',
          route: 'inbound',
          sender: '<>',
          recipient: 'johndoe@example.com',
          message_id: '<20200806044148.F35F813B435@mail.example.com>',
          file_hash: 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3',
        },
      },
    ]);
  });

  it.each([true, false])('is JSON, gzip %s', async (gzip) => {
    await send({ gzip }, [eventAt(NOW)]);
    const [request] = server.requests;
    expect(request?.headers['content-encoding']).toBe(gzip ? 'gzip' : undefined);
    expect(request?.headers['content-type']).toBe('application/json');
    expect(request?.text).toMatch(
      new RegExp(`^\\{"streams":\\[\\{"stream":\\{"job":"mimecast-forwarder"\\},"values":\\[\\["${NOW}000000","`),
    );
  });

  it('without metadata is a pair of time and line', async () => {
    server.limits.allowStructuredMetadata = false;
    await send({ structuredMetadata: false }, [eventAt(NOW)]);
    expect(server.stored[0]?.metadata).toEqual({});
    await expect(send({}, [eventAt(NOW)])).rejects.toMatchObject({ disposition: 'split' });
  });

  it('may have several events of one second', async () => {
    await send(
      {},
      [1, 2, 3].map((seq) => eventAt(NOW, { seq })),
    );
    expect(new Set(server.stored.map(({ timestamp }) => timestamp)).size).toBe(1);
    expect(server.stored).toHaveLength(3);
  });

  it('may hold anything', async () => {
    const events = Object.values(hostileRecords).map((record, seq) => eventAt(NOW, { ...record, seq }));
    await send({ labelFields: ['result', 'action', 'route', 'feed'] }, events);
    expect(server.stored).toHaveLength(events.length);
  });

  it('has no half characters in labels and metadata: Loki would refuse all of it', async () => {
    await send({ labelFields: ['action'] }, [eventAt(NOW, { actionTriggered: 'a\ud800', senderAddress: '\udc00b' })]);
    expect(server.stored[0]).toMatchObject({ stream: { action: 'a\ufffd' }, metadata: { sender: '\ufffdb' } });
  });

  it('is small, so that what is sent again is still in the block that Loki is filling', async () => {
    const events = Array.from({ length: 300 }, (_, seq) => eventAt(NOW + seq, { seq }));
    await send({}, events);
    expect(server.stored).toHaveLength(300);
    expect(server.requests.length).toBeGreaterThan(1);
    for (const { wire } of server.requests) expect(gunzipSync(wire).length).toBeLessThanOrEqual(66 * 1024);
  });

  it('has lines of up to 256 KiB, which is what Loki takes', async () => {
    const format = { ...rawFormat, render: (_: unknown, max = 0) => ({ text: 'ü'.repeat(max / 2), shortened: true }) };
    expect(await send({}, [eventAt(NOW)], { format })).toEqual({ rejected: [], shortened: 1 });
    expect(Buffer.byteLength(server.lines[0] ?? '')).toBe(256 * 1024);
  });
});

describe('streams', () => {
  it('are made of the labels, and of the fields that are wanted as labels', async () => {
    const events = ['safe', 'malicious', undefined].map((result, seq) => eventAt(NOW, { seq, result }));
    await send({ labels: { job: 'ttp', site: 'ber' }, labelFields: ['result', 'route', 'feed'] }, events);
    const others = { job: 'ttp', site: 'ber', route: 'inbound', feed: 'attachment' };
    expect(server.stored.map(({ stream }) => stream)).toEqual([
      { ...others, result: 'safe' },
      { ...others, result: 'malicious' },
      others,
    ]);
    expect(server.requests).toHaveLength(1);
  });

  it('have the oldest event of a request first', async () => {
    const times = [-1, -20, -5, -10].map((minutes) => NOW + minutes * MINUTE);
    await send(
      {},
      times.map((time, seq) => eventAt(time, { seq })),
    );
    expect(server.stored.map(({ timestamp }) => timestamp)).toEqual(
      times.map((time) => BigInt(time) * 1_000_000n).sort(),
    );
  });

  it('of late events are one for each hour, so that nothing is too far behind', async () => {
    // A sweep after the newest: two days back, in an order that is nobody's.
    const ages = [
      0,
      47 * HOUR,
      40 * MINUTE,
      3 * HOUR,
      90 * MINUTE,
      3 * HOUR + 59 * MINUTE,
      20 * MINUTE,
      2 * HOUR,
      29 * HOUR,
    ];
    for (const [seq, age] of ages.entries()) await send({}, [eventAt(NOW - age, { seq })]);
    expect(server.stored).toHaveLength(ages.length);
    expect(server.stored.map(({ stream }) => stream.late_hour)).toEqual([
      undefined,
      '2026-06-13T13',
      '2026-06-15T11',
      '2026-06-15T09',
      '2026-06-15T11',
      '2026-06-15T08',
      undefined,
      '2026-06-15T10',
      '2026-06-14T07',
    ]);
  });

  it('without that would lose what comes late', async () => {
    await send({ lateAfter: '7d' }, [eventAt(NOW)]);
    await expect(send({ lateAfter: '7d' }, [eventAt(NOW - 2 * HOUR)])).rejects.toMatchObject({ disposition: 'split' });
    expect(server.stored).toHaveLength(1);
  });

  it('begin to be late after lateAfter', async () => {
    await send({ lateAfter: '10m' }, [eventAt(NOW - 10 * MINUTE), eventAt(NOW - 10 * MINUTE - 1000, { seq: 2 })]);
    expect(server.stored.map(({ stream }) => 'late_hour' in stream)).toEqual([false, true]);
  });

  it('have short values, whatever a record says', async () => {
    await send({ labelFields: ['result'] }, [
      eventAt(NOW, { result: '😀'.repeat(5000), messageId: 'm'.repeat(100_000) }),
    ]);
    const [stored] = server.stored;
    expect(stored?.stream.result).toBe(`${'😀'.repeat(255)}…`);
    expect(stored?.metadata.message_id).toBe(`${'m'.repeat(255)}…`);
  });
});

describe('an entry that Loki refuses', () => {
  it.each([
    ['for its content', (line: string) => line.includes('"seq":37,')],
    ['beside another', (line: string) => /"seq":(3|99),/.test(line)],
    ['like all others', () => true],
    ['at the end', (line: string) => line.includes('"seq":119,')],
  ])('%s is found alone, and nothing is stored twice', async (_, refuses) => {
    server.refuses = refuses;
    const events = Array.from({ length: 120 }, (_, seq) => eventAt(NOW - 120_000 + seq * 1000, { seq }));
    const rejected = await deliver(open({}), events);
    const bad = events.filter(({ raw }) => refuses(raw.toString()));
    expect(rejected).toEqual(bad);
    expect(server.lines.sort()).toEqual(
      events
        .filter((event) => !bad.includes(event))
        .map(textOf)
        .sort(),
    );
  });

  it('for its age becomes a reject, and the rest goes on', async () => {
    const events = [eventAt(NOW - 8 * 24 * HOUR), eventAt(NOW, { seq: 2 }), eventAt(NOW + HOUR, { seq: 3 })];
    const rejected = await deliver(open({}), events);
    expect(rejected).toEqual([events[0], events[2]]);
    expect(server.stored).toHaveLength(1);
  });
});

describe('an answer', () => {
  it.each([
    [429, 'retry', 'rate_limited'],
    [500, 'retry', 'server'],
    [503, 'retry', 'server'],
    [400, 'split', 'refused'],
    [413, 'split', 'refused'],
    [401, 'halt', 'auth'],
    [403, 'halt', 'auth'],
    [404, 'halt', 'refused'],
    [302, 'halt', 'refused'],
    [260, 'halt', 'refused'],
    [202, 'halt', 'refused'],
    [200, 'halt', 'refused'],
  ])('%i: %s, %s', async (status, disposition, reason) => {
    server.override = () => ({ status, body: textOf(eventAt(NOW)) });
    const error = await failure(send({}, [eventAt(NOW)]));
    expect(error).toMatchObject({ disposition, reason });
    expect(`${error.message} ${error.hint}`).not.toContain('johndoe');
  });

  it('of 10 MB is not read to its end, and counts for nothing', async () => {
    server.override = () => ({ status: 200, body: 'x'.repeat(10_000_000) });
    expect(await failure(send({}, [eventAt(NOW)]))).toMatchObject({ disposition: 'halt', reason: 'refused' });
  });

  it.each([200, 204])('%i without a body is success', async (status) => {
    server.override = () => ({ status });
    expect(await send({}, [eventAt(NOW)])).toEqual({ rejected: [], shortened: 0 });
  });

  it('260 says what is wrong: nothing is stored while ingestion is blocked', async () => {
    server.blocked = 260;
    expect((await failure(send({}, [eventAt(NOW)]))).hint).toContain('block_ingestion_until');
    expect(server.stored).toEqual([]);
  });
});

describe('credentials', () => {
  it('may be a user and a password', async () => {
    server.authorization = `Basic ${Buffer.from('123:pä:ss').toString('base64')}`;
    await send({ username: '123', password: 'pä:ss' }, [eventAt(NOW)]);
    expect(server.stored).toHaveLength(1);
  });

  it.each([
    ['password', (secret: string) => `Basic ${Buffer.from(`u:${secret}`).toString('base64')}`, { username: 'u' }],
    ['token', (secret: string) => `Bearer ${secret}`, {}],
  ])('of a file that has changed are used at once: %s', async (option, header, others) => {
    const folder = mkdtempSync(join(tmpdir(), 'loki-'));
    const path = join(folder, 'secret');
    writeFileSync(path, 'old');
    const output = open({ ...others, [option]: Secret.fromFile(path) });
    server.authorization = header('new');
    expect(await failure(output.send([eventAt(NOW)], signal()))).toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(path, 'new');
    expect(await failure(output.send([eventAt(NOW)], signal()))).toMatchObject({
      disposition: 'retry',
      retryAfterMs: 0,
    });
    await output.send([eventAt(NOW)], signal());
    expect(server.stored).toHaveLength(1);
    rmSync(folder, { recursive: true });
  });

  it('are besides the tenant', async () => {
    server.tenant = 'soc';
    expect(await failure(send({}, [eventAt(NOW)]))).toMatchObject({ disposition: 'halt', reason: 'auth' });
    await send({ tenantId: 'soc' }, [eventAt(NOW)]);
    expect(server.stored).toHaveLength(1);
  });
});

describe('a probe', () => {
  it('pushes nothing, and proves tenant and credentials', async () => {
    server.tenant = 'soc';
    server.authorization = 'Bearer t';
    expect(await open({ tenantId: 'soc', token: 't' }).probe(signal())).toBe(`${http.origin} takes pushes from us`);
    expect(server.requests[0]?.path).toBe('/loki/api/v1/push');
    expect(server.stored).toEqual([]);
    for (const wrong of [{ tenantId: 'soc' }, { tenantId: 'other', token: 't' }, { token: 't' }]) {
      expect(await failure(open(wrong).probe(signal()))).toMatchObject({ disposition: 'halt', reason: 'auth' });
    }
  });

  it('knows the 204 of Loki before version 3, and says when it proved little', async () => {
    server.override = () => ({ status: 204 });
    expect(await open({}).probe(signal())).toContain('takes pushes from us (204');
    server.override = () => ({ status: 400 });
    expect(await open({}).probe(signal())).toContain('only an event proves the rest');
    server.override = () => ({ status: 260 });
    expect(await failure(open({}).probe(signal()))).toMatchObject({ disposition: 'halt' });
    server.override = () => ({ status: 404 });
    expect(await failure(open({}).probe(signal()))).toMatchObject({ disposition: 'halt' });
  });
});

describe('options', () => {
  const good = { url: 'https://loki.example' };

  it('have defaults', () => {
    expect(loki.options.parse(good)).toEqual({
      ...good,
      labels: { job: 'mimecast-forwarder' },
      labelFields: [],
      lateAfter: 30 * MINUTE,
      structuredMetadata: true,
      gzip: true,
      maxMessageBytes: 256 * 1024,
      timeout: 30_000,
    });
  });

  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'v']));
  it.each([
    [{ url: 'loki:3100' }, 'url'],
    [{ tenantId: 'a|b' }, 'tenantId'],
    [{ tenantId: '..' }, 'tenantId'],
    [{ tenantId: 'a\r\nb' }, 'tenantId'],
    [{ tenantId: 'a'.repeat(151) }, 'tenantId'],
    [{ username: 'u' }, 'username'],
    [{ password: 'p' }, 'username'],
    [{ username: 'u', password: 'p', token: 't' }, 'token'],
    [{ username: 'a:b', password: 'p' }, 'username'],
    [{ labels: {} }, 'labels'],
    [{ labels: { 'service.name': 'a' } }, 'labels'],
    [{ labels: { __name__: 'a' } }, 'labels'],
    [{ labels: { late_hour: 'a' } }, 'labels'],
    [{ labels: { job: '' } }, 'labels'],
    [{ labels: many(15) }, 'labels'],
    [{ labels: many(13), labelFields: ['result', 'route'] }, 'labels'],
    [{ labelFields: ['sender'] }, 'labelFields'],
    [{ labels: { result: 'a' }, labelFields: ['result'] }, 'labelFields'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
  ])('refuse %o', (wrong, path) => {
    const { error } = loki.options.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
  });

  it('may be at their limits, which Loki takes, late events included', async () => {
    await send({ labels: many(13), labelFields: ['result'], tenantId: "a!-_.*'()" }, [eventAt(NOW - HOUR)]);
    expect(Object.keys(server.stored[0]?.stream ?? {})).toHaveLength(15);
  });
});

/** An event of this time; `seq` in its record tells it from others of the same second. */
function eventAt(
  time: number,
  record: { readonly seq?: number } & Readonly<Record<string, unknown>> = {},
): ForwarderEvent {
  const { seq = 1, ...fields } = record;
  const whole = { seq, ...plainRecord, ...fields };
  const { raw } = eventOf(whole);
  return new ForwarderEvent({ seq, id: seq.toString(16).padStart(32, '0'), source: feed, time, raw });
}

function textOf(event: ForwarderEvent): string {
  return rawFormat.render(event).text;
}

function open(options: object, context: object = {}): Output {
  const output = loki.create(loki.options.parse({ url: http.origin, ...options }), outputContext(context));
  outputs.push(output);
  return output;
}

function signal(): AbortSignal {
  return new AbortController().signal;
}

async function send(options: object, events: readonly ForwarderEvent[], context: object = {}) {
  return await open(options, context).send(events, signal());
}

/** Delivers a batch as the dispatcher does, halving what is refused; tells the rejects. */
async function deliver(output: Output, events: readonly ForwarderEvent[]): Promise<ForwarderEvent[]> {
  const shipment = new Shipment(events, events.at(-1)?.seq ?? 0);
  const rejected: ForwarderEvent[] = [];
  for (let part = shipment.part; part !== undefined; part = shipment.part) {
    try {
      shipment.taken(await output.send(part, signal()));
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'split') throw error;
      const rejection = shipment.refused(error.message);
      if (rejection) rejected.push(rejection.event);
    }
  }
  return rejected;
}

async function failure(doing: Promise<unknown>): Promise<OutputError> {
  return await doing.then(
    () => expect.unreachable('it was accepted'),
    (error: unknown) => error as OutputError,
  );
}
