import { type FeedCondition, feedCondition, judgedAt, LIMITS } from './condition.ts';
import { CHECK_ONLINE, type Finding, tries } from './finding.ts';
import type { FeedSnapshot, Snapshot } from './snapshot.ts';
import { counted, dayOf, moment } from './words.ts';

/** All feeds sign in with the same credentials: a refusal is one problem, however many feeds meet it. */
export function signInRefused(snapshot: Snapshot): Finding[] {
  const refused = snapshot.feeds.filter(isSignInRefused);
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
  if (condition.is !== 'refused' && condition.is !== 'failing' && condition.is !== 'overdue') return [];
  if (isSignInRefused(feed)) return [];
  const at = judgedAt(snapshot);
  const { trouble } = feed;
  const has =
    condition.is === 'refused' ? `Mimecast has refused feed ${feed.name}` : `Feed ${feed.name} has not been read`;
  return [
    {
      headline: `${has} since ${moment(condition.since, at)}.${untilLost([feed], at)}`,
      problem: {
        severity: 'bad',
        what: failureWords(feed.name, condition),
        detail: trouble?.message ?? null,
        since: condition.since,
        sinceDetail: trouble && tries(trouble, at),
        do: trouble
          ? {
              sentence: trouble.hint ?? 'Reading goes on by itself where it stopped. To test now:',
              command: CHECK_ONLINE,
            }
          : { sentence: 'The log of the daemon says why. A restart loses nothing.', command: null },
      },
      about: { kind: 'feed_failure', feed },
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

/** What has not been read is safe for as long as Mimecast keeps it, counted from the oldest checkpoint. Begins with a space. */
export function untilLost(feeds: readonly FeedSnapshot[], at: number): string {
  const checkpoints = feeds.flatMap((feed) => feed.checkpoint ?? []);
  if (checkpoints.length < feeds.length || feeds.length === 0) return '';
  const until = Math.min(...checkpoints) + LIMITS.mimecastKeeps;
  return at < until ? ` Nothing is lost until ${dayOf(until)}.` : ' Records are being lost: Mimecast keeps 30 days.';
}

function isSignInRefused(feed: FeedSnapshot): boolean {
  return feed.trouble?.reason === 'auth' && !feed.trouble.retryable;
}

function failureWords(name: string, { is }: FeedCondition): string {
  if (is === 'refused') return `Mimecast refuses feed ${name}`;
  return is === 'failing' ? `Feed ${name} cannot be read` : `Feed ${name} is not being polled`;
}
