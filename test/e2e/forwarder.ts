import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Simulator } from '../../src/simulate/simulator.ts';

/** The program as it is shipped. */
export const MAIN = resolve(import.meta.dirname, '../../dist/main.js');

export interface Ended {
  /** 128 + the signal's number is not used: a process that was killed has `null` here. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a config and a store, and the processes that are run on them. Everything is gone after `remove`. */
export class Forwarder {
  readonly folder = mkdtempSync(join(tmpdir(), 'forwarder-e2e-'));
  readonly configFile = join(this.folder, 'forwarder.yaml');
  readonly storeFile = join(this.folder, 'forwarder.db');
  readonly #running = new Set<RunningForwarder>();

  /** Writes the config; what the test does not care about is filled in for a quick rhythm. */
  configure(config: {
    readonly simulator: Simulator;
    readonly outputs: readonly object[];
    readonly feed?: object;
    readonly top?: object;
  }): void {
    const { clientId, clientSecret } = config.simulator.credentials;
    const whole = {
      mimecast: {
        baseUrl: config.simulator.url,
        auth: { type: 'oauth2', clientId, clientSecret },
        requestsPerMinute: 60_000,
        requestTimeout: '10s',
      },
      feeds: [
        {
          type: 'attachment',
          schedule: '* * * * * *',
          startFrom: '24h',
          settle: '0s',
          overlap: '1m',
          maxWindow: '48h',
          sweep: false,
          ...config.feed,
        },
      ],
      outputs: config.outputs.map((output) => ({
        startFrom: 'beginning',
        retry: { initialDelay: '20ms', maxDelay: '200ms' },
        ...output,
      })),
      store: { path: this.storeFile, minFreeDisk: '1MiB' },
      http: { listen: '127.0.0.1:0' },
      log: { level: 'info', format: 'json' },
      ...config.top,
    };
    writeFileSync(this.configFile, stringify(whole), { mode: 0o600 });
  }

  start(...args: readonly string[]): RunningForwarder {
    const running = new RunningForwarder(['run', '--config', this.configFile, ...args], this.folder);
    this.#running.add(running);
    return running;
  }

  /** Runs a command to its end. */
  async command(...args: readonly string[]): Promise<Ended> {
    const running = new RunningForwarder(args, this.folder);
    this.#running.add(running);
    return running.ended();
  }

  async remove(): Promise<void> {
    for (const running of this.#running) await running.kill9();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One process. */
export class RunningForwarder {
  readonly process: ChildProcess;
  #stdout = '';
  #stderr = '';
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[], cwd: string) {
    const env = { PATH: process.env.PATH, TZ: 'America/St_Johns', LANG: 'C.UTF-8' };
    this.process = spawn(process.execPath, [MAIN, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#closed = once(this.process, 'close');
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Its log, parsed. */
  get log(): Record<string, unknown>[] {
    return this.#stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Where it serves its status; undefined until it says so. */
  get url(): string | undefined {
    const entry = this.log.find(({ url }) => typeof url === 'string');
    return entry === undefined ? undefined : String(entry.url);
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  async kill9(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.#closed;
  }

  /** SIGTERM, and what came of it. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM');
    return this.ended();
  }

  async ended(): Promise<Ended> {
    await this.#closed;
    return { code: this.process.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }
}
