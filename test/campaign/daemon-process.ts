import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, createWriteStream, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The program as it is shipped. */
export const PROGRAM = resolve(import.meta.dirname, '../../dist/main.js');
const CLOCK = join(import.meta.dirname, 'shifted-clock.ts');

/** How it ended by itself, which nobody had asked for. */
export interface Unasked {
  readonly life: number;
  readonly code: number | null;
  /** ms since 1970. */
  readonly at: number;
  /** The last of what it said. */
  readonly said: string;
}

/** The real daemon, life after life, on one config; its log is kept in the folder. */
export class DaemonProcess {
  readonly unasked: Unasked[] = [];
  readonly #program: string;
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #life = 0;
  #isAsked = false;
  #isUp = false;
  #said = '';

  /** `env`: what it is to have besides; a PATH and a locale it has. */
  constructor(options: {
    readonly program: string;
    readonly folder: string;
    readonly env: Readonly<Record<string, string>>;
  }) {
    this.#program = options.program;
    this.#folder = options.folder;
    this.#env = { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...options.env };
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** All that it has said, in all its lives. */
  get said(): string {
    return this.#said;
  }

  get life(): number {
    return this.#life;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** It has said that it has started: from now on it obeys SIGTERM and SIGHUP in its own way. */
  get isUp(): boolean {
    return this.isRunning && this.#isUp;
  }

  start(): void {
    if (this.#child) return;
    this.#life += 1;
    this.#isAsked = false;
    this.#isUp = false;
    const life = this.#life;
    const log = join(this.#folder, `daemon.${life}.log`);
    const args = ['--import', CLOCK, this.#program, 'run', '--config', this.#configFile];
    const env = { ...this.#env, LIFE: String(life) };
    const child = spawn(process.execPath, args, { cwd: this.#folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.pipe(createWriteStream(log));
    child.stderr?.on('data', (said: Buffer) => {
      this.#said += said.toString('utf8');
      if (this.#child === child && said.includes('"msg":"started"')) this.#isUp = true;
    });
    child.once('close', (code) => {
      if (this.#child === child) this.#child = undefined;
      if (this.#isAsked && life === this.#life) return;
      this.unasked.push({ life, code, at: Date.now(), said: readFileSync(log, 'utf8').slice(-1500) });
      appendFileSync(log, `campaign: it ended by itself with code ${code}\n`);
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Ends it with a signal; resolves with its exit code, null when the signal killed it, undefined when it was not running. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null | undefined> {
    const child = this.#child;
    if (!child) return undefined;
    this.#isAsked = true;
    const closed = once(child, 'close') as Promise<[number | null]>;
    // A process that stands still hears nothing but SIGKILL.
    child.kill('SIGCONT');
    child.kill(signal);
    const [code] = await closed;
    return code;
  }

  /** Waits until it has ended by itself; resolves with its exit code, or undefined when it still runs after so many ms. */
  async ended(patience: number): Promise<number | null | undefined> {
    const child = this.#child;
    if (!child) return undefined;
    this.#isAsked = true;
    try {
      const [code] = (await once(child, 'close', { signal: AbortSignal.timeout(patience) })) as [number | null];
      return code;
    } catch {
      return undefined;
    }
  }

  /** What a command prints, parsed. */
  ask(...args: readonly string[]): unknown {
    const command = [this.#program, ...args, '--json', '--config', this.#configFile];
    const env = { ...this.#env, LIFE: String(this.#life) };
    const options = { cwd: this.#folder, env, encoding: 'utf8', maxBuffer: 1 << 26 } as const;
    return JSON.parse(execFileSync(process.execPath, command, options));
  }

  get #configFile(): string {
    return join(this.#folder, 'forwarder.yaml');
  }
}
