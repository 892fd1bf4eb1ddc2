import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import { nats } from '../../src/outputs/nats.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { TcpRelay } from '../fakes/tcp-relay.ts';
import { makeCertificates } from '../receivers/certificates.ts';
import { NatsServer, natsServerIsInstalled } from '../receivers/nats-server.ts';

/** A real nats-server: what it stores, what it drops as doubled, and what we make of its refusals. */

const never = new AbortController().signal;
const outputs: Output[] = [];
afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
});

function open(server: NatsServer, options: object = {}, context = {}): Output {
  const output = nats.create(
    nats.options.parse({ servers: [server.address], subject: 'mail.attachment', timeout: '5s', ...options }),
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

describe.skipIf(!natsServerIsInstalled)('nats-server', () => {
  let server: NatsServer;
  let folder: string;
  /** Each test has a stream of its own, on a subject of its own. */
  let tests = 0;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nats-test-'));
    server = await NatsServer.start({ settings: 'max_payload: 4096' });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function stream(config: object = {}): Promise<{ name: string; subject: string }> {
    tests += 1;
    const [name, subject] = [`S${tests}`, `test${tests}.mail`];
    await server.addStream({ name, subjects: [subject], ...config });
    return { name, subject };
  }

  it('stores each event once, in order, with its id, however often it is sent', async () => {
    const { name, subject } = await stream();
    const output = open(server, { subject, stream: name });
    const events = someEvents(500);
    for (const batch of [events, events, events.slice(100, 200)]) {
      expect(await output.send(batch, never)).toEqual({ rejected: [], shortened: 0 });
    }
    const stored = await server.messages(name);
    expect(stored.map(({ text }) => text)).toEqual(textsOf(events));
    expect(stored.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  });

  it('loses and doubles nothing when it is killed again and again in mid-flow', async () => {
    const { name, subject } = await stream();
    const output = open(server, { subject });
    const events = someEvents(3000);
    let kills = 0;
    const sending = deliver(output, events, async (sent) => {
      if (sent < (kills + 1) * 700) return;
      kills += 1;
      // Not awaited: the next batch meets a server that is about to die, is dead, or is coming back.
      void server.kill9().then(() => server.startAgain());
    });
    const failures = await sending;
    expect(kills).toBe(4);
    expect(failures.length).toBeGreaterThanOrEqual(kills);
    for (const failure of failures) expect(failure.disposition).toBe('retry');
    const stored = await server.messages(name);
    expect(stored.map(({ id }) => id).toSorted()).toEqual(events.map(({ id }) => id));
  });

  it('refuses what no stream listens to, which halts', async () => {
    const error = await failureOf(open(server, { subject: 'nobody.listens' }).send(someEvents(2), never));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'refused', hint: expect.stringContaining('stream') });
    expect(await failureOf(open(server, { subject: 'nobody.listens' }).probe(never))).toMatchObject({
      disposition: 'halt',
    });
  });

  it('refuses what another stream would take, which halts', async () => {
    const { name, subject } = await stream();
    const error = await failureOf(open(server, { subject, stream: 'OTHER' }).send(someEvents(2), never));
    expect(error).toMatchObject({ disposition: 'halt', hint: expect.stringContaining('stream') });
    expect(await server.messages(name)).toEqual([]);
  });

  it('tells its max_payload, under which long events are shortened', async () => {
    const { name, subject } = await stream();
    const long = Object.assign(someEvents(1, { first: 7 })[0] as ForwarderEvent, { raw: Buffer.alloc(10_000, 'x') });
    const sent = await open(server, { subject, stream: name }).send([...someEvents(2), long], never);
    expect(sent).toEqual({ rejected: [], shortened: 1 });
    expect(await server.messages(name)).toHaveLength(3);
  });

  it('may be sent a message that is exactly as long as it takes', async () => {
    const { name, subject } = await stream();
    const full = { ...rawFormat, render: (_: unknown, room = 0) => ({ text: 'x'.repeat(room), shortened: true }) };
    const longName = { name: 'N'.repeat(60), subjects: ['long.name'] };
    await server.addStream(longName);
    await open(server, { subject, stream: name }, { format: full }).send(someEvents(1), never);
    await open(server, { subject: 'long.name', stream: longName.name }, { format: full }).send(someEvents(1), never);
    expect((await server.messages(name))[0]?.text.length).toBeGreaterThan(3900);
  });

  it('refuses one message that is larger than the stream takes, and takes the rest', async () => {
    const { name, subject } = await stream({ max_msg_size: 400 });
    const events = someEvents(5);
    const [, , third] = events;
    Object.assign(third as ForwarderEvent, { raw: Buffer.alloc(1000, 'x') });
    const sent = await open(server, { subject }).send(events, never);
    expect(sent).toEqual({
      rejected: [{ event: third, reason: expect.stringContaining('max_msg_size') }],
      shortened: 0,
    });
    expect((await server.messages(name)).map(({ id }) => id)).toEqual(
      events.filter((event) => event !== third).map(({ id }) => id),
    );
  });

  it('that is full takes what fits; the rest is sent again, and is taken once there is room', async () => {
    const { name, subject } = await stream({ max_msgs: 3, discard: 'new' });
    const output = open(server, { subject });
    const events = someEvents(5);
    const { unsettled, rejected } = await output.send(events, never);
    expect(rejected).toEqual([]);
    expect(unsettled?.events).toEqual(events.slice(3));
    expect(unsettled?.error).toMatchObject({ disposition: 'retry', hint: expect.stringContaining('full') });
    expect(await failureOf(output.send(events.slice(3), never))).toMatchObject({ disposition: 'retry' });
    await server.updateStream(name, { max_msgs: 10 });
    await output.send(events.slice(3), never);
    expect((await server.messages(name)).map(({ text }) => text)).toEqual(textsOf(events));
  });

  it('that stood still is met on a new connection, and the late acknowledgement is for nobody', async () => {
    const { name, subject } = await stream();
    const relay = await TcpRelay.start(server);
    const output = open(server, { servers: [`127.0.0.1:${relay.port}`], subject, timeout: '300ms' });
    await output.send(someEvents(1), never);
    const before = relay.connections;
    await server.pause();
    expect(await failureOf(output.send(someEvents(3), never))).toMatchObject({
      disposition: 'retry',
      reason: 'timeout',
    });
    server.resume();
    expect(await output.send(someEvents(3), never)).toEqual({ rejected: [], shortened: 0 });
    expect(relay.connections).toBeGreaterThan(before);
    expect((await server.messages(name)).map(({ text }) => text)).toEqual(textsOf(someEvents(3)));
    await relay.close();
  });

  it('is probed: which stream listens, and nothing is published', async () => {
    const { name, subject } = await stream();
    expect(await open(server, { subject }).probe(never)).toContain(name);
    expect(await server.messages(name)).toEqual([]);
  });

  it('that comes first in the list and is gone makes way for the next', async () => {
    const { name, subject } = await stream();
    await open(server, { servers: ['127.0.0.1:1', server.address], subject }).send(someEvents(1), never);
    expect(await server.messages(name)).toHaveLength(1);
  });

  describe('with users', () => {
    const user = nkeys.createUser();
    const seed = new TextDecoder().decode(user.getSeed());
    const muteUser = nkeys.createUser();
    const muteSeed = new TextDecoder().decode(muteUser.getSeed());
    const USERS = `authorization { users = [
      { user: admin, password: admin },
      { user: sender, password: good },
      { user: mute, password: good, permissions: { publish: { deny: "users.>" } } },
      { user: deaf, password: good, permissions: { subscribe: { deny: ">" } } },
      { user: narrow, password: good, permissions: { publish: "users.mail", subscribe: "_INBOX.>" } },
      { nkey: ${muteUser.getPublicKey()}, permissions: { publish: { deny: "users.>" } } },
      { nkey: ${user.getPublicKey()} } ] }`;
    let guarded: NatsServer;
    beforeAll(async () => {
      guarded = await NatsServer.start({ settings: USERS, admin: { user: 'admin', pass: 'admin' } });
      await guarded.addStream({ name: 'USERS', subjects: ['users.>'] });
    });
    afterAll(() => guarded.stop());
    const as = (credentials: object) => open(guarded, { subject: 'users.mail', ...credentials });

    it.each([
      ['a password', { user: 'sender', password: 'good' }],
      ['an NKey', { nkeySeed: `${seed}\n` }],
      ['no more rights than are needed', { user: 'narrow', password: 'good' }],
    ])('lets in by %s', async (_, credentials) => {
      await as(credentials).send(someEvents(1), never);
      expect(await as(credentials).probe(never)).toContain('logged in');
    });

    it.each([
      ['a wrong password', { user: 'sender', password: 'bad' }],
      ['no credentials', {}],
      ['a token that it does not know', { token: 'bad' }],
      ['the NKey of a stranger', { nkeySeed: new TextDecoder().decode(nkeys.createUser().getSeed()) }],
      ['an NKey that is none', { nkeySeed: 'SUGARBAGE' }],
      ['credentials that are none', { credentials: 'garbage' }],
    ])('refuses %s, which halts', async (_, credentials) => {
      const error = await failureOf(as(credentials).send(someEvents(1), never));
      expect(error).toBeInstanceOf(OutputError);
      expect(error).toMatchObject({ disposition: 'halt', reason: 'auth' });
      expect(`${error.message} ${error.hint}`).not.toMatch(/GARBAGE|garbage|bad/);
    });

    it.each(['mute', 'deaf'])('refuses the publishing of a user that is %s, which halts', async (name) => {
      const error = await failureOf(as({ user: name, password: 'good' }).send(someEvents(2), never));
      expect(error).toMatchObject({ disposition: 'halt', reason: 'auth', hint: expect.stringContaining('_INBOX') });
    });

    it('is tried again at once when a user may not publish and the file has another by now', async () => {
      const token = join(folder, 'seed');
      writeFileSync(token, muteSeed);
      const output = as({ nkeySeed: Secret.fromFile(token) });
      expect(await failureOf(output.send(someEvents(2), never))).toMatchObject({ disposition: 'halt', reason: 'auth' });
      writeFileSync(token, seed);
      expect(await failureOf(output.send(someEvents(2), never))).toMatchObject({
        disposition: 'retry',
        reason: 'auth',
        retryAfterMs: 0,
      });
      expect(await output.send(someEvents(2), never)).toEqual({ rejected: [], shortened: 0 });
    });

    it('is tried again at once when the file of the secret has another by now', async () => {
      const file = join(folder, 'password');
      writeFileSync(file, 'old\n');
      const output = as({ user: 'sender', password: Secret.fromFile(file) });
      writeFileSync(file, 'good\n');
      expect(await failureOf(output.send(someEvents(1), never))).toMatchObject({
        disposition: 'retry',
        retryAfterMs: 0,
      });
      await output.send(someEvents(1), never);
    });
  });

  describe('with TLS', () => {
    let secured: NatsServer;
    let certificates: ReturnType<typeof makeCertificates>;
    beforeAll(async () => {
      certificates = makeCertificates(join(folder, 'tls'));
      const { ca, server: own, client } = certificates;
      const files = `cert_file: "${own.cert}", key_file: "${own.key}", ca_file: "${ca}"`;
      secured = await NatsServer.start({
        settings: `tls { ${files}, verify: true }`,
        admin: { tls: { caFile: ca, certFile: client.cert, keyFile: client.key, host: '127.0.0.1' } },
      });
      await secured.addStream({ name: 'TLS', subjects: ['tls'] });
    });
    afterAll(() => secured.stop());
    const over = (tls: object | undefined, to = secured) => open(to, { subject: 'tls', tls });

    it('takes a client with a certificate that it trusts', async () => {
      const { ca, client } = certificates;
      await over({ caFile: ca, certFile: client.cert, keyFile: client.key }).send(someEvents(2), never);
      expect(await secured.messages('TLS')).toHaveLength(2);
    });

    it.each([
      ['whose authority is not known here', () => ({})],
      ['of which a file is missing', () => ({ caFile: join(folder, 'nothing.pem') })],
    ])('%s halts', async (_, tls) => {
      expect(await failureOf(over(tls()).send(someEvents(1), never))).toMatchObject({
        disposition: 'halt',
        reason: 'tls',
      });
    });

    it('that wants a client certificate gets no event without one', async () => {
      const before = (await secured.messages('TLS')).length;
      const error = await failureOf(over({ caFile: certificates.ca }).send(someEvents(1, { first: 9 }), never));
      expect(error).toBeInstanceOf(OutputError);
      expect(await secured.messages('TLS')).toHaveLength(before);
    });

    it('is not given up for a server that has none', async () => {
      const error = await failureOf(over({}, server).send(someEvents(1), never));
      expect(error).toMatchObject({ disposition: 'halt', reason: 'tls' });
    });
  });
});

/** Sends all events in batches of 50, in the way of the dispatcher. Gives the failures on the way. */
async function deliver(
  output: Output,
  events: readonly ForwarderEvent[],
  between: (sent: number) => Promise<void>,
): Promise<OutputError[]> {
  const failures: OutputError[] = [];
  for (let at = 0; at < events.length; at += 50) {
    let batch: readonly ForwarderEvent[] = events.slice(at, at + 50);
    while (batch.length > 0) {
      try {
        const { unsettled } = await output.send(batch, never);
        if (unsettled?.error) failures.push(unsettled.error);
        batch = unsettled?.events ?? [];
      } catch (error) {
        if (!(error instanceof OutputError)) throw error;
        failures.push(error);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    await between(at);
  }
  return failures;
}
