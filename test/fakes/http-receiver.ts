import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';
import type { TlsOptions } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { listenOn } from '../ports.ts';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly wire: Buffer;
  /** The body, inflated. */
  readonly text: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/**
 * What the receiver does with a request: an answer · `hang` never a byte · `reset` a TCP reset as soon as the head is there ·
 * `half` the head of an answer and half of its body, then silence · `early` status 413 without reading the body, then the
 * connection is closed.
 */
export type Reaction = Answer | 'hang' | 'reset' | 'half' | 'early';

/** An HTTP receiver on a loopback port that keeps what it is sent, and misbehaves on demand. */
export class HttpReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** How many connections were opened: kept alive or not. */
  connections = 0;
  /** A receiver that reads slowly rests so long after each piece of a body, ms. */
  restMs = 0;
  react: (request: ReceivedRequest) => Reaction = () => ({ status: 200 });
  /** Reactions that do not wait for the body. */
  reactToHead: () => Reaction | undefined = () => undefined;
  readonly #server;
  readonly #scheme: string;

  private constructor(tls?: TlsOptions) {
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.#server.on('connection', () => {
      this.connections += 1;
    });
  }

  static async start(options: { readonly port?: number; readonly tls?: TlsOptions } = {}): Promise<HttpReceiver> {
    const receiver = new HttpReceiver(options.tls);
    await listenOn(receiver.#server, options.port);
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `${this.#scheme}://${this.#scheme === 'https' ? 'localhost' : '127.0.0.1'}:${this.port}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const early = this.reactToHead();
    if (early) return this.#perform(early, request, response);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) {
        chunks.push(chunk);
        if (this.restMs > 0) await rest(this.restMs);
      }
    } catch {
      return; // The sender went away in the middle.
    }
    const wire = Buffer.concat(chunks);
    const received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      wire,
      text: (request.headers['content-encoding'] === 'gzip' ? gunzipSync(wire) : wire).toString('utf8'),
    };
    const reaction = this.react(received);
    if (typeof reaction === 'object' && reaction.status < 300) this.requests.push(received);
    this.#perform(reaction, request, response);
  }

  #perform(reaction: Reaction, request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    if (reaction === 'hang') return;
    if (reaction === 'reset') {
      request.socket.resetAndDestroy();
    } else if (reaction === 'half') {
      response.writeHead(200, { 'content-length': '1000' }).write('x'.repeat(500));
    } else if (reaction === 'early') {
      response.writeHead(413, { connection: 'close' }).end();
    } else {
      response.writeHead(reaction.status, reaction.headers).end(reaction.body);
    }
  }
}
