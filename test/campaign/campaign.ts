import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { perform } from './actions.ts';
import { type Doubles, judge } from './oracle.ts';
import { OUTPUTS, type Plan, planOf, type Step } from './schedule.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: string;
  /** How many faults the run has; each has about half a second. */
  readonly faults: number;
  /** Where the run keeps its store, journals and logs; removed after a run without a violation. */
  readonly folder: string;
  /** The program's entry file. */
  readonly program: string;
  /** Told of each step as it is done. */
  readonly onStep?: (step: Step) => void;
}

export interface RunResult {
  readonly seed: string;
  readonly violations: readonly string[];
  readonly records: number;
  readonly lives: number;
  readonly losses: number;
  readonly doubles: Doubles;
  /** How often each fault of the plan was used. */
  readonly byFault: Plan['byFault'];
  /** How often each fault of the API struck. */
  readonly byApiFault: Readonly<Record<string, number>>;
  /** What could not be done here, and why. */
  readonly limit: string | undefined;
  /** Its folder, kept because of a violation. */
  readonly kept: string | undefined;
  readonly seconds: number;
}

const HOUR = 3_600_000;
/** Mail from before the daemon's first start, over several windows and many pages. */
const OLD_MAIL = 240;
const DRAIN_PATIENCE_MS = 40_000;
/** Records that surface late are waited for so long after the faults are over. */
const LATEST_MS = 6000;

/** One run: a world, a plan, and in the end the oracle's verdict on what became of every record. */
export async function runCampaign(options: RunOptions): Promise<RunResult> {
  const startedAt = performance.now();
  const { seed, faults, program, onStep } = options;
  const folder = join(options.folder, `seed-${seed}`);
  rmSync(folder, { recursive: true, force: true });
  const plan = planOf(seed, faults);
  const world = await World.create({ folder, seed, program });
  let isKept = true;
  try {
    const now = world.simulator.now();
    world.simulator.seed(OLD_MAIL, { from: now - 20 * HOUR, to: now - 1000 });
    world.start();
    await follow(plan.steps, world, onStep);
    const history = await drain(world);
    const verdict = judge(history);
    const violations = [...world.complaints, ...verdict.violations];
    isKept = violations.length > 0;
    return {
      seed,
      violations,
      records: history.served.size,
      lives: world.lives.length,
      losses: verdict.losses,
      doubles: verdict.doubles,
      byFault: plan.byFault,
      byApiFault: { ...world.simulator.stats.byFault },
      limit: world.volume.limit,
      kept: isKept ? folder : undefined,
      seconds: (performance.now() - startedAt) / 1000,
    };
  } catch (cause) {
    throw new Error(`the run with seed ${seed} could not be finished; kept: ${folder}`, { cause });
  } finally {
    await world.remove(isKept);
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  }
}

async function follow(steps: readonly Step[], world: World, onStep: RunOptions['onStep']): Promise<void> {
  const begunAt = performance.now();
  for (const step of steps) {
    // A machine that is behind does not skip a step: it does the next one at once.
    await sleep(Math.max(0, begunAt + step.at - performance.now()));
    world.supervise();
    onStep?.(step);
    await perform(step, world);
  }
}

/** Ends all faults, lets the daemon finish, stops it, and gathers what there is to judge. */
async function drain(world: World) {
  const { simulator, daemon } = world;
  simulator.clearFaults();
  for (const name of OUTPUTS) {
    world.receivers[name].resume();
    world.receivers[name].behave('well');
    await world.receivers[name].start();
  }
  world.setSecret(simulator.credentials.clientSecret);
  world.stepClock(0);
  world.configure();
  world.freeDisk();
  // A new life waits for nothing that is over: after a refusal of the credentials, the old one would for half a minute.
  await world.end('SIGTERM');
  world.supervise();
  await world.untilUp();
  const malformedBefore = new Set(simulator.served.malformed);
  simulator.inject({ name: 'malformed-record', count: 1 });
  simulator.seed(5, { from: simulator.now() - 1000, to: simulator.now() });
  const at = simulator.now() + LATEST_MS;
  const deadline = Date.now() + DRAIN_PATIENCE_MS;
  while (!world.isDrained(at) && Date.now() < deadline) {
    await sleep(100);
    world.supervise();
  }
  if (Date.now() >= deadline)
    world.complaints.push(`not all was delivered ${DRAIN_PATIENCE_MS / 1000} s after the last fault`);
  await world.untilUp();
  await world.end('SIGTERM');
  if (daemon.isRunning) throw new Error('the daemon did not stop');
  return world.history(at, malformedBefore);
}
