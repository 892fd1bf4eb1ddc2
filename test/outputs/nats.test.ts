import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectFault } from '../../src/outputs/broker/connect-fault.ts';
import { optionalPackage } from '../../src/outputs/broker/optional-package.ts';
import { awaitGreeting } from '../../src/outputs/nats/greeting.ts';
import { addressOf } from '../../src/outputs/nats/options.ts';
import { nats } from '../../src/outputs/nats.ts';
import type { OutputError } from '../../src/outputs/output.ts';
import { outputContext, someEvents } from '../contract/output-harness.ts';

/** What needs no NATS server; the rest is in nats-server.test.ts. */

const never = new AbortController().signal;

describe('a greeting', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    sockets.clear();
  });

  async function serverThat(greets: (socket: Socket) => void) {
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      greets(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }
  const failure = (waiting: Promise<void>): Promise<OutputError> =>
    waiting.then(
      () => expect.unreachable('it was taken for a NATS server'),
      (error) => error,
    );

  it('may come in pieces', async () => {
    const address = await serverThat((socket) => {
      socket.write('IN');
      setImmediate(() => socket.write('FO {"max_payload":1}\r\n'));
    });
    await awaitGreeting(address, 5000, never);
  });

  it('leaves no connection behind, whatever comes of it', async () => {
    const closed = Promise.withResolvers<void>();
    const address = await serverThat((socket) => socket.on('close', () => closed.resolve()));
    await failure(awaitGreeting(address, 100, never));
    await closed.promise;
  });

  it('that does not come is waited for no longer than the time limit', async () => {
    const error = await failure(awaitGreeting(await serverThat(() => {}), 100, never));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'timeout' });
  });

  it('is not waited for after an abort', async () => {
    const stop = new AbortController();
    const waiting = failure(awaitGreeting(await serverThat(() => {}), 5000, stop.signal));
    const reason = new Error('stopping');
    const since = performance.now();
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    expect(performance.now() - since).toBeLessThan(1000);
  });

  it('of another protocol halts', async () => {
    const address = await serverThat((socket) => socket.write('SSH-2.0-OpenSSH\r\n'));
    expect(await failure(awaitGreeting(address, 5000, never))).toMatchObject({ disposition: 'halt' });
  });

  it('without an end is not read to one', async () => {
    const address = await serverThat((socket) => {
      const more = () => void (socket.writable && socket.write('x'.repeat(65_536), more));
      socket.write('INFO ', more);
    });
    expect(await failure(awaitGreeting(address, 5000, never))).toMatchObject({ disposition: 'halt' });
  });

  it('that is cut off is worth another try', async () => {
    const address = await serverThat((socket) => socket.end('INFO {'));
    expect(await failure(awaitGreeting(address, 5000, never))).toMatchObject({
      disposition: 'retry',
      reason: 'connect',
    });
  });

  it('of a host whose name is unknown is worth another try', async () => {
    const error = await failure(awaitGreeting({ host: 'nowhere.invalid', port: 4222 }, 5000, never));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'connect' });
  });
});

describe('a client library', () => {
  it('that is not installed halts, with the command that installs it', async () => {
    const loading = optionalPackage('some-client', () => import('a-package-that-is-not-there' as string));
    await expect(loading).rejects.toMatchObject({
      disposition: 'halt',
      message: expect.stringContaining('not installed'),
      hint: expect.stringContaining('npm install some-client'),
    });
  });

  it('that is broken is not called missing', async () => {
    const loading = optionalPackage('some-client', () => Promise.reject(new SyntaxError('bad')));
    await expect(loading).rejects.toMatchObject({ message: expect.stringContaining('cannot be loaded') });
  });
});

describe('a connection that does not come about', () => {
  const fault = (code: string) => connectFault('nats://a:1', Object.assign(new Error('a secret'), { code }));

  it.each([
    ['ECONNREFUSED', 'connect', 'retry'],
    ['ETIMEDOUT', 'timeout', 'retry'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', 'halt'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', 'halt'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls', 'halt'],
  ])('because of %s is %s and %s', (code, reason, disposition) => {
    expect(fault(code)).toMatchObject({ reason, disposition, hint: expect.stringMatching(/\.$/) });
    expect(fault(code)?.message).not.toContain('a secret');
  });

  it('for another reason is left to the output', () => {
    expect(fault('EWHATEVER')).toBeUndefined();
  });
});

describe('options', () => {
  const good = { servers: ['127.0.0.1'], subject: 'mail.attachment' };

  it('have defaults', () => {
    expect(nats.options.parse(good)).toEqual({
      ...good,
      maxMessageBytes: 1024 ** 2,
      connectTimeout: 10_000,
      timeout: 30_000,
    });
  });

  it.each([
    ['nats.example', { host: 'nats.example', port: 4222 }],
    ['nats://nats.example:4223', { host: 'nats.example', port: 4223 }],
    ['[::1]:4222', { host: '::1', port: 4222 }],
    ['tls://nats.example', undefined],
    ['user:password@nats.example', undefined],
    ['nats.example:70000', undefined],
    ['nats.example:4222/path', undefined],
  ])('take %s for the address %j', (server, address) => {
    expect(addressOf(server)).toEqual(address);
  });

  it.each([
    [{ servers: [] }, 'servers'],
    [{ servers: ['a b'] }, 'servers'],
    [{ subject: 'mail.*' }, 'subject'],
    [{ subject: 'mail.>' }, 'subject'],
    [{ subject: 'mail..a' }, 'subject'],
    [{ subject: '$JS.API' }, 'subject'],
    [{ subject: 'a b' }, 'subject'],
    [{ stream: 'a.b' }, 'stream'],
    [{ user: 'somebody' }, 'user'],
    [{ token: 'a', nkeySeed: 'b' }, 'token'],
    [{ tls: { certFile: 'a.pem' } }, 'tls'],
    [{ maxMessageBytes: 100 }, 'maxMessageBytes'],
  ])('refuse %j', (wrong, key) => {
    expect(nats.options.safeParse({ ...good, ...wrong }).error?.issues[0]?.path[0]).toBe(key);
  });
});

it('says that nothing listens, and tries each server', async () => {
  const output = nats.create(
    nats.options.parse({ servers: ['127.0.0.1:1', '127.0.0.1:2'], subject: 'mail' }),
    outputContext(),
  );
  await expect(output.send(someEvents(1), never)).rejects.toMatchObject({
    reason: 'connect',
    disposition: 'retry',
    message: expect.stringContaining('127.0.0.1:2'),
  });
});
