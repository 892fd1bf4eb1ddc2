import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { CertificateValidity } from '../certificates.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Authorization, Grant } from './authorization.ts';
import { MimecastError } from './errors.ts';
import { type Asked, failureOfAnswer, failureOfEnvelope, notAnEnvelope } from './failure.ts';
import { HmacAuthorization } from './hmac.ts';
import { OAuthAuthorization, TOKEN_PATH } from './oauth.ts';
import type { MimecastOptions } from './options.ts';
import { isObject, type Page, parseJson } from './page.ts';
import { type PageRequest, pageBody, readPage } from './page-call.ts';
import { headerText, RateLimiter } from './rate-limit.ts';
import { ServerClock } from './server-clock.ts';
import { type Answer, type Call, Transport } from './transport.ts';

export type { Page, PageRecord, RecordReader } from './page.ts';
export type { PageRequest } from './page-call.ts';

export interface ClientLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ClientDependencies {
  readonly metrics: Metrics;
  readonly logger?: ClientLogger | undefined;
  /** `mimecast-forwarder/1.2.3`. */
  readonly userAgent: string;
  /** Makes the `x-mc-req-id` of each request; random GUIDs when absent. */
  readonly requestId?: (() => string) | undefined;
}

/** Label of requests that belong to no feed: the token call. */
const NO_FEED = '-';
/** Shorter texts are not looked for in messages: they would blot out ordinary words. */
const SHORTEST_SECRET = 4;
/** How many recent answers `responseMs` is the mean of. */
const RECENT_ANSWERS = 20;

/**
 * Speaks to Mimecast. Knows HTTP and knows no feed: what is asked for, and what a record means, is the caller's.
 *
 * It never repeats a failed request, except once with fresh credentials when the old ones were refused; when to try again
 * is the poller's decision. The limits of the quota are kept here, for all callers together.
 */
export class MimecastClient {
  readonly #metrics: Metrics;
  readonly #logger: ClientLogger | undefined;
  readonly #userAgent: string;
  readonly #newRequestId: () => string;
  readonly #transport: Transport;
  readonly #limiter: RateLimiter;
  readonly #authorization: Authorization;
  readonly #clock = new ServerClock();
  readonly #answerTimes: number[] = [];
  #askedForTheTime = false;

