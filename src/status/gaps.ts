import { judgedAt, LIMITS } from './condition.ts';
import type { Finding } from './finding.ts';
import type { FeedSnapshot, Gap, Snapshot } from './snapshot.ts';
import { counted, dateTime, dayOf, duration, exactMoment } from './words.ts';

/** Time that a feed was not read in, though it lies before its checkpoint. Told until it is read, or until somebody accepts that it cannot be. */
export function unreadTime(feed: FeedSnapshot, snapshot: Snapshot): Finding[] {
  const [oldest] = feed.gaps;
  if (oldest === undefined) return [];
  const at = judgedAt(snapshot);
  const span = `${exactMoment(oldest.from, at)} to ${exactMoment(oldest.until, at)}`;
  const what = `Feed ${feed.name} was not read from ${span}`;
  return [
    {
      headline: `${what}.${stillThere(oldest, at) ? '' : ' Mimecast does not keep that any more.'}`,
      problem: {
        severity: 'warn',
        what,
        detail: detailOf(feed.gaps),
        since: oldest.from,
        sinceDetail: null,
        do: { sentence: cure(oldest, at), command: backfillOf(feed.name, oldest) },
      },
      about: null,
    },
  ];
}

/** `1 d 4 h went unread`, and of several all of them. */
function detailOf(gaps: readonly Gap[]): string {
  const [oldest] = gaps;
  const lengths = gaps.map(({ from, until }) => until - from);
  const total = duration(lengths.reduce((sum, length) => sum + length, 0));
  if (oldest === undefined || gaps.length === 1) return `${total} went unread`;
  return `${duration(oldest.until - oldest.from)} went unread; with ${counted(gaps.length - 1, 'later gap')} ${total} in all`;
}

function stillThere(gap: Gap, at: number): boolean {
  return gap.until > at - LIMITS.mimecastKeeps;
}

function cure(gap: Gap, at: number): string {
  if (!stillThere(gap, at)) return 'Look for those mails elsewhere. To accept the loss, ask Mimecast all the same:';
  const keptSince = at - LIMITS.mimecastKeeps;
  return gap.from >= keptSince
    ? `Mimecast has it until ${dayOf(gap.from + LIMITS.mimecastKeeps)}. Read it now:`
    : `Mimecast has what is after ${dateTime(keptSince)}, and less each second. Read it now:`;
}

function backfillOf(feed: string, { from, until }: Gap): string {
  return `mimecast-forwarder backfill --from ${iso(from)} --to ${iso(until)} --feed ${feed}`;
}

function iso(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z');
}
