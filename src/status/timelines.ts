import { type FailedStretch, MINUTE, type MinuteCount } from '../store/activity.ts';
import type { Span } from '../store/spans.ts';
import type { FeedReport, OutputReport, Report } from './assess.ts';
import { type FeedCondition, feedCondition } from './condition.ts';
import type { FeedTimeline, OutputTimeline, SpanName, Stretch, TimelineStep } from './view.ts';

const HOUR = 60 * MINUTE;

const SPANS: Readonly<Record<SpanName, { readonly length: number; readonly step: number }>> = {
  '24h': { length: 24 * HOUR, step: 5 * MINUTE },
  '7d': { length: 7 * 24 * HOUR, step: 30 * MINUTE },
};

/** Where timelines begin and end, and how long a step is, ms. */
export interface Axis extends Span {
  readonly step: number;
}

/** The steps stand on the clock, so that a picture that is drawn anew does not shiver: the last one holds `now`, and ends up to a step after it. */
export function axisOf(span: SpanName, now: number): Axis {
  const { length, step } = SPANS[span];
  const until = Math.ceil(now / step) * step;
  return { from: until - length, until, step };
}

/** What is known of a feed in time, whatever it was. `covered` and `minutes` in order. */
export interface FeedFacts {
  readonly minutes: readonly MinuteCount[];
  /** Time that was read, by the ledger. */
  readonly covered: readonly Span[];
}

export interface OutputFacts {
  readonly minutes: readonly MinuteCount[];
  /** In order; also those that the span does not touch. */
  readonly failures: readonly FailedStretch[];
  readonly lastOver: FailedStretch | undefined;
}

export function feedTimeline(
  feed: FeedReport,
  report: Report,
  { minutes, covered }: FeedFacts,
  axis: Axis,
): FeedTimeline {
  const gaps = feed.gaps.map(({ from, until }) => ({ kind: 'gap' as const, from, until }));
  const failing = failingSince(feed, report);
  const unread = failing === null ? gaps : [...gaps, { kind: 'failing' as const, from: failing, until: null }];
  return {
    ...counted(minutes, axis),
    read: covered.flatMap((span) => clipped(span, axis)),
    unread: unread.filter((stretch) => intersects(stretch, axis)),
  };
}

export function outputTimeline(output: OutputReport, report: Report, facts: OutputFacts, axis: Axis): OutputTimeline {
  const { lastOver } = facts;
  return {
    ...counted(facts.minutes, axis),
    failures: upToNow(facts.failures, output, report).filter((stretch) => intersects(stretch, axis)),
    lastOver:
      lastOver && lastOver.until !== null
        ? { from: lastOver.from, until: lastOver.until, message: lastOver.message }
        : null,
  };
}

interface Counted {
  readonly steps: readonly TimelineStep[];
  readonly peakPerMinute: number | null;
  readonly total: number;
}

/** Brings minutes, in order, together to steps. A step's rate is that of the minutes in which a daemon ran. */
function counted(minutes: readonly MinuteCount[], { from, until, step }: Axis): Counted {
  const sums = Array.from({ length: Math.round((until - from) / step) }, () => ({
    count: 0,
    minutes: 0,
    waiting: null as number | null,
  }));
  let total = 0;
  let peak: number | null = null;
  for (const { minute, count, waiting } of minutes) {
    const sum = sums[Math.floor((minute * MINUTE - from) / step)];
    if (sum === undefined) continue;
    sum.count += count;
    sum.minutes += 1;
    sum.waiting = waiting;
    total += count;
    peak = Math.max(peak ?? 0, count);
  }
  const steps = sums.map(({ count, minutes: known, waiting }) => ({
    perMinute: known === 0 ? null : count / known,
    waiting,
  }));
  return { steps, peakPerMinute: peak, total };
}

/** Since when nothing was read that should have been; null while reading works, or may work again by itself. */
function failingSince(feed: FeedReport, report: Report): number | null {
  const condition = feedCondition(feed, report);
  if (!('since' in condition) || !UNREAD.has(condition.is)) return null;
  return feed.checkpoint ?? condition.since;
}

const UNREAD: ReadonlySet<FeedCondition['is']> = new Set([
  'refused',
  'rate_limited',
  'failing',
  'overdue',
  'paused',
] as const);

/** The store knows the failures as of the last heartbeat, the report those of now. */
function upToNow(failures: readonly FailedStretch[], { trouble }: OutputReport, report: Report): FailureStretch[] {
  const last = failures.at(-1);
  const known = failures.map(({ from, until, reason }, index) => {
    const lasts = until === null && index === failures.length - 1 && trouble !== null;
    const end = failures[index + 1]?.from ?? report.now;
    return { from, until: lasts ? null : (until ?? Math.max(from, end)), reason };
  });
  if (trouble === null || last?.until === null) return known;
  return [...known, { from: trouble.since, until: null, reason: trouble.reason }];
}

type FailureStretch = Stretch & { readonly reason: string };

function clipped({ from, until }: Span, axis: Axis): Span[] {
  const cut = { from: Math.max(from, axis.from), until: Math.min(until, axis.until) };
  return cut.from < cut.until ? [cut] : [];
}

/** What lasts has no end, and what is over in no time still was. */
function intersects({ from, until }: Stretch, axis: Axis): boolean {
  return from < axis.until && (until === null || until > axis.from);
}
