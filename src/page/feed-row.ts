import type { FeedReport, Report } from '../status/assess.ts';
import { isClockSkewed } from '../status/condition.ts';
import { skewWords } from '../status/problems.ts';
import type { FeedTimeline, View } from '../status/view.ts';
import { answerTime, clock, count, dayOf, duration, moment } from '../status/words.ts';
import type { Axis } from './axis.ts';
import { type Html, html } from './html.ts';
import { type Figure, isCalm, row, timeOf, troubleNote } from './row.ts';
import { labelWords, rangeWords, spanWords, stretchWords } from './stretch-words.ts';
import { timeline } from './timeline.ts';

const UNIT_NAMES = new Map([
  [1000, 'second'],
  [60_000, 'minute'],
  [3_600_000, 'hour'],
]);

export const FEED_COLUMNS = ['Feed', 'Read up to', 'Lag', 'Last poll'] as const;

/** Where one log of Mimecast stands: how far it is read, how far behind that is, and how the last poll went. */
export function feedRow(feed: FeedReport, view: View): Html {
  const { report } = view;
  return row({
    subject: feed,
    about: [html`<p class="how">${howRead(feed)}</p>`],
    columns: FEED_COLUMNS,
    figures: [readUpTo(feed), lag(feed, report), lastPoll(feed, report)],
    isCalm: isCalm(feed.mark) && feed.gaps.length === 0,
    folded: feed.checkpoint === null ? 'not read yet' : `up to ${clock(feed.checkpoint)}`,
    picture: feedPicture(feed, view, view.feeds.get(feed.name)),
    axis: view,
    notes: feed.trouble === null ? [] : [troubleNote(feed.trouble, feed.mark, report.now)],
  });
}

/** `Every minute, reading the last 15 min again` */
function howRead({ interval, overlap }: FeedReport): string {
  const every = UNIT_NAMES.get(interval) ?? duration(interval);
  return overlap > 0 ? `Every ${every}, reading the last ${duration(overlap)} again` : `Every ${every}`;
}

function readUpTo({ checkpoint }: FeedReport): Figure {
  return checkpoint === null
    ? { value: '–', below: null, isPlain: true }
    : { value: timeOf(checkpoint, clock(checkpoint)), below: dayOf(checkpoint) };
}

/** What is usual follows from the schedule: `settle` after a poll, and a poll later one interval more. */
function lag(feed: FeedReport, report: Report): Figure {
  if (feed.lagMs === null) return { value: '–', below: null, isPlain: true };
  const longest = feed.settle + feed.interval;
  const usual =
    longest < 120_000
      ? `usually ${Math.round(feed.settle / 1000)}–${skewWords(longest)}`
      : `usually up to ${duration(longest)}`;
  const skewed = isClockSkewed(report) && report.api.clockSkewMs !== null && report.api.clockSkewMs > 0;
  return {
    value: duration(feed.lagMs),
    below: skewed ? `${skewWords(report.api.clockSkewMs ?? 0)} is the clock` : usual,
    isTrouble: feed.mark === 'bad',
  };
}

function lastPoll(
  { walk, lastPollAt, lastPollNew, lastPollDurationMs, checkpoint }: FeedReport,
  report: Report,
): Figure {
  if (walk !== null && checkpoint === null) return { value: 'running', below: `page ${count(walk.pages + 1)}` };
  if (lastPollAt === null) return { value: '–', below: null, isPlain: true };
  const isToday = dayOf(lastPollAt) === dayOf(report.now);
  return {
    value: timeOf(lastPollAt, isToday ? clock(lastPollAt) : moment(lastPollAt, report.now)),
    below: `${count(lastPollNew)} new, ${answerTime(lastPollDurationMs)}`,
  };
}

function feedPicture(feed: FeedReport, axis: Axis, drawn: FeedTimeline | undefined): Html {
  const read = drawn?.read ?? [];
  const unread = drawn?.unread ?? [];
  const [longest] = unread.toSorted((a, b) => lengthOf(b, axis) - lengthOf(a, axis));
  const isEmpty = read.length === 0 && unread.length === 0;
  return timeline({
    axis,
    steps: drawn?.steps ?? [],
    covered: read,
    broken: unread,
    label: longest === undefined ? null : { text: labelWords(longest, 'not read', axis), about: longest },
    empty: isEmpty ? firstWords(feed, axis) : null,
    sentence: isEmpty
      ? `${feed.name}, ${spanWords(axis)}: nothing has been read yet`
      : `${feed.name}, ${spanWords(axis)}: ${unreadWords(unread, axis)}; ${rangeWords(drawn?.steps ?? [], 'record')}`,
  });
}

function firstWords({ walk }: FeedReport, { until }: Axis): string {
  return walk === null ? 'starts with the first poll' : `to be read: ${moment(walk.from, until)} until now`;
}

function unreadWords(unread: FeedTimeline['unread'], { until }: Axis): string {
  if (unread.length === 0) return 'read without a break';
  return `read without a break but for ${unread.map((stretch) => stretchWords(stretch, until)).join(', ')}`;
}

function lengthOf({ from, until }: { from: number; until: number | null }, axis: Axis): number {
  return (until ?? axis.until) - from;
}
