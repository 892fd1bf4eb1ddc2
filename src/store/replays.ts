import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';
import { lowestKey, timeOfId } from './key.ts';
import { type EventRow, type ReadLimits, type StoredEvent, storedEvents, takeUpTo } from './outbox.ts';
import type { Rejects } from './rejects.ts';
import {
  type Replay,
  type ReplayedBatch,
  type ReplayRequest,
  type ReplayRow,
  type ReplaySurvey,
  replayOf,
} from './replay.ts';

interface Bounds {
  readonly from: Buffer;
  readonly to: Buffer;
  readonly kept: number;
  readonly upTo: number;
}

/** What `#read` is bound to. */
interface Range extends Pick<Bounds, 'to' | 'kept' | 'upTo'> {
  readonly atKey: Buffer;
  readonly atSeq: number;
  readonly limit: number;
}

/** The last second that an event id can hold. */
const LAST_SECOND = 0xffffffff;
const LIST_LIMIT = 1000;

/** Events of a span: all that were stored under an identity of their own, and variants that were shipped under a known one. */
const OF_SPAN = `
  SELECT key, seq FROM seen WHERE key >= @from AND key < @to
  UNION ALL SELECT key, shipped FROM variant WHERE shipped IS NOT NULL AND key >= @from AND key < @to`;

/**
 * Requests to send stored events to one output again. A command asks, the output's dispatcher serves the requests one by one; where it
 * stands is durable after each batch, like a cursor.
 */
export class Replays {
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #rejects: Rejects;
  readonly #due;
  readonly #read;
  readonly #move;
  readonly #firstNeeded;

