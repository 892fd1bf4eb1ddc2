import { feedCondition, judgedAt, LIMITS, outputCondition } from './condition.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from './snapshot.ts';

/**
 * Silence of a feed that is read, or of an output that is served, as it should be. It may be all right, so it is no trouble by itself;
 * but a permission that is missing looks the same as a quiet weekend, so it is never passed over either.
 */

/**
 * `empty`: pages come without any record. `known`: all that comes was there before, though the window has moved on.
 * `malformed`: what comes does not fit.
 */
export interface Quiet {
  readonly kind: 'empty' | 'known' | 'malformed';
  /** The date of the newest event; where there was never one, where reading began. */
  readonly since: number;
  readonly never: boolean;
}

/** How much log time was read since the newest event, ms; null before anything was read. Survives a restart: the store knows it. */
export function quietFor({ checkpoint, lastEventAt, begunAt }: FeedSnapshot): number | null {
  const since = lastEventAt ?? begunAt;
  return checkpoint === null || since === null ? null : Math.max(0, checkpoint - since);
}

/** The silence of a feed that is read; null while it brings events, or is not read as it should be, which is told by itself. */
export function quietFeed(feed: FeedSnapshot, snapshot: Snapshot): Quiet | null {
  if (feedCondition(feed, snapshot).is !== 'reading' || (quietFor(feed) ?? 0) < LIMITS.quiet) return null;
  const since = feed.lastEventAt ?? feed.begunAt ?? judgedAt(snapshot);
  return { kind: kindOf(feed), since, never: feed.lastEventAt === null };
}

/** Since when the filter of an output has let nothing pass, though events came; null while it has not been long. */
export function closedFilter(output: OutputSnapshot, snapshot: Snapshot): { readonly since: number } | null {
  const { filteredSince, filteredInRow } = output;
  if (filteredSince === null || filteredInRow === 0) return null;
  const { is } = outputCondition(output, snapshot);
  if (is !== 'accepting' && is !== 'nothing_sent') return null;
  return snapshot.now - filteredSince >= LIMITS.quiet ? { since: filteredSince } : null;
}

function kindOf({ lastPollRead, malformedSinceNew }: FeedSnapshot): Quiet['kind'] {
  if (malformedSinceNew > 0) return 'malformed';
  return lastPollRead > 0 ? 'known' : 'empty';
}
