import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { getCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent, request } from 'undici';
import { Certificates } from '../certificates.ts';
import { ForwarderError } from '../errors.ts';
import { STRICT_TLS } from '../tls.ts';
import { connectionFailure, TooLarge, unreadableEncoding } from './connection-failure.ts';
import { isLoopback, type MimecastOptions } from './options.ts';
import { type AnswerHeaders, headerText } from './rate-limit.ts';

/**
 * A page of 500 records is about 400 KB. What is twenty times as long is asked for again in smaller pages (see `WindowWalk`): a page is in
 * memory whole, several times over while it is taken apart.
 */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** Valid UTF-8, without a byte order mark. */
  readonly body: Buffer;
  /** Monotonic ms (`performance.now()`): when the request was handed to the socket layer, and when its headers were here. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

export type TransportOptions = Pick<MimecastOptions, 'baseUrl' | 'requestTimeout' | 'proxy' | 'caFile'>;

/** One HTTP exchange with Mimecast: connections, proxy, certificates, time and size limits. It knows nothing of the API. */
export class Transport {
  readonly certificates: Certificates;
  readonly #baseUrl: string;
  readonly #timeoutMs: number;
  readonly #dispatcher: Dispatcher;
  readonly #lifetime = new AbortController();

  constructor(options: TransportOptions) {
    this.#baseUrl = options.baseUrl;
    this.#timeoutMs = options.requestTimeout;
    this.certificates = new Certificates(options);
    this.#dispatcher = dispatcherFor(options, this.certificates, this.#lifetime.signal);
  }

  /** Host and port, for messages. */
  get host(): string {
    return new URL(this.#baseUrl).host;
  }

  /**
   * Sends the call and reads the answer to its end, whatever its status; redirects are not followed.
   * Rejects with a `MimecastError` of reason network, timeout or malformed, or with the signal's reason when aborted.
   */
  async send(call: Call, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    // One deadline over connecting, waiting and reading: an answer that trickles in for ever is late as well.
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const sentAt = performance.now();
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await request(this.#baseUrl + call.path, {
        method: call.method,
        headers: call.headers,
        body: call.body ?? null,
        dispatcher: this.#dispatcher,
        signal: AbortSignal.any([signal, deadline]),
      });
      const answeredAt = performance.now();
      const body = await readBody(response);
      return { status: response.statusCode, headers: response.headers, body, sentAt, answeredAt };
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw connectionFailure(cause, {
        what: `${call.method} ${call.path} at ${this.host}`,
        requestId: call.headers['x-mc-req-id'],
        timeoutMs: this.#timeoutMs,
        timedOut: deadline.aborted,
        isJson: response?.statusCode === 200 && /\bjson\b/i.test(headerText(response.headers, 'content-type') ?? ''),
      });
    }
  }

  /** Cuts every connection. Idempotent. */
  async close(): Promise<void> {
    if (this.#lifetime.signal.aborted) return;
    // Undici forgets a socket that is still connecting, which would keep the process alive until it times out.
    this.#lifetime.abort();
    await this.#dispatcher.destroy();
  }
}

const inflate = promisify(gunzip);

/**
 * The body, unpacked. We do not ask for compression: on a local network it made pages 2.5 times as expensive as plain ones.
 * A gateway may compress all the same, so gzip is understood.
 */
async function readBody({ headers, body }: Dispatcher.ResponseData): Promise<Buffer> {
  const encoding = headerText(headers, 'content-encoding')?.toLowerCase() ?? 'identity';
  const bytes = Buffer.from(await body.arrayBuffer());
  if (encoding === 'identity' || encoding === '') return cleanUtf8(bytes);
  if (encoding !== 'gzip' && encoding !== 'x-gzip') throw unreadableEncoding();
  try {
    return cleanUtf8(await inflate(bytes, { maxOutputLength: MAX_ANSWER_BYTES }));
  } catch (error) {
    throw error instanceof RangeError ? new TooLarge() : unreadableEncoding();
  }
}

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** The same bytes when they are UTF-8, as JSON has to be (RFC 8259 §8.1). Otherwise what a decoder that forgives makes of them. */
function cleanUtf8(bytes: Buffer): Buffer {
  const marked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return isUtf8(bytes) && !marked ? bytes : Buffer.from(new TextDecoder().decode(bytes));
}

/**
 * The configured proxy, else that of HTTPS_PROXY less NO_PROXY, which undici reads from the environment. A loopback host is
 * reached directly, as Go's net/http has it: the simulator must work on a machine that has a company proxy too.
 */
function dispatcherFor(
  { baseUrl, requestTimeout, proxy, caFile }: TransportOptions,
  { checkServerIdentity }: Certificates,
  lifetime: AbortSignal,
): Dispatcher {
  const trust = caFile && { ca: trustedWith(caFile) };
  const socket = { ...STRICT_TLS, timeout: requestTimeout, signal: lifetime, ...trust };
  const connect = { ...socket, checkServerIdentity };
  const agent = {
    headersTimeout: requestTimeout,
    bodyTimeout: requestTimeout,
    maxResponseSize: MAX_ANSWER_BYTES,
    allowH2: false, // maxResponseSize holds for HTTP/1.1 only
    connect,
  };
  const proxied = { ...agent, requestTls: connect, proxyTls: socket };
  try {
    if (proxy !== undefined) return new ProxyAgent({ ...proxied, uri: proxy.read() });
    return isLoopback(new URL(baseUrl)) ? new Agent(agent) : new EnvHttpProxyAgent(proxied);
  } catch {
    // The cause is left out: Node puts the text that is no URL into it, and with it a password that may stand there.
    throw new ForwarderError('the proxy for Mimecast cannot be used', {
      code: 'PROXY_INVALID',
      hint: 'Check mimecast.proxy, or HTTPS_PROXY and HTTP_PROXY: expected http://host:port.',
    });
  }
}

/** Node's usual certificates (NODE_EXTRA_CA_CERTS among them) and those of the file. */
function trustedWith(caFile: string): string[] {
  let pem: string;
  try {
    pem = readFileSync(caFile, 'utf8');
  } catch (cause) {
    throw new ForwarderError(`the certificates in ${caFile} cannot be read`, { code: 'CA_UNREADABLE', cause });
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new ForwarderError(`${caFile} holds no PEM certificate`, {
      code: 'CA_UNREADABLE',
      hint: 'Convert a DER certificate with: openssl x509 -inform der -in FILE -out FILE.pem',
    });
  }
  return [...getCACertificates('default'), pem];
}
