export interface RateLimit {
  readonly requests: number;
  readonly perMs: number;
}

export interface QuotaState {
  readonly allowed: boolean;
  /** True when the request came although the wait of an earlier 429 had not passed. */
  readonly impatient: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** A timer may fire a moment before its time; a client that waited in earnest is not called impatient for it. */
const TIMER_SLACK_MS = 5;

/**
 * A quota that refills like a bucket: it holds `requests`, and one is added back every `perMs / requests`.
 * Reset is told in milliseconds, as Mimecast documents it. Time is the machine's, not the simulator's: clients wait for real.
 */
export class Quota {
  readonly #limit: RateLimit;
  #level: number;
  #refilledAt = performance.now();
  #heldUntil = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#level = limit.requests;
  }

  /** Spends one request, if there is one. */
  take(): QuotaState {
    const now = performance.now();
    const interval = this.#limit.perMs / this.#limit.requests;
    this.#level = Math.min(this.#limit.requests, this.#level + (now - this.#refilledAt) / interval);
    this.#refilledAt = now;
    if (now < this.#heldUntil) return this.#state(false, true, this.#heldUntil - now);
    const allowed = this.#level >= 1;
    if (allowed) this.#level -= 1;
    const untilNext = (1 - (this.#level % 1)) * interval;
    if (!allowed) this.#heldUntil = now + untilNext - TIMER_SLACK_MS;
    return this.#state(allowed, false, untilNext);
  }

  /** Refuses all for `ms`, whatever is left. */
  hold(ms: number): QuotaState {
    this.#heldUntil = performance.now() + ms - TIMER_SLACK_MS;
    return this.#state(false, false, ms);
  }

  #state(allowed: boolean, impatient: boolean, resetMs: number): QuotaState {
    const headers = {
      'X-RateLimit-Limit': String(this.#limit.requests),
      'X-RateLimit-Remaining': String(allowed ? Math.floor(this.#level) : 0),
      'X-RateLimit-Reset': String(Math.max(1, Math.ceil(resetMs))),
    };
    return { allowed, impatient, headers };
  }
}
