import type { Counts, RunResult } from './campaign.ts';
import { OUTPUTS } from './fault.ts';
import { CLASS_NAMES } from './fault-classes.ts';
import type { Account } from './oracle.ts';
import type { Plan } from './schedule.ts';

/** One run in a line: `seed 17: KEPT, 1204 records, 9 lives, 0 lost, 31 doubles (…), 10 of 11 faults struck, 6 s`. */
export function lineOf(result: RunResult): string {
  const { seed, violations, records, lives, losses, doubles, begun, struck, seconds } = result;
  const verdict = violations.length === 0 ? 'KEPT' : 'BROKEN';
  return (
    `seed ${seed}: ${verdict}, ${records} records, ${lives} lives, ${losses} lost, ${doubles.total} doubles ` +
    `(${doubles.afterOlderStore} after an older store; else most ${doubles.mostAfterOneCrash} after one crash, ` +
    `${doubles.mostAfterOneFailure} after one failure), ${totalOf(struck)} of ${totalOf(begun)} faults struck, ${seconds.toFixed(0)} s`
  );
}

/** What is needed to run it again by hand: the schedule, a fault a line. */
export function scheduleLines({ zone, tls, faults }: Plan): string[] {
  const place = zone ? `${zone.name}, before ${new Date(zone.change).toISOString()}` : 'UTC';
  return [
    `in ${place}; syslog over ${tls ? 'TLS' : 'TCP'}`,
    ...faults.map(({ at, hold, fault, mail }) => {
      const { does, ...details } = fault;
      const detail = Object.entries(details).map(([key, value]) => ` ${key}=${value}`);
      return `${String(at).padStart(6)} ms  ${does}${detail.join('')} (${hold} ms; ${mail.count} mails over ${mail.age} ms)`;
    }),
  ];
}

/** All runs together, as an object for machines and docs. */
export interface Totals {
  readonly runs: number;
  readonly lives: number;
  readonly records: number;
  readonly violations: number;
  readonly lost: number;
  readonly accounts: readonly Account[];
  readonly afterOlderStore: number;
  readonly mostAfterOneCrash: number;
  readonly mostAfterOneFailure: number;
  readonly begun: Counts;
  readonly struck: Counts;
  readonly neverStruck: readonly string[];
  readonly seconds: number;
  readonly cpuSeconds: number | null;
  readonly limits: readonly string[];
}

export function totalsOf(results: readonly RunResult[]): Totals {
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const most = (of: (result: RunResult) => number): number => Math.max(0, ...results.map(of));
  const struck = counted(results.map((result) => result.struck));
  const knowsCpu = results.every(({ cpuSeconds }) => cpuSeconds !== null);
  return {
    runs: results.length,
    lives: sum(({ lives }) => lives),
    records: sum(({ records }) => records),
    violations: sum(({ violations }) => violations.length),
    lost: sum(({ losses }) => losses),
    accounts: OUTPUTS.map((name) =>
      together(
        name,
        results.flatMap(({ accounts }) => accounts),
      ),
    ),
    afterOlderStore: sum(({ doubles }) => doubles.afterOlderStore),
    mostAfterOneCrash: most(({ doubles }) => doubles.mostAfterOneCrash),
    mostAfterOneFailure: most(({ doubles }) => doubles.mostAfterOneFailure),
    begun: counted(results.map((result) => result.begun)),
    struck,
    neverStruck: CLASS_NAMES.filter((name) => (struck[name] ?? 0) === 0),
    seconds: sum(({ seconds }) => seconds),
    cpuSeconds: knowsCpu ? sum(({ cpuSeconds }) => cpuSeconds ?? 0) : null,
    limits: [...new Set(results.flatMap(({ limit }) => limit ?? []))],
  };
}

/** The totals for people. */
export function summaryOf(results: readonly RunResult[]): string {
  const totals = totalsOf(results);
  const { runs, records, lives, seconds, cpuSeconds } = totals;
  const cpu = cpuSeconds === null || runs === 0 ? '' : `, ${(cpuSeconds / runs).toFixed(1)} s of CPU a run`;
  return [
    `${runs} runs, ${records} records, ${lives} lives of the daemon, ${(seconds / 60).toFixed(1)} min one after the other${cpu}`,
    `  lost: ${totals.lost}; violations: ${totals.violations}`,
    ...totals.accounts.map(
      ({ name, delivered, rejected, filtered, lost, doubled }) =>
        `  ${name.padEnd(5)} delivered ${delivered}, rejected ${rejected}, filtered ${filtered}, lost ${lost}, came again ${doubled}`,
    ),
    `  came again after an older store: ${totals.afterOlderStore}; else most ${totals.mostAfterOneCrash} after one crash, ` +
      `${totals.mostAfterOneFailure} after one failure`,
    `  struck: ${CLASS_NAMES.map((name) => `${name} ${totals.struck[name] ?? 0}/${totals.begun[name] ?? 0}`).join(', ')}`,
    `  never struck: ${totals.neverStruck.join(', ') || 'none'}`,
    ...totals.limits.map((limit) => `  ******** left out: ${limit} ********`),
  ].join('\n');
}

function together(name: string, accounts: readonly Account[]): Account {
  const own = accounts.filter((account) => account.name === name);
  const sum = (of: (account: Account) => number): number => own.reduce((total, account) => total + of(account), 0);
  return {
    name,
    delivered: sum(({ delivered }) => delivered),
    rejected: sum(({ rejected }) => rejected),
    filtered: sum(({ filtered }) => filtered),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
  };
}

function counted(counts: readonly Counts[]): Counts {
  const all: Record<string, number> = {};
  for (const one of counts) for (const [name, count] of Object.entries(one)) all[name] = (all[name] ?? 0) + count;
  return all;
}

function totalOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
