import type { IncomingMessage, ServerResponse } from 'node:http';
import { sleep } from '../retry.ts';
import { type Answer, escapeSlashes, gatewayFailure, json, text } from './answer.ts';
import type { Authority, Caller } from './authority.ts';
import type { Draws } from './draws.ts';
import type { FaultInjector } from './fault-injector.ts';
import { amountOf, type Fault, type FaultName } from './faults.ts';
import { type LogsEndpoint, type Page, unknownEndpoint } from './logs-endpoint.ts';
import { Quota, type QuotaState, type RateLimit } from './quota.ts';
import { parseLogsRequest } from './request.ts';
import type { Served } from './served.ts';

export const LOGS_PATH = '/api/ttp/attachment/get-logs';
export const TOKEN_PATH = '/oauth/token';

/** A request to this API is a few hundred bytes. */
const MAX_BODY_BYTES = 64 * 1024;

export interface HttpApiOptions {
  readonly authority: Authority;
  readonly faults: FaultInjector;
  readonly logs: LogsEndpoint;
  readonly served: Served;
  readonly rateLimit: RateLimit;
  readonly draws: Draws;
  /** The API's clock, ms. */
  now(): number;
  /** A line for people, of each call and what became of it. */
  onLine(line: string): void;
  /** Ends waits of slow answers. */
  readonly signal: AbortSignal;
}

/** What the simulator has done since it was started. */
export interface Counters {
  requests: number;
  /** Pages and records that went out whole; a record counts each time it is served. */
  pages: number;
  records: number;
  /** Answers that were a refusal or a failure, those of faults included. */
  refused: number;
  /** Requests that came before the wait of a 429 had passed. */
  impatient: number;
}

type Call = 'logs' | 'token';

/** The HTTP side: which endpoint, who may come in, which fault strikes, and how an answer goes out. */
export class HttpApi {
  readonly counters: Counters = { requests: 0, pages: 0, records: 0, refused: 0, impatient: 0 };
  readonly #options: HttpApiOptions;
  readonly #quotas = new Map<string, Quota>();

  constructor(options: HttpApiOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.counters.requests += 1;
    const call = callOf(request);
    if (call !== 'logs' && call !== 'token') return this.#send(response, call);
    const body = await readBody(request);
    if (body === undefined) return this.#send(response, text(413, 'The body is too large.\n'));

    const slow = this.#strike('slow', call);
    if (slow) await sleep(amountOf(slow), this.#options.signal);
    if (this.#strike('reset', call)) {
      request.socket.resetAndDestroy();
      return;
    }
    const outcome = this.#brokenGateway(call) ?? this.#answer(call, request, body);
    const cut = this.#strike('cut', call) !== undefined;
    if ('serials' in outcome) return this.#sendPage(response, outcome, cut);
    return this.#send(response, outcome, cut);
  }

  #answer(call: Call, request: IncomingMessage, body: string): Answer | Page {
    return call === 'token' ? this.#token(request, body) : this.#logsPage(request, body);
  }

  #token(request: IncomingMessage, body: string): Answer {
    const { authority, now } = this.#options;
    if (this.#strike('401', 'token')) return gatewayFailure(401, 'Unauthorized Request', 'Please try again');
    const quota = this.#takeQuota('token', 'token');
    if (!quota.allowed) return overQuota(quota);
    return withHeaders(authority.issueToken(request.headers['content-type'], body, now()), quota.headers);
  }

  #logsPage(request: IncomingMessage, body: string): Answer | Page {
    const { authority, faults, logs, now } = this.#options;
    const caller = authority.identify(request.headers, LOGS_PATH, now());
    if ('status' in caller) return caller;
    if (this.#strike('401', 'logs')) return gatewayFailure(401, 'Unauthorized Request', 'Please try again');
    if (caller.token !== undefined && faults.strike('token-expiry')) {
      authority.expire(caller.token);
      return gatewayFailure(401, 'token_expired', 'Access token has expired');
    }
    if (faults.strike('forbidden')) return forbidden();
    const quota = this.#takeQuota('logs', caller.api);
    if (!quota.allowed) return overQuota(quota);

    const parsed = parseLogsRequest(request.headers['content-type'], body);
    const outcome = 'status' in parsed ? parsed : logs.answer(parsed, now());
    if (!('answer' in outcome)) return this.#dress(outcome, caller, quota);
    return { ...outcome, answer: this.#dress(outcome.answer, caller, quota) };
  }

  #dress(answer: Answer, caller: Caller, quota: QuotaState): Answer {
    return withHeaders(caller.api === '1.0' ? escapeSlashes(answer) : answer, quota.headers);
  }

