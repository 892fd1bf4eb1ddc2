import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { Activity } from './activity.ts';
import { Checkpoints } from './checkpoints.ts';
import { Coverage } from './coverage.ts';
import { Cursors } from './cursors.ts';
import { type Guard, guardOf, StoreError } from './errors.ts';
import { Identities } from './identities.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { lowestKey, timeOfId, variantId } from './key.ts';
import { StoreLock } from './lock.ts';
import { MalformedRecords } from './malformed.ts';
import { Newest } from './newest.ts';
import { openDatabase } from './opening.ts';
import { Outbox, type StoredEvent } from './outbox.ts';
import { type Candidate, type Comparison, type PageOutcome, PageSorter, type PageToStore } from './pages.ts';
import { Rejects } from './rejects.ts';
import { Replays } from './replays.ts';
import { type Pruned, Retention } from './retention.ts';
import { Variants } from './variants.ts';

/**
 * The only memory, and the only room that says SQL. Collecting and delivering meet nowhere else.
 *
 * One SQLite file in WAL mode with `synchronous=FULL`: what a call has returned from is on the disk, but for cursors
 * (see `Cursors`). Other processes may read it, and add to it through the same class, while the daemon runs.
 */
export class Store {
  readonly path: string;
  readonly outbox: Outbox;
  readonly checkpoints: Checkpoints;
  readonly coverage: Coverage;
  readonly cursors: Cursors;
  readonly identities: Identities;
  readonly rejects: Rejects;
  readonly replays: Replays;
  readonly variants: Variants;
  readonly malformed: MalformedRecords;
  readonly activity: Activity;
  readonly newest: Newest;
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #retention: Retention;
  readonly #sorter: PageSorter;
  readonly #sizes;
  #lock: StoreLock | undefined;

  private constructor(path: string, db: Database) {
    this.path = path;
    this.#db = db;
    this.#guard = guardOf(path);
    this.outbox = new Outbox(db, this.#guard);
    this.checkpoints = new Checkpoints(db, this.#guard);
    this.coverage = new Coverage(db, this.#guard);
    this.cursors = new Cursors(db);
    this.identities = new Identities(db, this.#guard);
    this.rejects = new Rejects(db, this.#guard);
    this.replays = new Replays(db, this.#guard, this.rejects);
    this.variants = new Variants(db);
    this.malformed = new MalformedRecords(db);
    this.activity = new Activity(db, this.#guard);
    this.newest = new Newest(db, this.#guard);
    this.#retention = new Retention(db);
    this.#sorter = new PageSorter(db, this.outbox, this.variants, this.malformed);
    this.#sizes = ['page_count', 'freelist_count', 'page_size'].map((name) =>
      db.prepare<[], number>(`PRAGMA ${name}`).pluck(),
    );
  }

  /**
   * Opens the store, makes it when there is none, and brings it to this version.
   * `mustExist`: commands that look at a store do not make one. Throws a `StoreError`.
   */
  static open(path: string, options: { readonly mustExist?: boolean } = {}): Store {
    return openDatabase(path, options, (db) => new Store(path, db));
  }

  /** Is a daemon serving it? */
  static isServed(path: string): boolean {
    return existsSync(`${path}.lock`) && StoreLock.isHeld(path);
  }

  /** Makes this process the one daemon of the store. Throws `STORE_LOCKED` and names the holder. */
  lock(holder: { readonly pid: number; readonly host: string; readonly startedAt: number }): void {
    const lock = StoreLock.acquire(this.path);
    if (!lock) {
      const other = this.note<typeof holder>('holder')?.data;
      const who = other
        ? `process ${other.pid} on ${other.host}, since ${new Date(other.startedAt).toISOString()}`
        : 'another process';
      throw new StoreError(
        'STORE_LOCKED',
        `the store ${this.path} is in use by ${who}`,
        'One store serves one daemon: two would send every event twice. Stop the other, or give this one its own store.path.',
      );
    }
    this.#lock = lock;
    this.writeNote('holder', holder, holder.startedAt);
  }

  /**
   * Stores a page: new events, identities, variants, malformed records, the feed's progress, the ledger and all cursors that have
   * moved, in one transaction. When it returns, all of it is on the disk; when it throws, none is.
   */
  storePage(page: PageToStore): PageOutcome {
    return this.#guard(() => {
      let moved: string[] = [];
      const outcome = this.#db
        .transaction(() => {
          const sorted = this.#sorter.store(page);
          if (page.progress) {
            const newest = sorted.added.reduce((latest, event) => Math.max(latest, event.time), 0);
            const { doneUntil, walk } = page.progress;
            this.checkpoints.save(page.feed, page.type, doneUntil, walk, newest || null);
          }
          if (page.coverage) this.coverage.page({ feed: page.feed, ...page.coverage }, page.now);
          moved = this.cursors.write();
          return sorted;
        })
        .immediate();
      this.cursors.written(moved);
      this.outbox.committed(outcome.added);
      this.activity.storedNow(page.feed, outcome.added.length);
      return outcome;
    });
  }

  /** How each record of a page compares with what is stored. */
  compare(candidates: readonly Candidate[]): Comparison[] {
    return this.#guard(() => this.#sorter.compare(candidates));
  }

  /**
   * Moves a cursor over what an output is done with, keeping what it refused. Durable at once when something was refused; when that
   * fails the cursor stays, so that no refused event is passed over without being kept.
   */
  settle(output: string, seq: number, rejected: Rejections, now: number): void {
    if (rejected.length === 0) this.cursors.move(output, seq);
    else this.#settleWithRejects(output, seq, rejected, now);
    this.outbox.taken(this.cursors.all().values());
  }

  #settleWithRejects(output: string, seq: number, rejected: Rejections, now: number): void {
    this.#guard(() => {
      this.#db
        .transaction(() => {
          for (const { event, reason } of rejected) this.rejects.add(output, event, reason, now);
          this.cursors.writeAt(output, seq);
        })
        .immediate();
      this.cursors.move(output, seq);
      this.cursors.written([output]);
    });
  }

  /** Takes up what other processes have written meanwhile. For who only looks: the daemon's own cursors are ahead of those on the disk. */
  refresh(): void {
    this.outbox.refresh();
    this.#guard(() => this.cursors.refresh());
  }

  /** Makes an output's cursor durable, when it is not. */
  flush(output: string): void {
    if (this.cursors.isDurable(output)) return;
    this.#guard(() => this.cursors.written(this.cursors.write(output)));
  }

  /** Gives an output that is new to the store its first cursor: before the first event that was stored for `from`. */
  startOutput(output: string, from: 'now' | 'beginning' | { readonly time: number }): void {
    this.#guard(() => {
      this.outbox.refresh();
      let seq = this.outbox.lastSeq;
      if (from === 'beginning') seq = (this.outbox.oldest()?.seq ?? seq + 1) - 1;
      else if (from !== 'now') {
        const first = this.#db
          .prepare<[Buffer], number | null>('SELECT min(seq) FROM seen WHERE key >= ?')
          .pluck()
          .get(lowestKey(from.time));
        if (first) seq = Math.max(first, this.outbox.oldest()?.seq ?? first) - 1;
      }
      this.#db.transaction(() => this.cursors.beginAt(output, seq)).immediate();
      this.cursors.move(output, seq);
      this.cursors.written([output]);
    });
  }

