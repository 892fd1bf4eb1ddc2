import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { kafka } from '../../src/outputs/kafka.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { Authority } from '../fakes/http-certificates.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { API, ERRORS, KafkaBroker, type KafkaBrokerOptions, type KafkaCluster } from '../fakes/kafka-broker.ts';
import { crc32c } from '../fakes/kafka-wire.ts';

const never = new AbortController().signal;
const brokers: KafkaBroker[] = [];
const outputs: Output[] = [];
let broker: KafkaBroker;

beforeEach(async () => {
  broker = await startBroker();
});
afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  for (const one of brokers.splice(0)) {
    await one.close();
    expect(one.complaints).toEqual([]);
  }
});

async function startBroker(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  const one = await KafkaBroker.start(options);
  brokers.push(one);
  return one;
}

function open(options: object = {}, context = {}): Output {
  const output = kafka.create(
    kafka.options.parse({ brokers: [broker.address], topic: 'mail', timeout: '5s', ...options }),
    outputContext(context),
  );
  outputs.push(output);
  return output;
}

const failureOf = (sending: Promise<unknown>): Promise<OutputError> =>
  sending.then(
    () => expect.unreachable('it was accepted'),
    (error) => error,
  );

/** An event of the mail with this id. */
function eventOfMail(messageId: string | undefined, seq = 1): ForwarderEvent {
  const describe = () => ({ eventClass: 'ttp-ap', title: 'Attachment Protect', severity: 3 as const, messageId });
  const source = {
    name: 'attachment',
    type: 'attachment',
    eventClass: 'ttp-ap',
    describe,
    severityOf: () => 3 as const,
  };
  const id = seq.toString(16).padStart(32, '0');
  return new ForwarderEvent({ seq, id, source, time: Date.UTC(2026, 0, 1), raw: Buffer.from(`{"seq":${seq}}`) });
}

describe('a record', () => {
  it('has the text, the id and the time of the event, and the mail as its key', async () => {
    await open().send([eventOfMail('<1@mail.example>')], never);
    expect(broker.records).toEqual([
      {
        key: '<1@mail.example>',
        value: '{"seq":1}',
        headers: { event_id: '00000000000000000000000000000001', 'content-type': 'application/json' },
        timestamp: Date.UTC(2026, 0, 1),
        partition: expect.any(Number),
      },
    ]);
  });

  it('without a message id has the event id as its key, and with an endless one a hash', async () => {
    const endless = 'ü'.repeat(300);
    await open().send([eventOfMail(undefined), eventOfMail(endless, 2), eventOfMail('ü'.repeat(256), 3)], never);
    expect(broker.records.map(({ key }) => key).toSorted()).toEqual(
      [
        '00000000000000000000000000000001',
        createHash('sha256').update(endless).digest('hex'),
        'ü'.repeat(256),
      ].toSorted(),
    );
  });

  it('lies in the partition of its mail, in order', async () => {
    const events = Array.from({ length: 40 }, (_, index) => eventOfMail(`<${index % 8}@mail.example>`, index + 1));
    const output = open();
    await output.send(events.slice(0, 20), never);
    await output.send(events.slice(20), never);
    expect(new Set(broker.records.map(({ partition }) => partition)).size).toBe(2);
    for (let mail = 0; mail < 8; mail += 1) {
      const own = broker.records.filter(({ key }) => key === `<${mail}@mail.example>`);
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      expect(own.map(({ value }) => JSON.parse(value).seq)).toEqual([1, 9, 17, 25, 33].map((seq) => seq + mail));
    }
  });

  it.each([
    ['gzip', true],
    ['none', false],
  ])('is compressed as the config says: %s', async (compression, gzip) => {
    await open({ compression }).send(someEvents(3), never);
    expect(broker.batches.map((batch) => batch.gzip)).toContain(gzip);
    expect(broker.records.map(({ value }) => value).toSorted()).toEqual(textsOf(someEvents(3)).toSorted());
  });
});

describe('the client by itself', () => {
  it('repeats nothing, and numbers nothing', async () => {
    let asked = 0;
    broker.decide = () => {
      asked += 1;
      return 'lose answer';
    };
    expect(await failureOf(open().send(someEvents(1), never))).toMatchObject({ reason: 'unconfirmed' });
    expect(asked).toBe(1);
    expect(broker.batches[0]?.producerId).toBe(-1n);
  });

  it('finds a leader that the cluster does not list among its brokers', async () => {
    const cluster: KafkaCluster = { brokers: [], leaders: [-1, -1] };
    broker = await startBroker({ cluster });
    expect(await failureOf(open().send(someEvents(1), never))).toMatchObject({
      disposition: 'retry',
      hint: expect.stringContaining('replicas'),
    });
  });
});

