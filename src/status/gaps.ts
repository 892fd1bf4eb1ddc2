import { judgedAt, LIMITS } from './condition.ts';
import type { Finding } from './finding.ts';
import type { FeedSnapshot, Gap, Snapshot } from './snapshot.ts';
import { counted, dateTime, dayOf, duration, exactMoment } from './words.ts';

/** Time that a feed was not read in, though it lies before its checkpoint. Told until it is read, or until somebody accepts that it cannot be. */
export function unreadTime(feed: FeedSnapshot, snapshot: Snapshot): Finding[] {
  const [oldest] = feed.gaps;
  if (oldest === undefined) return [];
  const at = judgedAt(snapshot);
  const what = `Feed ${feed.name} has a gap of ${duration(oldest.until - oldest.from)}`;
  return [
    {
      headline: headlineOf(feed.name, what, oldest, at),
      problem: {
        severity: 'bad',
        what,
        detail: detailOf(feed.gaps, at),
        since: oldest.from,
        sinceDetail: null,
        do: { sentence: cure(oldest, at), command: backfillOf(feed.name, oldest) },
      },
      about: null,
    },
  ];
}

function headlineOf(feed: string, what: string, gap: Gap, at: number): string {
  const length = duration(gap.until - gap.from);
  if (!stillThere(gap, at)) return `Feed ${feed} misses ${length} for good: Mimecast no longer has them.`;
  return gap.from < at - LIMITS.mimecastKeeps
    ? `${what}. A part of it can still be read.`
    : `${what}. It can still be read, until ${dayOf(gap.from + LIMITS.mimecastKeeps)}.`;
}

/** `03:10:00 to 03:57:00 was never read`, and how much all gaps are together. */
function detailOf(gaps: readonly Gap[], at: number): string {
  const [oldest] = gaps;
  if (oldest === undefined) return '';
  const span = `${exactMoment(oldest.from, at)} to ${exactMoment(oldest.until, at)} was never read`;
  if (gaps.length === 1) return span;
  const lengths = gaps.map(({ from, until }) => until - from);
  const total = duration(lengths.reduce((sum, length) => sum + length, 0));
  return `${span}; with ${counted(gaps.length - 1, 'later gap')} ${total} in all`;
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
