import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/secret.ts';
import { Authority } from '../../fakes/http-certificates.ts';
import { failed, post, poster, proxying, started } from './posting.ts';

const authority = new Authority();
const folder = mkdtempSync(join(tmpdir(), 'connections-'));

afterAll(() => {
  authority.remove();
  rmSync(folder, { recursive: true });
});

function endOf({ cert }: { readonly cert: Buffer }): number {
  return Date.parse(new X509Certificate(cert).validTo);
}

describe('certificates', () => {
  const tls = { caFile: authority.caFile };

  it('of an authority that is trusted are accepted', async () => {
    const receiver = await started(authority.issue('localhost'));
    expect(await post(poster(receiver.origin, { tls }))).toMatchObject({ status: 200 });
  });

  it.each([
    ['self-signed', () => authority.selfSigned('localhost'), /self-signed/, /caFile/],
    ['expired', () => authority.issue('localhost', -1), /expired/, /[Rr]enew/],
    ['for another name', () => authority.issue('collector.example'), /another name/, /name/],
  ] as const)('that are %s halt, with a hint', async (_name, pair, message, hint) => {
    const receiver = await started(pair());
    const error = await failed(post(poster(receiver.origin, { tls })));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls' });
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(receiver.requests).toEqual([]);
  });

  it.each(['directly', 'through a proxy'])('that were accepted %s are known, with our own', async (way) => {
    const shown = authority.issue('localhost', 90);
    const own = authority.issue('forwarder', 60);
    const receiver = await started(shown);
    const proxy = way === 'directly' ? undefined : await proxying();
    const sender = poster(receiver.origin, {
      tls: { ...tls, certFile: own.certFile, keyFile: own.keyFile },
      ...(proxy && { proxy: Secret.of(`http://${proxy.host}`) }),
    });
    expect(sender.certificates().map(({ certificate }) => certificate)).toEqual(['client', 'ca']);
    await post(sender);
    expect(proxy?.asked ?? ['']).toHaveLength(1);
    expect(sender.certificates()).toMatchObject([
      { certificate: 'receiver', notAfter: endOf(shown) },
      { certificate: 'client', notAfter: endOf(own) },
      { certificate: 'ca', notAfter: endOf({ cert: authority.ca }) },
    ]);
  });

  it('that were refused are not known', async () => {
    const receiver = await started(authority.issue('collector.example', 90));
    const sender = poster(receiver.origin.replace('127.0.0.1', 'localhost'), { tls });
    await failed(post(sender));
    expect(sender.certificates().map(({ certificate }) => certificate)).toEqual(['ca']);
  });

  it('of an authority that is not known here halt, with a hint', async () => {
    const receiver = await started(authority.issue('localhost'));
    const error = await failed(post(poster(receiver.origin)));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls', hint: expect.stringContaining('caFile') });
  });

  it('are not asked of a port that speaks plain HTTP', async () => {
    const receiver = await started();
    const error = await failed(post(poster(`https://localhost:${receiver.port}`)));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls', hint: expect.stringContaining('http://') });
  });

  it.each([
    ['TLSv1.2', { disposition: 'halt', reason: 'tls' }],
    // Closed without a word after the handshake: it could be a restart as well.
    ['TLSv1.3', { disposition: 'retry', reason: 'unconfirmed' }],
  ] as const)('are wanted of us, too, over %s', async (maxVersion, expected) => {
    const receiver = await started(authority.issue('localhost'), { requestCert: true, ca: authority.ca, maxVersion });
    const { certFile, keyFile } = authority.issue('forwarder');
    const error = await failed(post(poster(receiver.origin, { tls })));
    expect(error).toMatchObject({ ...expected, hint: expect.stringContaining('certFile') });
    expect(await post(poster(receiver.origin, { tls: { ...tls, certFile, keyFile } }))).toMatchObject({ status: 200 });
  });

  it('that changed on disk are used for the next request', async () => {
    const receiver = await started(authority.issue('localhost'));
    const caFile = join(folder, 'rotated.pem');
    copyFileSync(authority.selfSigned('localhost').certFile, caFile);
    const sender = poster(receiver.origin, { tls: { caFile } });
    expect(await failed(post(sender))).toMatchObject({ reason: 'tls' });
    copyFileSync(authority.caFile, caFile);
    expect(await post(sender)).toMatchObject({ status: 200 });
  });

  it.each([
    ['are missing', join(folder, 'missing.pem'), /caFile .* cannot be read/],
    ['are no certificates', import.meta.filename, /unusable|is refused/],
  ])('on disk that %s halt, with a hint', async (_name, caFile, message) => {
    const error = await failed(post(poster('https://localhost:9', { tls: { caFile, ...keyOf(caFile) } })));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'tls', hint: expect.any(String) });
    expect(error.message).toMatch(message);
  });

  /** OpenSSL passes over a CA file without a certificate, but not over a key file without a key. */
  function keyOf(path: string): object {
    return path.includes('missing') ? {} : { certFile: path, keyFile: path };
  }
});