describe('a leader that moves in the middle of a batch', () => {
  it('loses nothing to a broker that has answered already: what nobody acknowledged is sent again', async () => {
    const cluster: KafkaCluster = { brokers: [], leaders: [1, 2] };
    const [first, second] = [await startBroker({ cluster }), await startBroker({ cluster })];
    let answeredBefore = 0;
    second.decide = () => {
      answeredBefore = first.records.length;
      cluster.leaders[1] = 1;
      return ERRORS.NOT_LEADER_OR_FOLLOWER;
    };
    const output = open({ brokers: [first.address] });
    const events = someEvents(20);
    expect(await failureOf(output.send(events, never))).toMatchObject({ disposition: 'retry' });
    // To the second broker a connection had to be made, so the first was done with its part.
    expect(answeredBefore).toBeGreaterThan(0);
    await output.send(events, never);
    expect(new Set(first.records.map(({ value }) => value))).toEqual(new Set(textsOf(events)));
  });
});

describe('an error of the broker', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', 'split', 'refused'],
    ['INVALID_RECORD', 'split', 'refused'],
    ['INVALID_TIMESTAMP', 'split', 'refused'],
    ['NOT_ENOUGH_REPLICAS', 'retry', 'server'],
    ['NOT_LEADER_OR_FOLLOWER', 'retry', 'server'],
    ['REQUEST_TIMED_OUT', 'retry', 'timeout'],
    ['CORRUPT_MESSAGE', 'retry', 'server'],
    ['TOPIC_AUTHORIZATION_FAILED', 'halt', 'auth'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'halt', 'refused'],
  ] as const)('%s means %s', async (name, disposition, reason) => {
    broker.decide = () => ERRORS[name];
    const error = await failureOf(open().send(someEvents(2), never));
    expect(error).toMatchObject({ disposition, reason });
  });

  it('that is unknown is worth another try', async () => {
    broker.decide = () => 89;
    expect(await failureOf(open().send(someEvents(1), never))).toMatchObject({ disposition: 'retry' });
  });

  it('about a topic that does not exist halts, and nothing is created', async () => {
    const output = open({ topic: 'other' });
    for (const attempt of [() => output.send(someEvents(1), never), () => output.probe(never)]) {
      expect(await failureOf(attempt())).toMatchObject({
        disposition: 'halt',
        reason: 'refused',
        hint: expect.stringContaining('topic'),
      });
    }
  });
});

describe('limits', () => {
  it('put a batch into as many requests as a topic of one partition takes', async () => {
    broker = await startBroker({ partitions: 1 });
    const format = { ...rawFormat, render: () => ({ text: 'x'.repeat(100_000), shortened: false }) };
    expect(await open({}, { format }).send(someEvents(25), never)).toEqual({ rejected: [], shortened: 0 });
    expect(broker.batches.map(({ records }) => records.length)).toEqual([9, 9, 7]);
  });

  it('count keys and headers, which outweigh short events', async () => {
    broker = await startBroker({ partitions: 1 });
    const events = Array.from({ length: 2500 }, (_, index) => eventOfMail('k'.repeat(500), index + 1));
    expect(await open().send(events, never)).toEqual({ rejected: [], shortened: 0 });
    expect(broker.records).toHaveLength(2500);
  });

  it('leave room for key and headers: the longest event is taken', async () => {
    const format = {
      ...rawFormat,
      mediaType: 'application/json; charset=utf-8',
      render: (_: unknown, room = 0) => ({ text: 'x'.repeat(room), shortened: true }),
    };
    const event = eventOfMail('k'.repeat(512));
    expect(await open({}, { format }).send([event], never)).toEqual({ rejected: [], shortened: 1 });
    // The least `message.max.bytes` under which the same goes through shows how much room the rest takes.
    broker.maxMessageBytes = 960 * 1024 + 512 + 188 + 61;
    await open({}, { format }).send([event], never);
    expect(broker.records).toHaveLength(2);
  });

  it('that are smaller at the broker have the batch split', async () => {
    broker = await startBroker({ partitions: 1 });
    broker.maxMessageBytes = 500;
    const output = open();
    expect(await failureOf(output.send(someEvents(10), never))).toMatchObject({
      disposition: 'split',
      hint: expect.stringContaining('maxMessageBytes'),
    });
    await output.send(someEvents(1), never);
  });

  it('tell what was taken when a later request fails', async () => {
    broker = await startBroker({ partitions: 1 });
    const format = { ...rawFormat, render: () => ({ text: 'x'.repeat(300_000), shortened: false }) };
    let count = 0;
    broker.decide = () => (count++ < 2 ? 0 : ERRORS.NOT_ENOUGH_REPLICAS);
    const { unsettled } = await open({}, { format }).send(someEvents(10), never);
    expect(broker.records).toHaveLength(6);
    expect(unsettled?.events.map(({ seq }) => seq)).toEqual([7, 8, 9, 10]);
    expect(unsettled?.error).toMatchObject({ disposition: 'retry' });
  });
});

