import type { RunningFeed } from './feeds.ts';
import type { RunningOutput } from './outputs.ts';
import type { StopSignals } from './stopper.ts';

export interface AtWork {
  readonly feeds: readonly RunningFeed[];
  readonly outputs: readonly RunningOutput[];
}

/** For `run --once`: one poll a feed, then all that is outstanding is delivered. Returns what failed, by feed and output; never rejects. */
export async function runOnce({ feeds, outputs }: AtWork, signals: StopSignals, tries: number): Promise<unknown[]> {
  const polls = feeds.map(({ collector }) => collector.catchUp(tries));
  const failures = rejectionsOf(await Promise.allSettled(polls));
  const drains = outputs.map(({ dispatcher }) => dispatcher.drain(signals, tries));
  return [...failures, ...rejectionsOf(await Promise.allSettled(drains))];
}

function rejectionsOf(results: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
}
