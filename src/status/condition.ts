import type { FeedSnapshot, OutputSnapshot, Snapshot } from './snapshot.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** The one set of thresholds: for the page, `status`, `/readyz` and the alert rules. */
export const LIMITS = {
  /** How long a failure that waiting can cure may last before it is trouble. */
  grace: 5 * MINUTE,
  /** A feed that was not read within so many of its polls is trouble. */
  missedPolls: 3,
  /** Twice the grace: an output may silently wait for a receipt as long as the default acknowledgement timeout, 5 minutes. */
  silence: 10 * MINUTE,
  /** What clocks may differ, ms. The Date header tells whole seconds, so that less than that means nothing. */
  clockSkew: 5 * SECOND,
  /** Part of `store.maxSize` from which on the store is nearly full. */
  storeFull: 0.9,
  /** How long Mimecast keeps its logs. */
  mimecastKeeps: 30 * DAY,
} as const;

/** `at_work`: nothing to do, it is catching up, retrying or starting. `idle`: nothing has happened here yet. */
export type Mark = 'ok' | 'at_work' | 'warn' | 'bad' | 'idle' | 'paused';

export type FeedCondition =
  | { readonly is: 'reading' | 'first_window' | 'catching_up' | 'starting' | 'stopped' }
  | { readonly is: 'retrying' | 'refused' | 'failing' | 'overdue' | 'paused'; readonly since: number };

export type OutputCondition =
  | { readonly is: 'accepting' | 'nothing_sent' | 'catching_up' | 'stopped' }
  | { readonly is: 'retrying' | 'refusing' | 'failing' | 'silent'; readonly since: number };

/** The moment that ages are counted from. A daemon that has stopped is judged as of its last word: it is one problem, not ten. */
export function judgedAt(snapshot: Snapshot): number {
  return snapshot.running ? snapshot.now : snapshot.asOf;
}

/** How one feed does. The first that applies wins. */
export function feedCondition(feed: FeedSnapshot, snapshot: Snapshot): FeedCondition {
  const { trouble } = feed;
  const at = judgedAt(snapshot);
  if (snapshot.store.paused) return { is: 'paused', since: snapshot.store.paused.since };
  if (trouble && !trouble.retryable) return { is: 'refused', since: trouble.since };
  const overdueSince = overdue(feed, snapshot);
  if (trouble && (at - trouble.since >= LIMITS.grace || overdueSince !== null)) {
    return { is: 'failing', since: trouble.since };
  }
  if (overdueSince !== null) return { is: 'overdue', since: overdueSince };
  if (trouble) return { is: 'retrying', since: trouble.since };
  if (!snapshot.running) return { is: 'stopped' };
  if (isFirstWindow(feed)) return { is: 'first_window' };
  if (farBehind(feed, at)) return { is: 'catching_up' };
  return isStarting(feed, snapshot) ? { is: 'starting' } : { is: 'reading' };
}

/** How one output does. The first that applies wins. */
export function outputCondition(output: OutputSnapshot, snapshot: Snapshot): OutputCondition {
  const { trouble } = output;
  const at = judgedAt(snapshot);
  if (trouble && !trouble.retryable) return { is: 'refusing', since: trouble.since };
  if (trouble) return { is: at - trouble.since >= LIMITS.grace ? 'failing' : 'retrying', since: trouble.since };
  if (!snapshot.running) return { is: 'stopped' };
  if (output.backlog > 0 && output.oldestWaitingAt !== null) {
    const lastSign = Math.max(output.oldestWaitingAt, output.lastAcceptedAt ?? 0, snapshot.startedAt ?? 0);
    if (at - lastSign >= LIMITS.silence) return { is: 'silent', since: lastSign };
    if (at - output.oldestWaitingAt >= LIMITS.grace) return { is: 'catching_up' };
  }
  return { is: output.lastAcceptedAt === null ? 'nothing_sent' : 'accepting' };
}

/** True until the first window of a feed has been read: it has no checkpoint yet. */
export function isFirstWindow(feed: FeedSnapshot): boolean {
  return feed.checkpoint === null && feed.lastSuccessAt === null;
}

/** True until the feed has been read once since the daemon started: what is known of it is older than the daemon. */
export function isStarting(feed: FeedSnapshot, snapshot: Snapshot): boolean {
  return snapshot.running && (feed.lastSuccessAt === null || feed.lastSuccessAt < (snapshot.startedAt ?? 0));
}

/**
 * Since when a feed is overdue, or null. A daemon that has just started is given its three polls anew, and a walk through many
 * windows, which may take an hour on the first run, counts as read with every page.
 */
function overdue(feed: FeedSnapshot, snapshot: Snapshot): number | null {
  if (!snapshot.running) return null;
  const lastPage = feed.walk && !feed.trouble ? (feed.lastPollAt ?? 0) : 0;
  const lastRead = Math.max(feed.lastSuccessAt ?? 0, snapshot.startedAt ?? 0, lastPage);
  return snapshot.now - lastRead > LIMITS.missedPolls * feed.interval ? lastRead : null;
}

/** A healthy feed is `settle` and up to one interval behind; three intervals, and five minutes at least, are work to catch up. */
function farBehind(feed: FeedSnapshot, at: number): boolean {
  if (feed.checkpoint === null) return false;
  return at - feed.checkpoint > feed.settle + Math.max(LIMITS.grace, LIMITS.missedPolls * feed.interval);
}
