import type { FeedSnapshot, HeldCertificate, OutputSnapshot, Snapshot, Trouble } from './snapshot.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The one set of thresholds: for the page, `status`, `/readyz` and the alert rules. */
export const LIMITS = {
  /** How long a failure that waiting can cure may last before it is trouble. */
  grace: 5 * MINUTE,
  /** A feed that was not read within so many of its polls is trouble. */
  missedPolls: 3,
  /** Twice the grace: an output may silently wait for a receipt as long as the default acknowledgement timeout, 5 minutes. */
  silence: 10 * MINUTE,
  /** Catching up that has gained nothing for so long is falling behind. One window of 1.8 million records takes as long at 60 requests a minute. */
  noGain: HOUR,
  /** A feed that has brought nothing new over so much time that was read is quiet. Longer than any night, shorter than a weekend. */
  quiet: DAY,
  /** So many events refused in a row, with none accepted between them, are an output that refuses, not events that are bad. */
  refusedInRow: 20,
  /** A sweep that was not done within so many of its intervals is missed. */
  missedSweeps: 3,
  /** What clocks may differ, ms. The Date header tells whole seconds, so that less than that means nothing. */
  clockSkew: 5 * SECOND,
  /** Part of `store.maxSize` from which on the store is nearly full. */
  storeFull: 0.9,
  /** A certificate that ends within so much time is to be renewed. */
  certificateEnds: 14 * DAY,
  /** Or within such a part of its life, if that is less: what is good for a day is renewed by a program, hours before its end. */
  certificateLife: 1 / 6,
  /** How long Mimecast keeps its logs. */
  mimecastKeeps: 30 * DAY,
} as const;

/** `at_work`: nothing to do, it is catching up, retrying or starting. `idle`: nothing has happened here yet, or for long. */
export type Mark = 'ok' | 'at_work' | 'warn' | 'bad' | 'idle' | 'paused';

export type FeedCondition =
  | { readonly is: 'reading' | 'first_window' | 'catching_up' | 'starting' | 'stopped' }
  | {
      readonly is: 'retrying' | 'refused' | 'rate_limited' | 'failing' | 'overdue' | 'falling_behind' | 'paused';
      readonly since: number;
    };

export type OutputCondition =
  | { readonly is: 'accepting' | 'nothing_sent' | 'catching_up' | 'stopped' }
  | {
      readonly is: 'retrying' | 'refusing' | 'rejecting' | 'failing' | 'silent' | 'falling_behind';
      readonly since: number;
    };

/** Failures in which Mimecast itself says no; any other that waiting does not cure is ours, or of something in between. */
const REFUSALS: ReadonlySet<string> = new Set(['auth', 'forbidden', 'bad_request']);

/** The moment that ages are counted from. A daemon that has stopped is judged as of its last word: it is one problem, not ten. */
export function judgedAt(snapshot: Snapshot): number {
  return snapshot.running ? snapshot.now : snapshot.asOf;
}

/** How one feed does. The first that applies wins. */
export function feedCondition(feed: FeedSnapshot, snapshot: Snapshot): FeedCondition {
  const { trouble } = feed;
  if (snapshot.store.paused) return { is: 'paused', since: snapshot.store.paused.since };
  const overdueSince = overdue(feed, snapshot);
  if (trouble && (!trouble.retryable || overdueSince !== null || isLasting(trouble, snapshot))) {
    return { is: kindOf(trouble), since: trouble.since };
  }
  if (overdueSince !== null) return { is: isHeldBack(snapshot) ? 'rate_limited' : 'overdue', since: overdueSince };
  if (trouble) return { is: 'retrying', since: trouble.since };
  if (!snapshot.running) return { is: 'stopped' };
  if (isFirstWindow(feed)) return { is: 'first_window' };
  if (isFarBehind(feed, snapshot)) return gainsNothing(feed, snapshot) ?? { is: 'catching_up' };
  return isStarting(feed, snapshot) ? { is: 'starting' } : { is: 'reading' };
}

/** How one output does. The first that applies wins. */
export function outputCondition(output: OutputSnapshot, snapshot: Snapshot): OutputCondition {
  const { trouble } = output;
  if (trouble && !trouble.retryable) return { is: 'refusing', since: trouble.since };
  if (trouble) return { is: isLasting(trouble, snapshot) ? 'failing' : 'retrying', since: trouble.since };
  if (!snapshot.running) return { is: 'stopped' };
  const silentSince = silent(output, snapshot);
  if (silentSince !== null) return { is: 'silent', since: silentSince };
  if (output.refusedInRow >= LIMITS.refusedInRow) {
    return { is: 'rejecting', since: output.lastAcceptedAt ?? snapshot.startedAt ?? snapshot.asOf };
  }
  if (isLate(output, snapshot)) return gainsNothing(output, snapshot) ?? { is: 'catching_up' };
  return { is: output.lastAcceptedAt === null ? 'nothing_sent' : 'accepting' };
}

