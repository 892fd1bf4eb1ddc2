import type { Logger } from 'pino';
import { Pressure } from '../collect/pressure.ts';
import type { Config } from '../config/config.ts';
import type { ConfigDiff } from '../config/diff.ts';
import { MimecastClient } from '../mimecast/client.ts';
import { assess } from '../status/assess.ts';
import type { Snapshot } from '../status/snapshot.ts';
import type { SpanName, View } from '../status/view.ts';
import { viewOf } from '../status/view-of.ts';
import { Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { applyConfig } from './apply.ts';
import { Endpoint } from './endpoint.ts';
import type { RunningFeed } from './feeds.ts';
import { Heartbeat } from './heartbeat.ts';
import { type Host, userAgentOf } from './host.ts';
import { LeastBehind } from './least-behind.ts';
import { Logbook } from './logbook.ts';
import { runOnce } from './once.ts';
import type { RunningOutput } from './outputs.ts';
import { RunningFeeds } from './running-feeds.ts';
import { RunningOutputs } from './running-outputs.ts';
import { beginSeries } from './series.ts';
import { type LiveParts, Rates, refreshGauges, takeSnapshot } from './snapshot.ts';
import { Stopper } from './stopper.ts';
import { Upkeep } from './upkeep.ts';
import { routingOf } from './view.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly host: Host;
  readonly logger: Logger;
}

/**
 * The wiring: builds every part, starts them in order, stops them in reverse, and puts another config in force part by part. What a
 * part does is in its own room.
 */
export class Daemon {
  readonly metrics = new Metrics();
  readonly store: Store;
  /** Resolves when the daemon has met something that it cannot go on with. */
  readonly failed: Promise<unknown>;
  readonly #logger: Logger;
  readonly #host: Host;
  readonly #live: LiveParts;
  readonly #feeds: RunningFeeds;
  readonly #outputs: RunningOutputs;
  readonly #upkeep: Upkeep;
  readonly #endpoint: Endpoint;
  readonly #heartbeat: Heartbeat;
  readonly #logbook: Logbook;
  readonly #stopper = new Stopper();
  /** What a stop waits for beside the feeds and outputs: `runOnce`, or the config that is being put in force. Never rejects. */
  #work: Promise<unknown> = Promise.resolve();
  #fail: (error: unknown) => void = () => undefined;
  #stopped: Promise<void> | undefined;

