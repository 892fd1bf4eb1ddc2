import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Begun, begin, until } from './actions.ts';
import { cpuSeconds } from './cpu-time.ts';
import { historyOf, isDrained } from './evidence.ts';
import { OUTPUTS } from './fault.ts';
import { SAME_SECOND, type Target } from './fault-classes.ts';
import { type Account, type Doubles, judge } from './oracle.ts';
import { LATE_MAIL_MS, type Mail, type Plan, type Planned, planOf } from './schedule.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: string;
  /** How many faults the run has; each has about half a second. */
  readonly faults: number;
  /** Where the run keeps its store, journals and logs; removed after a run without a violation. */
  readonly folder: string;
  /** The program's entry file. */
  readonly program: string;
  /** Told of each fault as it begins. */
  readonly onFault?: (planned: Planned) => void;
}

/** By name of the class, as in `CLASS_NAMES`. */
export type Counts = Readonly<Record<string, number>>;

export interface RunResult {
  readonly seed: string;
  readonly faults: number;
  readonly violations: readonly string[];
  readonly records: number;
  readonly lives: number;
  readonly losses: number;
  readonly accounts: readonly Account[];
  readonly doubles: Doubles;
  /** How often each class of faults was begun, and how often it was seen to strike. */
  readonly begun: Counts;
  readonly struck: Counts;
  /** What could not be done here, and why; null when all could. */
  readonly limit: string | null;
  /** Its folder, kept because of a violation. */
  readonly kept: string | null;
  readonly seconds: number;
  /** Of all processes of the run; null where that is not known. */
  readonly cpuSeconds: number | null;
}

/** Far longer than any run has taken to deliver what is left, on a machine with other work too. */
const DRAIN_PATIENCE_MS = 120_000;
/** Records that surface late are waited for so long after the faults are over. */
const LATEST_MS = 1600;
/** How long a fault lasts at most when it does not strike: so many times what the first start took, which tells how busy the machine is. */
const STARTS_PER_STRIKE = 5;
const STRIKE_PATIENCE_MS = { least: 2500, most: 10_000 };
const LOOK_EVERY_MS = 100;

/** One run: a world, a plan, and in the end the oracle's verdict on what became of every record. */
export async function runCampaign(options: RunOptions): Promise<RunResult> {
  const startedAt = performance.now();
  const cpuBefore = cpuSeconds();
  const { seed, faults, program } = options;
  const folder = join(options.folder, `seed-${seed}`);
  rmSync(folder, { recursive: true, force: true });
  const plan = planOf(seed, faults);
  const world = await World.create({ folder, seed, program, zone: plan.zone, tls: plan.tls });
  let isKept = true;
  try {
    world.start();
    const tally = await follow(plan, world, options.onFault);
    const history = await drain(world);
    tallyCircumstances(plan, world, tally);
    const verdict = judge(history);
    const violations = [...world.complaints, ...verdict.violations];
    isKept = violations.length > 0;
    const result = {
      ...{ seed, faults, violations, records: history.served.size, lives: world.lives.length },
      ...{ losses: verdict.losses, accounts: verdict.accounts, doubles: verdict.doubles, ...tally.counts },
      ...{ limit: world.volume.limit ?? null, kept: isKept ? folder : null },
    };
    await world.remove(isKept);
    const cpu = cpuSeconds();
    return {
      ...result,
      seconds: (performance.now() - startedAt) / 1000,
      cpuSeconds: cpu === undefined || cpuBefore === undefined ? null : cpu - cpuBefore,
    };
  } catch (cause) {
    await world.remove(true);
    isKept = true;
    throw new Error(`the run with seed ${seed} could not be finished; kept: ${folder}`, { cause });
  } finally {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  }
}

/** What was begun, and what has struck. */
class Tally {
  readonly #begun: Record<string, number> = {};
  readonly #struck: Record<string, number> = {};

