import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReceiverProcess } from './process.ts';

/** True when kcat is installed, whose library (librdkafka) brings a broker of its own: see `scripts/install-receivers.sh`. */
export const kcatIsInstalled = spawnSync('kcat', ['-V']).status === 0;

/** One record as librdkafka's consumer understood it. */
export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  /** Ms since 1970. */
  readonly ts: number;
  readonly key: string | null;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly payload: string;
}

/** librdkafka's mock cluster of one broker, and a consumer of the topic: both live in one kcat, on a port that it chooses. */
export class KafkaMock {
  readonly #directory: string;
  readonly #process: ReceiverProcess;

  private constructor(directory: string, process: ReceiverProcess) {
    this.#directory = directory;
    this.#process = process;
  }

  static async start(topic: string): Promise<KafkaMock> {
    const directory = mkdtempSync(join(tmpdir(), 'kcat-'));
    const settings = [
      'test.mock.num.brokers=1',
      'allow.auto.create.topics=true',
      'topic.metadata.refresh.interval.ms=500',
    ].flatMap((setting) => ['-X', setting]);
    // A bootstrap address is asked for and not used.
    const args = ['-b', '127.0.0.1:1', ...settings, '-C', '-t', topic, '-o', 'beginning', '-u', '-J'];
    const script = ['-c', `exec kcat "$@" > "${join(directory, 'out')}"`, 'sh', ...args];
    const process = new ReceiverProcess('/bin/sh', script);
    const mock = new KafkaMock(directory, process);
    await process.start(async () => mock.#port() !== undefined);
    return mock;
  }

  get address(): string {
    return `127.0.0.1:${this.#port()}`;
  }

  /** All that was produced and consumed again so far. */
  records(): ConsumedRecord[] {
    const file = join(this.#directory, 'out');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    return lines.map((line) => JSON.parse(line));
  }

  async kill9(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #port(): string | undefined {
    return /replaced with 127\.0\.0\.1:(\d+)/.exec(this.#process.complaints)?.[1];
  }
}