describe('a proxy', () => {
  const password = 'proxy-password';
  const authorization = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;

  it.each(['http', 'https'])('of the config is used for %s, with its credentials', async (scheme) => {
    const [receiver, proxy] = [
      await started(scheme === 'https' ? authority.issue('localhost') : undefined),
      await proxying(),
    ];
    proxy.authorization = authorization;
    const via = { proxy: Secret.of(`http://user:${password}@${proxy.host}`), tls: { caFile: authority.caFile } };
    expect(await post(poster(receiver.origin, via))).toMatchObject({ status: 200 });
    expect(proxy.asked).toHaveLength(1);
  });

  it.each(['http', 'https'])('that wants other credentials halts %s', async (scheme) => {
    const [receiver, proxy] = [
      await started(scheme === 'https' ? authority.issue('localhost') : undefined),
      await proxying(),
    ];
    proxy.authorization = 'another';
    const error = await failed(
      post(poster(receiver.origin, { proxy: Secret.of(`http://user:${password}@${proxy.host}`) })),
    );
    expect(error).toMatchObject({ disposition: 'halt', reason: 'auth', hint: expect.stringContaining('proxy') });
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(password);
  });

  it.each([
    [403, 'halt'],
    [503, 'retry'],
  ] as const)('that answers %i to a tunnel: %s', async (tunnelStatus, disposition) => {
    const proxy = await proxying();
    proxy.tunnelStatus = tunnelStatus;
    const error = await failed(post(poster('https://localhost:9', { proxy: Secret.of(`http://${proxy.host}`) })));
    expect(error).toMatchObject({ disposition, reason: 'connect', hint: expect.stringContaining('proxy') });
  });

  it('that cannot reach the receiver is worth another try', async () => {
    const proxy = await proxying();
    const error = await failed(post(poster('https://localhost:9', { proxy: Secret.of(`http://${proxy.host}`) })));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'connect', hint: expect.stringContaining('proxy') });
  });

  it('that is gone is worth another try', async () => {
    const error = await failed(post(poster('https://localhost:9', { proxy: Secret.of('http://127.0.0.1:9') })));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'connect' });
  });

  it('of the environment is used unless NO_PROXY says otherwise', async () => {
    const [receiver, proxy] = [await started(), await proxying()];
    vi.stubEnv('http_proxy', `http://${proxy.host}`);
    await post(poster(receiver.origin));
    expect(proxy.asked).toHaveLength(1);
    vi.stubEnv('no_proxy', '127.0.0.1');
    await post(poster(receiver.origin));
    expect(proxy.asked).toHaveLength(1);
  });

  it('whose URL is none halts without showing it', async () => {
    const error = await failed(post(poster('http://localhost:9', { proxy: Secret.of(`user:${password}@proxy`) })));
    expect(error).toMatchObject({ disposition: 'halt' });
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(password);
  });
});
