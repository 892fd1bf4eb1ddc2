import type { Logger } from 'pino';
import type { OutputConfig } from '../config/config.ts';
import type { EventSource } from '../event.ts';
import type { Output } from '../outputs/output.ts';
import { sleep } from '../retry.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Host } from './host.ts';
import { buildOutput, createOutput, type RunningOutput } from './outputs.ts';
import { ABORT_PATIENCE, isOverWithin, Stopper, type StopSignals } from './stopper.ts';

/** How often it is looked whether an output has caught up. */
const LOOK_EVERY = 20;

export interface OutputParts {
  readonly store: Store;
  readonly sourceOf: (feed: string) => EventSource;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly host: Host;
  /** The daemon's own: each output stops with it. */
  readonly signals: StopSignals;
  readonly onFatal: (error: unknown) => void;
}

interface Served extends RunningOutput {
  readonly stopper: Stopper;
  /** Resolves, never rejects, when it serves no more; absent before it was started. */
  running?: Promise<void>;
}

/** The outputs at work, each in a loop of its own: one can come, go or be built anew while the others feel nothing. */
export class RunningOutputs {
  readonly #parts: OutputParts;
  #served: Served[];

  /** Builds them; nothing is sent yet. */
  constructor(configs: readonly OutputConfig[], parts: OutputParts) {
    this.#parts = parts;
    this.#served = configs.map((config) => this.#build(config));
  }

  /** In the order of the config. */
  get list(): readonly RunningOutput[] {
    return this.#served;
  }

  run(): void {
    for (const one of this.#served) this.#run(one);
  }

  /** Resolves when none serves any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#served.map(({ running }) => running));
  }

  /** Lets go of sockets and files. */
  async close(): Promise<void> {
    const closed = Promise.all(this.#served.map(({ dispatcher }) => dispatcher.output.close()));
    // A file on a disk that hangs cannot be closed either; the store must be, so that the last cursors are written.
    await isOverWithin(ABORT_PATIENCE, closed);
  }

  /** Builds what a new config wants, to be handed to `change`. No I/O; throws what an output throws of its options. */
  prepare(configs: readonly OutputConfig[]): ReadonlyMap<string, Output> {
    return new Map(configs.map((config) => [config.name, createOutput(config, this.#parts.host)]));
  }

  /** Gives those that are new to the store their first cursors. Returns what takes them back. Throws a `StoreError`, leaving none. */
  begin(configs: readonly OutputConfig[]): () => void {
    const { store } = this.#parts;
    const begun: string[] = [];
    const takeBack = (): void => {
      for (const name of begun) store.cursors.forget(name);
    };
    try {
      for (const { name, startFrom } of configs) {
        if (store.cursors.get(name) !== undefined) continue;
        store.startOutput(name, startFrom);
        begun.push(name);
      }
    } catch (error) {
      takeBack();
      throw error;
    }
    return takeBack;
  }

  /**
   * Waits, `patience` ms at most, until these outputs have what is stored now; not for one that fails. Returns the number of the last
   * event that was stored when it was called.
   */
  async catchUp(names: readonly string[], patience: number): Promise<number> {
    const { store, signals } = this.#parts;
    // Another process may have added events: a backfill, a variant that was shipped.
    store.outbox.refresh();
    const { lastSeq } = store.outbox;
    const deadline = performance.now() + patience;
    const isWaitedFor = ({ config, dispatcher }: RunningOutput): boolean =>
      names.includes(config.name) && dispatcher.cursor < lastSeq && dispatcher.episode.current === null;
    while (!signals.stopping.aborted && performance.now() < deadline && this.#served.some(isWaitedFor)) {
      await sleep(LOOK_EVERY, signals.stopping).catch(() => undefined);
    }
    return lastSeq;
  }

  /** Comes to serve what a new config says. An output that was not prepared is the one that it was, and goes on undisturbed. */
  async change(configs: readonly OutputConfig[], prepared: ReadonlyMap<string, Output>): Promise<void> {
    const wanted = new Set(configs.map(({ name }) => name));
    const leaving = this.#served.filter(({ config }) => !wanted.has(config.name));
    await Promise.all([
      ...leaving.map((one) => this.#end(one)),
      ...configs.map((config) => this.#take(config, prepared.get(config.name))),
    ]);
    const order = configs.map(({ name }) => name);
    this.#served = this.#served
      .filter((one) => !leaving.includes(one))
      .toSorted((a, b) => order.indexOf(a.config.name) - order.indexOf(b.config.name));
  }

  async #take(config: OutputConfig, output: Output | undefined): Promise<void> {
    if (output === undefined) return;
    const old = this.#served.find((one) => one.config.name === config.name);
    if (old) await this.#end(old);
    // Told to stop meanwhile: nobody is left to wait for what would begin now.
    if (this.#parts.signals.stopping.aborted) return output.close();
    const one = this.#build(config, output);
    this.#served = [...this.#served.filter((other) => other !== old), one];
    this.#run(one);
  }

  /** Finishes the batch in hand, lets go of the receiver and makes the cursor durable; a disk that is full keeps no connection open. */
  async #end({ config, dispatcher, stopper, running }: Served): Promise<void> {
    const { store, logger } = this.#parts;
    stopper.ask();
    if (!(await stopper.settled(Promise.resolve(running)))) {
      logger.warn({ output: config.name }, 'a batch in hand took too long and is let go of; it is sent again');
    }
    try {
      await isOverWithin(ABORT_PATIENCE, dispatcher.output.close());
      // A cursor in memory would be written with the next page, also after `outputs forget`.
      store.flush(config.name);
    } catch (error) {
      logger.error({ err: error, output: config.name }, 'an output failed to stop');
    }
  }

  #build(config: OutputConfig, output?: Output): Served {
    return { ...buildOutput(config, this.#parts, output), stopper: new Stopper(this.#parts.signals) };
  }

  #run(one: Served): void {
    one.running = one.dispatcher.run(one.stopper.signals).catch(this.#parts.onFatal);
  }
}
