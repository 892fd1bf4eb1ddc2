/**
 * Does an output that refuses everything hold back another? The rate of a syslog output alone, beside a webhook that answers 503
 * to all of it, and beside one that answers 422, which is held as failing after twenty refusals in a row.
 *
 *   node bench/isolation.ts [--records 1000000] [--runs 1] [--out FILE]
 *
 * Exit code 1 when a goal was missed. The 422 has no goal of its own.
 */
import { parseArgs } from 'node:util';
import { HttpSink } from './http-sink.ts';
import { measure, type Run, startApi, Workplace } from './measure.ts';
import { supervised } from './processes.ts';
import { circumstances, exitCodeOf, goal, goalsTable, markdownTable, publish } from './report.ts';
import { figure, median, megabytes } from './statistics.ts';
import { daemon } from './subjects.ts';

const ALONE = 'alone';
const DOWN = 'beside a webhook that answers 503';
const REFUSING = 'beside a webhook that answers 422';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const [down, refusing] = [await HttpSink.start(503), await HttpSink.start(422)];
  const beside = (name: string, ...others: object[]) => daemon(name, { format: 'json', confirm: 'close' }, { others });
  const webhook = ({ url }: HttpSink): object => ({ name: 'hook', type: 'webhook', url });
  const subjects = [beside(ALONE), beside(DOWN, webhook(down)), beside(REFUSING, webhook(refusing))];
  const api = await startApi(Number(options.records), [0], workplace);
  const runs: Run[] = [];
  for (let round = 1; round <= Number(options.runs); round += 1) {
    for (const subject of subjects) {
      const run = await measure(subject, api, workplace);
      console.error(`round ${round}: ${run.subject}: ${run.distinct} of ${run.records}, ${figure(run.seconds, 1)} s`);
      runs.push(run);
    }
  }
  console.error(`the webhooks were asked ${down.requests} and ${refusing.requests} times`);
  const named = (name: string): Run[] => runs.filter(({ subject }) => subject === name);
  const rate = (name: string): number =>
    median(named(name).map(({ records, seconds }) => records / (seconds ?? Infinity)));
  const peak = (name: string): number => median(named(name).map(({ peakBytes }) => peakBytes));
  const goals = [
    goal('rate beside an output that is down, to alone', rate(DOWN) / rate(ALONE), { atLeast: 0.9 }),
    goal('peak memory beside it', peak(DOWN) / 1e6, { atMost: 160 }, { digits: 0, name: 'MB' }),
  ];
  const rows = subjects.map(({ name }) => [
    name,
    figure(rate(name)),
    figure(rate(name) / rate(ALONE), 2),
    megabytes(peak(name)),
  ]);
  const table = markdownTable(['syslog output', 'events/s', '× alone', 'peak MB'], rows);
  const counts = `${options.records} records, ${options.runs} run(s) of each in turn.`;
  publish('isolation', [`${machine} ${counts}`, table, goalsTable(goals)].join('\n\n'), options.out);
  return exitCodeOf(goals);
});
