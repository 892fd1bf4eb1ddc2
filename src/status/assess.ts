import {
  type FeedCondition,
  feedCondition,
  judgedAt,
  type Mark,
  type OutputCondition,
  outputCondition,
} from './condition.ts';
import type { Note, Problem } from './finding.ts';
import { headline, isFirstRun, type Verdict } from './headline.ts';
import { notes, quietWords } from './notes.ts';
import { findings } from './problems.ts';
import { quietFeed } from './silence.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from './snapshot.ts';
import { clock, counted, duration, listed, moment } from './words.ts';

/** The verdict on a snapshot and all that it rests on: the JSON of `status --json` and `/api/status`. */
export interface Report extends Omit<Snapshot, 'feeds' | 'outputs'> {
  readonly verdict: Verdict;
  readonly headline: string;
  /** Worst first. */
  readonly problems: readonly Problem[];
  /** What may be all right and may not. */
  readonly notes: readonly Note[];
  /** What a first run has done and has yet to do; empty once a feed has been read. */
  readonly steps: readonly Step[];
  readonly feeds: readonly FeedReport[];
  readonly outputs: readonly OutputReport[];
}

export interface FeedReport extends FeedSnapshot {
  readonly mark: Mark;
  /** `Retrying since 14:02` */
  readonly state: string;
  /** Now less the checkpoint, ms: how far behind reading is. */
  readonly lagMs: number | null;
}

export interface OutputReport extends OutputSnapshot {
  readonly mark: Mark;
  readonly state: string;
  /** Age of the oldest event that waits, ms; null when none does. */
  readonly lagMs: number | null;
}

export interface Step {
  readonly mark: Mark;
  readonly what: string;
  readonly detail: string | null;
}

/** Judges a snapshot. Pure: the page, the terminal, `/readyz` and alerts all rest on the same words and thresholds. */
export function assess(snapshot: Snapshot): Report {
  const found = findings(snapshot);
  const noted = notes(snapshot);
  const { verdict, sentence } = headline(snapshot, found, noted);
  return {
    ...snapshot,
    verdict,
    headline: sentence,
    problems: found.map(({ problem }) => problem),
    notes: noted,
    steps: firstSteps(snapshot),
    feeds: snapshot.feeds.map((feed) => reportFeed(feed, snapshot)),
    outputs: snapshot.outputs.map((output) => reportOutput(output, snapshot)),
  };
}

function reportFeed(feed: FeedSnapshot, snapshot: Snapshot): FeedReport {
  const at = judgedAt(snapshot);
  const condition = feedCondition(feed, snapshot);
  return {
    ...feed,
    mark: feedMark(feed, condition, snapshot),
    state: feedWords(feed, condition, snapshot),
    lagMs: feed.checkpoint === null ? null : Math.max(0, at - feed.checkpoint),
  };
}

function feedMark(feed: FeedSnapshot, { is }: FeedCondition, snapshot: Snapshot): Mark {
  if (is === 'reading' && feed.gaps.length > 0) return 'bad';
  if (is === 'reading' && feed.malformed > 0) return 'warn';
  return quietFeed(feed, snapshot) === null ? FEED_MARKS[is] : 'idle';
}

const FEED_MARKS: Readonly<Record<FeedCondition['is'], Mark>> = {
  reading: 'ok',
  first_window: 'at_work',
  catching_up: 'at_work',
  starting: 'at_work',
  stopped: 'idle',
  retrying: 'at_work',
  refused: 'bad',
  rate_limited: 'bad',
  failing: 'bad',
  overdue: 'bad',
  falling_behind: 'bad',
  paused: 'paused',
};

const PAUSED = {
  store_full: 'store full',
  disk_full: 'disk full',
  disk_unwritable: 'disk takes no writes',
} as const;

function feedWords(feed: FeedSnapshot, condition: FeedCondition, snapshot: Snapshot): string {
  const at = judgedAt(snapshot);
  switch (condition.is) {
    case 'reading':
      return readingWords(feed, snapshot);
    case 'first_window':
      return 'First window';
    case 'catching_up':
      return 'Catching up';
    case 'starting':
      return 'Starting';
    case 'stopped':
      return 'Stopped';
    case 'retrying':
      return `Retrying since ${moment(condition.since, at)}`;
    case 'refused':
      return `Refused since ${moment(condition.since, at)}`;
    case 'rate_limited':
      return `Limited since ${moment(condition.since, at)}`;
    case 'failing':
      return `Failing since ${moment(condition.since, at)}`;
    case 'falling_behind':
      return `Falls behind since ${moment(condition.since, at)}`;
    case 'overdue':
      return `No poll since ${moment(condition.since, at)}`;
    case 'paused':
      return `Paused: ${PAUSED[snapshot.store.paused?.reason ?? 'store_full']}`;
  }
}

