import type { Logger } from 'pino';
import { Collector, type CollectorSignals } from '../collect/collector.ts';
import type { PollHistory } from '../collect/history.ts';
import { Poller } from '../collect/poller.ts';
import type { Pressure } from '../collect/pressure.ts';
import { Scheduler } from '../collect/scheduler.ts';
import type { WalkContext } from '../collect/walk.ts';
import type { FeedConfig } from '../config/config.ts';
import type { EventSource } from '../event.ts';
import { feedTypes } from '../feeds/index.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import type { Store } from '../store/store.ts';
import { Episode } from '../telemetry/episodes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Host } from './host.ts';

/** A configured feed with everything that reads it. */
export interface RunningFeed {
  readonly config: FeedConfig;
  readonly collector: Collector;
  readonly scheduler: Scheduler;
}

/** How far back to read again when a checkpoint lies in the future and the feed has no sweep to tell. */
const RECOVERY_SPAN = 48 * 3_600_000;

export interface FeedParts {
  readonly client: MimecastClient;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly host: Host;
}

/** What reading a feed needs, for the daemon and for commands that read on their own (`backfill`). */
export function walkContextOf(config: FeedConfig, parts: FeedParts): WalkContext {
  const { client, store, metrics, logger, host } = parts;
  const feed = config.type.create({ name: config.name, key: config.dedupe.key });
  const { pageSize, dedupe } = config;
  return { client, store, feed, metrics, logger, pageSize, variants: dedupe.variants, now: host.now };
}

/** `history`: how its polls went so far, where it takes the place of another. */
export function buildFeed(
  config: FeedConfig,
  parts: FeedParts & {
    readonly pressure: Pressure;
    readonly signals: CollectorSignals;
    readonly onFatal: (error: unknown) => void;
  },
  history?: PollHistory,
): RunningFeed {
  const { logger, pressure, signals, onFatal, host } = parts;
  const context = walkContextOf(config, parts);
  const { overlap, settle, maxWindow, startFrom, sweep } = config;
  const sweepSpan = sweep === false ? RECOVERY_SPAN : sweep.span;
  const poller = new Poller(context, { overlap, settle, maxWindow, startFrom, recoverySpan: sweepSpan }, logger);
  const collector = new Collector({
    poller,
    context,
    options: { sweepSpan, settle, maxWindow },
    pressure,
    episode: new Episode({ subject: `feed ${config.name}`, fields: { feed: config.name }, logger, now: host.now }),
    logger,
    signals,
    history,
  });
  const schedule = { poll: config.schedule, sweep: sweep === false ? (false as const) : sweep.schedule };
  return { config, collector, scheduler: new Scheduler(collector, schedule, onFatal) };
}

/** Finds the feed that an event came from, to describe it; also when that feed is no longer configured. */
export function eventSources(
  configs: readonly FeedConfig[],
  store: { readonly checkpoints: { get(feed: string): { readonly type: string } | undefined } },
): (feed: string) => EventSource {
  const sources = new Map<string, EventSource>();
  for (const { name, type, dedupe } of configs) sources.set(name, type.create({ name, key: dedupe.key }));
  return (name) => {
    let source = sources.get(name);
    if (!source) {
      const type = feedTypes[store.checkpoints.get(name)?.type ?? ''] ?? Object.values(feedTypes)[0];
      if (!type) throw new TypeError('the table of feeds is empty');
      source = type.create({ name, key: type.defaultKey });
      sources.set(name, source);
    }
    return source;
  };
}
