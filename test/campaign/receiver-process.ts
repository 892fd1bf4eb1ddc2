import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Certificates } from './certificates.ts';
import type { Manner, OutputName } from './fault.ts';
import { type Attempt, JournalReader, type Strike } from './journal.ts';

/** What a receiver is told over its parent's channel: all of it, each time that something of it changes. */
export interface Orders {
  readonly manner: Manner;
  /** The files of what it shows, over TLS; undefined: it speaks plainly. */
  readonly certificates: Pick<Certificates, 'current' | 'expired'> | undefined;
}

/** A receiver of a campaign: always on the same port, with one journal over all its lives. */
export class ReceiverProcess {
  readonly name: OutputName;
  readonly port: number;
  /** When it was ended by force, ms since 1970. */
  readonly ends: number[] = [];
  readonly #journalFile: string;
  readonly #journal: JournalReader;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #orders: Orders;

  constructor(options: {
    readonly name: OutputName;
    readonly port: number;
    readonly folder: string;
    readonly env: NodeJS.ProcessEnv;
    readonly certificates?: Orders['certificates'];
  }) {
    this.name = options.name;
    this.port = options.port;
    this.#env = options.env;
    this.#journalFile = join(options.folder, `${options.name}.journal`);
    this.#journal = new JournalReader(this.#journalFile);
    this.#orders = { manner: 'well', certificates: options.certificates };
  }

  async start(): Promise<void> {
    if (this.#child) return;
    const args = [this.name, String(this.port), this.#journalFile, JSON.stringify(this.#orders)];
    const child = fork(join(import.meta.dirname, 'receiver.ts'), args, {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    await once(child, 'message');
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
    if (manner === 'well') this.ends.push(Date.now());
    this.#tell({ ...this.#orders, manner });
  }

  present(certificates: Orders['certificates']): void {
    this.#tell({ ...this.#orders, certificates });
  }

  attempts(): readonly Attempt[] {
    return this.#journal.look().attempts;
  }

  /** Ids that it has taken or refused. */
  settled(): ReadonlySet<string> {
    return this.#journal.look().settled;
  }

  /** How often this has struck. */
  strikes(what: Strike): number {
    return this.#journal.look().strikes.get(what) ?? 0;
  }

  #tell(orders: Orders): void {
    this.#orders = orders;
    if (this.#child?.connected) this.#child.send(orders);
  }
}
