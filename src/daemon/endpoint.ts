import type { Logger } from 'pino';
import type { HttpConfig } from '../config/config.ts';
import { type ServerOptions, type StatusServer, startServer } from '../telemetry/server.ts';

/** What is served does not depend on where. */
export type Served = Omit<ServerOptions, 'listen' | 'token' | 'failed'>;

/** ms; an open page asks every few seconds, and all of its failures would be one sentence. */
const REMIND_EVERY = 5 * 60_000;

/** The status server, which can be moved while the rest of the daemon goes on. */
export class Endpoint {
  readonly #served: Served;
  readonly #logger: Logger;
  #http: HttpConfig | false = false;
  #server: StatusServer | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(served: Served, logger: Logger) {
    this.#served = served;
    this.#logger = logger;
  }

  /** Undefined while nothing is served. */
  get url(): string | undefined {
    return this.#server?.url;
  }

  /** Serves as this config says, instead of as before. Rejects when it cannot listen there, and serves as before. */
  async move(http: HttpConfig | false): Promise<void> {
    const [before, old] = [this.#http, this.#server];
    if (!isSamePort(before, http)) {
      this.#server = await this.#open(http);
      await old?.close();
    } else {
      // Two cannot listen at one place.
      await old?.close();
      try {
        this.#server = await this.#open(http);
      } catch (error) {
        this.#server = await this.#open(before);
        throw error;
      }
    }
    this.#http = http;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #open(http: HttpConfig | false): Promise<StatusServer | undefined> {
    if (http === false) return undefined;
    const { listen, token, allowedHosts } = http;
    const names = [...(this.#served.allowedHosts ?? []), ...allowedHosts];
    const server = await startServer({
      ...this.#served,
      ...{ listen, token, allowedHosts: names, failed: (error) => this.#failed(error) },
    });
    this.#logger.info({ url: server.url }, 'status and metrics are served');
    return server;
  }

  #failed(err: unknown): void {
    if (performance.now() - this.#toldAt < REMIND_EVERY) return;
    this.#toldAt = performance.now();
    this.#logger.error({ err }, 'the status cannot be read: a request was answered with 500, or a page had no update');
  }
}

/** 0.0.0.0 and 127.0.0.1 get into each other's way as well; port 0 is never taken. */
function isSamePort(one: HttpConfig | false, other: HttpConfig | false): boolean {
  return one !== false && other !== false && one.listen.port === other.listen.port && one.listen.port !== 0;
}
