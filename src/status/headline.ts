import { feedCondition, isFirstWindow, judgedAt, outputCondition } from './condition.ts';
import { untilLost } from './feed-problems.ts';
import type { Finding, Note, Subject } from './finding.ts';
import { waitingWords } from './output-problems.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from './snapshot.ts';
import { clock, count, counted, duration, exactMoment, lastSpan, moment, numberWord } from './words.ts';

/** How all of it is, in one word: what needs the operator, else what the forwarder is busy with, else `ok`. */
export type Verdict = 'ok' | 'at_work' | 'warn' | 'bad';

/** Longer than that ahead, "done about" would be a guess. */
const LONGEST_FORECAST_MINUTES = 2 * 24 * 60;

/** The one or two sentences that are read first. The first that applies wins. */
export function headline(
  snapshot: Snapshot,
  found: readonly Finding[],
  noted: readonly Note[],
): { verdict: Verdict; sentence: string } {
  const [first] = found;
  if (first !== undefined) {
    const alike = found.filter((one) => one.about !== null && one.about.kind === first.about?.kind);
    const sentence = (alike.length > 1 ? severalAlike(alike, snapshot) : null) ?? first.headline;
    return { verdict: first.problem.severity, sentence };
  }
  const busy = catchingUp(snapshot) ?? firstRun(snapshot) ?? starting(snapshot);
  if (busy !== null) return { verdict: 'at_work', sentence: busy };
  const [note] = noted;
  return { verdict: 'ok', sentence: note === undefined ? allIsWell(snapshot) : `Nothing fails, but: ${note.what}.` };
}

/** True until the first window of any feed has been read: the steps of a first run are shown. */
export function isFirstRun({ feeds }: Snapshot): boolean {
  return feeds.length > 0 && feeds.every(isFirstWindow);
}

function severalAlike(alike: readonly Finding[], snapshot: Snapshot): string | null {
  const at = judgedAt(snapshot);
  const since = moment(Math.min(...alike.map((one) => one.problem.since ?? at)), at);
  const number = numberWord(alike.length);
  const subjects = alike.flatMap((one) => one.about ?? []);
  const outputs = subjects.flatMap((subject) => (subject.kind === 'feed_failure' ? [] : subject.output));
  switch (alike[0]?.about?.kind) {
    case 'feed_failure':
      return `${number} feeds have not been read since ${since}.${untilLost(feedsOf(subjects), at)}`;
    case 'output_failure':
      return `${number} outputs have been failing since ${since}.${waitingWords(outputs, ' event')}`;
    case 'rejects':
      return `${number} outputs refused ${counted(sumOfRejects(outputs), 'event')} for good. They are kept.`;
    default:
      return null;
  }
}

function feedsOf(subjects: readonly Subject[]): FeedSnapshot[] {
  return subjects.flatMap((subject) => (subject.kind === 'feed_failure' ? subject.feed : []));
}

function sumOfRejects(outputs: readonly OutputSnapshot[]): number {
  return outputs.reduce((sum, output) => sum + output.rejects, 0);
}

function catchingUp(snapshot: Snapshot): string | null {
  const at = judgedAt(snapshot);
  const output = snapshot.outputs.find((one) => outputCondition(one, snapshot).is === 'catching_up');
  if (output !== undefined) {
    const safe = output.lossless ? ' Nothing is lost.' : '';
    return `Output ${output.name} is catching up: ${count(output.backlog)} to go${doneAbout(output, at)}.${safe}`;
  }
  const feed = snapshot.feeds.find((one) => feedCondition(one, snapshot).is === 'catching_up');
  if (feed === undefined || feed.checkpoint === null) return null;
  return `Feed ${feed.name} is catching up: ${duration(at - feed.checkpoint)} to go.${untilLost([feed], at)}`;
}

function doneAbout(output: OutputSnapshot, at: number): string {
  if (output.ratePerMinute === null || output.ratePerMinute <= 0) return '';
  const minutes = output.backlog / output.ratePerMinute;
  return minutes > LONGEST_FORECAST_MINUTES ? '' : `, done about ${moment(at + minutes * 60_000, at)}`;
}

function firstRun(snapshot: Snapshot): string | null {
  if (!isFirstRun(snapshot)) return null;
  const starts = snapshot.feeds.flatMap((feed) => feed.walk?.from ?? []);
  const span = starts.length === 0 ? 'for the first time' : lastSpan(judgedAt(snapshot) - Math.min(...starts));
  return `Just started. Reading ${span} from Mimecast.`;
}

function starting(snapshot: Snapshot): string | null {
  const first = snapshot.feeds.some((feed) => ['starting', 'first_window'].includes(feedCondition(feed, snapshot).is));
  if (!first) return null;
  return snapshot.startedAt === null
    ? 'The first poll is under way.'
    : `Started at ${clock(snapshot.startedAt)}. The first poll is under way.`;
}

function allIsWell(snapshot: Snapshot): string {
  const checkpoints = snapshot.feeds.flatMap((feed) => feed.checkpoint ?? []);
  const stored =
    checkpoints.length === 0
      ? 'Nothing is to be read'
      : `Events up to ${exactMoment(Math.min(...checkpoints), judgedAt(snapshot))} are stored`;
  return `All is well. ${stored}${keepUp(snapshot)}.`;
}

/** Outputs within their grace are neither trouble nor keeping up; they are left out of the praise. */
function keepUp(snapshot: Snapshot): string {
  const total = snapshot.outputs.length;
  const retrying = snapshot.outputs.filter((output) => outputCondition(output, snapshot).is === 'retrying').length;
  if (retrying > 0) return `, ${total - retrying} of ${total} outputs keep up`;
  if (total === 1) return `, output ${snapshot.outputs[0]?.name ?? ''} keeps up`;
  if (total === 2) return ', both outputs keep up';
  return total === 0 ? '' : `, all ${total} outputs keep up`;
}
