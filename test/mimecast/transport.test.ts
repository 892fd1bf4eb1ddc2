import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { isAbort } from '../../src/errors.ts';
import { MAX_ANSWER_BYTES, Transport } from '../../src/mimecast/transport.ts';
import { Authority } from '../fakes/http-certificates.ts';
import { HttpProxy } from '../fakes/http-proxy.ts';
import { ApiServer, json } from './api-server.ts';
import { optionsFor } from './clients.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0).reverse()) await close();
});

const call = { method: 'POST', path: '/x', headers: { 'x-mc-req-id': 'req-7' }, body: '{}' } as const;
const signal = () => new AbortController().signal;

function transportTo(baseUrl: string, more: Record<string, unknown> = {}): Transport {
  const transport = new Transport(optionsFor(baseUrl, more));
  closers.push(() => transport.close());
  return transport;
}

async function startApi(tls?: Parameters<typeof ApiServer.start>[0]): Promise<ApiServer> {
  const server = await ApiServer.start(tls);
  closers.push(() => server.close());
  return server;
}

/** A TCP server that does with each connection what it is told, for answers that are no HTTP, or not whole. */
async function startRaw(behave: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => behave(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('an answer', () => {
  it('is read whatever its status, plain or compressed', async () => {
    const server = await startApi();
    const transport = transportTo(server.origin);
    server.onPage = (_request, response) => json(response, 418, 'tëa 請');
    expect(await transport.send(call, signal())).toMatchObject({ status: 418, body: Buffer.from('tëa 請') });
    server.onPage = (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync('tëa 請'));
    };
    expect(await transport.send(call, signal())).toMatchObject({ status: 200, body: Buffer.from('tëa 請') });
    expect(server.pages[0]?.headers['accept-encoding']).toBeUndefined();
  });

  it('is UTF-8 when it is here: no byte order mark, U+FFFD for what is none', async () => {
    const server = await startApi();
    server.onPage = (_request, response) => void response.end(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x62]));
    expect((await transportTo(server.origin).send(call, signal())).body.toString('hex')).toBe('61efbfbd62');
    server.onPage = (_request, response) => void response.end('\ufeffü');
    expect((await transportTo(server.origin).send(call, signal())).body).toEqual(Buffer.from('ü'));
  });

  it.each([
    ['gzip', 'this is not gzip'],
    ['br', 'x'],
  ])('in broken or unknown encoding (%s) is malformed', async (encoding, body) => {
    const server = await startApi();
    server.onPage = (_request, response) => json(response, 200, body, { 'content-encoding': encoding });
    await expect(transportTo(server.origin).send(call, signal())).rejects.toMatchObject({
      reason: 'malformed',
      code: 'MIMECAST_UNREADABLE_ENCODING',
      requestId: 'req-7',
    });
  });

  it('without an end is not read past the limit', async () => {
    const server = await startApi();
    let sent = 0;
    let cut = false;
    server.onPage = (_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 0x20);
      const write = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        sent += chunk.length;
      };
      response.on('drain', write).on('close', () => {
        cut = true;
      });
      write();
    };
    await expect(transportTo(server.origin).send(call, signal())).rejects.toMatchObject({
      reason: 'malformed',
      code: 'MIMECAST_ENDLESS_ANSWER',
      hint: expect.stringContaining('baseUrl'),
    });
    await expect.poll(() => cut).toBe(true);
    // What both kernels keep for a connection comes on top.
    expect(sent).toBeLessThan(MAX_ANSWER_BYTES + 16 * 1024 * 1024);
  });

  // What is no page would be as long again in smaller pages, and no time may be passed over for it.
  it.each([
    [200, 'application/json; charset=utf-8', 'MIMECAST_ANSWER_TOO_LARGE', /smaller pages.*pageSize/],
    [200, 'text/html', 'MIMECAST_ENDLESS_ANSWER', /proxy/],
    [502, 'application/json', 'MIMECAST_ENDLESS_ANSWER', /proxy/],
  ])('that is small but inflates past the limit is refused: %i %s', async (status, type, code, hint) => {
    const server = await startApi();
    const bomb = gzipSync(Buffer.alloc(MAX_ANSWER_BYTES + 1), { level: 1 });
    server.onPage = (_request, response) => {
      response.writeHead(status, { 'content-encoding': 'gzip', 'content-type': type });
      response.end(bomb);
    };
    await expect(transportTo(server.origin).send(call, signal())).rejects.toMatchObject({
      ...{ code, reason: 'malformed', retryable: false },
      hint: expect.stringMatching(hint),
    });
  });
});

