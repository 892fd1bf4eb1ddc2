import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { canPin } from './processes.ts';
import { figure } from './statistics.ts';

/** What is promised, and what was found. */
export interface Goal {
  readonly what: string;
  readonly target: string;
  readonly found: string;
  /** Undefined when it was not measured. */
  readonly met: boolean | undefined;
}

/** A goal that a number is at least, or at most, so much. */
export function goal(
  what: string,
  found: number | undefined,
  bound: { readonly atLeast: number } | { readonly atMost: number },
  unit: { readonly digits: number; readonly name: string } = { digits: 2, name: '×' },
): Goal {
  const least = 'atLeast' in bound;
  const limit = least ? bound.atLeast : bound.atMost;
  const amount = (text: string): string => `${text} ${unit.name}`.trim();
  const target = `${least ? '≥' : '≤'} ${amount(String(limit))}`;
  if (found === undefined || Number.isNaN(found)) return { what, target, found: 'not measured', met: undefined };
  const met = least ? found >= limit : found <= limit;
  return { what, target, found: amount(figure(found, unit.digits)), met };
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function goalsTable(goals: readonly Goal[]): string {
  const verdict = ({ met }: Goal): string => (met === undefined ? '–' : met ? 'pass' : '**FAIL**');
  return markdownTable(
    ['goal', 'target', 'found', ''],
    goals.map((each) => [each.what, each.target, each.found, verdict(each)]),
  );
}

/** 1 when a goal was missed. One that was not measured is not missed. */
export function exitCodeOf(goals: readonly Goal[]): number {
  return goals.some(({ met }) => met === false) ? 1 : 0;
}

/** The machine and the day, without which a figure says nothing. To be called before the work: the load is what others do. */
export function circumstances(): string {
  const cores = cpus();
  const memory = `${figure(totalmem() / 2 ** 30)} GiB`;
  const pinned = canPin ? 'each process on one core' : 'not pinned to cores';
  return (
    `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, Linux ${release().split('-')[0]}, ` +
    `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, ${memory}, ${pinned}, load ${figure(loadavg()[0], 1)} at the start.`
  );
}

/** Prints a report, and puts it into a file when there is one. */
export function publish(section: string, report: string, file: string | undefined): void {
  console.log(`\n${report}`);
  if (file !== undefined) writeFileSync(file, withSection(readIfThere(file), section, report));
}

/** The text with what stands between `<!-- SECTION -->` and `<!-- /SECTION -->` replaced; appended where there are no such marks. */
function withSection(text: string, section: string, report: string): string {
  const [open, close] = [`<!-- ${section} -->`, `<!-- /${section} -->`];
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  const marked = `${open}\n\n${report}\n\n${close}`;
  if (start < 0 || end < start) return `${text}${text === '' ? '' : '\n'}${marked}\n`;
  return text.slice(0, start) + marked + text.slice(end + close.length);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
