import type { Logger } from 'pino';
import type { Trouble } from '../status/snapshot.ts';
import { duration } from '../status/words.ts';

/** One failed try. */
export interface Failure {
  /** From a closed set: `auth`, `network`, `refused` … */
  readonly reason: string;
  readonly message: string;
  readonly hint: string | null;
  /** False when waiting will not cure it. */
  readonly retryable: boolean;
  /** When the next try is due, ms since 1970. */
  readonly nextTryAt: number | null;
}

/** A row of failures that is over, ms since 1970. */
export interface Over {
  readonly since: number;
  readonly until: number;
  readonly reason: string;
  readonly message: string;
}

/** How long a failure that goes on is not mentioned again. */
const REMIND_EVERY = 5 * 60_000;

/**
 * The unbroken row of failures of one feed or output. It is logged when it starts, every few minutes while it goes on, at once
 * when a new reason turns up, and when it is over; not once a try, as a receiver that is down for a night would fill the disk
 * with one sentence.
 */
export class Episode {
  readonly #subject: string;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** Every reason met in this row: two that alternate are news once each. */
  readonly #reasons = new Set<string>();
  #current: Trouble | null = null;
  #lastOver: Over | null = null;
  #loggedAt = 0;

  /** `subject`: `output splunk`; `fields` are on each of its log entries. */
  constructor(parts: {
    readonly subject: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly logger: Logger;
    readonly now: () => number;
  }) {
    this.#subject = parts.subject;
    this.#logger = parts.logger.child({ ...parts.fields });
    this.#now = parts.now;
  }

  /** What goes wrong now; null when the last try was good. */
  get current(): Trouble | null {
    return this.#current;
  }

  /** What went wrong last and is over; null when nothing was since the start. */
  get lastOver(): Over | null {
    return this.#lastOver;
  }

  failed(failure: Failure): void {
    const at = this.#now();
    const before = this.#current;
    this.#current = { ...failure, since: before?.since ?? at, at, count: (before?.count ?? 0) + 1 };
    const isNews = !this.#reasons.has(failure.reason);
    this.#reasons.add(failure.reason);
    if (before !== null && !isNews && at - this.#loggedAt < REMIND_EVERY) return;
    this.#loggedAt = at;
    this.#log(this.#current, before === null ? 'fails' : isNews ? 'fails for another reason' : 'still fails');
  }

  succeeded(): void {
    const over = this.#current;
    if (over === null) return;
    const { since, reason, message } = over;
    const until = this.#now();
    this.#current = null;
    this.#lastOver = { since, until, reason, message };
    this.#reasons.clear();
    const lasted = duration(until - since);
    this.#logger.info({ reason, failures: over.count, lasted }, `${this.#subject} works again: the failure is over`);
  }

  /** A warning while waiting may cure it, an error when somebody has to act. */
  #log(trouble: Trouble, words: string): void {
    this.#logger[trouble.retryable ? 'warn' : 'error'](
      {
        reason: trouble.reason,
        error: trouble.message,
        ...(trouble.hint === null ? {} : { hint: trouble.hint }),
        failures: trouble.count,
        since: new Date(trouble.since).toISOString(),
        ...(trouble.nextTryAt === null ? {} : { nextTryAt: new Date(trouble.nextTryAt).toISOString() }),
      },
      `${this.#subject} ${words}`,
    );
  }
}
