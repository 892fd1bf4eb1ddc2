import type { Store } from '../store/store.ts';
import type { FeedSnapshot, OutputSnapshot, ReplaySnapshot, StoreSnapshot } from './snapshot.ts';

/** The part of a snapshot that the store knows by itself, whether or not a daemon runs. */

export type StoredFeedFacts = Pick<
  FeedSnapshot,
  'begunAt' | 'checkpoint' | 'gaps' | 'lastEventAt' | 'lastSweepAt' | 'malformed' | 'variants'
>;

export function observeFeed(store: Store, name: string): StoredFeedFacts {
  const checkpoint = store.checkpoints.get(name);
  return {
    begunAt: checkpoint?.begunAt ?? null,
    checkpoint: checkpoint?.doneUntil ?? null,
    gaps: store.coverage.gaps(name),
    lastEventAt: checkpoint?.lastEvent ?? null,
    lastSweepAt: checkpoint?.sweptAt ?? null,
    malformed: store.malformed.count(name),
    variants: store.variants.count(name),
  };
}

export type StoredOutputFacts = Pick<
  OutputSnapshot,
  'cursor' | 'backlog' | 'oldestWaitingAt' | 'rejects' | 'lastRejectAt' | 'lastRejectReason' | 'replay'
>;

export function observeOutput(store: Store, name: string): StoredOutputFacts {
  const cursor = store.cursors.get(name) ?? 0;
  const backlog = store.outbox.countAfter(cursor);
  const newestReject = store.rejects.newest(name);
  return {
    cursor,
    backlog,
    oldestWaitingAt: backlog === 0 ? null : store.outbox.storedAfter(cursor),
    rejects: store.rejects.count(name),
    lastRejectAt: newestReject?.at ?? null,
    lastRejectReason: newestReject?.reason ?? null,
    replay: observeReplay(store, name),
  };
}

function observeReplay(store: Store, output: string): ReplaySnapshot | null {
  const replay = store.replays.due(output);
  if (!replay) return null;
  const { id, from, to, total, failure, delivered, rejected, filtered } = replay;
  const queued = store.replays.openCount(output) - 1;
  return { id, from, to, done: delivered + rejected + filtered, total, failure, queued };
}

export type StoreFacts = Pick<StoreSnapshot, 'events' | 'bytes' | 'freeDisk' | 'oldestEventAt'>;

export function observeStore(store: Store): StoreFacts {
  return {
    events: store.eventCount(),
    bytes: store.usedBytes(),
    freeDisk: store.freeDisk(),
    oldestEventAt: store.outbox.oldest()?.storedAt ?? null,
  };
}
