/**
 * The campaign, for as long as one likes: each run drives the real daemon through a schedule of faults that its seed decides, and in the
 * end counts what became of every record.
 *
 *   ./dev soak --seed 1 --minutes 60                      runs 1, 2, 3 … until the time is over
 *   ./dev soak --seed 1 --runs 1000 --parallel 2 --results soak.jsonl
 *                                                         a thousand runs, two side by side; goes on after a stop
 *   ./dev soak --seed 17 --runs 1 --verbose               replays one run, and says each fault
 *   ./dev soak --seed 1 --runs 1000 --results soak.jsonl --json
 *                                                         the totals of what is there, once all are there
 *
 * A line for each run. It stops at the first violation with exit code 1, the seed, its schedule, and the run's folder kept.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PROGRAM } from './daemon-process.ts';
import { lineOf, scheduleLines, summaryOf, totalsOf } from './report.ts';
import { Results } from './results.ts';
import { planOf } from './schedule.ts';
import type { Answer, Assignment } from './worker.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    runs: { type: 'string' },
    /** Faults in one run. */
    faults: { type: 'string', default: '10' },
    /** Runs side by side. */
    parallel: { type: 'string', default: '1' },
    /** A JSON line for each run; seeds that are in it and went well are not run again. */
    results: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), `mimecast-forwarder-soak-${process.pid}`) },
    program: { type: 'string', default: PROGRAM },
    /** The totals as JSON. */
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const firstSeed = wholeNumber('seed', options.seed);
const faults = wholeNumber('faults', options.faults);
const parallel = Math.max(1, wholeNumber('parallel', options.parallel));
const mostRuns = options.runs === undefined ? Number.POSITIVE_INFINITY : wholeNumber('runs', options.runs);
const minutes = options.minutes === undefined ? undefined : Number(options.minutes);
if (minutes !== undefined && !(minutes > 0)) refuse('--minutes wants a number above 0');
const lastStart = Date.now() + (minutes ?? (options.runs === undefined ? 10 : Number.POSITIVE_INFINITY)) * 60_000;

const program = resolve(options.program);
const results = new Results(options.results, program, faults);
/** The seeds that were asked for, as far as they were come to. */
const asked: string[] = [];
let isBroken = false;

mkdirSync(options.folder, { recursive: true });
await Promise.all(Array.from({ length: parallel }, work));
if (!isBroken) rmSync(options.folder, { recursive: true, force: true });
const all = asked.flatMap((seed) => results.bySeed.get(seed) ?? []);
console.log(options.json ? JSON.stringify(totalsOf(all), null, 2) : summaryOf(all));
if (results.otherBuilds > 0)
  console.error(
    `${results.otherBuilds} lines of the results are of another build or number of faults and are not counted`,
  );
process.exit(isBroken ? 1 : 0);

/** One worker, with one run after the other. */
async function work(): Promise<void> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  for (let seed = nextSeed(); seed !== undefined; seed = nextSeed()) report(seed, await answerOf(child, seed));
  child.disconnect();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function nextSeed(): string | undefined {
  while (!isBroken && asked.length < mostRuns && Date.now() < lastStart) {
    const seed = String(firstSeed + asked.length);
    asked.push(seed);
    if (!results.has(seed)) return seed;
  }
  return undefined;
}

async function answerOf(child: ChildProcess, seed: string): Promise<Answer> {
  const assignment: Assignment = { seed, faults, folder: options.folder, program, verbose: options.verbose };
  child.send(assignment);
  const ended = once(child, 'exit').then(([code]): [Answer] => [{ failure: `its process ended with code ${code}` }]);
  const [answer] = (await Promise.race([once(child, 'message'), ended])) as [Answer];
  return answer;
}

function report(seed: string, answer: Answer): void {
  const violations = 'failure' in answer ? [answer.failure] : answer.result.violations;
  if ('result' in answer) {
    results.add(answer.result);
    if (!options.json) console.log(lineOf(answer.result));
  }
  if (violations.length === 0) return;
  isBroken = true;
  const kept = 'result' in answer ? answer.result.kept : options.folder;
  for (const line of [
    `seed ${seed} is broken:`,
    ...violations,
    'its schedule:',
    ...scheduleLines(planOf(seed, faults)),
  ])
    console.error(`  ${line}`);
  console.error(`  replay: ./dev soak --seed ${seed} --runs 1 --faults ${faults} --verbose; kept: ${kept}`);
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) refuse(`--${name} wants a whole number`);
  return Number(text);
}

function refuse(message: string): never {
  console.error(`soak: ${message}`);
  process.exit(2);
}
