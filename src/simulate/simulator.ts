import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ForwarderError, isAbort } from '../errors.ts';
import type { RawRecord } from '../event.ts';
import { Archive } from './archive.ts';
import { Authority, type Credentials, SIMULATOR_CREDENTIALS } from './authority.ts';
import { Draws } from './draws.ts';
import { FaultInjector } from './fault-injector.ts';
import type { Fault, FaultName } from './faults.ts';
import { type Counters, HttpApi } from './http-api.ts';
import { LogsEndpoint } from './logs-endpoint.ts';
import { MailFlow, type Span } from './mail-flow.ts';
import { PageTokens } from './page-token.ts';
import type { RateLimit } from './quota.ts';
import { Served } from './served.ts';

export interface SimulatorOptions {
  /** Default 0: a free port. */
  readonly port?: number;
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Same seed, same records, tokens and faults. Default `practice`. */
  readonly seed?: string;
  /** The most records of a page, whatever is asked for. Default 500, Mimecast's own maximum. */
  readonly pageSize?: number;
  /** How long a bearer token is good for, ms. Default 1,799,000: Mimecast says `expires_in` 1799. */
  readonly tokenLifetime?: number;
  /** How long a page token is good for, ms. Mimecast's is not public. Default 30 minutes. */
  readonly pageTokenLifetime?: number;
  /** The clock of the API, ms since 1970, before any `clock-skew`. Default `Date.now`. */
  readonly now?: () => number;
  readonly faults?: readonly Fault[];
  /** Whom to let in. Default `SIMULATOR_CREDENTIALS`. */
  readonly credentials?: Partial<Credentials>;
  /** PEM. With them the simulator speaks HTTPS. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Default 100,000 in a minute, which nobody reaches. */
  readonly rateLimit?: RateLimit;
  /** Told of each page, refusal and fault, in a line for people without mail data. */
  readonly onLine?: (line: string) => void;
}

export interface SimulatorStats extends Readonly<Counters> {
  /** Bearer tokens issued. */
  readonly tokens: number;
  readonly byFault: Readonly<Partial<Record<FaultName, number>>>;
}

const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

/**
 * A Mimecast API on this machine: TTP attachment logs of API 2.0 (OAuth2) and 1.0 (HMAC), with made-up mail and faults on
 * demand. It refuses what a client should not send even where Mimecast is lenient, and it remembers what it has served.
 */
export class Simulator {
  /** Whom it lets in. */
  readonly credentials: Credentials;
  readonly #served = new Served();
  readonly #stopping = new AbortController();
  readonly #clock: () => number;
  readonly #faults: FaultInjector;
  readonly #archive: Archive;
  readonly #mail: MailFlow;
  readonly #authority: Authority;
  readonly #api: HttpApi;
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';