function readingWords(feed: FeedSnapshot, snapshot: Snapshot): string {
  if (feed.gaps.length > 0) return `Gap of ${duration(feed.gaps.reduce((sum, gap) => sum + gap.until - gap.from, 0))}`;
  const quiet = quietFeed(feed, snapshot);
  if (quiet !== null) return quietWords(quiet, judgedAt(snapshot));
  return feed.malformed > 0 ? `Reading, ${feed.malformed} malformed` : 'Reading';
}

function reportOutput(output: OutputSnapshot, snapshot: Snapshot): OutputReport {
  const at = judgedAt(snapshot);
  const condition = outputCondition(output, snapshot);
  const quiet = condition.is === 'accepting' || condition.is === 'nothing_sent';
  return {
    ...output,
    mark: quiet && output.rejects > 0 ? 'warn' : OUTPUT_MARKS[condition.is],
    state: outputWords(output, condition, at),
    lagMs: output.oldestWaitingAt === null || output.backlog === 0 ? null : Math.max(0, at - output.oldestWaitingAt),
  };
}

const OUTPUT_MARKS: Readonly<Record<OutputCondition['is'], Mark>> = {
  accepting: 'ok',
  nothing_sent: 'idle',
  catching_up: 'at_work',
  stopped: 'idle',
  retrying: 'at_work',
  refusing: 'bad',
  rejecting: 'bad',
  failing: 'bad',
  silent: 'bad',
  falling_behind: 'warn',
};

function outputWords(output: OutputSnapshot, condition: OutputCondition, at: number): string {
  switch (condition.is) {
    case 'accepting':
      return output.rejects > 0 ? `Accepting, ${counted(output.rejects, 'reject')}` : 'Accepting';
    case 'nothing_sent':
      return output.rejects > 0 ? `Only ${counted(output.rejects, 'reject')} so far` : 'Nothing sent since start';
    case 'catching_up':
      return 'Catching up';
    case 'stopped':
      return 'Stopped';
    case 'retrying':
      return `Retrying since ${moment(condition.since, at)}`;
    case 'refusing':
      return `Refusing since ${moment(condition.since, at)}`;
    case 'failing':
      return `Failing since ${moment(condition.since, at)}`;
    case 'rejecting':
      return `Rejecting since ${moment(condition.since, at)}`;
    case 'falling_behind':
      return `Falls behind since ${moment(condition.since, at)}`;
    case 'silent':
      return `Silent since ${moment(condition.since, at)}`;
  }
}

function firstSteps(snapshot: Snapshot): Step[] {
  if (!snapshot.running || !isFirstRun(snapshot)) return [];
  const { feeds, outputs, startedAt } = snapshot;
  const answered = snapshot.api.clockSkewMs !== null || feeds.some((feed) => feed.walk || feed.lastPollAt !== null);
  const refused = feeds.some((feed) => feed.trouble !== null && !feed.trouble.retryable);
  const walk = feeds.find((feed) => feed.walk)?.walk ?? null;
  const accepted = outputs.filter((output) => output.lastAcceptedAt !== null);
  const day = judgedAt(snapshot);
  return [
    {
      mark: 'ok',
      what: 'Configuration read',
      detail: `${counted(feeds.length, 'feed')}, ${counted(outputs.length, 'output')}${startedAt === null ? '' : `, at ${clock(startedAt)}`}`,
    },
    { mark: refused ? 'bad' : answered ? 'ok' : 'at_work', what: 'Signed in to Mimecast', detail: null },
    {
      mark: refused || !answered ? 'idle' : 'at_work',
      what: 'Reading the first window',
      detail: walk && `${moment(walk.from, day)} to ${moment(walk.to, walk.from)}, page ${walk.pages + 1}`,
    },
    {
      mark: accepted.length > 0 ? 'ok' : 'idle',
      what: 'First event accepted',
      detail: `by ${listed((accepted.length > 0 ? accepted : outputs).map((output) => output.name))}`,
    },
  ];
}
