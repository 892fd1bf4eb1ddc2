import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { kafkaFault } from '../../src/outputs/kafka/faults.ts';
import { kafka } from '../../src/outputs/kafka.ts';
import { nats } from '../../src/outputs/nats.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { syslog } from '../../src/outputs/syslog.ts';
import { CANARY, outputContext, someEvents } from '../contract/output-harness.ts';
import { API, KafkaBroker } from '../fakes/kafka-broker.ts';
import { damaged, fuzz, fuzzAsync } from './fuzzing.ts';

/** As http-answers.test.ts, for receivers that do not speak HTTP. */

const NEVER = new AbortController().signal;
const EVENTS = someEvents(4);
/** A connection or two each. */
const RUNS = 12;

const sockets = new Set<Socket>();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

async function serve(talk: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('close', () => sockets.delete(socket));
    talk(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Sends, and gives the places of the events that count as accepted. */
async function accepted(output: Output): Promise<number[]> {
  try {
    const { rejected, unsettled } = await output.send(EVENTS, NEVER);
    if (unsettled?.error) expectOurs(unsettled.error);
    const open = new Set([...rejected.map(({ event }) => event), ...(unsettled?.events ?? [])]);
    return EVENTS.flatMap((event, at) => (open.has(event) ? [] : [at]));
  } catch (error) {
    expectOurs(error);
    return [];
  } finally {
    await output.close();
  }
}

function expectOurs(error: unknown): void {
  expect(error).toBeInstanceOf(OutputError);
  const { message } = error as OutputError;
  expect(message.length).toBeLessThan(600);
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(inspect(error, { depth: 9 })).not.toContain(CANARY);
}

describe('nats', () => {
  const acks = damaged([
    '{"stream":"MAIL","seq":5}',
    '{"stream":"MAIL","seq":5,"duplicate":true,"domain":"d"}',
    '{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"MAIL","seq":0}',
    '{"error":{"err_code":"x"}}',
    '{"status":"ok"}',
    '[]',
    'null',
    '+OK',
  ]);

  it('takes for stored what a stream has given a number, and nothing else that answers', async () => {
    let payloads: readonly Buffer[] = [];
    const port = await serve((socket) => natsServer(socket, (index) => payloads[index] ?? Buffer.alloc(0)));
    const options = { servers: [`127.0.0.1:${port}`], subject: 'mail', token: CANARY, timeout: '10s' };
    const send = () => accepted(nats.create(nats.options.parse(options), outputContext()));
    payloads = EVENTS.map((_, at) => Buffer.from(`{"stream":"MAIL","seq":${at + 1}}`));
    expect(await send()).toHaveLength(EVENTS.length);
    const answers = fc.array(acks, { minLength: EVENTS.length, maxLength: EVENTS.length });
    await fuzzAsync(
      fc.asyncProperty(answers, async (told) => {
        payloads = told;
        const taken = await send();
        for (const at of taken) {
          const said = JSON.parse(String(told[at])) as { error?: unknown; stream: unknown; seq: unknown };
          expect([said.error ? 'error' : '', typeof said.stream, Number(said.seq) > 0]).toEqual(['', 'string', true]);
          expect(said.stream).not.toBe('');
        }
      }),
      RUNS,
    );
  });

  it('names somebody else who has subscribed to the subject and answers', async () => {
    const port = await serve((socket) => natsServer(socket, () => Buffer.from('{"status":"ok"}')));
    const output = nats.create(
      nats.options.parse({ servers: [`127.0.0.1:${port}`], subject: 'mail' }),
      outputContext(),
    );
    cleanups.push(() => output.close());
    await expect(output.send(EVENTS, NEVER)).rejects.toMatchObject({
      ...{ disposition: 'halt', message: expect.stringContaining('is no stream') },
      hint: expect.stringContaining('a subject of their own'),
    });
  });
});

/** As much of a NATS server as a publisher needs (https://docs.nats.io/reference/reference-protocols/nats-protocol). */
function natsServer(socket: Socket, answerTo: (index: number) => Buffer): void {
  let pending = Buffer.alloc(0);
  let subscription = '1';
  let messages = 0;
  socket.write('INFO {"server_id":"S","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}\r\n');
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
      const [verb = '', ...words] = pending.toString('latin1', 0, end).split(' ');
      const size = verb === 'HPUB' || verb === 'PUB' ? Number(words.at(-1)) + 2 : 0;
      if (pending.length < end + 2 + size) return;
      pending = pending.subarray(end + 2 + size);
      if (verb === 'PING') socket.write('PONG\r\n');
      if (verb === 'SUB') subscription = words.at(-1) ?? '';
      if (size === 0) continue;
      const payload = answerTo(messages);
      messages += 1;
      const head = `MSG ${words[1]} ${subscription} ${payload.length}\r\n`;
      socket.write(Buffer.concat([Buffer.from(head), payload, Buffer.from('\r\n')]));
    }
  });
}

