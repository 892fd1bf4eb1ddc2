import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Readable } from 'node:stream';
import { request } from 'undici';
import type { CertificateValidity } from '../../certificates.ts';
import { parseRetryAfter } from '../../retry.ts';
import { Secret } from '../../secret.ts';
import { OutputError } from '../output.ts';
import { Connections, type ConnectionsOptions } from './connections.ts';
import { SentCredentials } from './credentials.ts';
import { timedOut, transportFailure } from './failure.ts';
import { SPEAK_TLS, wantsTls } from './impostors.ts';
import { type Refusal, statusText } from './status.ts';

/** How much of an answer is kept unless a request says otherwise. No receiver has more to say about a batch. */
const KEPT_BYTES = 64 * 1024;

export interface HttpPosterOptions extends ConnectionsOptions {
  /** What messages call the receiver; see `originOf`. */
  readonly target: string;
  readonly userAgent: string;
}

export interface HttpRequest {
  readonly url: string;
  readonly method?: 'POST' | 'GET' | 'HEAD';
  /** Names in lower case. Secrets are read when the request is sent. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  readonly body?: Uint8Array | undefined;
  /** A secret that is not sent itself, but that the receiver checks: a signing key. */
  readonly signedWith?: Secret | undefined;
  /** Bytes of the answer to keep; what is beyond is not read, and the connection is dropped. */
  readonly keepBytes?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** As the receiver wrote it; not limited yet. */
  readonly retryAfterMs: number | undefined;
  /** Of the body, in lower case and without parameters: `text/html`. Empty when it is not said. */
  readonly mediaType: string;
  /** The body as far as it was kept. For reading codes out of it, never for a message: it may repeat what we sent. */
  readonly body: string;
  /** The same as it came, for receivers that do not answer in text. */
  readonly bytes: Buffer;
  /** False when the body was longer than `keepBytes`, or broke off. The status stands all the same. */
  readonly complete: boolean;
  /** What the request was made with; see `refusal`. */
  readonly credentials: SentCredentials;
}

/** Sends HTTP requests over connections that it keeps. Follows no redirect and repeats nothing: that is for the dispatcher. */
export class HttpPoster {
  readonly #options: HttpPosterOptions;
  readonly #connections: Connections;

  constructor(options: HttpPosterOptions) {
    this.#options = options;
    this.#connections = new Connections(options);
  }

  /**
   * Resolves with the answer, whatever its status. Throws an `OutputError` when no answer came, and the signal's reason when
   * aborted before one came.
   */
  async exchange(wanted: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(this.#options.timeout);
    const ending = AbortSignal.any([signal, deadline]);
    const secrets = [...Object.values(wanted.headers ?? {}), wanted.signedWith].filter((one) => one instanceof Secret);
    const credentials = new SentCredentials(secrets);
    const headers = { 'user-agent': this.#options.userAgent, ...plainHeaders(wanted.headers, credentials) };
    const { proxy } = this.#options;
    const proxyCredentials = new SentCredentials(proxy ? [proxy] : []);
    const dispatcher = this.#connections.current();
    try {
      const response = await untilAborted(
        request(wanted.url, {
          dispatcher,
          method: wanted.method ?? 'POST',
          headers,
          body: wanted.body ?? null,
          signal: ending,
        }),
        ending,
      );
      const { bytes, complete } = await readUpTo(wanted.keepBytes ?? KEPT_BYTES, response.body);
      const status = response.statusCode;
      return {
        status,
        retryAfterMs: parseRetryAfter(single(response.headers['retry-after'])),
        mediaType: mediaTypeOf(single(response.headers['content-type'])),
        body: bytes.toString('utf8'),
        bytes,
        complete,
        credentials,
      };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) throw timedOut(this.#options.target, this.#options.timeout);
      // Only a proxy refuses credentials without an answer (407 to the wish for a tunnel).
      throw proxyCredentials.judge(transportFailure(error, this.#options.target));
    }
  }

  /** The error for an answer that is no acceptance. With the reason `auth`, the files of the credentials are read again. */
  refusal(answer: HttpAnswer, verdict: Refusal): OutputError {
    const meant = verdict.disposition === 'split' && wantsTls(answer) ? SPEAK_TLS : verdict;
    const message = `${this.#options.target} answered ${statusText(answer.status)}`;
    return answer.credentials.judge(new OutputError(message, meant));
  }

  /** See `Output.certificates`. */
  certificates(): readonly CertificateValidity[] {
    return this.#connections.certificates.validities();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#connections.close();
  }
}

function plainHeaders(headers: HttpRequest['headers'] = {}, credentials: SentCredentials): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    plain[name] = value instanceof Secret ? value.read() : value;
    try {
      validateHeaderName(name);
      validateHeaderValue(name, plain[name]);
    } catch {
      const message = `the header ${JSON.stringify(name)} cannot be sent: HTTP forbids a character in it`;
      const hint =
        'Look for a line break or a letter outside Latin-1 in its value, or in the file that the value comes from.';
      throw credentials.judge(new OutputError(message, { reason: 'auth', disposition: 'halt', hint }));
    }
  }
  return plain;
}

/** Undici notices an abort only once it has a connection, and a receiver that hangs in the handshake never gives one. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Reads to the end of an answer, or to `limit` bytes and then drops the connection. An answer that breaks off is not an error. */
async function readUpTo(limit: number, body: Readable): Promise<{ bytes: Buffer; complete: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  let complete = true;
  body.on('error', () => {}); // Leaving early is one to undici, and an error that nobody listens to ends the process.
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limit) {
        complete = false;
        break; // Leaving the loop destroys the stream, and with it the connection.
      }
    }
  } catch {
    complete = false;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, limit), complete };
}

function mediaTypeOf(contentType = ''): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
