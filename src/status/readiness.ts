import { feedCondition, isStarting, outputCondition } from './condition.ts';
import type { Snapshot } from './snapshot.ts';

/** Whether the forwarder does its work: what `/readyz` answers. */
export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready. Configured names and closed words only, as `/readyz` is served without a token. */
  readonly reasons: readonly ReadinessReason[];
}

export interface ReadinessReason {
  readonly reason:
    | 'not_running'
    | 'paused'
    | 'starting'
    | 'feed_refused'
    | 'feed_failing'
    | 'feed_overdue'
    | OutputReason;
  readonly feed?: string;
  readonly output?: string;
  /** ISO 8601; absent when it is not known. */
  readonly since?: string;
}

type OutputReason = 'output_refusing' | 'output_failing' | 'output_silent';

/**
 * Ready: collecting goes on, every feed has been read since the start and within three of its polls, and no output is in trouble.
 * It rests on the same conditions as `status`: what is bad there is not ready here.
 */
export function readiness(snapshot: Snapshot): Readiness {
  const reasons = [...wholeReasons(snapshot), ...feedReasons(snapshot), ...outputReasons(snapshot)];
  return { ready: reasons.length === 0, reasons };
}

function wholeReasons({ running, store }: Snapshot): ReadinessReason[] {
  const reasons: ReadinessReason[] = [];
  if (!running) reasons.push({ reason: 'not_running' });
  if (store.paused) reasons.push({ reason: 'paused', since: iso(store.paused.since) });
  return reasons;
}

function feedReasons(snapshot: Snapshot): ReadinessReason[] {
  return snapshot.feeds.flatMap((feed): ReadinessReason[] => {
    const condition = feedCondition(feed, snapshot);
    switch (condition.is) {
      case 'refused':
      case 'failing':
      case 'overdue':
        return [{ reason: `feed_${condition.is}`, feed: feed.name, since: iso(condition.since) }];
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
      case 'failing':
      case 'silent':
        return [{ reason: `output_${condition.is}`, output: output.name, since: iso(condition.since) }];
      default:
        return [];
    }
  });
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
