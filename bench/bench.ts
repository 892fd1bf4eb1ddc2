/**
 * The benchmark: how fast records get from the API to a syslog receiver, and what that costs, beside other programs that do the
 * same work on the same machine in the same minutes. See README.md.
 *
 *   node bench/bench.ts [--records 100000] [--runs 3] [--million] [--keys 5000000] [--peers] [--reference FILE] [--out FILE]
 *
 * Exit code 1 when a goal was missed or a record was lost or came twice.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Api, measure, type Run, startApi, Workplace } from './measure.ts';
import { supervised } from './processes.ts';
import { circumstances, exitCodeOf, type Goal, goal, goalsTable, markdownTable, publish } from './report.ts';
import { figure, median, megabytes } from './statistics.ts';
import { storePast } from './stored-past.ts';
import { barePipeline, daemon, externalPipeline, type Subject, syslogNg } from './subjects.ts';

const BARE = 'bare pipeline';
const CLOSE = 'daemon, JSON, confirm: close';
const WRITE = 'daemon, JSON, confirm: write';
const CEF = 'daemon, CEF, confirm: close';
const LATE = 'daemon, JSON, confirm: close, keys in the store';
const PEER = 'syslog-ng + Python fetcher';
const EXTERNAL = 'external pipeline';

const DAY_MS = 86_400_000;
const MS = { digits: 0, name: 'ms' };
const MB = { digits: 0, name: 'MB' };

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '3' },
    keys: { type: 'string', default: '5000000' },
    million: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    reference: { type: 'string' },
    out: { type: 'string' },
  },
});

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const runs = await rounds(workplace);
  const tenfold = options.million ? await runTenfold(workplace) : [];
  const goals = goalsOf(runs, tenfold);
  publish('results', report(machine, [...runs, ...tenfold], goals), options.out);
  return exitCodeOf(goals);
});

/** Every subject once, then every subject again: what disturbs the machine for a while disturbs all of them. */
async function rounds(workplace: Workplace): Promise<Run[]> {
  const external = options.reference === undefined ? [] : [externalPipeline(options.reference)];
  const fixedPorts = external.flatMap(({ fixed }) => (fixed ? [fixed.apiPort] : []));
  const api = await startApi(Number(options.records), [0, ...fixedPorts], workplace);
  const subjects = [
    barePipeline(),
    ...external,
    daemon(CLOSE, { format: 'json', confirm: 'close' }),
    daemon(WRITE, { format: 'json', confirm: 'write' }),
    daemon(CEF, { format: 'cef', confirm: 'close' }),
    ...withKeys(api, workplace),
    ...peers(),
  ];
  const runs: Run[] = [];
  for (let round = 1; round <= Number(options.runs); round += 1) {
    for (const subject of subjects) runs.push(await told(subject, api, workplace, `round ${round}`));
  }
  await api.child.stop();
  return runs;
}

/** The work grows tenfold; its time should too. */
async function runTenfold(workplace: Workplace): Promise<Run[]> {
  const api = await startApi(10 * Number(options.records), [0], workplace);
  const subject = daemon(`${CLOSE}, 10 ×`, { format: 'json', confirm: 'close' });
  const run = await told(subject, api, workplace, 'tenfold');
  await api.child.stop();
  return [run];
}

/** The daemon on a store that already knows many identities. */
function withKeys(api: Api, workplace: Workplace): Subject[] {
  const keys = Number(options.keys);
  if (keys === 0) return [];
  progress(`filling a store with ${keys} keys`);
  const file = join(workplace.folder, 'keys.db');
  storePast({ file, keys, events: false, newest: api.first - DAY_MS });
  return [daemon(LATE, { format: 'json', confirm: 'close' }, { store: file })];
}

function peers(): Subject[] {
  if (!options.peers) return [];
  const folder = resolve(import.meta.dirname, '../.cache/syslog-ng-python');
  const program = join(folder, 'start');
  const install = join(import.meta.dirname, 'syslog-ng', 'install.sh');
  if (!existsSync(program) && spawnSync('sh', [install, folder], { stdio: 'inherit' }).status !== 0) {
    progress('******** syslog-ng cannot be had here: it is left out, and its goal is not measured ********');
    return [];
  }
  return [syslogNg(program)];
}

async function told(subject: Subject, api: Api, workplace: Workplace, when: string): Promise<Run> {
  const run = await measure(subject, api, workplace);
  const time = run.seconds === undefined ? 'NOT FINISHED' : `${figure(run.seconds, 2)} s`;
  progress(`${when}: ${subject.name}: ${run.distinct} of ${run.records} records, ${run.repeated} repeated, ${time}`);
  return run;
}