describe('connections', () => {
  it('are gone at once after an abort in the middle of a request', async () => {
    broker.decide = () => 'hang';
    const stop = new AbortController();
    const sending = failureOf(open().send(someEvents(2), stop.signal));
    await expect.poll(() => broker.asked).toContain(0);
    const reason = new Error('stopping');
    stop.abort(reason);
    expect(await sending).toBe(reason);
    await expect.poll(() => broker.connections).toBe(0);
  });

  it('are kept from batch to batch, and let go when nothing comes', async () => {
    const output = open();
    for (const first of [1, 2, 3]) await output.send(someEvents(1, { first }), never);
    expect(broker.asked.filter((api) => api === 18)).toHaveLength(1);
    await expect.poll(() => broker.connections, { timeout: 5000 }).toBe(0);
    await output.send(someEvents(1, { first: 4 }), never);
    expect(broker.records).toHaveLength(4);
  });

  it('lead to the next broker when the first does not listen', async () => {
    await open({ brokers: ['127.0.0.1:1', broker.address] }).send(someEvents(1), never);
    expect(broker.records).toHaveLength(1);
  });

  it('to a broker that says nothing are given up in time', async () => {
    broker.silent = true;
    const error = await failureOf(open({ connectTimeout: '200ms' }).send(someEvents(1), never));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'timeout' });
    await expect.poll(() => broker.connections).toBe(0);
  });
});

describe('a quota', () => {
  it('is obeyed: what comes next waits as long as the broker asks, and goes once', async () => {
    const output = open();
    broker.throttleMs = 300;
    await output.send(someEvents(1), never);
    broker.throttleMs = 0;
    const since = performance.now();
    await output.send(someEvents(1, { first: 2 }), never);
    expect(performance.now() - since).toBeGreaterThan(290);
    expect(broker.records.map(({ value }) => value)).toEqual(textsOf(someEvents(2)));
  });

  it('that holds back for longer than timeout is told as one, and nothing of the batch was sent', async () => {
    const output = open({ timeout: '200ms' });
    broker.throttleMs = 60_000;
    await output.send(someEvents(1), never);
    const error = await failureOf(output.send(someEvents(2, { first: 2 }), never));
    expect(error).toMatchObject({
      disposition: 'retry',
      reason: 'rate_limited',
      hint: expect.stringContaining('quota'),
    });
    await expect.poll(() => broker.connections).toBe(0);
    expect(broker.records).toHaveLength(1);
    broker.throttleMs = 0;
    await output.send(someEvents(2, { first: 2 }), never);
    expect(broker.records.map(({ value }) => value)).toEqual(textsOf(someEvents(3)));
  });
});

describe('an answer', () => {
  it.each(['apiVersions', 'metadata', 'produce'] as const)(
    'of 10 MB to %s is not read, and halts; of 1 MB it is taken',
    async (name) => {
      broker.chatter.set(API[name], 10_000_000);
      const since = performance.now();
      const error = await failureOf(open().send(someEvents(1), never));
      expect(error).toMatchObject({ disposition: 'halt', reason: 'server', message: expect.stringContaining('4 MiB') });
      expect(performance.now() - since).toBeLessThan(2500);
      await expect.poll(() => broker.connections).toBe(0);
      broker.chatter.set(API[name], 1_000_000);
      await open().send(someEvents(1, { first: 2 }), never);
      expect(broker.records.at(-1)?.value).toBe(textsOf(someEvents(1, { first: 2 }))[0]);
    },
  );

  it('to a login is bounded as well', async () => {
    broker = await startBroker({ user: { name: 'forwarder', password: 'good' } });
    broker.chatter.set(API.saslAuthenticate, 10_000_000);
    const sasl = { mechanism: 'plain', username: 'forwarder', password: 'good' };
    const error = await failureOf(open({ sasl }).send(someEvents(1), never));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'server' });
  });

  it('in HTTP is told at once', async () => {
    const http = await HttpReceiver.start();
    const error = await failureOf(open({ brokers: [`127.0.0.1:${http.port}`] }).send(someEvents(1), never));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'server', hint: expect.stringContaining('port') });
    await http.close();
  });
});

