import { performance } from 'node:perf_hooks';
import { Backoff, parseRetryAfter, sleep } from '../retry.ts';

/** Header names in lower case, as undici gives them. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

const MINUTE_MS = 60_000;
const SHORTEST_PAUSE_MS = 1000;
/** A pause longer than this is more likely a unit that was misread than a wish. */
const LONGEST_PAUSE_MS = 15 * MINUTE_MS;
/** Up to this share is added to a pause, so that several installations on one quota do not come back together. */
const JITTER = 0.1;
const LONGEST_JITTER_MS = 1000;

/**
 * How long the answer asks us to wait, in ms from 1 s to 15 min; undefined when it does not say, or not legibly.
 *
 * Mimecast documents `X-RateLimit-Reset` as the milliseconds until one request is added back to the quota. Gateways in
 * front of it may say `Retry-After` instead, and some clients have met points in time: nobody waits for 11 days
 * (1e9 ms), so larger numbers are read as seconds, or from 1e12 on milliseconds, since 1970.
 */
export function requestedPauseMs(headers: AnswerHeaders, now: number): number | undefined {
  const pause =
    parseRetryAfter(headerText(headers, 'retry-after'), now) ??
    parseReset(headerText(headers, 'x-ratelimit-reset'), now) ??
    parseReset(headerText(headers, 'x-mimecast-ratelimit-reset'), now);
  return pause === undefined ? undefined : Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pause));
}

function parseReset(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !/^\d+(\.\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  if (value > 1e12) return value - now;
  if (value > 1e9) return value * 1000 - now;
  return value;
}

/** A header's text; the first when it was sent more than once. */
export function headerText(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value)?.trim();
}

export interface RateLimiterOptions {
  /** At most so many turns start within any 60 seconds. */
  readonly requestsPerMinute: number;
}

/** Time, waiting and chance; replaced in tests. */
export interface RateLimiterClock {
  /** Milliseconds on a clock that never steps back. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
}

const REAL_CLOCK: RateLimiterClock = { now: () => performance.now(), sleep, random: Math.random };

export interface TurnOptions {
  /** Goes only when nothing live is waiting. */
  readonly background: boolean;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly background: boolean;
  readonly start: () => void;
}

/**
 * Decides when a request may be sent. One for all feeds, because they share one quota.
 *
 * It keeps our own ceiling, and obeys Mimecast: after a 429 nothing is sent before the reset has passed. The quota is a
 * bucket to which one request is added back at each reset, so what follows is one request at a time until one succeeds;
 * letting all feeds go at once would only earn the next 429.
 */
export class RateLimiter {
  readonly #limit: number;
  readonly #clock: RateLimiterClock;
  /** For a 429 that does not say how long. */
  readonly #backoff: Backoff;
  /** When the turns of the last minute started, oldest first. */
  readonly #started: number[] = [];
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #notBefore = 0;
  #oneAtATime = false;
  #alarm: AbortController | undefined;

  constructor(options: RateLimiterOptions, clock: RateLimiterClock = REAL_CLOCK) {
    this.#limit = options.requestsPerMinute;
    this.#clock = clock;
    this.#backoff = new Backoff({ initialDelay: 10_000, maxDelay: LONGEST_PAUSE_MS }, clock.random);
  }

  /** Turns that started within the last 60 seconds. */
  get startedLastMinute(): number {
    this.#forgetOldTurns();
    return this.#started.length;
  }

  /** How long nothing is sent yet because Mimecast's quota is used up, ms; 0 when nothing keeps it. */
  get heldBackMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.now());
  }

  /** Waits for a turn and does the work in it. Rejects with the signal's reason when aborted while it waits. */
  async turn<T>(options: TurnOptions, work: () => Promise<T>): Promise<T> {
    await this.#untilMyTurn(options);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#startWhoMay();
    }
  }

  /** To be told of a 429, inside the turn. Returns the pause in ms. */
  refused(requestedMs: number | undefined): number {
    return this.#pause(requestedMs ?? this.#backoff.next(SHORTEST_PAUSE_MS));
  }

  /** To be told of a success, inside the turn: one that has used up the quota makes the next request wait as well. */
  succeeded(headers: AnswerHeaders, now: number): void {
    const sentBeforeThePause = this.#clock.now() < this.#notBefore;
    if (!sentBeforeThePause) {
      this.#backoff.reset();
      this.#oneAtATime = false;
    }
    if (headerText(headers, 'x-ratelimit-remaining') === '0') this.#pause(requestedPauseMs(headers, now) ?? 0);
  }

  #pause(ms: number): number {
    const jitter = Math.min(LONGEST_JITTER_MS, ms * JITTER) * this.#clock.random();
    this.#notBefore = Math.max(this.#notBefore, this.#clock.now() + ms + jitter);
    this.#oneAtATime = true;
    return ms;
  }

  #untilMyTurn({ background, signal }: TurnOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
        this.#startWhoMay();
      };
      const start = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting = { background, start };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
      this.#startWhoMay();
    });
  }

  /** Starts turns until nobody waits or nobody may; called whenever either can have changed. */
  #startWhoMay(): void {
    this.#alarm?.abort();
    this.#alarm = undefined;
    while (this.#waiting.length > 0) {
      if (this.#oneAtATime && this.#running > 0) return;
      const wait = this.#waitMs();
      if (wait > 0) {
        this.#wakeIn(wait);
        return;
      }
      const live = this.#waiting.findIndex((waiting) => !waiting.background);
      const [next] = this.#waiting.splice(Math.max(0, live), 1);
      this.#started.push(this.#clock.now());
      this.#running += 1;
      next?.start();
    }
  }

  #waitMs(): number {
    this.#forgetOldTurns();
    const now = this.#clock.now();
    const oldest = this.#started[this.#started.length - this.#limit];
    const forCeiling = oldest === undefined ? 0 : oldest + MINUTE_MS - now;
    return Math.max(forCeiling, this.#notBefore - now);
  }

  #forgetOldTurns(): void {
    const minuteAgo = this.#clock.now() - MINUTE_MS;
    const kept = this.#started.findIndex((at) => at > minuteAgo);
    this.#started.splice(0, kept < 0 ? this.#started.length : kept);
  }

  #wakeIn(ms: number): void {
    const alarm = new AbortController();
    this.#alarm = alarm;
    this.#clock.sleep(ms, alarm.signal).then(
      () => this.#startWhoMay(),
      () => undefined, // replaced by a later alarm
    );
  }
}
