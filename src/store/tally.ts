import type { Database } from 'better-sqlite3';

/** How many rows a table has: kept by triggers, so that asking costs the same with three rows as with a million. */
export class Tally {
  readonly #of: string;
  readonly #owned;
  readonly #total;

  constructor(db: Database, of: 'reject' | 'variant' | 'malformed') {
    this.#of = of;
    this.#owned = db.prepare<[string, string], number>('SELECT rows FROM tally WHERE of = ? AND owner = ?').pluck();
    this.#total = db.prepare<[string], number>('SELECT ifnull(sum(rows), 0) FROM tally WHERE of = ?').pluck();
  }

  /** Those of one feed or output. */
  owned(owner: string): number {
    return this.#owned.get(this.#of, owner) ?? 0;
  }

  total(): number {
    return this.#total.get(this.#of) ?? 0;
  }
}