  constructor(db: Database, guard: Guard, rejects: Rejects) {
    this.#db = db;
    this.#guard = guard;
    this.#rejects = rejects;
    this.#due = db.prepare<[string], ReplayRow>(
      'SELECT * FROM replay WHERE output = ? AND ended_at IS NULL ORDER BY id LIMIT 1',
    );
    // Both halves are read in the order of their keys and merged, so a batch costs the same wherever in a long span it lies.
    this.#read = db
      .prepare<[Range], EventRow>(
        `WITH found AS (
           SELECT key, seq FROM seen
             WHERE (key, seq) > (@atKey, @atSeq) AND key < @to AND seq BETWEEN @kept AND @upTo
           UNION ALL
           SELECT key, shipped FROM variant
             WHERE (key, shipped) > (@atKey, @atSeq) AND key < @to AND shipped BETWEEN @kept AND @upTo
           ORDER BY 1, 2 LIMIT @limit)
         SELECT event.seq, feed, stored_at, event.key, CAST(raw AS BLOB) FROM found JOIN event USING (seq)
         ORDER BY found.key, event.seq`,
      )
      .raw();
    this.#move = db.prepare<[Buffer, number, number, number, number, number]>(
      `UPDATE replay SET at_key = ?, at_seq = ?, delivered = delivered + ?, rejected = rejected + ?, filtered = filtered + ?,
         failure = NULL WHERE id = ? AND ended_at IS NULL`,
    );
    this.#firstNeeded = db
      .prepare<[], number | null>('SELECT min(from_seq) FROM replay WHERE ended_at IS NULL')
      .pluck();
  }

  /** What a replay would be about. Changes nothing; reads the span's identities, some 0.3 s a million. */
  survey(request: ReplayRequest): ReplaySurvey {
    return this.#guard(() => this.#survey(this.#boundsOf(request)).survey);
  }

  /** Keeps a request. No replay when there is nothing to send. */
  ask(request: ReplayRequest, now: number): { readonly survey: ReplaySurvey; readonly replay: Replay | undefined } {
    return this.#guard(() => {
      const bounds = this.#boundsOf(request);
      for (;;) {
        // Counted outside the transaction: writing would have to wait for it.
        const { survey, firstSeq } = this.#survey({ ...bounds, kept: this.#firstKept() });
        if (firstSeq === null) return { survey, replay: undefined };
        const id = this.#db
          .transaction(() =>
            this.#firstKept() > firstSeq ? undefined : this.#insert(request, bounds, survey, firstSeq, now),
          )
          .immediate();
        if (id !== undefined) return { survey, replay: this.get(id) };
      }
    });
  }

  /** The oldest open request of an output. */
  due(output: string): Replay | undefined {
    const row = this.#guard(() => this.#due.get(output));
    return row && replayOf(row);
  }

  /** The next events of a replay, in the order of their time. None when it has come to its end. */
  read(replay: Replay, limits: ReadLimits): StoredEvent[] {
    const { from, to, fromSeq: kept, toSeq: upTo, at } = replay;
    return this.#guard(() => this.#readAfter({ from: keyAt(from), to: keyAt(to), kept, upTo }, at, limits));
  }

  /** What a replay would send, batch by batch, the filter aside. */
  *eventsOf(request: ReplayRequest, limits: ReadLimits): Generator<readonly StoredEvent[]> {
    const bounds = this.#guard(() => this.#boundsOf(request));
    let at = { id: bounds.from.toString('hex'), seq: 0 };
    for (;;) {
      const events = this.#guard(() => this.#readAfter(bounds, at, limits));
      const last = events.at(-1);
      if (last === undefined) return;
      yield events;
      at = last;
    }
  }

  /**
   * Moves a replay over a batch, and keeps what was refused of it: as a reject, once. Durable when it returns. A replay that was cancelled
   * meanwhile does not move.
   */
  settle(replay: Replay, batch: ReplayedBatch, now: number): void {
    const { last, delivered, rejected, filtered } = batch;
    this.#guard(() =>
      this.#db
        .transaction(() => {
          for (const { event, reason } of rejected) this.#rejects.refusedInReplay(replay.output, event, reason, now);
          this.#rejects.deliveredByReplay(replay.output, delivered);
          this.#move.run(identityOf(last.id), last.seq, delivered.length, rejected.length, filtered, replay.id);
        })
        .immediate(),
    );
  }

  /** Why the last try failed, for who watches. */
  failed(id: number, failure: string): void {
    this.#guard(() => this.#db.prepare('UPDATE replay SET failure = ? WHERE id = ?').run(failure, id));
  }

  end(id: number, now: number): void {
    this.#guard(() =>
      this.#db.prepare('UPDATE replay SET ended_at = ? WHERE id = ? AND ended_at IS NULL').run(now, id),
    );
  }

  /** False when there is no such replay, or it has ended. What is under way is still sent. */
  cancel(id: number, now: number): boolean {
    return this.#cancelWhere('id = ?', id, now) > 0;
  }

  /** Cancels all of an output that is gone. */
  cancelOf(output: string, now: number): number {
    return this.#cancelWhere('output = ?', output, now);
  }

  get(id: number): Replay | undefined {
    const row = this.#guard(() => this.#db.prepare<[number], ReplayRow>('SELECT * FROM replay WHERE id = ?').get(id));
    return row && replayOf(row);
  }

  /** Newest first. */
  list(limit = LIST_LIMIT): Replay[] {
    return this.#guard(() =>
      this.#db.prepare<[number], ReplayRow>('SELECT * FROM replay ORDER BY id DESC LIMIT ?').all(limit).map(replayOf),
    );
  }

  /** How many open requests an output has. */
  openCount(output: string): number {
    const count = this.#db.prepare<[string], number>(
      'SELECT count(*) FROM replay WHERE output = ? AND ended_at IS NULL',
    );
    return count.pluck().get(output) ?? 0;
  }

  /** The least seq that an open request needs; Infinity when there is none. */
  firstNeeded(): number {
    return this.#firstNeeded.get() ?? Number.POSITIVE_INFINITY;
  }

  #boundsOf({ output, span, underWay }: ReplayRequest): Bounds {
    const number = (sql: string, ...values: string[]): number =>
      this.#db
        .prepare<string[], number>(sql)
        .pluck()
        .get(...values) ?? 0;
    const highest = number("SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    const cursor = number('SELECT seq FROM cursor WHERE output = ?', output);
    const upTo = Math.min(highest, cursor + underWay);
    return { from: keyAt(span.from), to: keyAt(span.to), kept: this.#firstKept(), upTo };
  }

  #readAfter(bounds: Bounds, at: Replay['at'], { maxEvents: limit, maxBytes }: ReadLimits): StoredEvent[] {
    const { to, kept, upTo } = bounds;
    const range = { atKey: identityOf(at.id), atSeq: at.seq, to, kept, upTo, limit };
    return takeUpTo(maxBytes, storedEvents(this.#read.iterate(range)));
  }

  /** Events are pruned from the front only: what is before this one has gone, all else is there. */
  #firstKept(): number {
    return this.#db.prepare<[], number | null>('SELECT min(seq) FROM event').pluck().get() ?? Number.MAX_SAFE_INTEGER;
  }

  #survey(bounds: Bounds): { readonly survey: ReplaySurvey; readonly firstSeq: number | null } {
    const row = this.#db
      .prepare<[Bounds], { pruned: number; waiting: number; events: number; first: Buffer; last: Buffer; seq: number }>(
        `WITH one AS (SELECT key, seq, seq BETWEEN @kept AND @upTo AS is_in FROM (${OF_SPAN}))
         SELECT total(seq < @kept) AS pruned, total(seq >= @kept AND seq > @upTo) AS waiting, total(is_in) AS events,
           min(iif(is_in, key, NULL)) AS first, max(iif(is_in, key, NULL)) AS last, min(iif(is_in, seq, NULL)) AS seq
         FROM one`,
      )
      .get(bounds);
    const { pruned = 0, waiting = 0, events = 0, first, last, seq } = row ?? {};
    return { survey: { events, pruned, waiting, first: timeOf(first), last: timeOf(last) }, firstSeq: seq ?? null };
  }

  #insert({ output }: ReplayRequest, bounds: Bounds, survey: ReplaySurvey, firstSeq: number, now: number): number {
    const { from, to, upTo } = bounds;
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO replay (output, from_key, to_key, from_seq, to_seq, total, at_key, at_seq, asked_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`,
      )
      .run(output, from, to, firstSeq, upTo, survey.events, from, now);
    return Number(lastInsertRowid);
  }

  #cancelWhere(condition: string, value: number | string, now: number): number {
    const sql = `UPDATE replay SET ended_at = ?, cancelled = 1 WHERE ${condition} AND ended_at IS NULL`;
    return this.#guard(() => this.#db.prepare<[number, number | string]>(sql).run(now, value).changes);
  }
}

/** The least key of the first whole second from `time` on: event times are whole seconds. */
function keyAt(time: number): Buffer {
  return lowestKey(Math.min(Math.max(0, Math.ceil(time / 1000)), LAST_SECOND) * 1000);
}

/** The key that an event and its variants share: 32 digits of an id. */
function identityOf(id: string): Buffer {
  return Buffer.from(id.slice(0, 32), 'hex');
}

function timeOf(key: Buffer | null | undefined): number | null {
  return key ? timeOfId(key.toString('hex')) : null;
}
