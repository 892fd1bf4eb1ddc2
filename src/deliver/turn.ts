import { ForwarderError } from '../errors.ts';
import { Backoff, type BackoffOptions } from '../retry.ts';
import { StoreError } from '../store/errors.ts';

/** How soon after it has found nothing it looks again, ms: asking the store after each batch took 1.5 % of the CPU time. */
const LOOK_AGAIN = 500;

/**
 * For what is sent beside the live events: rejects, replays. What cannot be sent just now waits for a turn of its own; events that
 * come meanwhile do not wait for it.
 */
export class Turn {
  readonly #backoff: Backoff;
  readonly #failed: (error: unknown) => void;
  /** By the clock that never steps: one that is set back must not make the turn come hours late. */
  #notBefore = 0;

  constructor(retry: BackoffOptions, failed: (error: unknown) => void) {
    this.#backoff = new Backoff(retry);
    this.#failed = failed;
  }

  /** Does the work when it is its turn. False when it is not, when there was nothing to do, and when it failed. */
  async take(work: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
    if (performance.now() < this.#notBefore) return false;
    try {
      const done = await work();
      this.#backoff.reset();
      if (!done) this.#notBefore = performance.now() + LOOK_AGAIN;
      return done;
    } catch (error) {
      if (signal.aborted || error instanceof StoreError) throw error;
      const retryAfter = error instanceof ForwarderError ? (error.retryAfterMs ?? 0) : 0;
      this.#notBefore = performance.now() + this.#backoff.next(retryAfter);
      this.#failed(error);
      return false;
    }
  }
}
