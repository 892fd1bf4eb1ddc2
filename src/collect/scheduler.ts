import { createTask, type ScheduledTask } from 'node-cron';
import { sleep } from '../retry.ts';
import type { Collector } from './collector.ts';

/** Cron expressions are read in UTC: a poll or a sweep must not be skipped or doubled when summer time begins or ends. */
const TIMEZONE = 'UTC';

/** When one feed is polled and swept. */
export interface Schedule {
  readonly poll: string;
  readonly sweep: string | false;
}

/** Turns the times of cron expressions into polls and sweeps of one collector. */
export class Scheduler {
  readonly #poll: Plan;
  readonly #sweep: Plan | null;

  constructor(collector: Collector, schedule: Schedule, onFatal: (error: unknown) => void) {
    this.#poll = new Plan(schedule.poll, () => collector.poll(onFatal));
    this.#sweep = schedule.sweep === false ? null : new Plan(schedule.sweep, () => collector.sweep(onFatal));
  }

  /** The usual time between two polls, ms. */
  get interval(): number {
    return this.#poll.usualInterval ?? 60_000;
  }

  /** The usual time between two sweeps, ms; null when there are none. */
  get sweepInterval(): number | null {
    return this.#sweep?.usualInterval ?? null;
  }

  get #plans(): readonly Plan[] {
    return this.#sweep ? [this.#poll, this.#sweep] : [this.#poll];
  }

  start(): void {
    for (const plan of this.#plans) plan.begin();
  }

  /** Plans anew from now on: the wall clock was set. */
  replan(): void {
    for (const plan of this.#plans) if (plan.isFollowed) plan.begin();
  }

  stop(): void {
    for (const plan of this.#plans) plan.end();
  }
}

/**
 * The times of one cron expression. node-cron says when they are, but does not wait for them: it waits by the wall clock. After that was
 * set ahead by a day, it works through every time that it has missed, which held up the whole process for 40 s with a poll a second.
 */
class Plan {
  readonly #times: ScheduledTask;
  readonly #fire: () => void;
  #waiting: AbortController | undefined;
  #usualInterval: number | null | undefined;

  constructor(expression: string, fire: () => void) {
    this.#times = createTask(expression, () => undefined, { timezone: TIMEZONE });
    this.#fire = fire;
  }

  /** ms; null for an expression that has no two times. Worked out when it is first asked for: node-cron takes 10 ms of a start. */
  get usualInterval(): number | null {
    if (this.#usualInterval === undefined) this.#usualInterval = this.#timeBetween();
    return this.#usualInterval;
  }

  #timeBetween(): number | null {
    const [first, second] = this.#times.getNextRuns(2);
    return first && second ? second.getTime() - first.getTime() : null;
  }

  /** Between `begin` and `end`. */
  get isFollowed(): boolean {
    return this.#waiting?.signal.aborted === false;
  }

  /** Waits for the times from now on; what was waited for before is given up. */
  begin(): void {
    this.#waiting?.abort();
    this.#waiting = new AbortController();
    void this.#follow(this.#waiting.signal);
  }

  end(): void {
    this.#waiting?.abort();
    void this.#times.destroy();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let last = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const times = this.#times.getNextRuns(2);
      // A timer may go off a moment before the wall clock is there: the time that has just been would come again. Where none is later, the
      // clock was set back, perhaps by too little for a `replan`.
      const next = times.find((time) => time.getTime() > last) ?? times[0];
      if (next === undefined) return;
      last = next.getTime();
      await waitUntil(performance.now() + last - Date.now(), signal);
      if (!signal.aborted) this.#fire();
    }
  }
}

/** Until a time of the clock that never steps, or the abort. A timer counts to 24.8 days at most, so it may take several. */
async function waitUntil(due: number, signal: AbortSignal): Promise<void> {
  for (let left = due - performance.now(); left > 0 && !signal.aborted; left = due - performance.now()) {
    await sleep(left, signal).catch(() => undefined);
  }
}