/** The certificates that end soon, or have ended, the first to end first. */
export function endingCertificates(snapshot: Snapshot): HeldCertificate[] {
  const at = judgedAt(snapshot);
  return (snapshot.certificates ?? [])
    .filter(({ notBefore, notAfter }) => {
      const notice = Math.min(LIMITS.certificateEnds, (notAfter - notBefore) * LIMITS.certificateLife);
      return notAfter - at < notice;
    })
    .toSorted((a, b) => a.notAfter - b.notAfter);
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
 * A healthy feed is `settle` and up to one interval behind; three intervals, and five minutes at least, are work to catch up.
 * The checkpoint is a time of Mimecast's clock, so that it is compared with that.
 */
export function isFarBehind(feed: FeedSnapshot, snapshot: Snapshot): boolean {
  if (feed.checkpoint === null) return false;
  const mimecastNow = judgedAt(snapshot) - (snapshot.api.clockSkewMs ?? 0);
  return mimecastNow - feed.checkpoint > feed.settle + Math.max(LIMITS.grace, LIMITS.missedPolls * feed.interval);
}

/** True when events have waited for longer than a batch and its retries take. */
export function isLate(output: OutputSnapshot, snapshot: Snapshot): boolean {
  return (
    output.backlog > 0 && output.oldestWaitingAt !== null && judgedAt(snapshot) - output.oldestWaitingAt >= LIMITS.grace
  );
}

/** Since when a feed's sweep fails for longer than it takes to pass, or was missed; null while it does neither, or the feed itself fails. */
export function sweepMissedSince(feed: FeedSnapshot, snapshot: Snapshot): number | null {
  const { sweepTrouble, sweepInterval } = feed;
  if (!snapshot.running || sweepInterval === null || feed.trouble || snapshot.store.paused) return null;
  if (sweepTrouble && (sweepTrouble.nextTryAt === null || isLasting(sweepTrouble, snapshot))) return sweepTrouble.since;
  const last = feed.lastSweepAt ?? snapshot.startedAt ?? snapshot.now;
  return snapshot.now - last > LIMITS.missedSweeps * sweepInterval ? last : null;
}

/** True when the clocks of this machine and of Mimecast differ by more than means nothing. */
export function isClockSkewed({ api }: Snapshot): boolean {
  return api.clockSkewMs !== null && Math.abs(api.clockSkewMs) > LIMITS.clockSkew;
}

/**
 * Since when a feed is overdue, or null. A daemon that has just started is given its three polls anew, and a walk through many
 * windows, which may take an hour on the first run, counts as read with every page.
 */
function overdue(feed: FeedSnapshot, snapshot: Snapshot): number | null {
  if (!snapshot.running) return null;
  const lastPage = feed.walk && !feed.trouble ? (feed.lastPollAt ?? 0) : 0;
  const lastRead = Math.max(feed.lastSuccessAt ?? 0, snapshot.startedAt ?? 0, lastPage);
  const patience = LIMITS.missedPolls * feed.interval;
  if (snapshot.now - lastRead > patience) return lastRead;
  return feed.idleMs > patience ? snapshot.asOf - feed.idleMs : null;
}

/** Since when an output that has something to do, or is in the midst of it, has given no sign of life; or null. */
function silent(output: OutputSnapshot, snapshot: Snapshot): number | null {
  if (output.idleMs >= LIMITS.silence) return snapshot.asOf - output.idleMs;
  if (output.backlog === 0 || output.oldestWaitingAt === null) return null;
  const lastSign = Math.max(output.oldestWaitingAt, output.lastAcceptedAt ?? 0, snapshot.startedAt ?? 0);
  return snapshot.now - lastSign >= LIMITS.silence ? lastSign : null;
}

/** A failure that began in the future began before the clock was set back: it is not young. */
function isLasting({ since }: Trouble, snapshot: Snapshot): boolean {
  const lasted = judgedAt(snapshot) - since;
  return lasted >= LIMITS.grace || lasted < -MINUTE;
}

function kindOf({ reason, retryable }: Trouble): 'refused' | 'rate_limited' | 'failing' {
  if (reason === 'rate_limited') return 'rate_limited';
  // A sign-in that waiting might have cured, and did not, is refused like any other.
  return REFUSALS.has(reason) && (!retryable || reason === 'auth') ? 'refused' : 'failing';
}

function isHeldBack(snapshot: Snapshot): boolean {
  return (snapshot.api.heldUntil ?? 0) > snapshot.now;
}

function gainsNothing(
  { leastBehindAt }: FeedSnapshot | OutputSnapshot,
  snapshot: Snapshot,
): { readonly is: 'falling_behind'; readonly since: number } | null {
  if (leastBehindAt === null) return null;
  return snapshot.now - leastBehindAt >= LIMITS.noGain ? { is: 'falling_behind', since: leastBehindAt } : null;
}
