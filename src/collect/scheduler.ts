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
  readonly #tasks: ScheduledTask[];

  constructor(collector: Collector, schedule: Schedule, logger: Logger, onFatal: (error: unknown) => void) {
    const options = { timezone: TIMEZONE, logger: cronLogger(logger), suppressMissedWarning: true };
    const poll = createTask(schedule.poll, () => collector.poll(onFatal), options);
    this.#tasks = [poll];
    if (schedule.sweep !== false) {
      this.#tasks.push(createTask(schedule.sweep, () => collector.sweep(onFatal), options));
    }
    const [first, second] = poll.getNextRuns(2);
    this.interval = first && second ? second.getTime() - first.getTime() : 60_000;
  }

  async start(): Promise<void> {
    for (const task of this.#tasks) await task.start();
  }

  async stop(): Promise<void> {
    for (const task of this.#tasks) await task.destroy();
  }
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
