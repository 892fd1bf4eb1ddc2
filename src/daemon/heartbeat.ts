import { createTask, type ScheduledTask } from 'node-cron';
import { watchClock } from './clock-step.ts';

/** The daemon's own rhythm: rates are sampled, the snapshot is noted when it changed. */
const HEARTBEAT = '*/5 * * * * *';
const UPKEEP = '10,40 * * * * *';

export interface HeartbeatParts {
  beat(): void;
  /** Resolves when the store is tidied up. */
  upkeep(): Promise<void>;
  /** The clock was set, by so many ms: what else is planned by it is to be planned anew. */
  clockSet(stepMs: number): Promise<void>;
  /** An error that nobody else has met. */
  onFatal(error: unknown): void;
}

/** What the daemon does by the clock, beside its feeds. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #tasks: readonly ScheduledTask[];

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    const options = { timezone: 'UTC', suppressMissedWarning: true };
    this.#tasks = [
      createTask(HEARTBEAT, () => parts.beat(), options),
      createTask(UPKEEP, () => parts.upkeep().catch(parts.onFatal), options),
    ];
  }

  /** Beats at once, and from now on until stopped; the clock is watched until the signal is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    for (const task of this.#tasks) await task.start();
    this.#parts.beat();
    void watchClock((step) => this.#clockSet(step), signal).catch(this.#parts.onFatal);
  }

  async stop(): Promise<void> {
    for (const task of this.#tasks) await task.destroy();
  }

  /** What is planned by the wall clock would otherwise wait for a time that is long gone, or does not come. */
  async #clockSet(step: number): Promise<void> {
    await this.#parts.clockSet(step);
    for (const task of this.#tasks) {
      await task.stop();
      await task.start();
    }
  }
}
