import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Attempt, readJournal } from './journal.ts';
import type { Manner, OutputName } from './schedule.ts';

/** A receiver of a campaign: always on the same port, with one journal over all its lives. */
export class ReceiverProcess {
  readonly name: OutputName;
  readonly port: number;
  /** When it was ended by force, ms since 1970. */
  readonly ends: number[] = [];
  readonly #journal: string;
  #child: ChildProcess | undefined;
  #manner: Manner = 'well';

  constructor(name: OutputName, port: number, folder: string) {
    this.name = name;
    this.port = port;
    this.#journal = join(folder, `${name}.journal`);
  }

  async start(): Promise<void> {
    if (this.#child) return;
    const args = [this.name, String(this.port), this.#journal];
    const child = fork(join(import.meta.dirname, 'receiver.ts'), args, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    await once(child, 'message');
    child.send(this.#manner);
  }

  /**
   * Ends it at once. With SIGKILL, but for the syslog one: the kernel of a killed process that has read all there was closes in good order
   * and so confirms what it had not stored yet, which docs/reliability.md does not promise to see through. It resets instead.
   */
  async end(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    this.ends.push(Date.now());
    child.kill('SIGCONT');
    child.kill(this.name === 'close' ? 'SIGTERM' : 'SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  behave(manner: Manner): void {
    this.#manner = manner;
    if (manner === 'well') this.ends.push(Date.now());
    if (this.#child?.connected) this.#child.send(manner);
  }

  attempts(): Attempt[] {
    return readJournal(this.#journal);
  }
}