  /** No I/O but reading `caFile`; throws a `ForwarderError` `CA_UNREADABLE`. */
  constructor(options: MimecastOptions, dependencies: ClientDependencies) {
    this.#metrics = dependencies.metrics;
    this.#logger = dependencies.logger;
    this.#userAgent = dependencies.userAgent;
    this.#newRequestId = dependencies.requestId ?? randomUUID;
    this.#transport = new Transport(options);
    this.#limiter = new RateLimiter(options);
    this.#authorization =
      options.auth.type === 'oauth2'
        ? new OAuthAuthorization(options.auth, (form, signal) => this.#askForToken(form, signal))
        : new HmacAuthorization(options.auth, this.#clock);
  }

  /**
   * Reads one page, after waiting for its turn. Rejects with a `MimecastError`, or with the signal's reason when aborted.
   * A page with records and a failure does not reject: see `Page.failure`.
   */
  async fetchPage<T>(request: PageRequest<T>): Promise<Page<T>> {
    const turn = { background: request.background ?? false, signal: request.signal };
    const first = await this.#limiter.turn(turn, () => this.#attemptPage(request));
    if (first.page !== undefined) return first.page;
    if (!this.#authorization.refused(first.grant)) throw first.refusal;
    this.#logger?.info({ feed: request.feed, code: first.refusal.code }, 'authenticating again');
    const second = await this.#limiter.turn(turn, () => this.#attemptPage(request));
    if (second.page !== undefined) return second.page;
    this.#authorization.refused(second.grant);
    throw second.refusal;
  }

  /** ms since 1970 by Mimecast's clock. Asks for it once when no answer was seen yet, and may then reject as `authenticate` does. */
  async serverNow(signal: AbortSignal): Promise<number> {
    if (!this.#clock.known && !this.#askedForTheTime) {
      await this.authenticate(signal);
      this.#askedForTheTime = true;
    }
    return this.#clock.now();
  }

  /** Our clock less Mimecast's, ms; undefined before the first answer. */
  get clockSkewMs(): number | undefined {
    return this.#clock.skewMs;
  }

  /** Page requests of the last 60 seconds, to be compared with `requestsPerMinute`; the rare token calls are not among them. */
  get requestsLastMinute(): number {
    return this.#limiter.startedLastMinute;
  }

  /** How long the certificates are good that its connections rest on. Reads a file that has changed. */
  certificates(): readonly CertificateValidity[] {
    return this.#transport.certificates.validities();
  }

  /** How long nothing is sent yet because Mimecast's quota is used up, ms. */
  get heldBackMs(): number {
    return this.#limiter.heldBackMs;
  }

  /** Mean time of the last answers, ms; undefined before the first. */
  get responseMs(): number | undefined {
    const times = this.#answerTimes;
    return times.length === 0 ? undefined : times.reduce((sum, time) => sum + time, 0) / times.length;
  }

  /**
   * Gets a token (API 2.0). API 1.0 has nothing to ask for: there it only reaches the host, and the first page tells whether
   * the keys are good. Rejects with a `MimecastError`, or with the signal's reason.
   */
  async authenticate(signal: AbortSignal): Promise<void> {
    const requestId = this.#newRequestId();
    await this.#authorization.grant('/', requestId, signal);
    if (this.#authorization instanceof OAuthAuthorization) return;
    await this.#counted(NO_FEED, () =>
      this.#exchange(NO_FEED, { method: 'GET', path: '/', headers: this.#headers(requestId) }, signal),
    );
  }

  /** Cuts every connection; requests under way fail. Idempotent. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** One request for a page. A refused grant is returned, not thrown, because the caller may do something about it. */
  async #attemptPage<T>(
    request: PageRequest<T>,
  ): Promise<{ page: Page<T> } | { page: undefined; grant: Grant; refusal: MimecastError }> {
    const { feed, path, signal } = request;
    const requestId = this.#newRequestId();
    const grant = await this.#authorization.grant(path, requestId, signal);
    const call: Call = {
      method: 'POST',
      path,
      headers: { ...this.#headers(requestId), 'content-type': 'application/json', ...grant.headers },
      body: pageBody(request),
    };
    const asked = this.#asked(call, requestId, {
      pageTokenSent: Boolean(request.pageToken),
      secrets: Object.values(grant.headers),
    });
    try {
      return { page: await this.#counted(feed, () => this.#readPage(request, call, asked)) };
    } catch (error) {
      if (error instanceof MimecastError && error.reason === 'auth') return { page: undefined, grant, refusal: error };
      throw error;
    }
  }

  async #readPage<T>(request: PageRequest<T>, call: Call, asked: Asked): Promise<Page<T>> {
    const { feed, signal } = request;
    const answer = await this.#exchange(feed, call, signal);
    const now = this.#clock.now();
    const page = answer.status === 200 ? readPage(answer, request, asked, now) : undefined;
    const failure = page === undefined ? failureOfAnswer(answer, answer.body.toString(), asked, now) : page.failure;
    if (failure === undefined) this.#limiter.succeeded(answer.headers, now);
    else if (failure.reason === 'rate_limited') this.#pause(feed, failure);
    if (page === undefined || (failure !== undefined && page.records.length === 0)) throw failure;
    if (failure !== undefined) this.#metrics.apiErrors.inc({ feed, reason: failure.reason });
    return page;
  }

  /** The token call happens inside a page's turn, so it is not paced on its own: it comes twice an hour. */
  async #askForToken(form: string, signal: AbortSignal): Promise<unknown> {
    const requestId = this.#newRequestId();
    const headers = { ...this.#headers(requestId), 'content-type': 'application/x-www-form-urlencoded' };
    const call: Call = { method: 'POST', path: TOKEN_PATH, headers, body: form };
    const asked = this.#asked(call, requestId, { credentialsSent: true });
    return this.#counted(NO_FEED, async () => {
      const answer = await this.#exchange(NO_FEED, call, signal);
      const now = this.#clock.now();
      const text = answer.body.toString();
      if (answer.status !== 200) {
        const failure = failureOfAnswer(answer, text, asked, now);
        if (failure.reason === 'rate_limited') this.#pause(NO_FEED, failure);
        throw failure;
      }
      const body = parseJson(text);
      if (!isObject(body)) throw notAnEnvelope(answer, text, asked);
      const failure = failureOfEnvelope(body, answer, asked, now);
      if (failure !== undefined) throw failure;
      return body;
    });
  }

  /** Sends the call and learns from the answer what every answer tells: how long it took, and what time it is. */
  async #exchange(feed: string, call: Call, signal: AbortSignal): Promise<Answer> {
    this.#metrics.apiRequests.inc({ feed });
    const answer = await this.#transport.send(call, signal);
    const tookMs = performance.now() - answer.sentAt;
    this.#metrics.apiRequestDuration.observe({ feed }, tookMs / 1000);
    this.#answerTimes.push(tookMs);
    if (this.#answerTimes.length > RECENT_ANSWERS) this.#answerTimes.shift();
    this.#clock.observe(headerText(answer.headers, 'date'), answer.sentAt, answer.answeredAt);
    if (this.#clock.skewMs !== undefined) this.#metrics.apiClockSkew.set(this.#clock.skewMs / 1000);
    return answer;
  }

  /** Counts the failure of the work, if it fails. An abort is no failure. */
  async #counted<T>(feed: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof MimecastError) this.#metrics.apiErrors.inc({ feed, reason: error.reason });
      throw error;
    }
  }

  #pause(feed: string, failure: MimecastError): void {
    this.#metrics.apiRateLimited.inc({ feed });
    const pauseMs = this.#limiter.refused(failure.retryAfterMs);
    this.#logger?.warn({ feed, pauseMs }, 'rate limited by Mimecast, requests pause');
  }

  #headers(requestId: string): Record<string, string> {
    return { accept: 'application/json', 'user-agent': this.#userAgent, 'x-mc-req-id': requestId };
  }

  #asked(
    call: Call,
    requestId: string,
    about: { pageTokenSent?: boolean; credentialsSent?: boolean; secrets?: readonly string[] },
  ): Asked {
    return {
      what: `${call.method} ${call.path} at ${this.#transport.host}`,
      requestId,
      pageTokenSent: about.pageTokenSent ?? false,
      credentialsSent: about.credentialsSent ?? false,
      redact: (text) => redacted(text, [...(about.secrets ?? []), ...this.#authorization.secrets()]),
    };
  }
}

function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}
