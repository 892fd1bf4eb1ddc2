import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions as ServerOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Certificates as HeldCertificates } from '../../../src/certificates.ts';
import { OutputError } from '../../../src/outputs/output.ts';
import { ConfirmByClose } from '../../../src/outputs/wire/confirm-by-close.ts';
import { ConfirmByWrite } from '../../../src/outputs/wire/confirm-by-write.ts';
import { Dialer } from '../../../src/outputs/wire/dialer.ts';
import { type TlsOptions, tlsOptions } from '../../../src/outputs/wire/tls.ts';
import { SyslogReceiver } from '../../fakes/syslog-receiver.ts';
import { type Certificates, type KeyPair, makeCertificates } from '../../receivers/certificates.ts';

const never = new AbortController().signal;
const batch = ['<13>1 - - - - - - first', '<13>1 - - - - - - second'];

let directory: string;
let pki: Certificates;
let receiver: SyslogReceiver | undefined;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'wire-tls-'));
  pki = makeCertificates(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await receiver?.stop();
  receiver = undefined;
});

async function receive(pair: KeyPair, more: ServerOptions = {}): Promise<SyslogReceiver> {
  receiver = await SyslogReceiver.start({ tls: { ...pem(pair), ...more } });
  return receiver;
}

function pem(pair: KeyPair) {
  return { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
}

/** Lets in whom our authority has signed, and nobody else. */
function mutual(): ServerOptions {
  return { requestCert: true, rejectUnauthorized: true, ca: readFileSync(pki.ca) };
}

function clientFiles({ cert, key }: KeyPair): Pick<TlsOptions, 'certFile' | 'keyFile'> {
  return { certFile: cert, keyFile: key };
}

function dialer(
  tls: Partial<TlsOptions>,
  { host = '127.0.0.1', port = receiver?.port ?? 0, connectTimeout = 5_000 } = {},
) {
  return new Dialer({ protocol: 'tls', host, port }, tlsOptions.parse(tls), connectTimeout);
}

function byClose(tls: Partial<TlsOptions>): ConfirmByClose {
  return new ConfirmByClose(dialer(tls), 'octet-counting', 5_000);
}

async function refusal(work: Promise<unknown>): Promise<OutputError> {
  const error = await work.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(OutputError);
  expect(receiver?.messages ?? []).toEqual([]);
  return error as OutputError;
}

describe('over TLS', () => {
  it('a batch is confirmed by close', async () => {
    await receive(pki.server, mutual());
    const wire = byClose({ caFile: pki.ca, ...clientFiles(pki.client) });
    await wire.deliver(batch, never);
    await wire.deliver(batch, never);
    expect(receiver?.streams.map(({ messages }) => messages)).toEqual([batch, batch]);
  });

  it('only the first connection is watched for a refusal', async () => {
    await receive(pki.server);
    const wire = byClose({ caFile: pki.ca });
    await wire.deliver(batch, never);
    const startedAt = performance.now();
    await wire.deliver(batch, never);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });

  it('a batch confirmed by write goes over the kept connection', async () => {
    await receive(pki.server);
    const wire = new ConfirmByWrite(dialer({ caFile: pki.ca }), 'octet-counting', 5_000);
    await wire.deliver(batch, never);
    await wire.deliver(batch, never);
    await wire.close();
    await expect.poll(() => receiver?.messages).toEqual([...batch, ...batch]);
    expect(receiver?.streams).toHaveLength(1);
  });

  it('a probe says what was reached', async () => {
    await receive(pki.server);
    const until = new Date(new X509Certificate(readFileSync(pki.server.cert)).validTo).toISOString().slice(0, 10);
    await expect(byClose({ caFile: pki.ca }).probe(never)).resolves.toBe(
      `connected to 127.0.0.1:${receiver?.port}, TLSv1.3, certificate CN=collector.lab until ${until}`,
    );
    await expect.poll(() => receiver?.connections).toBe(0);
  });

  it('renewed files are taken up by the next connection', async () => {
    await receive(pki.server, mutual());
    const own = { cert: join(directory, 'own.pem'), key: join(directory, 'own.key') };
    const install = (pair: KeyPair) => {
      copyFileSync(pair.cert, own.cert);
      copyFileSync(pair.key, own.key);
    };
    const wire = byClose({ caFile: pki.ca, ...clientFiles(own) });
    install(pki.client);
    await wire.deliver(batch, never);
    install(pki.stranger.client);
    await expect(wire.deliver(batch, never)).rejects.toMatchObject({ reason: 'tls', disposition: 'halt' });
    install(pki.wrong);
    await wire.deliver(batch, never);
    expect(receiver?.messages).toEqual([...batch, ...batch]);
  });
});

describe('a receiver is refused, and gets nothing, when', () => {
  it('its authority is not trusted', async () => {
    await receive(pki.server);
    const error = await refusal(byClose({}).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.hint).toContain('tls.caFile');
  });

  it('another authority has signed it', async () => {
    await receive(pki.server);
    const error = await refusal(byClose({ caFile: pki.stranger.ca }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
  });

  it('it is for another name', async () => {
    await receive(pki.wrong);
    const error = await refusal(byClose({ caFile: pki.ca, servername: 'collector.lab' }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.hint).toContain('tls.servername');
  });

  it('it is for another address', async () => {
    await receive(pki.wrong);
    expect((await refusal(byClose({ caFile: pki.ca }).deliver(batch, never))).message).toContain('another name');
  });

  it('it has expired', async () => {
    await receive(pki.expired);
    const error = await refusal(byClose({ caFile: pki.ca }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.message).toContain('expired');
  });

  it('it offers only an older version of TLS', async () => {
    await receive(pki.server, { maxVersion: 'TLSv1.2' });
    const error = await refusal(byClose({ caFile: pki.ca, minVersion: 'TLSv1.3' }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.hint).toContain('tls.minVersion');
  });

  it('it answers in plain text', async () => {
    const plain = createPlainServer((socket) => socket.end('220 mail.example ESMTP\r\n')).listen(0, '127.0.0.1');
    await expect.poll(() => plain.listening).toBe(true);
    const { port } = plain.address() as { port: number };
    const wire = new ConfirmByClose(dialer({}, { port }), 'octet-counting', 5_000);
    const error = await refusal(wire.deliver(batch, never));
    plain.close();
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.hint).toContain('port');
  });

  it('it never answers the handshake, as a plain syslog port', async () => {
    const silent = createPlainServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await expect.poll(() => silent.listening).toBe(true);
    const { port } = silent.address() as { port: number };
    const wire = new ConfirmByClose(dialer({}, { port, connectTimeout: 150 }), 'octet-counting', 5_000);
    const error = await refusal(wire.deliver(batch, never));
    silent.close();
    expect(error).toMatchObject({ reason: 'timeout', disposition: 'retry' });
    expect(error.hint).toContain('TLS port');
  });
});

describe('we are refused, and nothing counts, when', () => {
  it.each([
    ['we show no certificate', 'TLSv1.3', () => ({})],
    ['we show no certificate', 'TLSv1.2', () => ({})],
    ['another authority has signed ours', 'TLSv1.3', () => clientFiles(pki.stranger.client)],
  ] as const)('%s, in %s', async (_name, version, files) => {
    await receive(pki.server, { ...mutual(), minVersion: version, maxVersion: version });
    const options = { caFile: pki.ca, ...files() };
    for (const wire of [byClose(options), new ConfirmByWrite(dialer(options), 'octet-counting', 5_000)]) {
      const error = await refusal(wire.deliver(batch, never));
      expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
      expect(error.hint).toContain('tls.certFile');
      await expect(wire.probe(never)).rejects.toMatchObject({ reason: 'tls', disposition: 'halt' });
    }
  });

  it('the receiver closes without a word after the handshake', async () => {
    (await receive(pki.server)).manner = 'ends at once';
    const error = await refusal(byClose({ caFile: pki.ca }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.hint).toContain('tls.certFile');
  });

  it('a file of ours is missing', async () => {
    await receive(pki.server);
    const error = await refusal(byClose({ caFile: join(directory, 'absent.pem') }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.message).toContain('tls.caFile');
    expect(error.hint).toContain('absent.pem');
  });

  it.each([
    ['the key belongs to another certificate', () => ({ certFile: pki.client.cert, keyFile: pki.server.key })],
    ['the certificate is not PEM', () => ({ certFile: pki.client.key, keyFile: pki.client.key })],
  ])('%s', async (_name, files) => {
    await receive(pki.server);
    const error = await refusal(byClose({ caFile: pki.ca, ...files() }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.message).toContain('our own certificate files');
  });

  it('we speak plain TCP to a TLS port', async () => {
    await receive(pki.server);
    const endpoint = { protocol: 'tcp', host: '127.0.0.1', port: receiver?.port ?? 0 } as const;
    const plain = new Dialer(endpoint, tlsOptions.parse({}), 5_000);
    const error = await refusal(new ConfirmByClose(plain, 'octet-counting', 5_000).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(error.hint).toContain('protocol');
  });
});

describe('a pinned fingerprint', () => {
  const sha256 = (pair: KeyPair) => `sha-256:${new X509Certificate(readFileSync(pair.cert)).fingerprint256}`;
  const sha1 = (pair: KeyPair) => `sha-1:${new X509Certificate(readFileSync(pair.cert)).fingerprint}`;

  it.each([
    ['sha-256', sha256],
    ['sha-1', sha1],
    ['sha-256 in lower case', (pair: KeyPair) => sha256(pair).toLowerCase()],
  ])('by %s lets in a self-signed certificate that matches', async (_name, fingerprint) => {
    await receive(pki.selfSigned);
    await byClose({ fingerprint: fingerprint(pki.selfSigned) }).deliver(batch, never);
    expect(receiver?.messages).toEqual(batch);
  });

  it.each([
    ['a self-signed certificate', () => pki.selfSigned],
    ['a certificate of any authority', () => pki.server],
  ])('keeps out %s that does not match', async (_name, pair) => {
    await receive(pair());
    const error = await refusal(byClose({ fingerprint: sha256(pki.client) }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(error.message).toContain(sha256(pair()));
  });

  it('alone makes the dates of the certificate count for nothing: they are not kept in mind', async () => {
    await receive(pki.server);
    const endsKnownTo = async (tls: Partial<TlsOptions>) => {
      const certificates = new HeldCertificates();
      const endpoint = { protocol: 'tls', host: '127.0.0.1', port: receiver?.port ?? 0 } as const;
      await new ConfirmByClose(
        new Dialer(endpoint, tlsOptions.parse(tls), 5_000, certificates),
        'octet-counting',
        5_000,
      ).deliver(batch, never);
      return certificates.validities().map(({ certificate }) => certificate);
    };
    expect(await endsKnownTo({ fingerprint: sha256(pki.server) })).toEqual([]);
    expect(await endsKnownTo({ fingerprint: sha256(pki.server), caFile: pki.ca })).toEqual(['receiver']);
  });

  it('with caFile asks for both: chain and name, and the fingerprint', async () => {
    await receive(pki.server);
    await byClose({ caFile: pki.ca, fingerprint: sha256(pki.server) }).deliver(batch, never);
    expect(receiver?.messages).toEqual(batch);
    await expect(
      byClose({ caFile: pki.ca, fingerprint: sha256(pki.client) }).deliver(batch, never),
    ).rejects.toMatchObject({ reason: 'tls', disposition: 'halt' });
    await expect(
      byClose({ caFile: pki.stranger.ca, fingerprint: sha256(pki.server) }).deliver(batch, never),
    ).rejects.toMatchObject({ reason: 'tls', disposition: 'halt' });
    expect(receiver?.messages).toEqual(batch);
  });
});

describe('tls options', () => {
  it.each([
    [{ certFile: 'c.pem' }, 'certFile and keyFile together'],
    [{ servername: '10.0.0.7' }, 'not an IP address'],
    [{ fingerprint: 'sha-256:E1:2D' }, 'fingerprint in hex'],
    [{ fingerprint: `md5:${'E1:'.repeat(15)}E1` }, 'fingerprint in hex'],
    [{ minVersion: 'TLSv1.1' }, 'TLSv1.2'],
  ])('%j are refused', (options, message) => {
    expect(tlsOptions.safeParse(options).error?.message).toContain(message);
  });
});
