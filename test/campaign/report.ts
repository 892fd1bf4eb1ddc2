import type { RunResult } from './campaign.ts';
import { FAULT_NAMES } from './schedule.ts';

/** One run in a line: `seed 17: KEPT, 1204 records, 9 lives, 0 lost, 31 doubles (…), 24 s`. */
export function lineOf(result: RunResult): string {
  const { seed, violations, records, lives, losses, doubles, seconds } = result;
  const verdict = violations.length === 0 ? 'KEPT' : 'BROKEN';
  return (
    `seed ${seed}: ${verdict}, ${records} records, ${lives} lives, ${losses} lost, ${doubles.total} doubles ` +
    `(${doubles.afterOlderStore} after an older store; else most ${doubles.mostAfterOneCrash} after one crash, ` +
    `${doubles.mostAfterOneFailure} after one failure), ${seconds.toFixed(0)} s`
  );
}

/** All runs together. */
export function summaryOf(results: readonly RunResult[]): string {
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const most = (of: (result: RunResult) => number): number => Math.max(0, ...results.map(of));
  const limit = results.find((result) => result.limit !== undefined)?.limit;
  return [
    `${results.length} runs, ${sum(({ records }) => records)} records, ${sum(({ lives }) => lives)} lives of the daemon, ` +
      `${sum(({ seconds }) => seconds / 60).toFixed(0)} min`,
    `  lost: ${sum(({ losses }) => losses)}; violations: ${sum(({ violations }) => violations.length)}`,
    `  doubles: ${sum(({ doubles }) => doubles.total)}, ${sum(({ doubles }) => doubles.afterOlderStore)} of them after an older store; else most ${most(({ doubles }) => doubles.mostAfterOneCrash)} after one crash, ` +
      `${most(({ doubles }) => doubles.mostAfterOneFailure)} after one failure`,
    `  faults: ${counted(
      FAULT_NAMES,
      results.map(({ byFault }) => byFault),
    )}`,
    `  of the API, times it struck: ${counted(
      [],
      results.map(({ byApiFault }) => byApiFault),
    )}`,
    ...(limit === undefined ? [] : [`  ******** left out: ${limit} ********`]),
  ].join('\n');
}

/** `kill -9 12, SIGTERM 3 …`; names that are given stand first, also with 0. */
function counted(names: readonly string[], counts: readonly Readonly<Record<string, number>>[]): string {
  const all = new Map(names.map((name) => [name, 0]));
  for (const one of counts)
    for (const [name, count] of Object.entries(one)) all.set(name, (all.get(name) ?? 0) + count);
  return [...all].map(([name, count]) => `${name} ${count}`).join(', ');
}