describe('a login', () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kafka-'));
    broker = await startBroker({ user: { name: 'forwarder', password: 'good' } });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const sasl = (password: unknown, mechanism = 'plain') => ({ sasl: { mechanism, username: 'forwarder', password } });

  it('with the right password is let in, and probed', async () => {
    const output = open(sasl('good'));
    expect(await output.probe(never)).toContain('2 partitions');
    await output.send(someEvents(1), never);
    expect(broker.records).toHaveLength(1);
  });

  it.each([
    ['a wrong password', sasl('very-bad')],
    ['a mechanism that the broker does not offer', sasl('good', 'scram-sha-256')],
  ])('with %s halts, and shows no password', async (_, options) => {
    const error = await failureOf(open(options).send(someEvents(1), never));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'auth' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('very-bad');
  });

  it('is tried again at once when the file of the password has another by now', async () => {
    const file = join(folder, 'password');
    writeFileSync(file, 'old\n');
    const output = open(sasl(Secret.fromFile(file)));
    writeFileSync(file, 'good\n');
    expect(await failureOf(output.send(someEvents(1), never))).toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), never);
  });
});

describe('TLS', () => {
  let authority: Authority;
  beforeEach(async () => {
    authority = new Authority();
    const { cert, key } = authority.issue('localhost');
    broker = await startBroker({ tls: { cert, key } });
  });
  afterEach(() => authority.remove());

  it('is spoken when asked for, and the certificate checked', async () => {
    await open({ tls: { caFile: authority.caFile } }).send(someEvents(1), never);
    expect(broker.records).toHaveLength(1);
    expect(await failureOf(open({ tls: {} }).send(someEvents(1), never))).toMatchObject({
      disposition: 'halt',
      reason: 'tls',
      hint: expect.stringContaining('tls.caFile'),
    });
  });

  it('to a name that the certificate is not for halts', async () => {
    const brokers = [`127.0.0.1:${broker.port}`];
    const error = await failureOf(open({ brokers, tls: { caFile: authority.caFile } }).send(someEvents(1), never));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls' });
  });

  it('with a file that is missing halts', async () => {
    const error = await failureOf(open({ tls: { caFile: '/nowhere/ca.pem' } }).send(someEvents(1), never));
    expect(error).toBeInstanceOf(OutputError);
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls', message: expect.stringContaining('tls.caFile') });
  });

  it('that the port does not speak is waited for no longer than the time limit', async () => {
    const plain = await startBroker();
    const brokers = [`localhost:${plain.port}`];
    const error = await failureOf(open({ brokers, tls: {}, connectTimeout: '500ms' }).send(someEvents(1), never));
    // The first bytes of TLS are a length of 369 MB to a broker: it waits for the rest.
    expect(error).toMatchObject({ disposition: 'retry', reason: 'timeout', hint: expect.stringContaining('TLS') });
  });
});

describe('options', () => {
  const good = { brokers: ['kafka.example:9092'], topic: 'mail' };

  it('have defaults', () => {
    expect(kafka.options.parse(good)).toEqual({
      ...good,
      clientId: 'mimecast-forwarder',
      compression: 'none',
      maxMessageBytes: 960 * 1024,
      connectTimeout: 10_000,
      timeout: 30_000,
    });
  });

  it.each([
    [{ brokers: [] }, 'brokers'],
    [{ brokers: ['kafka.example'] }, 'brokers'],
    [{ brokers: ['[::1]:9092'] }, 'brokers'],
    [{ brokers: ['kafka://kafka.example:9092'] }, 'brokers'],
    [{ topic: 'a b' }, 'topic'],
    [{ topic: 'x'.repeat(250) }, 'topic'],
    [{ sasl: { mechanism: 'gssapi', username: 'a', password: 'b' } }, 'sasl'],
    [{ sasl: { mechanism: 'plain', username: 'a' } }, 'sasl'],
    [{ compression: 'zstd' }, 'compression'],
    [{ tls: { keyFile: 'a' } }, 'tls'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
  ])('refuse %j', (wrong, key) => {
    expect(kafka.options.safeParse({ ...good, ...wrong }).error?.issues[0]?.path[0]).toBe(key);
  });
});

/** RFC 3720, appendix B.4. */
it.each([
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
  [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
])('the fake checks with CRC-32C (%#)', (bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});
