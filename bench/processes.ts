import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';

/** What to run. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A line of JSON that a child prints: what has happened, and facts about it. */
export type Told = { readonly event: string } & Readonly<Record<string, unknown>>;

/** The core of what is measured, and the one of everything around it. */
export const SUBJECT_CORE = 0;
export const OTHER_CORE = 1;

/** Without two cores or without taskset(1), everything runs where the kernel likes, and figures say less. */
export const canPin = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

const running = new Set<Child>();
let interrupted = false;

/** A process that a benchmark has started, and stops by its own pid. */
export class Child {
  readonly pid: number;
  /** ms since 1970, taken just before it was started. */
  readonly startedAt: number;
  isRunning = true;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #told: Told[] = [];
  readonly #listeners = new Set<() => void>();

  private constructor(child: ChildProcess, startedAt: number) {
    this.#child = child;
    this.startedAt = startedAt;
    this.pid = child.pid ?? 0;
    // Not at `exit`: what it has printed last comes until here.
    this.#gone = new Promise((resolve) => {
      child.once('close', () => {
        this.isRunning = false;
        this.#wake();
        resolve();
      });
    });
    const { stdout } = child;
    if (stdout) createInterface(stdout).on('line', (line) => this.#hear(line));
    running.add(this);
  }

  /**
   * Starts a command on a core. `log`: a file for its standard error, and for its standard output too when `quiet` is set, as it
   * is for a subject; otherwise its standard output is read for lines of JSON.
   */
  static async start(command: Command, options: { core: number; log: string; quiet?: boolean }): Promise<Child> {
    const { file, args, cwd, env } = command;
    const [name, ...rest] = canPin ? ['taskset', '-c', String(options.core), file, ...args] : [file, ...args];
    if (interrupted) throw new Error('interrupted');
    const log = openSync(options.log, 'a');
    const startedAt = Date.now();
    const spawned = spawn(name ?? file, rest, {
      cwd,
      env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...env },
      stdio: ['ignore', options.quiet ? log : 'pipe', log],
    });
    closeSync(log);
    const child = new Child(spawned, startedAt);
    await once(spawned, 'spawn');
    return child;
  }

  /** Waits until the child has told of `event`. Undefined when it ends, or says nothing for `patience` ms. */
  async told(event: string, patience: number): Promise<Told | undefined> {
    const deadline = Date.now() + patience;
    for (;;) {
      const found = this.#told.find((told) => told.event === event);
      const left = deadline - Date.now();
      if (found || left <= 0 || !this.isRunning) return found;
      await this.#news(left);
    }
  }

  /** Asks it to end, kills it when it does not within `patience` ms, and resolves when it is gone. */
  async stop(patience = 10_000): Promise<void> {
    if (this.isRunning) {
      this.#child.kill('SIGTERM');
      const kill = setTimeout(() => this.#child.kill('SIGKILL'), patience);
      await this.#gone;
      clearTimeout(kill);
    }
    running.delete(this);
  }

  #hear(line: string): void {
    if (line.startsWith('{')) this.#told.push(JSON.parse(line) as Told);
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#listeners]) wake();
  }

  #news(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, patience);
      this.#listeners.add(done);
    });
  }
}

async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop(2000)));
}

/**
 * Runs a benchmark to its exit code, and ends this process: with no child left behind, and no folder, whatever becomes of it (the
 * end, an error, Ctrl-C). Servers inside this process end with it.
 */
export async function supervised(work: () => Promise<number>): Promise<never> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      // The work may be about to start the next process.
      interrupted = true;
      void stopAll().finally(() => process.exit(130));
    });
  }
  if (canPin) spawnSync('taskset', ['-acp', String(OTHER_CORE), String(process.pid)]);
  let code = 1;
  try {
    code = await work();
  } catch (error) {
    if (!interrupted) console.error(error);
  } finally {
    await stopAll();
  }
  process.exit(interrupted ? 130 : code);
}
