/**
 * The campaign, for as long as one likes: each run drives the real daemon through a schedule of faults that its seed decides, and in the
 * end counts what became of every record.
 *
 *   ./dev soak --seed 1 --minutes 60        runs 1, 2, 3 … until the time is over
 *   ./dev soak --seed 17 --runs 1 --verbose replays one run, and says each step
 *
 * A line for each run. It stops at the first violation with exit code 1, the seed, and the run's folder kept.
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type RunResult, runCampaign } from './campaign.ts';
import { PROGRAM } from './daemon-process.ts';
import { lineOf, summaryOf } from './report.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    runs: { type: 'string' },
    /** Faults in one run. */
    faults: { type: 'string', default: '30' },
    folder: { type: 'string', default: join(tmpdir(), `mimecast-forwarder-soak-${process.pid}`) },
    program: { type: 'string', default: PROGRAM },
    verbose: { type: 'boolean', default: false },
  },
});
const firstSeed = wholeNumber('seed', options.seed);
const faults = wholeNumber('faults', options.faults);
const mostRuns = options.runs === undefined ? Number.POSITIVE_INFINITY : wholeNumber('runs', options.runs);
const minutes = options.minutes === undefined ? undefined : Number(options.minutes);
if (minutes !== undefined && !(minutes > 0)) refuse('--minutes wants a number above 0');
const lastStart = Date.now() + (minutes ?? (options.runs === undefined ? 10 : Number.POSITIVE_INFINITY)) * 60_000;

const results: RunResult[] = [];
for (let run = 0; run < mostRuns && Date.now() < lastStart; run += 1) {
  const result = await runCampaign({
    seed: String(firstSeed + run),
    faults,
    folder: options.folder,
    program: resolve(options.program),
    ...(options.verbose && { onStep: (step) => console.error(JSON.stringify(step)) }),
  });
  results.push(result);
  console.log(lineOf(result));
  if (result.violations.length === 0) continue;
  for (const violation of result.violations) console.log(`  ${violation}`);
  console.log(`  replay: ./dev soak --seed ${result.seed} --runs 1 --faults ${faults} --verbose; kept: ${result.kept}`);
  break;
}
console.log(summaryOf(results));
process.exit(results.every(({ violations }) => violations.length === 0) ? 0 : 1);

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) refuse(`--${name} wants a whole number`);
  return Number(text);
}

function refuse(message: string): never {
  console.error(`soak: ${message}`);
  process.exit(2);
}
