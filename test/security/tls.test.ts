import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TlsOptions as ServerTls, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ForwarderError, messageOf } from '../../src/errors.ts';
import { Transport } from '../../src/mimecast/transport.ts';
import { outputTypes } from '../../src/outputs/index.ts';
import { CANARY, MAIL_CANARY, outputContext, someEvents } from '../contract/output-harness.ts';
import { serviceAccountKey } from '../fakes/google-secops.ts';
import { type Certificates, type KeyPair, makeCertificates } from '../receivers/certificates.ts';

/**
 * Whom we speak TLS to, for every transport there is: nothing of ours, no credential and no mail data, is said to a server whose
 * certificate or version is not good. The server notes each octet that it could decrypt.
 */

const never = new AbortController().signal;

let folder: string;
let pki: Certificates;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-table-'));
  pki = makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const defaults = { DEFAULT_MIN_VERSION: tls.DEFAULT_MIN_VERSION, DEFAULT_CIPHERS: tls.DEFAULT_CIPHERS };
const running: Listener[] = [];
beforeEach(() => {
  for (const name of ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY']) vi.stubEnv(name, '');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.stop()));
  vi.unstubAllEnvs();
  Object.assign(tls, defaults);
});

/** Speaks TLS, and keeps what it is told. After `greeting`, in clear text, where the protocol begins so. */
class Listener {
  /** What was decrypted, from all connections. */
  told = '';
  /** What came in clear text. */
  overheard = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(secure: ServerTls | undefined, greeting?: string) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.on('error', () => {}));
      if (greeting !== undefined) socket.write(greeting);
      if (secure === undefined) this.#overhear(socket);
      else this.#decrypt(new TLSSocket(socket, { isServer: true, ...secure }));
    });
    running.push(this);
  }

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #overhear(socket: Socket): void {
    socket.on('data', (bytes) => {
      this.overheard += bytes.toString('latin1');
      socket.destroy();
    });
  }

  #decrypt(secure: TLSSocket): void {
    secure.on('error', () => {});
    secure.on('data', (bytes) => {
      this.told += bytes.toString('latin1');
      secure.destroy();
    });
  }
}

/** A protocol of ours with a server at this port of 127.0.0.1. Rejects: no server here is a real one. */
interface Client {
  say(port: number, caFile: string): Promise<unknown>;
  /** Of which certificates the end was known when that was over. */
  held: string[];
  /** What its server says first, in clear text. */
  readonly greeting?: string;
}

function output(type: string, optionsAt: (port: number) => object, greeting?: string): Client {
  return {
    ...(greeting !== undefined && { greeting }),
    held: [],
    async say(port, caFile) {
      const options = outputTypes[type]?.options.parse({ ...optionsAt(port), tls: { caFile } });
      if (options === undefined) return expect.unreachable(`there is no output ${type}`);
      const opened = outputTypes[type]?.create(options, outputContext());
      try {
        return await opened?.send(someEvents(1), never);
      } finally {
        this.held = opened?.certificates?.().map(({ certificate }) => certificate) ?? [];
        await opened?.close();
      }
    },
  };
}

const at = (port: number) => `https://127.0.0.1:${port}`;
const syslogAt = (options: object) => (port: number) => ({ host: '127.0.0.1', port, ...options });
const googleAt = (port: number) => ({
  serviceAccount: JSON.stringify(serviceAccountKey(`${at(port)}/token`)),
  ...{ project: 'p', region: 'us', instance: 'c0ffee00-0000-4000-8000-000000000001', endpoint: at(port) },
});
const azureAt = (port: number) => ({
  ...{ endpoint: at(port), authority: at(port), tenantId: 'c0ffee00-0000-4000-8000-000000000001' },
  ...{ clientId: 'c0ffee00-0000-4000-8000-000000000002', clientSecret: CANARY },
  dcrImmutableId: 'dcr-0123456789abcdef0123456789abcdef',
});
const INFO = 'INFO {"server_id":"A","version":"2.10.0","max_payload":1048576,"headers":true,"tls_required":true}\r\n';

