import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePorts } from '../ports.ts';
import { isListening } from './listening.ts';
import { ReceiverProcess } from './process.ts';

const NATS_SERVER = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'].find((path) =>
  existsSync(path),
);

/** True when nats-server is installed: see `scripts/install-receivers.sh`. */
export const natsServerIsInstalled = NATS_SERVER !== undefined;

export interface NatsServerOptions {
  /** Of the configuration file: `max_payload: 4096`, an `authorization { … }` block. */
  readonly settings?: string;
  /** Who the tests log in as, to make streams and to look into them. Default: nobody. */
  readonly admin?: Readonly<Record<string, unknown>>;
}

/** What is in a stream. */
export interface StoredMessage {
  readonly seq: number;
  readonly text: string;
  readonly id: string;
}

/** A real nats-server with JetStream, on a free port of 127.0.0.1. */
export class NatsServer {
  readonly port: number;
  readonly #directory = mkdtempSync(join(tmpdir(), 'nats-'));
  readonly #process: ReceiverProcess;
  #admin: Readonly<Record<string, unknown>>;

  private constructor(port: number, options: NatsServerOptions) {
    this.port = port;
    this.#admin = options.admin ?? {};
    this.#configure(options.settings ?? '');
    this.#process = new ReceiverProcess(NATS_SERVER ?? 'nats-server', ['-c', join(this.#directory, 'nats.conf')]);
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    const server = new NatsServer(port, options);
    await server.startAgain();
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ends it in good order if it runs, and starts it on the same port with the same store. */
  async restart(options: NatsServerOptions = {}): Promise<void> {
    this.#admin = options.admin ?? this.#admin;
    if (options.settings !== undefined) this.#configure(options.settings);
    await this.terminate();
    await this.startAgain();
  }

  async startAgain(): Promise<void> {
    await this.#process.start(async () => isListening({ tcp: [this.port], udp: [] }));
  }

  kill9(): Promise<void> {
    return this.#process.end('SIGKILL');
  }

  async terminate(): Promise<void> {
    this.#process.resume();
    await this.#process.end('SIGTERM');
  }

  /** Stops it where it is; the kernel goes on taking connections and bytes for it. */
  pause(): Promise<void> {
    return this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  async stop(): Promise<void> {
    await this.terminate();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async addStream(config: Partial<StreamConfig> & { readonly name: string }): Promise<void> {
    await this.#manage((manager) => manager.streams.add(config));
  }

  async updateStream(name: string, config: Partial<StreamConfig>): Promise<void> {
    await this.#manage((manager) => manager.streams.update(name, config));
  }

  /** All that is stored, in the order of the stream. */
  async messages(name: string): Promise<StoredMessage[]> {
    return await this.#manage(async (manager) => {
      const { state } = await manager.streams.info(name);
      const numbers = Array.from({ length: state.last_seq }, (_, index) => index + 1);
      const stored = await Promise.all(numbers.map((seq) => manager.streams.getMessage(name, { seq })));
      return stored.flatMap((message) =>
        message === null ? [] : [{ seq: message.seq, text: message.string(), id: message.header.get('Nats-Msg-Id') }],
      );
    });
  }

  async #manage<T>(work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    const connection: NatsConnection = await connect({ servers: [this.address], reconnect: false, ...this.#admin });
    try {
      return await work(await jetstreamManager(connection));
    } finally {
      await connection.close();
    }
  }

  #configure(settings: string): void {
    const config = `listen: ${this.address}\njetstream { store_dir: "${join(this.#directory, 'store')}" }\n${settings}\n`;
    writeFileSync(join(this.#directory, 'nats.conf'), config);
  }
}