function report(machine: string, runs: readonly Run[], goals: readonly Goal[]): string {
  const names = [...new Set(runs.map(({ subject }) => subject))];
  const head = [
    'subject',
    'events/s (range)',
    'CPU s per 100,000',
    'peak MB',
    'first record, ms',
    '× bare',
    '× syslog-ng',
  ];
  const rows = names.map((name) => {
    const own = runs.filter(({ subject }) => subject === name);
    const rates = own.map(rateOf);
    return [
      name,
      `${figure(median(rates))} (${figure(Math.min(...rates))}–${figure(Math.max(...rates))})`,
      figure(median(own.map((run) => (run.cpuSeconds / run.records) * 1e5)), 2),
      megabytes(median(own.map(({ peakBytes }) => peakBytes))),
      figure(median(own.map(({ firstRecordMs }) => firstRecordMs ?? Number.NaN))),
      figure(ratio(runs, name, BARE), 2),
      figure(ratio(runs, name, PEER), 2),
    ];
  });
  const counts = `${options.records} records, ${options.runs} run(s) of each subject in turn, ${options.keys} keys in the store that has keys.`;
  return [`${machine} ${counts}`, markdownTable(head, rows), goalsTable(goals)].join('\n\n');
}

function goalsOf(runs: readonly Run[], tenfold: readonly Run[]): Goal[] {
  const ours = [...runs, ...tenfold].filter(({ subject }) => subject.startsWith('daemon'));
  const inexact = ours.filter(({ distinct, repeated, records }) => distinct !== records || repeated > 0).length;
  const first = (name: string): number =>
    median(named(runs, name).map(({ firstRecordMs }) => firstRecordMs ?? Number.NaN));
  const [whole] = tenfold;
  const growth = whole && (whole.seconds ?? Number.POSITIVE_INFINITY) / median(named(runs, CLOSE).map(secondsOf));
  const peak = Math.max(...ours.map(({ peakBytes }) => peakBytes)) / 1e6;
  return [
    goal(
      'runs of the daemon in which a record was missing or came twice',
      inexact,
      { atMost: 0 },
      { digits: 0, name: '' },
    ),
    goal('confirm: close, rate to the bare pipeline', ratio(runs, CLOSE, BARE), { atLeast: 1.1 }),
    goal('confirm: write, rate to the bare pipeline', ratio(runs, WRITE, BARE), { atLeast: 1.25 }),
    ...externalGoals(runs),
    goal('confirm: close, rate to syslog-ng with a fetcher', ratio(runs, CLOSE, PEER), { atLeast: 2.5 }),
    goal('CEF, rate to JSON', ratio(runs, CEF, CLOSE), { atLeast: 0.75 }),
    goal('ten times the records, time', growth, { atMost: 11 }),
    goal('peak memory of any run of the daemon', peak, { atMost: 160 }, MB),
    goal('first record out, new store', first(CLOSE), { atMost: 500 }, MS),
    goal(`first record out, ${options.keys} keys in the store`, first(LATE), { atMost: 500 }, MS),
  ];
}

function externalGoals(runs: readonly Run[]): Goal[] {
  if (named(runs, EXTERNAL).length === 0) return [];
  return [
    goal('confirm: close, rate to the external pipeline', ratio(runs, CLOSE, EXTERNAL), { atLeast: 1.1 }),
    goal('confirm: write, rate to the external pipeline', ratio(runs, WRITE, EXTERNAL), { atLeast: 1.25 }),
  ];
}

/** Rate to rate of the same round and the same records, the middle one: a slow minute slows both. NaN when one was not run. */
function ratio(runs: readonly Run[], name: string, yardstick: string): number {
  const theirs = named(runs, yardstick);
  const ratios = named(runs, name).flatMap((run, round) => {
    const other = theirs[round];
    return other?.records === run.records ? [rateOf(run) / rateOf(other)] : [];
  });
  return median(ratios);
}

function named(runs: readonly Run[], name: string): Run[] {
  return runs.filter(({ subject }) => subject === name);
}

function secondsOf({ seconds }: Run): number {
  return seconds ?? Number.POSITIVE_INFINITY;
}

/** Events a second; 0 for a run that did not finish. */
function rateOf(run: Run): number {
  return run.records / secondsOf(run);
}

function progress(line: string): void {
  console.error(`${new Date().toISOString()} ${line}`);
}
