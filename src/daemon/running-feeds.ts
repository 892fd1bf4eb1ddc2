import type { Pressure } from '../collect/pressure.ts';
import type { FeedConfig } from '../config/config.ts';
import type { EventSource } from '../event.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import { buildFeed, eventSources, type FeedParts, type RunningFeed } from './feeds.ts';
import { Stopper, type StopSignals } from './stopper.ts';

export interface FeedsParts extends FeedParts {
  readonly pressure: Pressure;
  /** The daemon's own: each feed stops with it. */
  readonly signals: StopSignals;
  readonly onFatal: (error: unknown) => void;
}

interface Read extends RunningFeed {
  readonly stopper: Stopper;
}

/** The feeds at work: one can be built anew while the others go on polling. */
export class RunningFeeds {
  #parts: FeedsParts;
  #read: Read[];
  #sourceOf: (feed: string) => EventSource;

  /** Builds them; nothing is asked for yet. */
  constructor(configs: readonly FeedConfig[], parts: FeedsParts) {
    this.#parts = parts;
    this.#read = configs.map((config) => this.#build(config));
    this.#sourceOf = eventSources(configs, parts.store);
  }

  /** In the order of the config. */
  get list(): readonly RunningFeed[] {
    return this.#read;
  }

  /** See `eventSources`. */
  sourceOf(feed: string): EventSource {
    return this.#sourceOf(feed);
  }

  start(): void {
    for (const one of this.#read) this.#start(one);
  }

  /** From now on no poll and no sweep begins. */
  stopSchedules(): void {
    for (const { scheduler } of this.#read) scheduler.stop();
  }

  /** Resolves when no poll and no sweep is at work. */
  async idle(): Promise<void> {
    await Promise.all(this.#read.map(({ collector }) => collector.idle()));
  }

  /** Comes to read what a new config says, with that client. Only the feeds named in `anew`, and new ones, are built. */
  async change(configs: readonly FeedConfig[], anew: ReadonlySet<string>, client: MimecastClient): Promise<void> {
    const wanted = new Set(configs.map(({ name }) => name));
    const leaving = this.#read.filter(({ config }) => !wanted.has(config.name) || anew.has(config.name));
    await Promise.all(leaving.map((one) => this.#end(one)));
    // Told to stop meanwhile: nobody is left to wait for what would begin now.
    if (this.#parts.signals.stopping.aborted) return;
    this.#parts = { ...this.#parts, client };
    this.#sourceOf = eventSources(configs, this.#parts.store);
    const staying = new Map(this.#read.filter((one) => !leaving.includes(one)).map((one) => [one.config.name, one]));
    const before = this.#read;
    this.#read = configs.map((config) => {
      const old = before.find((one) => one.config.name === config.name);
      return staying.get(config.name) ?? this.#build(config, old);
    });
    for (const one of this.#read) if (!staying.has(one.config.name)) this.#start(one);
  }

  /** Finishes the page in hand; the walk stands in the store. */
  async #end({ config, collector, scheduler, stopper }: Read): Promise<void> {
    scheduler.stop();
    stopper.ask();
    if (await stopper.settled(collector.idle())) return;
    this.#parts.logger.warn({ feed: config.name }, 'a page in hand took too long and is let go of; it is read again');
  }

  #build(config: FeedConfig, old?: Read): Read {
    const stopper = new Stopper(this.#parts.signals);
    return { ...buildFeed(config, { ...this.#parts, signals: stopper.signals }, old?.collector.history), stopper };
  }

  #start({ collector, scheduler }: Read): void {
    scheduler.start();
    collector.poll(this.#parts.onFatal);
  }
}
