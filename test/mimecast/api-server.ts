import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** `performance.now()` when the request was whole. */
  readonly at: number;
}

export type Handler = (request: Received, response: ServerResponse) => void | Promise<void>;

/** An HTTP server on a loopback port that answers as a test says, token calls apart: those succeed unless `onToken` is set. */
export class ApiServer {
  readonly pages: Received[] = [];
  readonly tokens: Received[] = [];
  onPage: Handler = (_request, response) => json(response, 200, page([]));
  onToken: Handler = (_request, response) => json(response, 200, tokenAnswer(`token-${this.tokens.length}`));
  readonly #server;
  readonly #scheme: string;

  private constructor(tls?: TlsOptions) {
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
  }

  static async start(tls?: TlsOptions): Promise<ApiServer> {
    const server = new ApiServer(tls);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `${this.#scheme}://${this.#scheme === 'https' ? 'localhost' : '127.0.0.1'}:${this.port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.setEncoding('utf8');
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url: path = '', headers } = request;
    const received = { method, path, headers, body, at: performance.now() };
    const isToken = path === '/oauth/token';
    (isToken ? this.tokens : this.pages).push(received);
    await (isToken ? this.onToken : this.onPage)(received, response);
  }
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export function page(records: readonly unknown[], next?: string): object {
  return {
    meta: { status: 200, pagination: { pageSize: 500, ...(next === undefined ? {} : { next }) } },
    data: [{ attachmentLogs: records }],
    fail: [],
  };
}

export function tokenAnswer(token: string, expiresIn = 1799): object {
  return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: '' };
}
