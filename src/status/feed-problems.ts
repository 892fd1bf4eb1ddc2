import { type FeedCondition, feedCondition, judgedAt, LIMITS, sweepMissedSince } from './condition.ts';
import { CHECK_ONLINE, type Finding, tries } from './finding.ts';
import type { FeedSnapshot, Snapshot } from './snapshot.ts';
import { clock, count, counted, dayOf, duration, moment } from './words.ts';

/** All feeds sign in with the same credentials: a refusal is one problem, however many feeds meet it. */
export function signInRefused(snapshot: Snapshot): Finding[] {
  const refused = snapshot.feeds.filter((feed) => isSignInRefused(feed, snapshot));
  const troubles = refused.flatMap((feed) => feed.trouble ?? []);
  const latest = troubles.toSorted((a, b) => b.at - a.at)[0];
  if (latest === undefined) return [];
  const at = judgedAt(snapshot);
  const since = Math.min(...troubles.map((trouble) => trouble.since));
  return [
    {
      headline: `Mimecast has refused our sign-in since ${moment(since, at)}.${untilLost(refused, at)}`,
      problem: {
        severity: 'bad',
        what: 'Mimecast refuses our sign-in',
        detail: latest.message,
        since,
        sinceDetail: tries(latest, at),
        do: {
          sentence: latest.hint ?? 'Has the application been disabled, or its secret rotated? To try the credentials:',
          command: CHECK_ONLINE,
        },
      },
      about: null,
    },
  ];
}

/** A feed that is not being read, but for a refused sign-in. */
export function feedFailure(feed: FeedSnapshot, snapshot: Snapshot): Finding[] {
  const condition = feedCondition(feed, snapshot);
  if (!('since' in condition) || condition.is === 'paused' || condition.is === 'retrying') return [];
  if (isSignInRefused(feed, snapshot)) return [];
  const at = judgedAt(snapshot);
  const { trouble } = feed;
  return [
    {
      headline: `${hasBeen(feed.name, condition)} since ${moment(condition.since, at)}.${untilLost([feed], at)}`,
      problem: {
        severity: 'bad',
        what: failureWords(feed.name, condition),
        detail: trouble?.message ?? standstill(feed, condition, at),
        since: condition.since,
        sinceDetail: trouble && tries(trouble, at),
        do: trouble
          ? {
              sentence: trouble.hint ?? 'Reading goes on by itself where it stopped. To test now:',
              command: CHECK_ONLINE,
            }
          : { sentence: cureOf(condition, snapshot), command: null },
      },
      about: condition.is === 'falling_behind' ? null : { kind: 'feed_failure', feed },
    },
  ];
}

export function malformedRecords(feed: FeedSnapshot): Finding[] {
  if (feed.malformed === 0) return [];
  const one = feed.malformed === 1;
  const what = `Feed ${feed.name} read ${counted(feed.malformed, 'record')} that ${one ? 'does' : 'do'} not fit`;
  return [
    {
      headline: `${what}. ${one ? 'It is' : 'They are'} kept.`,
      problem: {
        severity: 'warn',
        what,
        detail: null,
        since: null,
        sinceDetail: null,
        do: { sentence: 'See what is wrong with them:', command: 'mimecast-forwarder rejects list' },
      },
      about: null,
    },
  ];
}

/** A sweep that fails, or was not done: records that surface late are missed, though polling goes on. */
export function missedSweep(feed: FeedSnapshot, snapshot: Snapshot): Finding[] {
  const missed = sweepMissedSince(feed, snapshot);
  if (missed === null) return [];
  const { sweepTrouble } = feed;
  const at = judgedAt(snapshot);
  const what = `The sweep of feed ${feed.name} ${sweepTrouble === null ? 'has not been done' : 'fails'}`;
  return [
    {
      headline: `${what} since ${moment(missed, at)}. Polling goes on.`,
      problem: {
        severity: 'warn',
        what,
        detail: sweepTrouble?.message ?? null,
        since: missed,
        sinceDetail: sweepTrouble && tries(sweepTrouble, at),
        do: {
          sentence: sweepTrouble?.hint ?? 'Records that surface late are missed until the next one. To test now:',
          command: CHECK_ONLINE,
        },
      },
      about: null,
    },
  ];
}

/** What has not been read is safe for as long as Mimecast keeps it, counted from the oldest checkpoint. Begins with a space. */
export function untilLost(feeds: readonly FeedSnapshot[], at: number): string {
  const checkpoints = feeds.flatMap((feed) => feed.checkpoint ?? []);
  if (checkpoints.length < feeds.length || feeds.length === 0) return '';
  const until = Math.min(...checkpoints) + LIMITS.mimecastKeeps;
  return at < until ? ` Nothing is lost until ${dayOf(until)}.` : ' Records are being lost: Mimecast keeps 30 days.';
}

function isSignInRefused(feed: FeedSnapshot, snapshot: Snapshot): boolean {
  return feed.trouble?.reason === 'auth' && feedCondition(feed, snapshot).is === 'refused';
}

function failureWords(name: string, { is }: FeedCondition): string {
  switch (is) {
    case 'refused':
      return `Mimecast refuses feed ${name}`;
    case 'rate_limited':
      return `Feed ${name} waits: Mimecast limits our requests`;
    case 'falling_behind':
      return `Feed ${name} is read, but falls ever further behind`;
    case 'failing':
      return `Feed ${name} cannot be read`;
    default:
      return `Feed ${name} is not being polled`;
  }
}

function hasBeen(name: string, { is }: FeedCondition): string {
  if (is === 'refused') return `Mimecast has refused feed ${name}`;
  if (is === 'rate_limited') return `Mimecast has limited our requests, and feed ${name} has not been read,`;
  return is === 'falling_behind' ? `Feed ${name} has gained nothing` : `Feed ${name} has not been read`;
}

/** What is known of a feed that stands still without a failure. */
function standstill({ walk, checkpoint }: FeedSnapshot, { is }: FeedCondition, at: number): string | null {
  const behind = is === 'falling_behind' && checkpoint !== null ? `${duration(at - checkpoint)} behind` : null;
  const window =
    walk && `page ${count(walk.pages + 1)} of the window ${moment(walk.from, at)} to ${moment(walk.to, at)}`;
  return [behind, window].filter((part) => part !== null).join(', ') || null;
}

function cureOf({ is }: FeedCondition, { api, now }: Snapshot): string {
  if (is === 'rate_limited') {
    const until = (api.heldUntil ?? 0) > now ? ` at ${clock(api.heldUntil ?? now)}` : '';
    return `It goes on by itself${until}. If it lasts, lower mimecast.requestsPerMinute, or find out what else uses the API application.`;
  }
  if (is === 'falling_behind') {
    return (
      'More comes in than the requests can read, or one window does not end. Raise mimecast.requestsPerMinute as far as Mimecast ' +
      'allows, or set a smaller maxWindow for the feed.'
    );
  }
  return 'The log of the daemon says why. A restart loses nothing.';
}
