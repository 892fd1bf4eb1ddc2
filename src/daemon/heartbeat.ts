import { sleep } from '../retry.ts';
import { watchClock } from './clock-step.ts';

/** The daemon's own rhythm, ms: rates are sampled, the snapshot is noted when it changed. */
const BEAT_EVERY = 5000;
const UPKEEP_EVERY = 30_000;

export interface HeartbeatParts {
  beat(): void;
  /** Resolves when the store is tidied up. */
  upkeep(): Promise<void>;
  /** The clock was set, by so many ms: what is planned by it is to be planned anew. */
  clockSet(stepMs: number): void;
  /** An error that nobody else has met. */
  onFatal(error: unknown): void;
}

/** What the daemon does now and then, beside its feeds. Its waits do not go by the wall clock, which may be set. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #ending = new AbortController();

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  /** Beats at once, and from now on until stopped; the clock is watched until the signal is aborted. */
  start(signal: AbortSignal): void {
    const { beat, upkeep, clockSet, onFatal } = this.#parts;
    beat();
    void this.#every(BEAT_EVERY, beat).catch(onFatal);
    void this.#every(UPKEEP_EVERY, upkeep).catch(onFatal);
    const reset = async (stepMs: number): Promise<void> => {
      clockSet(stepMs);
      // What is past its retention is another matter now.
      await upkeep();
    };
    void watchClock(reset, signal).catch(onFatal);
  }

  stop(): void {
    this.#ending.abort();
  }

  async #every(ms: number, work: () => void | Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await sleep(ms, signal).catch(() => undefined);
      if (!signal.aborted) await work();
    }
  }
}
