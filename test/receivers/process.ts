import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';

/** A real receiver as a child process in the foreground, stopped by its own pid. */
export class ReceiverProcess {
  readonly #command: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  /** What it wrote to its standard error: its complaints about us, and why it did not start. */
  complaints = '';

  constructor(command: string, args: readonly string[]) {
    this.#command = command;
    this.#args = args;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and resolves once `isUp` says so. */
  async start(isUp: () => Promise<boolean>): Promise<void> {
    const child = spawn(this.#command, this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.complaints += text;
    });
    const deadline = Date.now() + 10_000;
    while (!(await isUp())) {
      if (!this.isRunning || Date.now() > deadline) {
        await this.end('SIGKILL');
        throw new Error(`${this.#command} did not start: ${this.complaints}`);
      }
      await nextLook();
    }
  }

  /** Stops it where it is, and resolves when each of its threads stands still: SIGSTOP takes a moment to get round. */
  async pause(): Promise<void> {
    this.#child?.kill('SIGSTOP');
    while (!this.#standsStill()) await nextLook();
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** The state of a thread follows its name, which is in brackets: proc(5). */
  #standsStill(): boolean {
    const threads = globSync(`/proc/${this.#child?.pid}/task/*/stat`);
    return threads.every((file) => readFileSync(file, 'latin1').split(') ').at(-1)?.startsWith('T'));
  }

  /** Sends a signal that ends it, and resolves when it is gone; does nothing when it is. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning || this.#child === undefined) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}

function nextLook(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
