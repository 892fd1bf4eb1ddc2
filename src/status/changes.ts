import type { FeedReport, OutputReport, Report } from './assess.ts';
import { isClockSkewed } from './condition.ts';
import { skewWords } from './problems.ts';
import type { Gap, Trouble } from './snapshot.ts';
import { answerTime, count, counted, duration, moment } from './words.ts';

/** Something that is not as it was when it was looked at last. */
export interface Change {
  /** When it was seen, ms since 1970. */
  readonly at: number;
  /** A sentence without a full stop: `splunk takes events again, after 1 h 49 min`. */
  readonly text: string;
}

/** What has changed from one look to the next, in the order of the page. Figures that always move are no change. */
export function changesBetween(before: Report, after: Report): Change[] {
  const texts = [
    ...daemonChanges(before, after),
    ...pairs(before.feeds, after.feeds).flatMap(([was, is]) => feedChanges(was, is, after)),
    ...pairs(before.outputs, after.outputs).flatMap(([was, is]) => outputChanges(was, is, after)),
  ];
  return texts.map((text) => ({ at: after.now, text }));
}

function daemonChanges(before: Report, after: Report): string[] {
  const texts: string[] = [];
  if (before.running && !after.running) texts.push('the daemon has stopped');
  if (!before.running && after.running) texts.push('the daemon runs again');
  else if (after.running && before.startedAt !== after.startedAt) texts.push('the daemon was started anew');
  const [paused, pausedNow] = [before.store.paused, after.store.paused];
  if (pausedNow && !paused) {
    texts.push(`collecting is paused: the ${pausedNow.reason === 'disk_full' ? 'disk' : 'store'} is full`);
  }
  if (paused && !pausedNow) texts.push(`collecting goes on, after ${duration(after.now - paused.since)}`);
  if (isClockSkewed(before) !== isClockSkewed(after)) texts.push(clockWords(before, after));
  return texts;
}

/** `clock 0.2 s from Mimecast's, was 94 s ahead` */
function clockWords(before: Report, after: Report): string {
  const [was, is] = [before.api.clockSkewMs ?? 0, after.api.clockSkewMs ?? 0];
  const side = (skew: number): string => `${skewWords(skew)} ${skew < 0 ? 'behind' : 'ahead'}`;
  if (isClockSkewed(after)) return `clock ${side(is)} of Mimecast's`;
  return `clock ${answerTime(Math.abs(is))} from Mimecast's, was ${side(was)}`;
}

function feedChanges(was: FeedReport, is: FeedReport, { now }: Report): string[] {
  return [
    ...troubleChange(was, is, now, 'cannot be read', 'is read again'),
    ...missingFrom(is.gaps, was.gaps).map((gap) => `${is.name} has a gap, ${spanOf(gap, now)}`),
    ...missingFrom(was.gaps, is.gaps).map((gap) => `${is.name} closed or narrowed its gap, ${spanOf(gap, now)}`),
    ...(is.malformed > was.malformed
      ? [`${is.name} kept ${counted(is.malformed - was.malformed, 'record')} that cannot be read as an event`]
      : []),
    ...(is.variants > was.variants ? [`${is.name} met ${counted(is.variants - was.variants, 'variant')}`] : []),
  ];
}

function outputChanges(was: OutputReport, is: OutputReport, { now }: Report): string[] {
  return [
    ...troubleChange(was, is, now, 'takes no events', 'takes events again'),
    ...rejectChange(was, is),
    ...replayChange(was, is),
  ];
}

function rejectChange(was: OutputReport, is: OutputReport): string[] {
  const more = is.rejects - was.rejects;
  if (more > 0) return [`${is.name} refused ${counted(more, 'event')} for good: ${is.lastRejectReason ?? 'no reason'}`];
  if (more < 0) return [`${is.name} has ${counted(-more, 'reject')} less: sent again, or discarded`];
  return [];
}

function replayChange(was: OutputReport, is: OutputReport): string[] {
  if (was.replay?.id === is.replay?.id) return [];
  return [
    ...(was.replay === null ? [] : [`replay ${was.replay.id} to ${was.name} has ended`]),
    ...(is.replay === null ? [] : [`replay ${is.replay.id} to ${is.name} has begun, ${count(is.replay.total)} events`]),
  ];
}

/** A row of failures that goes on is no change, however often it was tried. */
function troubleChange(
  was: { readonly trouble: Trouble | null },
  is: { readonly name: string; readonly trouble: Trouble | null },
  now: number,
  begins: string,
  ends: string,
): string[] {
  if (was.trouble !== null && is.trouble === null) {
    return [`${is.name} ${ends}, after ${duration(now - was.trouble.since)}`];
  }
  const isNew = is.trouble !== null && (was.trouble === null || was.trouble.reason !== is.trouble.reason);
  return isNew && is.trouble !== null ? [`${is.name} ${begins}: ${is.trouble.message}`] : [];
}

function pairs<Row extends { readonly name: string }>(before: readonly Row[], after: readonly Row[]): [Row, Row][] {
  return after.flatMap((is): [Row, Row][] => {
    const was = before.find(({ name }) => name === is.name);
    return was === undefined ? [] : [[was, is]];
  });
}

function missingFrom(gaps: readonly Gap[], others: readonly Gap[]): Gap[] {
  return gaps.filter((gap) => !others.some((other) => other.from === gap.from && other.until === gap.until));
}

function spanOf({ from, until }: Gap, now: number): string {
  return `${moment(from, now)} to ${moment(until, now)}`;
}
