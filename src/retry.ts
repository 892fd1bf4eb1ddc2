import { setTimeout as timer } from 'node:timers/promises';

/** What a timer can count to, 24.8 days. Node takes anything longer for 1 ms: a long `Retry-After` would become no wait at all. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Waits `ms` milliseconds, or rejects with an `AbortError` as soon as the signal is aborted. This file is the only one that waits. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await timer(Math.min(Math.max(0, ms), LONGEST_TIMER), undefined, signal ? { signal } : undefined);
}

/**
 * Resolves when the set's waiters are woken, when the time is up, or the signal is aborted; leaves nothing behind either way. With a
 * timer of its own: a wait that loses a race stays until its end, two seconds' worth of them in a busy stream.
 */
export function waitIn(waiting: Set<() => void>, signal: AbortSignal, patience?: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = patience === undefined ? undefined : setTimeout(() => done(), patience);
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      waiting.delete(done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    waiting.add(done);
  });
}

export interface BackoffOptions {
  /** Upper bound of the first wait, ms. */
  readonly initialDelay: number;
  /** Upper bound of every wait, ms. */
  readonly maxDelay: number;
}

/**
 * Exponential backoff with full jitter: the n-th wait is drawn evenly from 0 to min(maxDelay, initialDelay × 2^n), so that
 * many senders which failed together do not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** How many waits were asked for since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** The next wait in ms; never shorter than what the other side asked for. */
  next(retryAfterMs = 0): number {
    const ceiling = Math.min(this.#options.maxDelay, this.#options.initialDelay * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.max(retryAfterMs, Math.round(ceiling * this.#random()));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/**
 * `Retry-After` of RFC 9110 §10.2.3 in ms: seconds, or an HTTP date read against `now`.
 * Undefined when the header is absent or is neither.
 */
export function parseRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
