import { type Logger as CronLogger, createTask, type ScheduledTask } from 'node-cron';
import type { Logger } from 'pino';
import type { Collector } from './collector.ts';

/** Cron expressions are read in UTC: a poll or a sweep must not be skipped or doubled when summer time begins or ends. */
const TIMEZONE = 'UTC';

/** When one feed is polled and swept. */
export interface Schedule {
  readonly poll: string;
  readonly sweep: string | false;
}

/** Turns cron ticks into polls and sweeps of one collector. */
export class Scheduler {
  /** The usual time between two polls, ms. */
  readonly interval: number;
  /** The usual time between two sweeps, ms; null when there are none. */
  readonly sweepInterval: number | null;
  readonly #tasks: ScheduledTask[];

  constructor(collector: Collector, schedule: Schedule, logger: Logger, onFatal: (error: unknown) => void) {
    const options = { timezone: TIMEZONE, logger: cronLogger(logger), suppressMissedWarning: true };
    const poll = createTask(schedule.poll, () => collector.poll(onFatal), options);
    this.#tasks = [poll];
    this.interval = usualInterval(poll) ?? 60_000;
    this.sweepInterval = null;
    if (schedule.sweep !== false) {
      const sweep = createTask(schedule.sweep, () => collector.sweep(onFatal), options);
      this.#tasks.push(sweep);
      this.sweepInterval = usualInterval(sweep);
    }
  }

  async start(): Promise<void> {
    for (const task of this.#tasks) await task.start();
  }

  /** Plans anew from now on: the wall clock was set. */
  async replan(): Promise<void> {
    for (const task of this.#tasks) {
      await task.stop();
      await task.start();
    }
  }

  async stop(): Promise<void> {
    for (const task of this.#tasks) await task.destroy();
  }
}

function usualInterval(task: ScheduledTask): number | null {
  const [first, second] = task.getNextRuns(2);
  return first && second ? second.getTime() - first.getTime() : null;
}

/** node-cron writes to the console by itself; its words belong into our log. */
function cronLogger(logger: Logger): CronLogger {
  const child = logger.child({ component: 'scheduler' });
  return {
    info: (message) => child.debug(message),
    warn: (message) => child.warn(message),
    error: (message, error) => child.error({ err: error ?? message }, 'the scheduler failed'),
    debug: (message) => child.debug(String(message)),
  };
}