  private constructor(options: DaemonOptions, store: Store) {
    const { config, host, logger } = options;
    this.store = store;
    this.#logger = logger;
    this.#host = host;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    const { metrics } = this;
    const { signals } = this.#stopper;
    const onFatal = (error: unknown): void => this.#fail(error);
    metrics.buildInfo.set({ version: host.version, node: host.node }, 1);
    beginSeries(metrics, config);
    const client = this.#createClient(config);
    const pressure = new Pressure(store, config.store, metrics, host.now);
    this.#upkeep = new Upkeep(store, config.store, logger, host.now);
    const parts = { store, metrics, logger, host, signals, onFatal };
    const outputs = new RunningOutputs(config.outputs, { ...parts, sourceOf: (feed) => feeds.sourceOf(feed) });
    const feeds = new RunningFeeds(config.feeds, { ...parts, client, pressure });
    this.#outputs = outputs;
    this.#feeds = feeds;
    this.#live = {
      ...{ config, host, store, client, pressure },
      get feeds() {
        return feeds.list;
      },
      get outputs() {
        return outputs.list;
      },
      startedAt: host.now(),
      rates: new Rates(),
      leastBehind: new LeastBehind(),
      certificates: [],
      refusedConfig: null,
    };
    this.#logbook = new Logbook(this.#live, logger);
    this.#endpoint = new Endpoint(
      {
        metrics,
        allowedHosts: [host.hostname],
        snapshot: () => this.snapshot(),
        view: (span) => this.view(span),
        healthy: () => this.#healthy(),
        collect: () => refreshGauges(metrics, this.snapshot()),
      },
      logger,
    );
    this.#heartbeat = new Heartbeat({
      beat: () => this.#logbook.beat(),
      upkeep: () => this.#upkeep.run(signals.stopping),
      clockSet: (step) => this.#clockSet(step),
      onFatal,
    });
  }

  /** Opens and locks the store and builds every part; nothing is asked for or sent yet. Throws what a part throws, leaving nothing open. */
  static open(options: DaemonOptions): Daemon {
    const { config, host } = options;
    const store = Store.open(config.store.path);
    try {
      store.lock({ pid: host.pid, host: host.hostname, startedAt: host.now() });
      return new Daemon(options, store);
    } catch (error) {
      store.close();
      throw error;
    }
  }

  get feeds(): readonly RunningFeed[] {
    return this.#feeds.list;
  }

  get outputs(): readonly RunningOutput[] {
    return this.#outputs.list;
  }

  /** Where the status server listens; undefined when it is turned off or not started. */
  get url(): string | undefined {
    return this.#endpoint.url;
  }

  /** Aborted once it is told to stop. */
  get stopping(): AbortSignal {
    return this.#stopper.signals.stopping;
  }

  snapshot(): Snapshot {
    return takeSnapshot(this.#live);
  }

  /** What it looks like now, what led to it, and the newest that passed. */
  view(span: SpanName): View {
    const { config, store } = this.#live;
    return viewOf(store, assess(this.snapshot()), { span, ...routingOf(config, store) });
  }

  /** Starts serving, delivering and polling. A start that fails half-way is rolled back. */
  async start(): Promise<void> {
    try {
      this.configAccepted();
      await this.#endpoint.move(this.#live.config.http);
      this.#outputs.run();
      this.#feeds.start();
      this.#heartbeat.start(this.#stopper.signals.stopping);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** The config on the disk is the one in force. */
  configAccepted(): void {
    this.#live.refusedConfig = null;
    this.metrics.configReloadSuccessful.set(1);
    this.metrics.configReloadSuccessTime.set(this.#host.now() / 1000);
    this.#logbook.note();
  }

  /** A reload brought a config that cannot be applied: status tells of it until one can. */
  configRefused(message: string, hint: string | null): void {
    this.#live.refusedConfig = { at: this.#host.now(), message, hint };
    this.metrics.configReloadSuccessful.set(0);
    this.#logbook.note();
  }

  /** Waits, `patience` ms at most, until these outputs have what is stored; returns the number of its last event. See `RunningOutputs`. */
  catchUp(outputs: readonly string[], patience: number): Promise<number> {
    return this.#outputs.catchUp(outputs, patience);
  }

  /** See `applyConfig`. A stop waits for it. One at a time. */
  apply(next: Config, diff: ConfigDiff): Promise<void> {
    const changeable = {
      ...{ live: this.#live, feeds: this.#feeds, outputs: this.#outputs, endpoint: this.#endpoint },
      ...{ upkeep: this.#upkeep, metrics: this.metrics, logger: this.#logger },
      createClient: (config: Config) => this.#createClient(config),
      onFatal: this.#fail,
    };
    const work = applyConfig(changeable, next, diff);
    this.#work = work.catch(() => undefined);
    return work;
  }

  /** See `runOnce`. A stop waits for the page and the batch in hand here too. */
  runOnce(tries: number): Promise<unknown[]> {
    const work = runOnce(this, this.#stopper.signals, tries);
    this.#work = work;
    return work;
  }

  /**
   * Finishes the page and the batch in hand, writes the cursors, and closes everything, within 10 s. Idempotent; never rejects.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #createClient({ mimecast }: Config): MimecastClient {
    return new MimecastClient(mimecast, { metrics: this.metrics, userAgent: userAgentOf(this.#host) });
  }

  async #stop(): Promise<void> {
    this.#stopper.ask();
    await this.#step('heartbeat', () => this.#heartbeat.stop());
    await this.#step('schedule', () => this.#feeds.stopSchedules());
    const quiet = Promise.all([this.#work, this.#outputs.idle(), this.#feeds.idle()]);
    if (!(await this.#stopper.settled(quiet))) {
      this.#logger.warn(
        'stopping: a page or a batch in hand took too long and was let go of; it is repeated at the next start',
      );
    }
    await this.#step('outputs', () => this.#outputs.close());
    await this.#step('client', () => this.#live.client.close());
    await this.#step('server', () => this.#endpoint.close());
    await this.#step('snapshot', () => this.#logbook.lastNote());
    await this.#step('timelines', () => this.#logbook.endTimelines());
    await this.#step('store', () => this.store.close());
  }

  /** One step of the stop: a part that fails to stop must not keep the others from it. */
  async #step(name: string, run: () => Promise<void> | void): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#logger.error({ err: error, part: name }, 'a part failed to stop');
    }
  }

  #healthy(): { ok: boolean; reason?: string } {
    try {
      this.store.probe();
      return { ok: true };
    } catch (error) {
      this.#logger.warn({ err: error }, 'the store cannot be written to');
      return { ok: false, reason: 'the store cannot be written to' };
    }
  }

  #clockSet(step: number): void {
    this.#logger.warn({ stepMs: Math.round(step) }, 'the clock of this machine was set; polls are planned anew');
    for (const { scheduler } of this.feeds) scheduler.replan();
  }
}
