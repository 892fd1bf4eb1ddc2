import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';

/** What a feed or an output did in a minute. */
export interface MinuteCount {
  /** Minutes since 1970. */
  readonly minute: number;
  /** New records that a feed stored, or events that an output accepted. */
  readonly count: number;
  /** Events that waited for the output when the minute ended; null for a feed. */
  readonly waiting: number | null;
}

/** A stretch of time in which a feed or an output failed. ms since 1970. */
export interface FailedStretch {
  readonly from: number;
  /** Null: it lasts. */
  readonly until: number | null;
  /** Of the closed set that labels the metric. */
  readonly reason: string;
  readonly message: string;
}

/** Whose row it is: `subjectOf('output', 'splunk')`. */
export type Subject = `${'feed' | 'output'} ${string}`;

export type OfSubject<Row> = Row & { readonly subject: Subject };

export const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A day longer than the longest timeline. */
const MINUTES_KEPT = 8 * DAY;
const FAILURES_KEPT = 30 * DAY;
/** An output that fails every other second for a month must not fill the store. */
const MOST_FAILURES = 1000;

type FailureRow = [subject: Subject, from: number, until: number | null, reason: string, message: string];

/** What each feed and output did lately: a picture for people. Nothing that is read or sent rests on it. */
export class Activity {
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #minutes;
  readonly #failures;
  readonly #lastOver;
  readonly #open;
  readonly #addMinute;
  readonly #putFailure;
  readonly #stored = new Map<string, number>();
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database, guard: Guard) {
    this.#db = db;
    this.#guard = guard;
    this.#minutes = db
      .prepare<[string, number, number], [minute: number, count: number, waiting: number | null]>(
        'SELECT minute, count, waiting FROM minute WHERE subject = ? AND minute >= ? AND minute < ? ORDER BY minute',
      )
      .raw();
    const failures = 'SELECT subject, from_at, until_at, reason, message FROM failure';
    this.#failures = db
      .prepare<[string, number, number, number], FailureRow>(
        `${failures} WHERE subject = ? AND from_at < ? AND ifnull(until_at > ?, 1) ORDER BY from_at DESC LIMIT ?`,
      )
      .raw();
    this.#lastOver = db
      .prepare<[string], FailureRow>(
        `${failures} WHERE subject = ? AND until_at IS NOT NULL ORDER BY from_at DESC LIMIT 1`,
      )
      .raw();
    this.#open = db.prepare<[], FailureRow>(`${failures} WHERE until_at IS NULL ORDER BY subject, from_at`).raw();
    this.#addMinute = db.prepare<[string, number, number, number | null]>(
      `INSERT INTO minute (subject, minute, count, waiting) VALUES (?, ?, ?, ?)
       ON CONFLICT (subject, minute) DO UPDATE SET count = count + excluded.count, waiting = excluded.waiting`,
    );
    this.#putFailure = db.prepare<FailureRow>(
      `INSERT INTO failure (subject, from_at, until_at, reason, message) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (subject, from_at) DO UPDATE SET until_at = excluded.until_at, reason = excluded.reason,
         message = excluded.message`,
    );
  }

  /** Counts in memory what a page brought. */
  storedNow(feed: string, count: number): void {
    this.#stored.set(feed, this.stored(feed) + count);
  }

  /** New records that this process has stored for a feed. */
  stored(feed: string): number {
    return this.#stored.get(feed) ?? 0;
  }

  /** Writes all of it in one transaction. Counts are added to what the minute has, as a restart may share it. */
  write(minutes: readonly OfSubject<MinuteCount>[], failures: readonly OfSubject<FailedStretch>[]): void {
    this.#guard(() =>
      this.#db
        .transaction(() => {
          for (const { subject, minute, count, waiting } of minutes) {
            this.#addMinute.run(subject, minute, count, waiting);
          }
          for (const { subject, from, until, reason, message } of failures) {
            this.#putFailure.run(subject, from, until, reason, message);
          }
        })
        .immediate(),
    );
  }

  /** The minutes that begin within a span, ms since 1970, in order. */
  minutes(subject: Subject, span: { readonly from: number; readonly until: number }): MinuteCount[] {
    const [first, last] = [Math.ceil(span.from / MINUTE), Math.ceil(span.until / MINUTE)];
    return this.#guard(() =>
      this.#minutes.all(subject, first, last).map(([minute, count, waiting]) => ({ minute, count, waiting })),
    );
  }

  /** The stretches that intersect a span, ms since 1970, in order. */
  failures(subject: Subject, span: { readonly from: number; readonly until: number }): FailedStretch[] {
    return this.#guard(() =>
      this.#failures.all(subject, span.until, span.from, MOST_FAILURES).map(stretchOf).toReversed(),
    );
  }

  /** The newest stretch that is over. */
  lastOver(subject: Subject): FailedStretch | undefined {
    const row = this.#guard(() => this.#lastOver.get(subject));
    return row && stretchOf(row);
  }

  /** The stretches that lasted when they were last written. */
  open(): OfSubject<FailedStretch>[] {
    return this.#guard(() => this.#open.all().map((row) => ({ subject: row[0], ...stretchOf(row) })));
  }

  /** Lets go of what is old, once an hour. */
  prune(now: number): void {
    if (Math.abs(now - this.#prunedAt) < HOUR) return;
    this.#guard(() => this.#db.transaction(() => this.#prune(now)).immediate());
    this.#prunedAt = now;
  }

  #prune(now: number): void {
    // Subject by subject, along the key: a look at all rows of a week would hold up polls and sends.
    const next = this.#db.prepare<[string], string | null>('SELECT min(subject) FROM minute WHERE subject > ?').pluck();
    const drop = this.#db.prepare<[string, number]>('DELETE FROM minute WHERE subject = ? AND minute < ?');
    for (let subject = next.get(''); subject; subject = next.get(subject)) {
      drop.run(subject, Math.floor((now - MINUTES_KEPT) / MINUTE));
    }
    this.#db.prepare<[number]>('DELETE FROM failure WHERE until_at < ?').run(now - FAILURES_KEPT);
    this.#db
      .prepare<[number]>(
        `DELETE FROM failure WHERE (subject, from_at) IN (SELECT subject, from_at FROM (
           SELECT subject, from_at, row_number() OVER (PARTITION BY subject ORDER BY from_at DESC) AS place FROM failure)
         WHERE place > ?)`,
      )
      .run(MOST_FAILURES);
  }
}

export function subjectOf(kind: 'feed' | 'output', name: string): Subject {
  return `${kind} ${name}`;
}

function stretchOf([, from, until, reason, message]: FailureRow): FailedStretch {
  return { from, until, reason, message };
}