  get counts(): { readonly begun: Counts; readonly struck: Counts } {
    return { begun: this.#begun, struck: this.#struck };
  }

  add(name: string, times: number, hasStruck: boolean): void {
    this.#begun[name] = (this.#begun[name] ?? 0) + times;
    if (hasStruck) this.#struck[name] = (this.#struck[name] ?? 0) + times;
  }
}

/** Begins each fault when it is due, and ends it when it has struck; two of one target wait for each other. */
async function follow(plan: Plan, world: World, onFault: RunOptions['onFault']): Promise<Tally> {
  const tally = new Tally();
  const busy = new Map<Target, Promise<void>>();
  const oneByOne = turns();
  const startedAt = performance.now();
  await world.untilUp();
  const begunAt = performance.now();
  const patience = Math.min(
    Math.max(STRIKE_PATIENCE_MS.least, STARTS_PER_STRIKE * (begunAt - startedAt)),
    STRIKE_PATIENCE_MS.most,
  );
  for (const planned of plan.faults) {
    arrive(planned.mail, world);
    // A machine that is behind skips nothing: it does the next one at once.
    await sleep(Math.max(0, begunAt + planned.at - performance.now()));
    await busy.get(planned.target);
    onFault?.(planned);
    const begun = await oneByOne(() => {
      world.supervise();
      return begin(planned, world);
    });
    // What lasts wants something to strike.
    if (begun.end) arrive(planned.mail, world);
    busy.set(planned.target, holdAndEnd(planned, begun, { tally, oneByOne, patience }));
  }
  await Promise.all(busy.values());
  return tally;
}

async function holdAndEnd(
  planned: Planned,
  begun: Begun,
  { tally, oneByOne, patience }: { readonly tally: Tally; readonly oneByOne: Turns; readonly patience: number },
): Promise<void> {
  if (begun.end) {
    await sleep(planned.hold);
    await until(() => begun.struck().length === planned.classes.length, patience);
  }
  const struck = begun.struck();
  for (const name of planned.classes) tally.add(name, 1, struck.includes(name));
  await oneByOne(async () => begun.end?.());
}

type Turns = <T>(work: () => Promise<T> | T) => Promise<T>;

/** Beginnings and ends happen one at a time: each finds a daemon that nobody else starts or ends. */
function turns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

function arrive({ count, age }: Mail, { simulator }: World): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - age, to: now });
}

/** What is not begun by anybody, but lies in the mail and in the zone. */
function tallyCircumstances(plan: Plan, world: World, tally: Tally): void {
  const perSecond = new Map<unknown, number>();
  for (const { date } of world.simulator.servedRecords()) perSecond.set(date, (perSecond.get(date) ?? 0) + 1);
  const crowded = [...perSecond.values()].filter((records) => records >= SAME_SECOND).length;
  tally.add('one second over pages', crowded, true);
  tally.add('late mail', plan.faults.filter(({ mail }) => mail.age === LATE_MAIL_MS).length, true);
  if (plan.zone) tally.add('change of summer time', 1, world.simulator.now() > plan.zone.change);
}

/** All faults have ended. Lets the daemon finish, stops it, and gathers what there is to judge. */
async function drain(world: World) {
  const { simulator, daemon } = world;
  world.supervise();
  await world.untilUp();
  const malformedBefore = new Set(simulator.served.malformed);
  simulator.inject({ name: 'malformed-record', count: 1 });
  simulator.seed(5, { from: simulator.now() - 1000, to: simulator.now() });
  const at = simulator.now() + LATEST_MS;
  const deadline = Date.now() + DRAIN_PATIENCE_MS;
  while (!isDrained(world, at) && Date.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    world.supervise();
  }
  if (Date.now() >= deadline)
    world.complaints.push(`not all was delivered ${DRAIN_PATIENCE_MS / 1000} s after the last fault`);
  await world.untilUp();
  await world.end('SIGTERM');
  if (daemon.isRunning) throw new Error('the daemon did not stop');
  for (const name of OUTPUTS) await world.receivers[name].end();
  return historyOf(world, at, malformedBefore);
}
