import type { Database } from 'better-sqlite3';
import { type Guard, guardOf } from './errors.ts';
import { lowestKey } from './key.ts';
import { openReadOnly } from './opening.ts';
import { type EventRow, type ReadLimits, type StoredEvent, storedEvents, takeUpTo } from './outbox.ts';

/**
 * Looks at the events of a store that others write to. It has no cursor, so retention does not wait for it; and each call is a read
 * transaction that has ended when it returns, so the write-ahead log can be taken over into the file between two of them.
 */
export class EventReader {
  /** The types of feeds, for those that are no longer configured. */
  readonly checkpoints: { get(feed: string): { readonly type: string } | undefined };
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #after;
  readonly #before;
  readonly #last;
  readonly #firstSince;

  private constructor(path: string, db: Database) {
    this.#db = db;
    this.#guard = guardOf(path);
    const feed = db.prepare<[string], { type: string }>('SELECT type FROM checkpoint WHERE feed = ?');
    this.checkpoints = { get: (name) => this.#guard(() => feed.get(name)) };
    const rows = 'SELECT seq, feed, stored_at, key, CAST(raw AS BLOB) FROM event WHERE';
    this.#after = db.prepare<[number, number], EventRow>(`${rows} seq > ? ORDER BY seq LIMIT ?`).raw();
    this.#before = db.prepare<[number, number], EventRow>(`${rows} seq < ? ORDER BY seq DESC LIMIT ?`).raw();
    this.#last = db.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'event'").pluck();
    this.#firstSince = db.prepare<[Buffer], number | null>('SELECT min(seq) FROM seen WHERE key >= ?').pluck();
  }

  /** Throws a `StoreError`. */
  static open(path: string): EventReader {
    return openReadOnly(path, (db) => new EventReader(path, db));
  }

  /** The number last given to an event; 0 when there has been none. */
  last(): number {
    return this.#guard(() => this.#last.get() ?? 0);
  }

  /** Events after `seq`, oldest first. */
  after(seq: number, limits: ReadLimits): StoredEvent[] {
    return this.#guard(() => takeUpTo(limits.maxBytes, storedEvents(this.#after.iterate(seq, limits.maxEvents))));
  }

  /** Events before `seq`, newest first. */
  before(seq: number, limits: ReadLimits): StoredEvent[] {
    return this.#guard(() => takeUpTo(limits.maxBytes, storedEvents(this.#before.iterate(seq, limits.maxEvents))));
  }

  /** The number of the event that was stored first of all those with this time of their own (ms) or a later one; undefined when there is none. */
  firstSince(time: number): number | undefined {
    return this.#guard(() => this.#firstSince.get(lowestKey(time)) ?? undefined);
  }

  /** Idempotent. */
  close(): void {
    this.#db.close();
  }
}