  private constructor(options: SimulatorOptions) {
    const seed = options.seed ?? 'practice';
    const onLine = options.onLine ?? (() => {});
    this.credentials = { ...SIMULATOR_CREDENTIALS, ...options.credentials };
    this.#clock = options.now ?? Date.now;
    this.#faults = new FaultInjector(seed, (name) => name !== 'late' && onLine(`fault: ${name}`));
    this.#archive = new Archive(seed);
    this.#mail = new MailFlow(this.#archive, this.#faults);
    this.#authority = new Authority(this.credentials, seed, options.tokenLifetime ?? 1_799_000);
    this.#api = new HttpApi({
      authority: this.#authority,
      faults: this.#faults,
      logs: new LogsEndpoint({
        archive: this.#archive,
        faults: this.#faults,
        pageTokens: new PageTokens(seed),
        seed,
        maxPageSize: options.pageSize ?? 500,
        pageTokenLifetime: options.pageTokenLifetime ?? 30 * 60_000,
      }),
      served: this.#served,
      rateLimit: options.rateLimit ?? { requests: 100_000, perMs: 60_000 },
      draws: new Draws(`status:${seed}`),
      now: () => this.now(),
      onLine,
      signal: this.#stopping.signal,
    });
    this.#scheme = options.tls ? 'https' : 'http';
    this.#server = options.tls ? createTlsServer(options.tls) : createServer();
    this.#server.on('request', (request, response) => {
      this.#mail.catchUp(this.now());
      this.#api.handle(request, response).catch((error: unknown) => {
        response.destroy();
        // A client that goes away in the middle of its request is no failure of ours.
        if (!isAbort(error) && !request.destroyed) onLine(`failed: ${String(error)}`);
      });
    });
    this.inject(...(options.faults ?? []));
  }

  /** Listens. Throws a `ForwarderError` `SIMULATOR_LISTEN` when the address cannot be had. */
  static async start(options: SimulatorOptions = {}): Promise<Simulator> {
    const simulator = new Simulator(options);
    const { port = 0, host = '127.0.0.1' } = options;
    await new Promise<void>((resolve, reject) => {
      simulator.#server.once('error', reject).listen(port, host, resolve);
    }).catch((cause: unknown) => {
      const hint = 'Another process may have this port: give another one, or 0 for any that is free.';
      throw new ForwarderError(`the simulator cannot listen on ${host}:${port}`, {
        code: 'SIMULATOR_LISTEN',
        hint,
        cause,
      });
    });
    return simulator;
  }

  get port(): number {
    return this.#address.port;
  }

  /** Base URL, without a slash at the end. One that listens on every address is named by its loopback one. */
  get url(): string {
    const { address, port } = this.#address;
    const host = LOOPBACK_OF[address] ?? (address.includes(':') ? `[${address}]` : address);
    return `${this.#scheme}://${host}:${port}`;
  }

  get #address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** The time by the clock of the API, ms. */
  now(): number {
    return this.#clock() + this.#faults.clockSkew;
  }

  /** Adds records as they are; they are visible at once. */
  add(...records: readonly RawRecord[]): void {
    this.#mail.add(records, this.now());
  }

  /** Adds records that the API shows from `visibleAt` on, ms: rows that surface later than their date. */
  addAt(visibleAt: number, ...records: readonly RawRecord[]): void {
    this.#mail.add(records, visibleAt);
  }

  /** Spreads `count` made-up records evenly over a span; those dated in the future are shown when their time has come. */
  seed(count: number, span: Span): void {
    this.#mail.seed(count, span, this.now());
  }

  /** From now on, made-up records arrive at this rate, dated when they arrive. A second call changes the rate. */
  startTraffic({ ratePerSecond }: { readonly ratePerSecond: number }): void {
    this.#mail.startTraffic(ratePerSecond, this.now());
  }

  stopTraffic(): void {
    this.#mail.stopTraffic(this.now());
  }

  /** Adds faults to those at work. `late` concerns the records that arrive from now on. */
  inject(...faults: readonly Fault[]): void {
    this.#mail.catchUp(this.now());
    this.#faults.inject(faults);
  }

  /** Ends one fault, or all of them. */
  clearFaults(name?: FaultName): void {
    this.#mail.catchUp(this.now());
    this.#faults.clear(name);
  }

  /** Which records have gone out in a complete and successful answer, and the malformed ones. */
  get served(): Pick<Served, 'count' | 'malformed'> {
    return this.#served;
  }

  get stats(): SimulatorStats {
    return { ...this.#api.counters, tokens: this.#authority.issued, byFault: { ...this.#faults.byFault } };
  }

  /** The ground truth: every record that the API shows at `at` (ms; default now), oldest first. */
  visibleRecords(at: number = this.now()): Generator<RawRecord> {
    this.#mail.catchUp(this.now());
    return this.#archive.visible(at);
  }

  /** Every record that has been served at least once. */
  servedRecords(): Generator<RawRecord> {
    return this.#archive.visible(Number.POSITIVE_INFINITY, (serial) => this.#served.has(serial));
  }

  /** Every record visible at `at` that nobody has been served yet. */
  unservedRecords(at: number = this.now()): Generator<RawRecord> {
    this.#mail.catchUp(this.now());
    return this.#archive.visible(at, (serial) => !this.#served.has(serial));
  }

  /** Stops at once: open connections are closed, slow answers are given up. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.once('close', resolve));
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
