import { hash } from 'node:crypto';
import type { Database } from 'better-sqlite3';
import { listUpTo } from './listing.ts';
import { Tally } from './tally.ts';

/** A record that could not be understood: kept as it came. */
export interface Malformed {
  readonly id: number;
  readonly feed: string;
  readonly foundAt: number;
  readonly reason: string;
  readonly raw: string;
}

const COLUMNS = 'id, feed, found_at AS foundAt, reason, raw';

export class MalformedRecords {
  readonly #db: Database;
  readonly #add;
  readonly #tally;

  constructor(db: Database) {
    this.#db = db;
    this.#add = db.prepare<[string, number, string, Buffer, string]>(
      'INSERT INTO malformed (feed, found_at, reason, digest, raw) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#tally = new Tally(db, 'malformed');
  }

  /** False when this very record is kept already: a re-read counts once. */
  add(feed: string, reason: string, raw: string, at: number): boolean {
    return this.#add.run(feed, at, reason, hash('sha256', `${feed}\n${raw}`, 'buffer'), raw).changes > 0;
  }

  remove(ids: readonly number[]): number {
    const statement = this.#db.prepare<[number]>('DELETE FROM malformed WHERE id = ?');
    return ids.reduce((sum, id) => sum + statement.run(id).changes, 0);
  }

  get(id: number): Malformed | undefined {
    return this.#db.prepare<[number], Malformed>(`SELECT ${COLUMNS} FROM malformed WHERE id = ?`).get(id);
  }

  /** Of one feed, or of all. */
  count(feed?: string): number {
    return feed === undefined ? this.#tally.total() : this.#tally.owned(feed);
  }

  /** Oldest first, after `id`; fewer than `limit` where the records are long. */
  list({ after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {}): Malformed[] {
    const rows = this.#db
      .prepare<[number, number], Malformed>(`SELECT ${COLUMNS} FROM malformed WHERE id > ? ORDER BY id LIMIT ?`)
      .iterate(after, limit);
    return listUpTo(rows);
  }
}
