import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** An HTTP receiver that answers every POST with one status, and remembers the ids of the events that it has accepted. */
export class HttpSink {
  /** Event ids, in our JSON format, of the batches that were answered with 2xx. */
  readonly identities = new Set<string>();
  repeated = 0;
  requests = 0;
  readonly #status: number;
  readonly #server: Server;

  private constructor(status: number) {
    this.#status = status;
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  static async start(status = 200): Promise<HttpSink> {
    const sink = new HttpSink(status);
    await once(sink.#server.listen(0, '127.0.0.1'), 'listening');
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/in`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // The sender went away in the middle.
    }
    this.requests += 1;
    if (this.#status < 300) this.#remember(Buffer.concat(chunks), request.headers['content-encoding'] === 'gzip');
    response.writeHead(this.#status, { 'content-length': 0 }).end();
  }

  #remember(body: Buffer, zipped: boolean): void {
    const text = (zipped ? gunzipSync(body) : body).toString('utf8');
    for (const line of text.trimEnd().split('\n')) {
      const id = eventIdOf(line);
      if (id === undefined) continue;
      if (this.identities.has(id)) this.repeated += 1;
      this.identities.add(id);
    }
  }
}

/** The event id in a text of our JSON format. */
export function eventIdOf(text: string): string | undefined {
  return /\{"eventId":"([0-9a-f]{32})"/.exec(text)?.[1];
}
