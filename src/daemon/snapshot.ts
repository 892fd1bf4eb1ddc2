import type { Pressure } from '../collect/pressure.ts';
import type { Config } from '../config/config.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import {
  type FeedCondition,
  feedCondition,
  isFarBehind,
  isLate,
  type OutputCondition,
  outputCondition,
} from '../status/condition.ts';
import { observeFeed, observeOutput, observeStore } from '../status/observe.ts';
import { readiness } from '../status/readiness.ts';
import { quietFor } from '../status/silence.ts';
import type { FeedSnapshot, HeldCertificate, OutputSnapshot, Snapshot } from '../status/snapshot.ts';
import { lengthOf } from '../store/spans.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RunningFeed } from './feeds.ts';
import type { Host } from './host.ts';
import type { LeastBehind } from './least-behind.ts';
import type { RunningOutput } from './outputs.ts';

export interface LiveParts {
  /** In force; a reload puts another in its place, and the client with it. */
  config: Config;
  client: MimecastClient;
  readonly host: Host;
  readonly startedAt: number;
  readonly store: Store;
  readonly pressure: Pressure;
  readonly feeds: readonly RunningFeed[];
  readonly outputs: readonly RunningOutput[];
  readonly rates: Rates;
  readonly leastBehind: LeastBehind;
  /** As last looked at; see `certificatesOf`. */
  certificates: readonly HeldCertificate[];
  /** Set by a reload that failed: the config that is on the disk is not the one that runs. */
  refusedConfig: Snapshot['refusedConfig'];
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
    feeds: parts.feeds.map((feed) => feedSnapshot(feed, parts)),
    outputs: parts.outputs.map((output) => outputSnapshot(output, parts)),
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
      heldUntil: client.heldBackMs > 0 ? now + client.heldBackMs : null,
      responseMs: client.responseMs ?? null,
    },
    certificates: parts.certificates,
    refusedConfig: parts.refusedConfig,
  };
}

function feedSnapshot({ config, collector, scheduler }: RunningFeed, { store, leastBehind }: LiveParts): FeedSnapshot {
  return {
    name: config.name,
    type: config.type.type,
    ...observeFeed(store, config.name),
    ...collector.state,
    walk: collector.poller.walk,
    interval: scheduler.interval,
    settle: config.settle,
    overlap: config.overlap,
    trouble: collector.episode.current,
    idleMs: collector.idleMs,
    leastBehindAt: leastBehind.at(keyOf('feed', config.name)),
    sweepInterval: scheduler.sweepInterval,
    sweepTrouble: collector.sweepTrouble,
  };
}

function outputSnapshot(
  { config, dispatcher }: RunningOutput,
  { store, rates, leastBehind }: LiveParts,
): OutputSnapshot {
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
    idleMs: dispatcher.idleMs,
    leastBehindAt: leastBehind.at(keyOf('output', config.name)),
    refusedInRow: dispatcher.refusedInRow,
    filteredInRow: dispatcher.filtered?.count ?? 0,
    filteredSince: dispatcher.filtered?.since ?? null,
  };
}

/** Notes how far each feed and output is behind while it is at work to catch up. */
export function sampleBehind(leastBehind: LeastBehind, snapshot: Snapshot): void {
  for (const feed of snapshot.feeds) {
    const { is } = feedCondition(feed, snapshot);
    const isBehind = AT_WORK.has(is) && feed.checkpoint !== null && isFarBehind(feed, snapshot);
    leastBehind.sample(keyOf('feed', feed.name), isBehind ? snapshot.now - (feed.checkpoint ?? 0) : null, snapshot.now);
  }
  for (const output of snapshot.outputs) {
    const isBehind = AT_WORK.has(outputCondition(output, snapshot).is) && isLate(output, snapshot);
    leastBehind.sample(keyOf('output', output.name), isBehind ? output.backlog : null, snapshot.now);
  }
}

/** A failure stops the clock of "falls behind": it is told by itself. */
const AT_WORK: ReadonlySet<string> = new Set<FeedCondition['is'] & OutputCondition['is']>([
  'catching_up',
  'falling_behind',
  'retrying',
]);

function keyOf(kind: 'feed' | 'output', name: string): string {
  return `${kind} ${name}`;
}

/** Sets the gauges that are read off the store rather than counted. Called before each scrape. */
export function refreshGauges(metrics: Metrics, snapshot: Snapshot): void {
  metrics.ready.set(readiness(snapshot).ready ? 1 : 0);
  for (const feed of snapshot.feeds) {
    const { name, checkpoint, lastEventAt, lastSweepAt, gaps } = feed;
    const quiet = quietFor(feed);
    if (quiet !== null) metrics.feedQuiet.set({ feed: name }, quiet / 1000);
    metrics.feedFallingBehind.set({ feed: name }, feedCondition(feed, snapshot).is === 'falling_behind' ? 1 : 0);
    if (lastSweepAt !== null && feed.sweepInterval !== null)
      metrics.sweepLastSuccess.set({ feed: name }, lastSweepAt / 1000);
    metrics.feedGaps.set({ feed: name }, gaps.length);
    metrics.feedGapSeconds.set({ feed: name }, lengthOf(gaps) / 1000);
    // Not counted up page by page: a sweep reads older records after newer ones, and a restart must not forget.
    if (lastEventAt !== null) metrics.feedLastEvent.set({ feed: name }, lastEventAt / 1000);
    if (checkpoint !== null) metrics.feedLag.set({ feed: name }, Math.max(0, snapshot.now - checkpoint) / 1000);
  }
  for (const output of snapshot.outputs) {
    const { name, backlog, oldestWaitingAt, rejects } = output;
    const { is } = outputCondition(output, snapshot);
    metrics.outputFallingBehind.set({ output: name }, is === 'falling_behind' ? 1 : 0);
    metrics.outputBacklog.set({ output: name }, backlog);
    const age = oldestWaitingAt === null ? 0 : Math.max(0, snapshot.now - oldestWaitingAt) / 1000;
    metrics.outputLag.set({ output: name }, age);
    metrics.outputRejects.set({ output: name }, rejects);
  }
  setCertificates(metrics, snapshot.certificates ?? []);
  metrics.storeEvents.set(snapshot.store.events);
  metrics.storeSize.set(snapshot.store.bytes);
  metrics.storeMaxSize.set(snapshot.store.maxSize);
  metrics.storeFreeDisk.set(snapshot.store.freeDisk);
  metrics.storeMinFreeDisk.set(snapshot.store.minFreeDisk);
  metrics.apiHeldBack.set(Math.max(0, (snapshot.api.heldUntil ?? 0) - snapshot.now) / 1000);
  metrics.configInForce.set(snapshot.refusedConfig === null ? 1 : 0);
}

/** Begun anew each time: a certificate that is no more, with its output or without, leaves no series that would alarm for ever. */
function setCertificates(metrics: Metrics, certificates: readonly HeldCertificate[]): void {
  metrics.certificateNotAfter.reset();
  metrics.certificateNotBefore.reset();
  for (const { output, certificate, notBefore, notAfter } of certificates) {
    const labels = { peer: output ?? 'mimecast', certificate };
    metrics.certificateNotAfter.set(labels, notAfter / 1000);
    metrics.certificateNotBefore.set(labels, notBefore / 1000);
  }
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

  /** Its counter begins anew: it was built anew, or is gone. */
  forget(name: string): void {
    this.#samples.delete(name);
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