describe('kafka', () => {
  async function started(timeout: string): Promise<{ broker: KafkaBroker; open: () => Output }> {
    const broker = await KafkaBroker.start();
    cleanups.push(() => broker.close());
    const times = { timeout, connectTimeout: timeout };
    const options = kafka.options.parse({ brokers: [broker.address], topic: 'mail', ...times });
    return { broker, open: () => kafka.create(options, outputContext()) };
  }

  it('takes no partition for written that the answer leaves out', async () => {
    const { broker, open } = await started('10s');
    const fates = fc.array(fc.constantFrom(0, 'leave out' as const), { minLength: 2, maxLength: 2 });
    await fuzzAsync(
      fc.asyncProperty(fates, async (byPartition) => {
        broker.records.length = 0;
        broker.decide = (_batch, partition) => byPartition[partition] ?? 0;
        const taken = await accepted(open());
        if (taken.length > 0) expect(broker.records).toHaveLength(EVENTS.length);
        else expect(byPartition).toContain('leave out');
      }),
      12,
    );
  });

  it('answers with anything behind them end in an error of ours, or are none', async () => {
    const { broker, open } = await started('400ms');
    await fuzzAsync(
      fc.asyncProperty(fc.constantFrom(API.produce, API.metadata, API.apiVersions), fc.nat(200), async (api, bytes) => {
        broker.chatter.clear();
        broker.chatter.set(api, bytes);
        const taken = await accepted(open());
        expect([0, EVENTS.length]).toContain(taken.length);
      }),
      8,
    );
  });

  it('whatever the client throws is an error of ours', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('MESSAGE_TOO_LARGE', 'constructor', '__proto__', CANARY));
    const errors = fc.array(
      fc.record({ name: text, type: fc.option(text), code: fc.option(fc.oneof(text, fc.integer())) }),
    );
    fuzz(
      fc.property(errors, fc.anything(), (chain, last) => {
        const thrown = chain.reduce<unknown>((cause, parts) => Object.assign(new Error('m', { cause }), parts), last);
        const fault = kafkaFault(thrown, 'kafka://broker');
        expect(fault).toBeInstanceOf(OutputError);
        expect(['retry', 'split', 'halt']).toContain(fault.disposition);
      }),
    );
  });
});

describe('syslog', () => {
  const bytes = fc.oneof(
    fc.constant(Buffer.alloc(0)),
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  );

  it('a receiver that talks, and closes early or late, in order or not: accepted is what it has read to the end', async () => {
    let react: { readonly said: Buffer; readonly readsAll: boolean; readonly resets: boolean } | undefined;
    const port = await serve((socket) => {
      const { said = Buffer.alloc(0), readsAll, resets } = react ?? {};
      const leave = (): unknown => (resets ? socket.resetAndDestroy() : socket.end());
      if (said.length > 0) socket.write(said);
      if (readsAll) socket.resume().on('end', leave);
      else if (resets) setImmediate(leave);
      else socket.once('data', () => socket.destroy());
    });
    const options = syslog.options.parse({ host: '127.0.0.1', port, protocol: 'tcp', sendTimeout: '2s' });
    const send = () => accepted(syslog.create(options, outputContext()));
    react = { said: Buffer.alloc(0), readsAll: true, resets: false };
    expect(await send()).toHaveLength(EVENTS.length);
    await fuzzAsync(
      fc.asyncProperty(bytes, fc.boolean(), fc.boolean(), async (said, readsAll, resets) => {
        react = { said, readsAll, resets };
        const taken = await send();
        // Who answers is no syslog receiver, and what it has made of the events is not known.
        if (taken.length > 0) expect({ said: said.length, resets }).toEqual({ said: 0, resets: false });
      }),
      RUNS,
    );
  });

  it('RELP answers that are damaged: no more accepted than there are receipts', async () => {
    const offers = '200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog';
    const OPEN = `1 rsp ${offers.length} ${offers}\n`;
    const receipts = damaged([
      '2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 6 200 OK\n',
      '2 rsp 6 500 no\n3 rsp 6 200 OK\n',
    ]);
    let told: Buffer = Buffer.alloc(0);
    const port = await serve((socket) => {
      socket.once('data', () => {
        socket.write(OPEN);
        socket.once('data', () => socket.end(told));
      });
    });
    const options = syslog.options.parse({ host: '127.0.0.1', port, protocol: 'relp', sendTimeout: '5s' });
    const send = () => accepted(syslog.create(options, outputContext()));
    told = Buffer.from('2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 6 200 OK\n');
    expect(await send()).toHaveLength(EVENTS.length);
    await fuzzAsync(
      fc.asyncProperty(receipts, async (answer) => {
        told = answer;
        const taken = await send();
        const given = new Set(
          answer
            .toString('latin1')
            .match(/[2-5] rsp \d+ 200/g)
            ?.map((receipt) => receipt[0]),
        );
        expect(taken.filter((at) => !given.has(String(at + 2)))).toEqual([]);
      }),
      RUNS,
    );
  });
});
