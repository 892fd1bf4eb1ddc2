import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Secret } from '../secret.ts';
import { assess } from '../status/assess.ts';
import { readiness } from '../status/readiness.ts';
import type { Snapshot } from '../status/snapshot.ts';
import type { SpanName, View } from '../status/view.ts';
import { type Answer, json, text } from './answer.ts';
import { isAuthorized, unauthorized } from './authorization.ts';
import { Exposer } from './exposition.ts';
import { isKnownHost } from './host-check.ts';
import { isLoopback, type ListenAddress, listenFailure } from './listen.ts';
import type { Metrics } from './metrics.ts';
import { type PageRoutes, pageRoutes } from './page-routes.ts';

export interface ServerOptions {
  readonly listen: ListenAddress;
  /** Bearer token for everything but the two probes. */
  readonly token?: Secret | undefined;
  /** Names that requests may go by besides those of `isKnownHost` and the one in `listen`; `*.example` stands for all below. */
  readonly allowedHosts?: readonly string[];
  readonly metrics: Metrics;
  readonly snapshot: () => Snapshot;
  /** What the page at `/` shows. */
  readonly view: (span: SpanName) => View;
  /** Whether the process works: that it answers at all says that the event loop turns. */
  readonly healthy: () => { readonly ok: boolean; readonly reason?: string };
  /** Brings the gauges up to date, before each scrape. */
  readonly collect?: () => void;
  /** Told what went wrong with an answer that could not be made, each time: who asked is told nothing of it. */
  readonly failed?: (error: unknown) => void;
  /** ms between two updates of a page that is open. Shorter than `IDLE_TIMEOUT`, which an open page would fall to otherwise. */
  readonly refresh?: number;
}

export interface StatusServer {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  /** Ends what is open, after a second at most. Idempotent. */
  close(): Promise<void>;
}

/** Small GET requests of one operator and one Prometheus: whoever needs more is not one of them. */
const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  /** How often the two timeouts above are looked at. */
  connectionsCheckingInterval: 1000,
} as const;
const MAX_CONNECTIONS = 64;
/**
 * Who sends requests in a row and reads no answer makes us hold them all: Node reads 64 KiB at once, which is 1,400 requests, and an
 * answer of `/metrics` is 500 times as long as its request.
 */
const MAX_REQUESTS_PER_CONNECTION = 16;
/** A client that neither sends nor reads for so long is cut off, wherever in the exchange it stands. */
const IDLE_TIMEOUT = 15_000;
const CLOSE_PATIENCE = 1000;
const REFRESH = 5000;

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

interface Route {
  /** Whether it is answered without the token. */
  readonly open: boolean;
  /** Whether it is answered under any name: it tells no more than that the process works. */
  readonly anyHost?: boolean;
  /** Null: the response has been taken over, and is nobody else's to end. */
  answer(request: IncomingMessage, response: ServerResponse): Answer | null | Promise<Answer>;
}

/** Who may ask. */
interface Guard {
  readonly token: Secret | undefined;
  readonly allowedHosts: readonly string[];
}

/** Serves metrics, probes and status. Rejects with a `ForwarderError` when it cannot listen. */
export async function startServer(options: ServerOptions): Promise<StatusServer> {
  const failed = options.failed ?? (() => undefined);
  const page = pageRoutes({
    view: options.view,
    refresh: options.refresh ?? REFRESH,
    // The page alone shows something of mails. Metrics and status, which a public server gives to everybody, do not.
    mayShowNames: options.token !== undefined || isLoopback(options.listen.host),
    failed,
  });
  const routes = routesOf(options, page);
  const guard = { token: options.token, allowedHosts: [options.listen.host, ...(options.allowedHosts ?? [])] };
  const server = createServer(LIMITS, (request, response) => {
    void respond(request, response, routes, guard, failed);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
  server.timeout = IDLE_TIMEOUT;
  server.on('clientError', refuseGarbage);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenFailure(error, options.listen)));
    server.listen(options.listen.port, options.listen.host, resolve);
  });
  // An accept that fails (no file descriptor left) must not end the daemon: the next one may work.
  server.removeAllListeners('error').on('error', () => undefined);
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(server, options.listen.host),
    close: () => {
      page.close();
      closed ??= closeServer(server);
      return closed;
    },
  };
}

function routesOf(
  { metrics, snapshot, healthy, collect }: ServerOptions,
  page: PageRoutes,
): ReadonlyMap<string, Route> {
  const exposer = new Exposer(metrics.registry);
  const scrape = async (request: IncomingMessage): Promise<Answer> => {
    collect?.();
    return { status: 200, ...(await exposer.write(request.headers.accept ?? '')) };
  };
  return new Map<string, Route>([
    ['/metrics', { open: false, answer: scrape }],
    ['/healthz', { open: true, anyHost: true, answer: () => healthAnswer(healthy()) }],
    ['/readyz', { open: true, answer: () => readyAnswer(snapshot()) }],
    ['/api/status', { open: false, answer: () => json(200, assess(snapshot())) }],
    ['/', { open: false, answer: (request) => page.page(request) }],
    ['/live', { open: false, answer: (request, response) => page.live(request, response, HEADERS) }],
    ...[...page.files].map(([path, file]): [string, Route] => [path, { open: false, answer: () => file }]),
  ]);
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, Route>,
  guard: Guard,
  failed: (error: unknown) => void,
): Promise<void> {
  let answer: Answer | null;
  try {
    answer = await answerTo(request, response, routes, guard);
  } catch (error) {
    // The store may be locked or broken. What exactly is wrong is in the log; it is nothing to tell a stranger.
    failed(error);
    answer = text(500, 'the status cannot be read now; the log says why\n');
  }
  if (answer === null) return;
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, {
    ...HEADERS,
    'content-type': answer.type,
    'content-length': body.length,
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function answerTo(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, Route>,
  { token, allowedHosts }: Guard,
): Answer | null | Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const route = routes.get(path);
  // Who has the token was given it: a browser sends it to the name that it was typed in for only, and is asked under known names only.
  const provesToken = token !== undefined && isAuthorized(request, token);
  if (!provesToken && !route?.anyHost && !isKnownHost(request.headers.host, allowedHosts)) {
    return text(
      421,
      'this is not served under that host name; where it should be, add the name to http.allowedHosts\n',
    );
  }
  // Without the token not even which paths there are is told.
  if (!route?.open && token !== undefined && !provesToken) return unauthorized();
  if (route === undefined) return text(404, 'there is nothing here\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...text(405, 'this can only be read\n'), headers: { allow: 'GET, HEAD' } };
  }
  return route.answer(request, response);
}

function healthAnswer({ ok, reason }: { readonly ok: boolean; readonly reason?: string }): Answer {
  return json(ok ? 200 : 503, { ok, ...(reason === undefined ? {} : { reason }) });
}

function readyAnswer(snapshot: Snapshot): Answer {
  const state = readiness(snapshot);
  return json(state.ready ? 200 : 503, state);
}

/** What is no HTTP, or too long or slow: one line back where that is possible, and the connection is gone. */
function refuseGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
}

function closeServer(server: Server): Promise<void> {
  AbortSignal.timeout(CLOSE_PATIENCE).addEventListener('abort', () => server.closeAllConnections());
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

function urlOf(server: Server, host: string | undefined): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const name = host === undefined || host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
