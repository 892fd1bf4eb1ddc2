import type { Report } from '../status/assess.ts';
import { outputCondition } from '../status/condition.ts';
import type { Finding } from '../status/finding.ts';
import { findings } from '../status/problems.ts';
import type { View } from '../status/view.ts';
import { count, counted, duration, listed, numberWord } from '../status/words.ts';

/** More than that is read in the list. */
const MOST_NAMED = 3;

/** The line under the headline: what else is wrong, else the figures of the span. */
export function leadOf(view: View): string {
  const { report } = view;
  if (report.steps.length > 0 && report.problems.length === 0) {
    return 'Nothing has reached an output yet. That is normal for the first minute or two.';
  }
  if (report.problems.length === 0) return figures(view);
  return [alsoWrong(report), rightStill(report)].filter((sentence) => sentence !== '').join(' ');
}

/** `Also: the clock is 94 s ahead, …`, without what the headline has told already. */
function alsoWrong(report: Report): string {
  const found = findings(report);
  const [first] = found;
  const others = found
    .slice(1)
    .filter((finding) => !isAlike(finding, first))
    .map(({ problem }) => shortened(problem.what));
  if (others.length === 0) return '';
  const named =
    others.length > MOST_NAMED ? [...others.slice(0, MOST_NAMED), `${others.length - MOST_NAMED} more`] : others;
  return `Also: ${named.length > MOST_NAMED ? listed(named) : named.join(', ')}.`;
}

/** Several of a kind are one headline. */
function isAlike({ about }: Finding, first: Finding | undefined): boolean {
  return about !== null && about.kind === first?.about?.kind;
}

/** Its first sentence, as it goes on after a colon. */
function shortened(what: string): string {
  const [sentence = ''] = what.split(/[.:] /, 1);
  return /^[A-Z][a-z]/.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
}

/** That an output is down says nothing of the others: they are named well as long as they are. */
function rightStill(report: Report): string {
  const conditions = report.outputs.map((output) => outputCondition(output, report).is);
  const failing = report.outputs.filter(({ mark }) => mark === 'bad').length;
  const well = conditions.filter((is) => is === 'accepting').length;
  if (failing === 0 || well === 0) return '';
  const keep = well === 1 ? 'output keeps up' : 'outputs keep up';
  if (failing + well < report.outputs.length) return `${numberWord(well)} ${keep}.`;
  return `The other ${well === 1 ? '' : `${numberWord(well).toLowerCase()} `}${keep}.`;
}

/** Minutes are counted when they are over: in the first there is no number yet, and 0 would be one. */
function figures({ report, span, feeds }: View): string {
  const rejects = report.outputs.reduce((sum, output) => sum + output.rejects, 0);
  const longest = Math.max(0, ...report.outputs.map(({ lagMs }) => lagMs ?? 0));
  const gaps = report.feeds.reduce((sum, feed) => sum + feed.gaps.length, 0);
  const rest = `${capital([counted(gaps, 'gap'), counted(rejects, 'reject'), waiting(longest)].join(', '))}.`;
  const known = [...feeds.values()].filter(({ peakPerMinute }) => peakPerMinute !== null);
  if (known.length === 0) return rest;
  const total = known.reduce((sum, feed) => sum + feed.total, 0);
  return `${count(total)} ${total === 1 ? 'event' : 'events'} in the last ${span === '24h' ? '24 hours' : '7 days'}. ${rest}`;
}

function waiting(longest: number): string {
  return longest === 0 ? 'nothing waits' : `nothing waits longer than ${duration(Math.max(1000, longest))}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
