import {
  endingCertificates,
  feedCondition,
  isClockSkewed,
  isStarting,
  outputCondition,
  sweepMissedSince,
} from './condition.ts';
import { closedFilter, quietFeed } from './silence.ts';
import type { Snapshot, Trouble } from './snapshot.ts';

/** Whether the forwarder does its work: what `/readyz` answers. */
export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready. Configured names and closed words only, as `/readyz` is served without a token. */
  readonly reasons: readonly ReadinessReason[];
  /** What does not keep it from being ready, and should not be taken for well. Told in the same words. */
  readonly notes: readonly ReadinessNote[];
}

export interface ReadinessNote {
  readonly note:
    | 'feed_empty'
    | 'feed_known'
    | 'feed_malformed'
    | 'feed_sweep_missed'
    | 'output_falling_behind'
    | 'output_filter_closed'
    | 'certificate_ends'
    | 'clock_skewed'
    | 'config_refused';
  readonly feed?: string;
  readonly output?: string;
  /** ISO 8601; absent when it is not known. */
  readonly since?: string;
}

export interface ReadinessReason {
  readonly reason:
    | 'not_running'
    | 'paused'
    | 'starting'
    | 'feed_refused'
    | 'feed_rate_limited'
    | 'feed_failing'
    | 'feed_overdue'
    | 'feed_falling_behind'
    | OutputReason;
  readonly feed?: string;
  readonly output?: string;
  /** From the closed sets that label `api_errors_total`, `output_errors_total` and `collecting_paused`. */
  readonly cause?: string;
  /** ISO 8601; absent when it is not known. */
  readonly since?: string;
}

type OutputReason = 'output_refusing' | 'output_rejecting' | 'output_failing' | 'output_silent';

/**
 * Ready: collecting goes on, every feed has been read since the start and within three of its polls, and no output is in trouble.
 * It rests on the same conditions as `status`: what is bad there is not ready here.
 */
export function readiness(snapshot: Snapshot): Readiness {
  const reasons = [...wholeReasons(snapshot), ...feedReasons(snapshot), ...outputReasons(snapshot)];
  return { ready: reasons.length === 0, reasons, notes: notesOf(snapshot) };
}

function wholeReasons({ running, store }: Snapshot): ReadinessReason[] {
  const reasons: ReadinessReason[] = [];
  if (!running) reasons.push({ reason: 'not_running' });
  if (store.paused) reasons.push({ reason: 'paused', cause: store.paused.reason, since: iso(store.paused.since) });
  return reasons;
}

function feedReasons(snapshot: Snapshot): ReadinessReason[] {
  return snapshot.feeds.flatMap((feed): ReadinessReason[] => {
    const condition = feedCondition(feed, snapshot);
    switch (condition.is) {
      case 'refused':
      case 'rate_limited':
      case 'failing':
      case 'overdue':
      case 'falling_behind':
        return [
          { reason: `feed_${condition.is}`, feed: feed.name, ...causeOf(feed.trouble), since: iso(condition.since) },
        ];
      case 'paused':
      case 'stopped':
        return [];
      default:
        return isStarting(feed, snapshot) ? [{ reason: 'starting', feed: feed.name }] : [];
    }
  });
}

function outputReasons(snapshot: Snapshot): ReadinessReason[] {
  return snapshot.outputs.flatMap((output): ReadinessReason[] => {
    const condition = outputCondition(output, snapshot);
    switch (condition.is) {
      case 'refusing':
      case 'rejecting':
      case 'failing':
      case 'silent':
        return [
          {
            reason: `output_${condition.is}`,
            output: output.name,
            ...causeOf(output.trouble),
            since: iso(condition.since),
          },
        ];
      default:
        return [];
    }
  });
}

function notesOf(snapshot: Snapshot): ReadinessNote[] {
  const notes: ReadinessNote[] = [];
  for (const feed of snapshot.feeds) {
    const quiet = quietFeed(feed, snapshot);
    if (quiet) notes.push({ note: `feed_${quiet.kind}`, feed: feed.name, since: iso(quiet.since) });
    const missed = sweepMissedSince(feed, snapshot);
    if (missed !== null) notes.push({ note: 'feed_sweep_missed', feed: feed.name, since: iso(missed) });
  }
  for (const output of snapshot.outputs) {
    const condition = outputCondition(output, snapshot);
    if (condition.is === 'falling_behind') {
      notes.push({ note: 'output_falling_behind', output: output.name, since: iso(condition.since) });
    }
    const closed = closedFilter(output, snapshot);
    if (closed) notes.push({ note: 'output_filter_closed', output: output.name, since: iso(closed.since) });
  }
  for (const { output } of endingCertificates(snapshot)) {
    notes.push({ note: 'certificate_ends', ...(output === null ? {} : { output }) });
  }
  if (isClockSkewed(snapshot)) notes.push({ note: 'clock_skewed' });
  if (snapshot.refusedConfig) notes.push({ note: 'config_refused', since: iso(snapshot.refusedConfig.at) });
  return notes;
}

function causeOf(trouble: Trouble | null): { readonly cause?: string } {
  return trouble ? { cause: trouble.reason } : {};
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