  /** What a gateway or a proxy answers without asking the API. */
  #brokenGateway(call: Call): Answer | undefined {
    if (this.#strike('5xx', call)) return serverError(this.#options.draws.pick([500, 502, 503, 504]));
    if (this.#strike('html', call)) return html(200, 'Please sign in to the network to go on.');
    if (this.#strike('empty-body', call)) return { ...text(400, ''), refusal: 'empty body' };
    return undefined;
  }

  #takeQuota(call: Call, holder: string): QuotaState {
    const quota = this.#quotas.get(holder) ?? new Quota(this.#options.rateLimit);
    this.#quotas.set(holder, quota);
    const state = quota.take();
    if (state.impatient) this.counters.impatient += 1;
    const fault = state.allowed ? this.#strike('429', call) : undefined;
    return fault ? quota.hold(amountOf(fault)) : state;
  }

  #strike(name: FaultName, call: Call): Fault | undefined {
    return this.#options.faults.strike(name, { call });
  }

  #sendPage(response: ServerResponse, page: Page, cut: boolean): void {
    // An answer that is cut never finishes, so it does not count.
    response.once('finish', () => {
      this.counters.pages += 1;
      this.counters.records += page.serials.length;
      this.#options.served.mark(page.serials, page.malformed);
      this.#options.onLine(
        `page: ${page.serials.length} records${page.hasNext ? ', more to come' : ', end of the walk'}`,
      );
    });
    this.#send(response, page.answer, cut);
  }

  #send(response: ServerResponse, answer: Answer, cut = false): void {
    if (answer.refusal !== undefined) {
      this.counters.refused += 1;
      this.#options.onLine(`refused: ${answer.status} ${answer.refusal}`);
    }
    const body = Buffer.from(answer.body);
    response.sendDate = false;
    response.writeHead(answer.status, {
      'Content-Type': answer.contentType,
      'Content-Length': body.length,
      Date: new Date(this.#options.now()).toUTCString(),
      ...answer.headers,
    });
    if (!cut) response.end(body);
    else response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.socket?.destroySoon());
  }
}

/** Which call a request is, or the answer when it is none. The signed path has no query, so one is a path that is not there. */
function callOf({ method, url }: IncomingMessage): Call | Answer {
  if (url === '/') return method === 'GET' || method === 'HEAD' ? welcome() : notAllowed('GET, HEAD');
  if (url !== LOGS_PATH && url !== TOKEN_PATH) return unknownEndpoint(404);
  if (method !== 'POST') return notAllowed('POST');
  return url === LOGS_PATH ? 'logs' : 'token';
}

function welcome(): Answer {
  return text(
    200,
    [
      'This is a simulated Mimecast API. Nothing here is real mail.',
      '',
      `POST ${TOKEN_PATH}                    an OAuth2 token (client credentials)`,
      `POST ${LOGS_PATH}  attachment-protection logs`,
      '',
    ].join('\n'),
  );
}

function notAllowed(allow: string): Answer {
  return withHeaders(unknownEndpoint(405), { Allow: allow });
}

function overQuota(quota: QuotaState): Answer {
  return withHeaders(gatewayFailure(429, 'rate_limit_exceeded', 'Too many requests'), quota.headers);
}

function forbidden(): Answer {
  const message = 'Resource or method requested does not exist in any product assigned to the application';
  return gatewayFailure(403, 'app_forbidden', message);
}

/** The API's own 500 is JSON, what a gateway says in its place is not. */
function serverError(status: 500 | 502 | 503 | 504): Answer {
  if (status !== 500) return { ...html(status, 'The server cannot answer now.'), refusal: 'server error' };
  return { ...json(500, { fail: [{ code: 'internal_error', message: 'Internal error' }] }), refusal: 'server error' };
}

function html(status: number, message: string): Answer {
  const page = `<!doctype html><html><head><title>Notice</title></head><body><p>${message}</p></body></html>\n`;
  return { ...text(status, page, 'text/html; charset=utf-8'), refusal: 'a page of HTML' };
}

function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Undefined when the body is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}
