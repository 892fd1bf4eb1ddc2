/**
 * Does memory grow with time? The simulator's mail at a steady rate, a poll every ten seconds, two outputs; the daemon's memory
 * is looked at every five seconds.
 *
 *   node bench/soak.ts [--minutes 20] [--rate 200] [--out FILE]
 *
 * Exit code 1 when memory at the end is more than a tenth above that at minute five, or when a record was lost or came twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Simulator } from '../src/simulate/simulator.ts';
import { compare, expectedIds } from '../test/e2e/truth.ts';
import { freePorts } from '../test/ports.ts';
import { type DaemonStatus, daemonCommand, syslogOutput } from './daemon.ts';
import { eventIdOf, HttpSink } from './http-sink.ts';
import { Workplace } from './measure.ts';
import { Child, SUBJECT_CORE, supervised } from './processes.ts';
import { circumstances, exitCodeOf, goal, goalsTable, publish } from './report.ts';
import { SyslogSink } from './sink.ts';
import { figure, median, megabytes } from './statistics.ts';
import { usageOfTree } from './usage.ts';

interface Sample {
  /** Minutes since the start. */
  readonly at: number;
  readonly bytes: number;
  readonly cpuSeconds: number;
  /** Events waiting at the output that has most. */
  readonly backlog: number;
}

const LOOK_EVERY_MS = 5000;
/** Half the stretch whose samples are taken together: between two collections memory swings. */
const HALF_MINUTE = 0.5;
const DRAIN_PATIENCE_MS = 60_000;

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    rate: { type: 'string', default: '200' },
    out: { type: 'string' },
  },
});
const minutes = Number(options.minutes);

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const simulator = await Simulator.start({ seed: 'soak' });
  const syslog = await SyslogSink.start((message) => eventIdOf(message.toString('latin1')));
  const hook = await HttpSink.start();
  const [httpPort = 0] = await freePorts(1);
  const folder = workplace.next();
  const command = daemonCommand({
    folder,
    api: { port: simulator.port, ...simulator.credentials },
    feed: { schedule: '*/10 * * * * *', startFrom: '1m', overlap: '1m', settle: '1s', sweep: false },
    outputs: [
      { ...syslogOutput(syslog.port), startFrom: 'beginning' },
      { name: 'hook', type: 'webhook', url: hook.url, startFrom: 'beginning' },
    ],
    httpPort,
  });
  simulator.startTraffic({ ratePerSecond: Number(options.rate) });
  const daemon = await Child.start(command, { core: SUBJECT_CORE, log: `${folder}/daemon.log`, quiet: true });
  const samples = await watch(daemon, httpPort);
  simulator.stopTraffic();
  const expected = expectedIds(simulator);
  const deadline = Date.now() + DRAIN_PATIENCE_MS;
  const isDrained = (): boolean => Math.min(syslog.identities.size, hook.identities.size) >= expected.size;
  while (!isDrained() && Date.now() < deadline) await sleep(200);
  await daemon.stop();
  const results = [
    { ...compare(expected, [...syslog.identities]), repeated: syslog.counts.repeated },
    { ...compare(expected, [...hook.identities]), repeated: hook.repeated },
  ];
  const wrong = results.reduce((sum, { missing, unknown, repeated }) => sum + missing + unknown + repeated, 0);
  const early = bytesAround(samples, Math.min(5, minutes / 4));
  const late = bytesAround(samples, minutes - HALF_MINUTE);
  const goals = [
    goal('memory at the end, to that at minute five', late / early, { atMost: 1.1 }),
    goal('records lost, made up or doubled', wrong, { atMost: 0 }, { digits: 0, name: '' }),
  ];
  const cpu = (samples.at(-1)?.cpuSeconds ?? 0) / (minutes * 60);
  const facts =
    `${options.minutes} min at ${options.rate} records/s, ${expected.size} records, two outputs. Memory ${megabytes(early)} MB ` +
    `early, ${megabytes(late)} MB at the end; CPU ${figure(cpu * 100, 1)} % of a core; at most ` +
    `${Math.max(...samples.map(({ backlog }) => backlog))} events waiting.`;
  publish('soak', [machine, facts, goalsTable(goals)].join('\n\n'), options.out);
  return exitCodeOf(goals);
});

/** Looks at the daemon until the time is over, or until it has ended. */
async function watch(daemon: Child, httpPort: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const end = daemon.startedAt + minutes * 60_000;
  while (Date.now() < end && daemon.isRunning) {
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(1, end - Date.now())));
    const { residentBytes, cpuSeconds } = usageOfTree(daemon.pid);
    const at = (Date.now() - daemon.startedAt) / 60_000;
    const sample = { at, bytes: residentBytes, cpuSeconds, backlog: await backlogOf(httpPort) };
    samples.push(sample);
    console.error(`${figure(at, 1)} min: ${megabytes(sample.bytes)} MB, ${sample.backlog} waiting`);
  }
  if (!daemon.isRunning) throw new Error('the daemon has ended in the middle');
  return samples;
}

async function backlogOf(httpPort: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/api/status`);
  const { outputs } = (await answer.json()) as DaemonStatus;
  return Math.max(...outputs.map(({ backlog }) => backlog));
}

function bytesAround(samples: readonly Sample[], minute: number): number {
  return median(samples.filter(({ at }) => Math.abs(at - minute) <= HALF_MINUTE).map(({ bytes }) => bytes));
}