const CLIENTS: Readonly<Record<string, Client>> = {
  mimecast: {
    held: [],
    async say(port, caFile) {
      const transport = new Transport({ baseUrl: at(port), requestTimeout: 5000, caFile });
      try {
        return await transport.send({ method: 'POST', path: '/', headers: { authorization: CANARY } }, never);
      } finally {
        this.held = transport.certificates.validities().map(({ certificate }) => certificate);
        await transport.close();
      }
    },
  },
  'syslog, tls, confirm: close': output('syslog', syslogAt({ protocol: 'tls' })),
  'syslog, tls, confirm: write': output('syslog', syslogAt({ protocol: 'tls', confirm: 'write' })),
  'syslog, relp-tls': output('syslog', syslogAt({ protocol: 'relp-tls' })),
  webhook: output('webhook', (port) => ({ url: at(port), headers: { authorization: CANARY } })),
  'splunk-hec': output('splunk-hec', (port) => ({ url: at(port), token: CANARY })),
  elasticsearch: output('elasticsearch', (port) => ({ url: at(port), apiKey: CANARY })),
  otlp: output('otlp', (port) => ({ url: at(port), headers: { authorization: CANARY } })),
  loki: output('loki', (port) => ({ url: at(port), token: CANARY })),
  datadog: output('datadog', (port) => ({ url: at(port), apiKey: CANARY })),
  sumologic: output('sumologic', (port) => ({ url: `${at(port)}/receiver/v1/http/${CANARY}` })),
  sentinel: output('sentinel', azureAt),
  'google-secops': output('google-secops', googleAt),
  kafka: output('kafka', (port) => ({ brokers: [`127.0.0.1:${port}`], topic: 'mail' })),
  nats: output('nats', (port) => ({ servers: [`127.0.0.1:${port}`], subject: 'mail', token: CANARY }), INFO),
};

/** What a server may show, and each is a reason to say nothing to it. */
const BAD: Readonly<Record<string, () => ServerTls>> = {
  'a certificate of an authority that is not ours': () => pem(pki.stranger.client),
  'a certificate that it has signed itself': () => pem(pki.selfSigned),
  'a certificate whose issuer is not sent along': () => pem(pki.orphan),
  'a certificate signed by one that may not sign': () => pem(pki.forged),
  'a certificate for another name': () => pem(pki.wrong),
  'a certificate that has expired': () => pem(pki.expired),
  'nothing newer than TLS 1.1': () => old('TLSv1.1'),
  'nothing newer than TLS 1.0': () => old('TLSv1'),
};

const WEAK = 'DEFAULT@SECLEVEL=0';

function old(version: 'TLSv1' | 'TLSv1.1'): ServerTls {
  return { ...pem(pki.server), minVersion: version, maxVersion: version, ciphers: WEAK };
}

function pem({ cert, key }: KeyPair): ServerTls {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** What an environment can do to Node: NODE_TLS_REJECT_UNAUTHORIZED=0, --tls-min-v1.0, --tls-cipher-list. */
function turnChecksOff(): void {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  tls.DEFAULT_MIN_VERSION = 'TLSv1';
  tls.DEFAULT_CIPHERS = WEAK;
}

async function refusalOf(saying: Promise<unknown>): Promise<ForwarderError> {
  const error = await saying.then(
    () => expect.unreachable('it was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ForwarderError)) throw error;
  return error;
}

it('every output that can speak TLS is in the table', () => {
  const named = Object.keys(CLIENTS).map((name) => name.split(',')[0]);
  expect(new Set(named)).toEqual(
    new Set(['mimecast', ...Object.keys(outputTypes).filter((type) => !/^(file|stdout)$/.test(type))]),
  );
});

it.each(['TLSv1', 'TLSv1.1'] as const)('%s is spoken by OpenSSL here, if it is asked to', async (version) => {
  const port = await new Listener(old(version)).start();
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    ciphers: WEAK,
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  expect(socket.getProtocol()).toBe(version);
  socket.destroy();
});

/** The libraries keep their sockets to themselves; the others get no further than to the issuer of their tokens here. */
const SHOWN_NOTHING = new Set(['kafka', 'nats', 'sentinel', 'google-secops']);

describe.each(Object.entries(CLIENTS))('%s', (name, client) => {
  it('speaks to a server that is good', async () => {
    const listener = new Listener(pem(pki.server), client.greeting);
    await refusalOf(client.say(await listener.start(), pki.ca));
    expect(listener.told).not.toBe('');
    expect(client.held).toEqual(SHOWN_NOTHING.has(name) ? ['ca'] : ['receiver', 'ca']);
  });

  it.each(Object.entries(BAD))('says nothing to a server that shows %s', async (_, shown) => {
    turnChecksOff();
    const listener = new Listener(shown(), client.greeting);
    const error = await refusalOf(client.say(await listener.start(), pki.ca));
    expect(listener.told).toBe('');
    expect(`${messageOf(error)} ${error.hint}`).not.toContain(CANARY);
    if (name !== 'mimecast') expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
  });

  it('says nothing in clear text where TLS was asked for', async () => {
    const listener = new Listener(undefined, client.greeting?.replace('"tls_required":true', '"auth_required":true'));
    const port = await listener.start();
    await refusalOf(client.say(port, pki.ca));
    for (const said of [CANARY, MAIL_CANARY, 'CONNECT', 'POST', 'Host:'])
      expect(listener.overheard).not.toContain(said);
  });
});