  /** Makes an event of a variant, once: the event id that it shares with its content behind it, next number. Returns its seq; undefined when there is no such variant. */
  shipVariant(id: number, now: number): number | undefined {
    return this.#guard(() => {
      const variant = this.variants.get(id);
      if (!variant) return undefined;
      if (variant.shipped !== null) return variant.shipped;
      return this.#db
        .transaction(() => {
          const seq = this.outbox.highest() + 1;
          const { eventId, content, feed, raw } = variant;
          const event = {
            seq,
            id: variantId(eventId, content),
            feed,
            time: timeOfId(eventId),
            storedAt: now,
            raw: Buffer.from(raw),
          };
          this.outbox.insert([event]);
          this.variants.markShipped(id, seq);
          return seq;
        })
        .immediate();
    });
  }

  /** One step of retention; see `Retention.step`. */
  prune(options: { readonly now: number; readonly storedBefore: number }): Pruned {
    this.#guard(() => this.coverage.contract(options.now));
    const pruned = this.#guard(() => {
      const deliveredUpTo = Math.min(this.cursors.least(), this.replays.firstNeeded() - 1);
      return this.#retention.step({ ...options, deliveredUpTo, highest: this.outbox.lastSeq });
    });
    this.activity.prune(options.now);
    return pruned;
  }

  /** Bytes in use, the free pages that SQLite will use again not counted; the write-ahead log counted. */
  usedBytes(): number {
    const [pages = 0, free = 0, pageSize = 0] = this.#sizes.map((size) => size.get() ?? 0);
    const log = statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return (pages - free) * pageSize + log;
  }

  /** Bytes that the disk still has for us. */
  freeDisk(): number {
    const { bavail, bsize } = statfsSync(dirname(this.path) || '.');
    return bavail * bsize;
  }

  /** How many events are kept. Events are pruned from the front only, so no table scan is needed. */
  eventCount(): number {
    const oldest = this.outbox.oldest();
    return oldest === undefined ? 0 : Math.max(0, this.outbox.lastSeq - oldest.seq + 1);
  }

  /** What is in it, in figures. */
  inventory(): Inventory {
    return this.#guard(() => takeInventory(this.#db));
  }

  /** Something small to remember, by subject. */
  writeNote(subject: string, data: unknown, at: number): void {
    this.#guard(() =>
      this.#db
        .prepare<[string, number, string]>(
          'INSERT INTO note (subject, at, data) VALUES (?, ?, ?) ON CONFLICT (subject) DO UPDATE SET at = excluded.at, data = excluded.data',
        )
        .run(subject, at, JSON.stringify(data)),
    );
  }

  /** Undefined also when what was noted cannot be read any more: nothing hangs on a note. */
  note<T>(subject: string): { readonly at: number; readonly data: T } | undefined {
    const row = this.#db
      .prepare<[string], { at: number; data: string }>('SELECT at, data FROM note WHERE subject = ?')
      .get(subject);
    try {
      return row && { at: row.at, data: JSON.parse(row.data) as T };
    } catch {
      return undefined;
    }
  }

  /** Throws when the store cannot be written to just now: a write transaction that changes nothing. */
  probe(): void {
    this.#guard(() => this.#db.transaction(() => undefined).immediate());
  }

  /** Does the disk take writes? Writes a small note and syncs it: looking at the mount would not find what a disk does. */
  takesWrites(now: number): boolean {
    try {
      this.writeNote('write probe', now, now);
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.retryable) return false;
      throw error;
    }
  }

  /** Writes the last cursors, lets go of the lock and closes the file. Idempotent. */
  close(): void {
    if (!this.#db.open) return;
    try {
      this.#guard(() => this.cursors.written(this.cursors.write()));
    } finally {
      this.#db.close();
      this.#lock?.release();
    }
  }
}

type Rejections = readonly { readonly event: StoredEvent; readonly reason: string }[];
