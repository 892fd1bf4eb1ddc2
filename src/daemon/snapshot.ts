import type { Pressure } from '../collect/pressure.ts';
import type { Config } from '../config/config.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import { observeFeed, observeOutput, observeStore } from '../status/observe.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from '../status/snapshot.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RunningFeed } from './feeds.ts';
import type { Host } from './host.ts';
import type { RunningOutput } from './outputs.ts';

export interface LiveParts {
  readonly config: Config;
  readonly host: Host;
  readonly startedAt: number;
  readonly store: Store;
  readonly client: MimecastClient;
  readonly pressure: Pressure;
  readonly feeds: readonly RunningFeed[];
  readonly outputs: readonly RunningOutput[];
  readonly rates: Rates;
}

/** Subject of the note that keeps the last snapshot for `status`. */
export const SNAPSHOT_NOTE = 'snapshot';

/** What the running daemon knows of itself now. */
export function takeSnapshot(parts: LiveParts): Snapshot {
  const { config, host, store, client } = parts;
  const now = host.now();
  return {
    now,
    asOf: now,
    host: host.hostname,
    version: host.version,
    running: true,
    startedAt: parts.startedAt,
    feeds: parts.feeds.map((feed) => feedSnapshot(feed, store)),
    outputs: parts.outputs.map((output) => outputSnapshot(output, store, parts.rates)),
    store: {
      ...observeStore(store),
      maxSize: config.store.maxSize,
      minFreeDisk: config.store.minFreeDisk,
      retention: config.store.retention,
      paused: parts.pressure.paused,
    },
    api: {
      clockSkewMs: client.clockSkewMs ?? null,
      requestsLastMinute: client.requestsLastMinute,
      requestsPerMinute: config.mimecast.requestsPerMinute,
      responseMs: client.responseMs ?? null,
    },
  };
}

function feedSnapshot({ config, collector, scheduler }: RunningFeed, store: Store): FeedSnapshot {
  return {
    name: config.name,
    type: config.type.type,
    ...observeFeed(store, config.name),
    ...collector.state,
    walk: collector.poller.walk,
    interval: scheduler.interval,
    settle: config.settle,
    trouble: collector.episode.current,
  };
}

function outputSnapshot({ config, dispatcher }: RunningOutput, store: Store, rates: Rates): OutputSnapshot {
  return {
    name: config.name,
    type: config.type.type,
    target: config.type.target(config.options),
    accepted: config.type.accepted(config.options),
    lossless: config.type.lossless(config.options),
    ...observeOutput(store, config.name),
    lastAcceptedAt: dispatcher.lastAcceptedAt,
    ratePerMinute: rates.perMinute(config.name),
    trouble: dispatcher.episode.current,
  };
}

/** Sets the gauges that are read off the store rather than counted. Called before each scrape. */
export function refreshGauges(metrics: Metrics, snapshot: Snapshot): void {
  for (const { name, checkpoint, lastEventAt } of snapshot.feeds) {
    // Not counted up page by page: a sweep reads older records after newer ones, and a restart must not forget.
    if (lastEventAt !== null) metrics.feedLastEvent.set({ feed: name }, lastEventAt / 1000);
    if (checkpoint !== null) metrics.feedLag.set({ feed: name }, Math.max(0, snapshot.now - checkpoint) / 1000);
  }
  for (const { name, backlog, oldestWaitingAt, rejects } of snapshot.outputs) {
    metrics.outputBacklog.set({ output: name }, backlog);
    const age = oldestWaitingAt === null ? 0 : Math.max(0, snapshot.now - oldestWaitingAt) / 1000;
    metrics.outputLag.set({ output: name }, age);
    metrics.outputRejects.set({ output: name }, rejects);
  }
  metrics.storeEvents.set(snapshot.store.events);
  metrics.storeSize.set(snapshot.store.bytes);
}

const SPAN = 300_000;

/** Events accepted a minute by each output, over the last five minutes, from samples of a counter. */
export class Rates {
  readonly #samples = new Map<string, { at: number; accepted: number }[]>();

  sample(name: string, accepted: number, at: number): void {
    const samples = this.#samples.get(name) ?? [];
    samples.push({ at, accepted });
    while (samples.length > 2 && (samples[1]?.at ?? 0) <= at - SPAN) samples.shift();
    this.#samples.set(name, samples);
  }

  /** Null until two samples are there. */
  perMinute(name: string): number | null {
    const samples = this.#samples.get(name);
    const first = samples?.[0];
    const last = samples?.at(-1);
    if (!first || !last || last.at <= first.at) return null;
    return ((last.accepted - first.accepted) / (last.at - first.at)) * 60_000;
  }
}