describe('a request that takes too long', () => {
  it.each([
    ['no answer', () => undefined],
    ['half a head', (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-')],
    [
      'a body that trickles',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
        const drip = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('is given up: %s', async (_name, behave) => {
    const transport = transportTo(await startRaw(behave), { requestTimeout: '200ms' });
    const started = performance.now();
    const sending = transport.send(call, signal());
    await expect(sending).rejects.toMatchObject({ reason: 'timeout', code: 'MIMECAST_TIMEOUT', retryable: true });
    await expect(sending).rejects.toThrow('within 200ms');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each([
    ['before the head', () => undefined],
    ['in the body', (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')],
  ])('can be aborted %s, with the reason of the signal', async (_name, behave) => {
    const stop = new AbortController();
    let met = false;
    const origin = await startRaw((socket) => {
      behave(socket);
      met = true;
    });
    const sending = transportTo(origin).send(call, stop.signal);
    sending.catch(() => undefined);
    await expect.poll(() => met).toBe(true);
    stop.abort();
    const error = await sending.catch((reason: unknown) => reason);
    expect(error).toBe(stop.signal.reason);
    expect(isAbort(error)).toBe(true);
    await expect(transportTo(origin).send(call, stop.signal)).rejects.toBe(stop.signal.reason);
  });
});

describe('a connection that fails', () => {
  it.each([
    ['reset', (socket: Socket) => void socket.resetAndDestroy(), 'network', 'MIMECAST_UNREACHABLE'],
    ['closed', (socket: Socket) => void socket.end(), 'network', 'MIMECAST_UNREACHABLE'],
    [
      'closed in the body',
      (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'),
      'network',
      'MIMECAST_UNREACHABLE',
    ],
    [
      'no HTTP',
      (socket: Socket) => void socket.end('220 mail.example ESMTP secret\r\n'),
      'malformed',
      'MIMECAST_NOT_HTTP',
    ],
  ])('is told apart: %s', async (_name, behave, reason, code) => {
    const error = await transportTo(await startRaw(behave))
      .send(call, signal())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason, code, retryable: true, requestId: 'req-7' });
    expect(isAbort(error)).toBe(false);
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('because nobody listens', async () => {
    const server = await ApiServer.start();
    const { origin } = server;
    await server.close();
    await expect(transportTo(origin).send(call, signal())).rejects.toMatchObject({
      reason: 'network',
      message: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining('mimecast.baseUrl'),
    });
  });
});

describe('TLS', () => {
  const authority = new Authority();
  const good = authority.issue('localhost');
  const other = authority.issue('elsewhere.example');
  afterAll(() => authority.remove());

  it('trusts what caFile names, and only then', async () => {
    const server = await startApi({ cert: good.cert, key: good.key });
    const trusting = transportTo(server.origin, { caFile: authority.caFile });
    expect(await trusting.send(call, signal())).toMatchObject({ status: 200 });
    await expect(transportTo(server.origin).send(call, signal())).rejects.toMatchObject({
      reason: 'network',
      code: 'MIMECAST_CERTIFICATE',
      retryable: false,
      hint: expect.stringContaining('caFile'),
    });
  });

  it('wants the name to fit', async () => {
    const server = await startApi({ cert: other.cert, key: other.key });
    const transport = transportTo(server.origin, { caFile: authority.caFile });
    await expect(transport.send(call, signal())).rejects.toMatchObject({ code: 'MIMECAST_CERTIFICATE' });
  });

  it.each(['directly', 'through a proxy'])('is kept in mind with its end, and so is caFile: %s', async (way) => {
    const shown = authority.issue('localhost', 90);
    const server = await startApi({ cert: shown.cert, key: shown.key });
    const proxy = await HttpProxy.start();
    closers.push(() => proxy.close());
    const through = way === 'directly' ? {} : { proxy: `http://${proxy.host}` };
    const transport = transportTo(server.origin, { caFile: authority.caFile, ...through });
    expect(transport.certificates.validities()).toMatchObject([{ certificate: 'ca' }]);
    await transport.send(call, signal());
    expect(proxy.asked).toHaveLength(way === 'directly' ? 0 : 1);
    expect(transport.certificates.validities()).toMatchObject([
      { certificate: 'receiver', notAfter: Date.parse(new X509Certificate(shown.cert).validTo) },
      { certificate: 'ca' },
    ]);
  });

  it('goes through the tunnel of a proxy, end to end', async () => {
    const server = await startApi({ cert: good.cert, key: good.key });
    const proxy = await HttpProxy.start();
    closers.push(() => proxy.close());
    proxy.authorization = `Basic ${Buffer.from('user:pass word').toString('base64')}`;
    const through = transportTo(server.origin, {
      caFile: authority.caFile,
      proxy: `http://user:pass%20word@${proxy.host}`,
    });
    expect(await through.send(call, signal())).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`localhost:${server.port}`]);
    expect(server.pages[0]?.headers['proxy-authorization']).toBeUndefined();
    const untrusting = transportTo(server.origin, { proxy: `http://user:pass%20word@${proxy.host}` });
    await expect(untrusting.send(call, signal())).rejects.toMatchObject({ code: 'MIMECAST_CERTIFICATE' });
  });

  it('names a proxy that wants a login, one that refuses, and one that is gone', async () => {
    const proxy = await HttpProxy.start();
    proxy.authorization = 'Basic other';
    const asking = transportTo('https://api.mimecast.invalid', { proxy: `http://user:hushhush@${proxy.host}` });
    const error = await asking.send(call, signal()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'network', code: 'MIMECAST_PROXY_AUTHENTICATION', retryable: false });
    expect(isAbort(error)).toBe(false);
    expect(JSON.stringify(error)).not.toContain('hushhush');
    proxy.authorization = undefined;
    await expect(asking.send(call, signal())).rejects.toMatchObject({ code: 'MIMECAST_PROXY_REFUSED' });
    await proxy.close();
    await expect(asking.send(call, signal())).rejects.toMatchObject({ reason: 'network' });
  });

  it('refuses a caFile that cannot be read, or is no PEM', () => {
    expect(() => transportTo('https://localhost', { caFile: '/nowhere/ca.pem' })).toThrow(
      expect.objectContaining({ code: 'CA_UNREADABLE' }),
    );
    const folderFile = `${authority.caFile}.der`;
    writeFileSync(folderFile, Buffer.from([0x30, 0x82]));
    expect(() => transportTo('https://localhost', { caFile: folderFile })).toThrow(/no PEM/);
  });
});

describe('the proxy of the environment', () => {
  it('is used for hosts outside, unless NO_PROXY names them', async () => {
    const proxy = await HttpProxy.start();
    closers.push(() => proxy.close());
    vi.stubEnv('HTTPS_PROXY', `http://${proxy.host}`);
    vi.stubEnv('NO_PROXY', 'direct.invalid');
    vi.stubEnv('no_proxy', undefined);
    vi.stubEnv('https_proxy', undefined);
    const proxied = transportTo('https://api.mimecast.invalid').send(call, signal());
    await expect(proxied).rejects.toMatchObject({ code: 'MIMECAST_PROXY_REFUSED' });
    expect(proxy.asked).toEqual(['api.mimecast.invalid:443']);
    const direct = transportTo('https://direct.invalid').send(call, signal());
    await expect(direct).rejects.toMatchObject({ code: 'MIMECAST_UNREACHABLE' });
    expect(proxy.asked).toHaveLength(1);
  });

  it('is not used for a loopback host', async () => {
    const server = await startApi();
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9');
    vi.stubEnv('NO_PROXY', '');
    expect(await transportTo(server.origin).send(call, signal())).toMatchObject({ status: 200 });
  });

  it('that is no URL is named without showing it', () => {
    vi.stubEnv('HTTPS_PROXY', 'http://user:hushhush@bad host');
    vi.stubEnv('https_proxy', undefined);
    const make = () => transportTo('https://api.mimecast.invalid');
    expect(make).toThrow(expect.objectContaining({ code: 'PROXY_INVALID' }));
    expect(make).not.toThrow(expect.objectContaining({ cause: expect.anything() }));
  });
});
