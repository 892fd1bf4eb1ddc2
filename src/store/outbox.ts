import type { Database } from 'better-sqlite3';
import type { Severity } from '../event.ts';
import { waitIn } from '../retry.ts';
import type { Guard } from './errors.ts';
import { idOfKey, isVariantId, keyOfId, packedKey, packedKeys, timeOfId } from './key.ts';
import { Tail } from './tail.ts';

/** A row of the outbox. The last two are there when the row was never out of memory. */
export interface StoredEvent {
  readonly seq: number;
  /** The event id; of a variant with its content behind it, see `variantId`. */
  readonly id: string;
  readonly feed: string;
  readonly time: number;
  readonly storedAt: number;
  /** The record's text, in UTF-8. Of a row that came with a page, a view of that page. */
  readonly raw: Buffer;
  readonly severity?: Severity | undefined;
  readonly isPlain?: boolean | undefined;
}

export interface ReadLimits {
  readonly maxEvents: number;
  /** Bound of the records' text; one event is always given. */
  readonly maxBytes: number;
}

export type EventRow = [seq: number, feed: string, storedAt: number, key: Buffer, raw: Buffer];

/** How many rows one INSERT carries. */
const CHUNK = 100;
/** What the rows of an INSERT share is bound once: with each row bound whole, an event cost 1.8 us, and 1.2 us now. */
interface PageColumns {
  readonly first: number;
  readonly feed: string;
  readonly storedAt: number;
  readonly keys: Buffer;
}

/** The append-only table of events, ordered by `seq`, with its newest pages kept in memory. */
export class Outbox {
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #insertChunk;
  readonly #insertOne;
  readonly #read;
  readonly #highest;
  readonly #rawOf;
  readonly #tail = new Tail<StoredEvent>();
  readonly #waiting = new Set<() => void>();
  #lastSeq: number;

  constructor(db: Database, guard: Guard) {
    this.#db = db;
    this.#guard = guard;
    const insert = (rows: readonly string[]): string =>
      `INSERT INTO event (seq, feed, stored_at, key, raw) VALUES ${rows.join(',')}`;
    const rows = Array.from(
      { length: CHUNK },
      (_, row) => `(@first + ${row}, @feed, @storedAt, ${packedKey('@keys', row)}, CAST(? AS TEXT))`,
    );
    this.#insertChunk = db.prepare<[Buffer[], PageColumns]>(insert(rows));
    this.#insertOne = db.prepare<EventRow>(insert(['(?, ?, ?, ?, CAST(? AS TEXT))']));
    this.#read = db
      .prepare<[number, number], EventRow>(
        'SELECT seq, feed, stored_at, key, CAST(raw AS BLOB) FROM event WHERE seq > ? ORDER BY seq LIMIT ?',
      )
      .raw();
    // The number last given, also when its row has been pruned: never max(seq).
    this.#highest = db.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'event'").pluck();
    this.#rawOf = db.prepare<[number], Buffer>('SELECT CAST(raw AS BLOB) FROM event WHERE seq = ?').pluck();
    this.#lastSeq = this.#highest.get() ?? 0;
  }

  /** The newest seq that this process knows to be committed. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Inside a transaction only: the newest seq of the table. */
  highest(): number {
    return this.#highest.get() ?? 0;
  }

  /** Inside a transaction only. The events are of one page: one feed and time of storing, numbered gapless from `highest() + 1`. */
  insert(events: readonly StoredEvent[]): void {
    for (let at = 0; at < events.length; ) {
      const { seq, feed, storedAt, id, raw } = events[at] as StoredEvent;
      const chunk = events.slice(at, at + CHUNK);
      if (chunk.length === CHUNK && !chunk.some((event) => isVariantId(event.id))) {
        const texts = chunk.map((event) => event.raw);
        this.#insertChunk.run(texts, { first: seq, feed, storedAt, keys: packedKeys(chunk) });
        at += CHUNK;
      } else {
        this.#insertOne.run(seq, feed, storedAt, keyOfId(id), raw);
        at += 1;
      }
    }
  }

  /** To be called once a transaction that inserted is committed: from now on the events can be read. */
  committed(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.#tail.append(events);
    this.#announce(last.seq);
  }

  /** Looks whether another process has added events. Cheap: one integer of SQLite's. */
  refresh(): void {
    this.#announce(this.#guard(() => this.highest()));
  }

  /** Events after `seq`, in order; from memory when they are there. */
  read(seq: number, limits: ReadLimits): StoredEvent[] {
    if (seq >= this.#lastSeq) return [];
    const inMemory = this.#tail.after(seq, limits.maxEvents);
    if (inMemory) return takeUpTo(limits.maxBytes, inMemory);
    return this.#guard(() => takeUpTo(limits.maxBytes, storedEvents(this.#read.iterate(seq, limits.maxEvents))));
  }

  /** See `Tail.taken`. */
  taken(cursors: Iterable<number>): void {
    this.#tail.taken(cursors);
  }

  /** See `Tail.relief`. */
  relief(signal: AbortSignal): Promise<void> {
    return this.#tail.relief(signal);
  }

  /** See `Tail.holds`. */
  holds(seq: number): boolean {
    return this.#tail.holds(seq);
  }

  /** Resolves when there is an event after `seq`, after `patience` ms, or when the signal is aborted. Never rejects. */
  arrival(seq: number, signal: AbortSignal, patience?: number): Promise<void> {
    if (this.#lastSeq > seq || signal.aborted) return Promise.resolve();
    return waitIn(this.#waiting, signal, patience);
  }

  /** How many events come after `seq`. Exact while nothing behind a cursor is pruned, which retention sees to. */
  countAfter(seq: number): number {
    return Math.max(0, this.#lastSeq - seq);
  }

  /** When the first event after `seq` was stored. */
  storedAfter(seq: number): number | null {
    const row = this.#db
      .prepare<[number], number>('SELECT stored_at FROM event WHERE seq > ? ORDER BY seq LIMIT 1')
      .pluck()
      .get(seq);
    return row ?? null;
  }

  /** Seq and age of the oldest event that is still kept. */
  oldest(): { seq: number; storedAt: number } | undefined {
    return this.#db
      .prepare<[], { seq: number; storedAt: number }>(
        'SELECT seq, stored_at AS storedAt FROM event ORDER BY seq LIMIT 1',
      )
      .get();
  }

  rawOf(seq: number): Buffer | undefined {
    return this.#rawOf.get(seq);
  }

  #announce(seq: number): void {
    if (seq <= this.#lastSeq) return;
    this.#lastSeq = seq;
    for (const wake of [...this.#waiting]) wake();
  }
}

/** As many events as have room, and always the first. */
export function takeUpTo(maxBytes: number, events: Iterable<StoredEvent>): StoredEvent[] {
  const taken: StoredEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    if (taken.length > 0 && bytes + event.raw.length > maxBytes) break;
    taken.push(event);
    bytes += event.raw.length;
  }
  return taken;
}

export function* storedEvents(rows: Iterable<EventRow>): Generator<StoredEvent> {
  for (const [seq, feed, storedAt, key, raw] of rows) {
    const id = idOfKey(key);
    yield { seq, id, feed, time: timeOfId(id), storedAt, raw };
  }
}
