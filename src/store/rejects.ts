import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';
import { idOfKey, keyOfId, timeOfId } from './key.ts';
import { listUpTo } from './listing.ts';
import type { StoredEvent } from './outbox.ts';
import { Tally } from './tally.ts';

/** An event that an output refused for good, kept whole until somebody decides. */
export interface Reject {
  readonly id: number;
  readonly output: string;
  readonly at: number;
  readonly reason: string;
  readonly retrying: boolean;
  readonly event: StoredEvent;
}

interface Row {
  id: number;
  output: string;
  seq: number;
  key: Buffer;
  feed: string;
  at: number;
  reason: string;
  raw: string;
  retry: number;
}

/** A limit for lists that people read; a command pages through more. */
const LIST_LIMIT = 1000;
/** Rows that one transaction changes: some ms, so that a daemon beside a command never waits long. */
const CHUNK = 500;
const DELETE = 'DELETE FROM reject WHERE id = ?';
const RETRY = 'UPDATE reject SET retry = 1 WHERE id = ?';

export class Rejects {
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #add;
  readonly #due;
  readonly #tally;
  readonly #refuseAgain;
  readonly #removeEvent;

  constructor(db: Database, guard: Guard) {
    this.#db = db;
    this.#guard = guard;
    this.#add = db.prepare<[string, number, number, Buffer, string, number, string, Buffer]>(
      // An event knows the id that it shares; the outbox knows whether it is a variant.
      'INSERT INTO reject (output, seq, key, feed, at, reason, raw) VALUES (?, ?, ifnull((SELECT key FROM event WHERE seq = ?), ?), ?, ?, ?, CAST(? AS TEXT))',
    );
    this.#due = db.prepare<[string], Row>('SELECT * FROM reject WHERE output = ? AND retry = 1 ORDER BY id LIMIT 1');
    this.#tally = new Tally(db, 'reject');
    this.#refuseAgain = db.prepare<[string, number, string, number]>(
      'UPDATE reject SET retry = 0, reason = ?, at = ? WHERE output = ? AND seq = ?',
    );
    this.#removeEvent = db.prepare<[string, number]>('DELETE FROM reject WHERE output = ? AND seq = ?');
  }

  add(output: string, event: StoredEvent, reason: string, at: number): void {
    this.#add.run(output, event.seq, event.seq, keyOfId(event.id), event.feed, at, reason, event.raw);
  }

  /** The oldest reject of the output that is to be sent again. */
  due(output: string): Reject | undefined {
    const row = this.#guard(() => this.#due.get(output));
    return row && rejectOf(row);
  }

  /** It was accepted after all, or is given up. Returns how many there were. */
  remove(ids: readonly number[]): number {
    return this.#changeEach(ids, DELETE);
  }

  /** All of an output, or of all outputs, are given up. Returns how many there were. */
  removeAll(output: string | undefined): number {
    return this.#changeAll(output, DELETE);
  }

  refusedAgain(id: number, reason: string, at: number): void {
    this.#guard(() =>
      this.#db.prepare('UPDATE reject SET retry = 0, reason = ?, at = ? WHERE id = ?').run(reason, at, id),
    );
  }

  /** Inside a transaction: a replay was refused this event. One that is kept already is not kept twice. */
  refusedInReplay(output: string, event: StoredEvent, reason: string, at: number): void {
    const { changes } = this.#refuseAgain.run(reason, at, output, event.seq);
    if (changes === 0) this.add(output, event, reason, at);
  }

  /** Inside a transaction: a replay has delivered these, so that there is nothing left to retry. */
  deliveredByReplay(output: string, seqs: readonly number[]): void {
    for (const seq of seqs) this.#removeEvent.run(output, seq);
  }

  /** Asks for rejects to be sent again. The daemon does it, or the next `run`. */
  retry(ids: readonly number[]): number {
    return this.#changeEach(ids, RETRY);
  }

  retryAll(output: string | undefined): number {
    return this.#changeAll(output, RETRY);
  }

  /** Of one output, or of all, also of those that are no longer configured. */
  count(output?: string): number {
    return output === undefined ? this.#tally.total() : this.#tally.owned(output);
  }

  newest(output: string): { at: number; reason: string } | undefined {
    return this.#db
      .prepare<[string], { at: number; reason: string }>(
        'SELECT at, reason FROM reject WHERE output = ? ORDER BY id DESC LIMIT 1',
      )
      .get(output);
  }

  get(id: number): Reject | undefined {
    const row = this.#db.prepare<[number], Row>('SELECT * FROM reject WHERE id = ?').get(id);
    return row && rejectOf(row);
  }

  /** Oldest first, after `id`, of one output or of all; fewer than `limit` where the records are long. */
  list(
    filter: { readonly output?: string | undefined; readonly after?: number; readonly limit?: number } = {},
  ): Reject[] {
    const { output, after = 0, limit = LIST_LIMIT } = filter;
    const ofOutput = output === undefined ? '' : 'output = @output AND ';
    const rows = this.#db
      .prepare<[object], Row>(`SELECT * FROM reject WHERE ${ofOutput}id > @after ORDER BY id LIMIT @limit`)
      .iterate({ output, after, limit });
    return listUpTo(rows).map(rejectOf);
  }

  /** How many rows of these were changed. */
  #changeEach(ids: readonly number[], sql: string): number {
    return this.#guard(() => {
      const statement = this.#db.prepare<[number]>(sql);
      const change = (): number => ids.reduce((sum, id) => sum + statement.run(id).changes, 0);
      return this.#db.transaction(change).immediate();
    });
  }

  #changeAll(output: string | undefined, sql: string): number {
    const next = this.#db
      .prepare<[number, string | null, string | null, number], number>(
        'SELECT id FROM reject WHERE id > ? AND (? IS NULL OR output = ?) ORDER BY id LIMIT ?',
      )
      .pluck();
    let changed = 0;
    for (let after = 0; ; ) {
      const ids = this.#guard(() => next.all(after, output ?? null, output ?? null, CHUNK));
      const last = ids.at(-1);
      if (last === undefined) return changed;
      changed += this.#changeEach(ids, sql);
      after = last;
    }
  }
}

function rejectOf(row: Row): Reject {
  const id = idOfKey(row.key);
  return {
    id: row.id,
    output: row.output,
    at: row.at,
    reason: row.reason,
    retrying: row.retry === 1,
    event: { seq: row.seq, id, feed: row.feed, time: timeOfId(id), storedAt: row.at, raw: Buffer.from(row.raw) },
  };
}
