import { createTask, type ScheduledTask } from 'node-cron';
import type { Logger } from 'pino';
import { Pressure } from '../collect/pressure.ts';
import type { Config } from '../config/config.ts';
import { MimecastClient } from '../mimecast/client.ts';
import { sleep } from '../retry.ts';
import type { Snapshot } from '../status/snapshot.ts';
import { Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { type StatusServer, startServer } from '../telemetry/server.ts';
import { watchClock } from './clock-step.ts';
import { buildFeed, eventSources, type RunningFeed } from './feeds.ts';
import { type Host, userAgentOf } from './host.ts';
import { LeastBehind } from './least-behind.ts';
import { buildOutput, lookIntoRecords, type RunningOutput } from './outputs.ts';
import { beginSeries } from './series.ts';
import { type LiveParts, Rates, refreshGauges, SNAPSHOT_NOTE, sampleBehind, takeSnapshot } from './snapshot.ts';
import { Upkeep } from './upkeep.ts';

/** How long a stop waits for the page and the batch in hand before it lets go of them; the promise is 10 s in all. */
const STOP_PATIENCE = 7000;
const ABORT_PATIENCE = 1500;
/** The daemon's own rhythm: rates are sampled, the snapshot is noted when it changed. */
const HEARTBEAT = '*/5 * * * * *';
const UPKEEP = '10,40 * * * * *';

export interface DaemonOptions {
  readonly config: Config;
  readonly host: Host;
  readonly logger: Logger;
}

/**
 * The wiring: builds every part, starts them in order, stops them in reverse. What a part does is in its own room.
 */
export class Daemon {
  readonly metrics = new Metrics();
  readonly store: Store;
  readonly feeds: readonly RunningFeed[];
  readonly outputs: readonly RunningOutput[];
  /** Resolves when the daemon has met something that it cannot go on with. */
  readonly failed: Promise<unknown>;
  readonly #client: MimecastClient;
  readonly #logger: Logger;
  readonly #host: Host;
  readonly #live: LiveParts;
  readonly #upkeep: Upkeep;
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #signals = { stopping: this.#stopping.signal, abort: this.#abort.signal };
  /** What has been started and is to be stopped, newest first. */
  readonly #cleanups: { readonly name: string; readonly run: () => Promise<void> | void }[] = [];
  #server: StatusServer | undefined;
  #running: Promise<unknown>[] = [];
  #fail: (error: unknown) => void = () => undefined;
  #stopped: Promise<void> | undefined;
  #notedState = '';

  private constructor(options: DaemonOptions, store: Store) {
    const { config, host, logger } = options;
    this.store = store;
    this.#logger = logger;
    this.#host = host;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    const { metrics } = this;
    metrics.buildInfo.set({ version: host.version, node: host.node }, 1);
    beginSeries(metrics, config);
    this.#client = new MimecastClient(config.mimecast, { metrics, userAgent: userAgentOf(host) });
    const pressure = new Pressure(store, config.store, metrics, host.now);
    const sourceOf = eventSources(config.feeds, store);
    this.outputs = config.outputs.map((output) => buildOutput(output, { store, sourceOf, metrics, logger, host }));
    const feedParts = {
      ...{ store, metrics, logger, host, pressure },
      client: this.#client,
      signals: this.#signals,
      keepRecords: lookIntoRecords(config.outputs),
    };
    this.feeds = config.feeds.map((feed) => buildFeed(feed, { ...feedParts, onFatal: (error) => this.#fail(error) }));
    this.#upkeep = new Upkeep(store, config.store, logger, host.now);
    this.#live = {
      config,
      host,
      startedAt: host.now(),
      store,
      client: this.#client,
      pressure,
      feeds: this.feeds,
      outputs: this.outputs,
      rates: new Rates(),
      leastBehind: new LeastBehind(),
      refusedConfig: null,
    };
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

  /** Where the status server listens; undefined when it is turned off or not started. */
  get url(): string | undefined {
    return this.#server?.url;
  }

  snapshot(): Snapshot {
    return takeSnapshot(this.#live);
  }

  /** A reload brought a config that cannot be applied: status tells of it until one can. */
  configRefused(message: string): void {
    this.#live.refusedConfig = { at: this.#host.now(), message };
  }

  /** Starts serving, delivering and polling. A start that fails half-way is rolled back. */
  async start(): Promise<void> {
    try {
      await this.#serve();
      for (const { dispatcher } of this.outputs) {
        this.#running.push(dispatcher.run(this.#signals).catch((error: unknown) => this.#fail(error)));
      }
      for (const { collector, scheduler } of this.feeds) {
        await scheduler.start();
        this.#cleanups.push({ name: 'schedule', run: () => scheduler.stop() });
        collector.poll(this.#fail);
      }
      await this.#startHeartbeat();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** One poll a feed, then all that is outstanding is delivered. Returns what failed, by feed and output. */
  runOnce(tries: number): Promise<unknown[]> {
    const work = this.#runOnce(tries);
    // A stop waits for the page and the batch in hand here too.
    this.#running.push(work);
    return work;
  }

  async #runOnce(tries: number): Promise<unknown[]> {
    const polls = this.feeds.map(({ collector }) => collector.catchUp(tries));
    const failures = rejectionsOf(await Promise.allSettled(polls));
    const drains = this.outputs.map(({ dispatcher }) => dispatcher.drain(this.#signals, tries));
    return [...failures, ...rejectionsOf(await Promise.allSettled(drains))];
  }

  /**
   * Finishes the page and the batch in hand, writes the cursors, and closes everything, within 10 s. Idempotent; never rejects.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#cleanUp();
    const quiet = Promise.all([...this.#running, ...this.feeds.map(({ collector }) => collector.idle())]);
    const finished = await Promise.race([quiet.then(() => true), sleep(STOP_PATIENCE).then(() => false)]);
    if (!finished) {
      this.#logger.warn(
        'stopping: a page or a batch in hand took too long and is let go of; it is repeated at the next start',
      );
      this.#abort.abort();
      await Promise.race([quiet, sleep(ABORT_PATIENCE)]);
    }
    await this.#step('outputs', async () => {
      const closed = Promise.all(this.outputs.map(({ dispatcher }) => dispatcher.output.close()));
      // A file on a disk that hangs cannot be closed either; the store must be, so that the last cursors are written.
      await Promise.race([closed, sleep(ABORT_PATIENCE)]);
    });
    await this.#step('client', () => this.#client.close());
    await this.#step('server', () => this.#server?.close());
    await this.#step('snapshot', () => this.#noteSnapshot());
    await this.#step('store', () => this.store.close());
  }

  async #cleanUp(): Promise<void> {
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      await this.#step(cleanup.name, cleanup.run);
    }
  }

  /** One step of the stop: a part that fails to stop must not keep the others from it. */
  async #step(name: string, run: () => Promise<void> | void): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#logger.error({ err: error, part: name }, 'a part failed to stop');
    }
  }

  async #serve(): Promise<void> {
    const { http } = this.#live.config;
    if (http === false) return;
    this.#server = await startServer({
      listen: http.listen,
      token: http.token,
      allowedHosts: [this.#host.hostname, ...http.allowedHosts],
      metrics: this.metrics,
      snapshot: () => this.snapshot(),
      healthy: () => this.#healthy(),
      collect: () => refreshGauges(this.metrics, this.snapshot()),
    });
    this.#logger.info({ url: this.#server.url }, 'status and metrics are served');
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

  async #startHeartbeat(): Promise<void> {
    const beat = createTask(HEARTBEAT, () => this.#beat(), { timezone: 'UTC', suppressMissedWarning: true });
    const upkeep = createTask(UPKEEP, () => this.#upkeep.run(this.#signals.stopping).catch(this.#fail), {
      timezone: 'UTC',
      suppressMissedWarning: true,
    });
    for (const task of [beat, upkeep]) {
      await task.start();
      this.#cleanups.push({ name: 'heartbeat', run: () => task.destroy() });
    }
    this.#beat();
    void watchClock((step) => this.#replan(step, [beat, upkeep]), this.#signals.stopping).catch(this.#fail);
  }

  /** What is planned by the wall clock would otherwise wait for a time that is long gone, or does not come. */
  async #replan(step: number, tasks: readonly ScheduledTask[]): Promise<void> {
    this.#logger.warn({ stepMs: Math.round(step) }, 'the clock of this machine was set; polls are planned anew');
    for (const { scheduler } of this.feeds) await scheduler.replan();
    for (const task of tasks) {
      await task.stop();
      await task.start();
    }
  }

  #beat(): void {
    const now = this.#host.now();
    for (const { dispatcher } of this.outputs) this.#live.rates.sample(dispatcher.name, dispatcher.accepted, now);
    try {
      sampleBehind(this.#live.leastBehind, this.snapshot());
      this.#noteSnapshot();
    } catch (error) {
      // A full disk is told by the feeds; a status that is some seconds old is no trouble of its own.
      this.#logger.debug({ err: error }, 'the snapshot could not be noted');
    }
  }

  /** Keeps the snapshot for `status`; only when something in it has changed, since an idle daemon should leave the disk alone. */
  #noteSnapshot(): void {
    const snapshot = this.snapshot();
    const state = JSON.stringify({
      ...snapshot,
      now: 0,
      asOf: 0,
      feeds: snapshot.feeds.map((feed) => ({ ...feed, idleMs: 0 })),
      outputs: snapshot.outputs.map((output) => ({ ...output, idleMs: 0 })),
      store: { ...snapshot.store, freeDisk: 0 },
      api: null,
    });
    if (state === this.#notedState) return;
    this.#notedState = state;
    this.store.writeNote(SNAPSHOT_NOTE, snapshot, snapshot.now);
  }
}

function rejectionsOf(results: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
}
