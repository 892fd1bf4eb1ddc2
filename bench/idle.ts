/**
 * What the daemon costs when nothing happens: a poll a minute, as it ships, over a day's thousand records that it has long sent.
 *
 *   node bench/idle.ts [--minutes 3] [--out FILE]
 *
 * Exit code 1 when it takes more than a hundredth of a core.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Simulator } from '../src/simulate/simulator.ts';
import { daemonCommand, syslogOutput } from './daemon.ts';
import { eventIdOf } from './http-sink.ts';
import { Workplace } from './measure.ts';
import { Child, SUBJECT_CORE, supervised } from './processes.ts';
import { circumstances, exitCodeOf, goal, goalsTable, publish } from './report.ts';
import { SyslogSink } from './sink.ts';
import { megabytes } from './statistics.ts';
import { usageOfTree } from './usage.ts';

const DAY_MS = 86_400_000;
const RECORDS = 1000;
/** Starting, the first poll and sending what is there are not idling. */
const SETTLING_MS = 15_000;

const { values: options } = parseArgs({
  options: { minutes: { type: 'string', default: '3' }, out: { type: 'string' } },
});
const minutes = Number(options.minutes);

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const simulator = await Simulator.start({ seed: 'idle' });
  const syslog = await SyslogSink.start((message) => eventIdOf(message.toString('latin1')));
  const now = simulator.now();
  simulator.seed(RECORDS, { from: now - DAY_MS + 60_000, to: now - 60_000 });
  const folder = workplace.next();
  const command = daemonCommand({
    folder,
    api: { port: simulator.port, ...simulator.credentials },
    feed: {},
    outputs: [{ ...syslogOutput(syslog.port), startFrom: 'beginning' }],
  });
  const daemon = await Child.start(command, { core: SUBJECT_CORE, log: `${folder}/daemon.log`, quiet: true });
  await sleep(SETTLING_MS);
  const [before, requests] = [usageOfTree(daemon.pid), simulator.stats.requests];
  await sleep(minutes * 60_000);
  const after = usageOfTree(daemon.pid);
  if (!daemon.isRunning) throw new Error('the daemon has ended in the middle');
  const percent = { digits: 2, name: '% of a core' };
  const share = (100 * (after.cpuSeconds - before.cpuSeconds)) / (minutes * 60);
  const goals = [
    goal('CPU between two polls a minute', share, { atMost: 1 }, percent),
    goal('records that were not sent', RECORDS - syslog.counts.distinct, { atMost: 0 }, { digits: 0, name: '' }),
  ];
  const facts =
    `${options.minutes} min, ${simulator.stats.requests - requests} requests to the API. ` +
    `Memory ${megabytes(after.residentBytes)} MB, at most ${megabytes(after.peakBytes)} MB since the start.`;
  publish('idle', [machine, facts, goalsTable(goals)].join('\n\n'), options.out);
  await daemon.stop();
  return exitCodeOf(goals);
});
