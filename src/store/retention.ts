import type { Database } from 'better-sqlite3';
import { canonicalJson } from '../canonical.ts';
import { contentOf, lowestKey } from './key.ts';

const DAY = 86_400_000;
/**
 * How long an identity is kept at least: longer than the 30 days that Mimecast keeps its rows, so that no backfill can bring
 * an event a second time.
 */
export const IDENTITY_DAYS = 45;
/** Rows of one delete: a transaction of some ms, so that polling and sending never wait long. */
const CHUNK = 500;

/** What was let go of in one step; `more` tells whether another step is worth it. */
export interface Pruned {
  readonly events: number;
  readonly identities: number;
  readonly more: boolean;
}

/** Lets go of what is old. Works in steps of one small transaction, oldest first. */
export class Retention {
  readonly #db: Database;
  readonly #mark;
  readonly #markedSeq;
  readonly #remember;
  readonly #dropEvents;
  readonly #dropSeen;
  readonly #oldest;
  readonly #firstKept;

  constructor(db: Database) {
    this.#db = db;
    this.#mark = db.prepare<[number, number]>(
      'INSERT INTO tidemark (day, seq) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET seq = max(seq, excluded.seq)',
    );
    this.#markedSeq = db
      .prepare<[number], number>('SELECT seq FROM tidemark WHERE day <= ? ORDER BY day DESC LIMIT 1')
      .pluck();
    this.#oldest = db
      .prepare<[number, number], [seq: number, storedAt: number, key: Buffer, raw: string]>(
        'SELECT seq, stored_at, key, raw FROM event WHERE seq <= ? ORDER BY seq LIMIT ?',
      )
      .raw();
    this.#firstKept = db.prepare<[], number | null>('SELECT min(seq) FROM event').pluck();
    this.#remember = db.prepare<[number, Buffer, number]>('UPDATE seen SET content = ? WHERE key = ? AND seq = ?');
    this.#dropEvents = db.prepare<[number]>('DELETE FROM event WHERE seq <= ?');
    this.#dropSeen = db.prepare<[Buffer, number, number]>(
      'DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE key < ? AND seq <= ? ORDER BY key LIMIT ?)',
    );
  }

  /**
   * One step. `deliveredUpTo`: the least cursor, and before what a replay still needs; never overtaken, however old an event is.
   * `storedBefore`: ms since 1970.
   * A clock that was set back leaves younger rows in front; they are waited for, so that the outbox stays gapless.
   */
  step(options: {
    readonly now: number;
    readonly deliveredUpTo: number;
    readonly storedBefore: number;
    readonly highest: number;
  }): Pruned {
    return this.#db
      .transaction(() => {
        const today = Math.floor(options.now / DAY);
        this.#mark.run(today, options.highest);
        const events = this.#pruneEvents(options.deliveredUpTo, options.storedBefore);
        // Both must be long ago: the event's own time and the time it was stored. An old record that a wide backfill brought in
        // today keeps its identity for as long as any other. A day's mark counts what was stored up to its end, so the last day that
        // is wholly long ago is the one before.
        const marked = this.#markedSeq.get(today - IDENTITY_DAYS - 1) ?? 0;
        // An event that is kept for longer is found by its identity, for a replay and for a look at its variants.
        const seq = Math.min(marked, (this.#firstKept.get() ?? Number.MAX_SAFE_INTEGER) - 1);
        const identities =
          seq === 0 ? 0 : this.#dropSeen.run(lowestKey(options.now - IDENTITY_DAYS * DAY), seq, CHUNK).changes;
        this.#db.prepare('DELETE FROM tidemark WHERE day < ?').run(today - 2 * IDENTITY_DAYS);
        return { events, identities, more: events === CHUNK || identities === CHUNK };
      })
      .immediate();
  }

  #pruneEvents(deliveredUpTo: number, storedBefore: number): number {
    // SQLite has no Infinity for an integer comparison.
    const limit = Math.min(deliveredUpTo, Number.MAX_SAFE_INTEGER);
    const remembered: [content: number, key: Buffer, seq: number][] = [];
    let last = 0;
    for (const [seq, storedAt, key, raw] of this.#oldest.iterate(limit, CHUNK)) {
      if (storedAt >= storedBefore) break;
      // So that a record that comes again, and says something else by now, is still known for a variant.
      remembered.push([contentOf(canonicalJson(JSON.parse(raw))), key, seq]);
      last = seq;
    }
    for (const row of remembered) this.#remember.run(...row);
    return last === 0 ? 0 : this.#dropEvents.run(last).changes;
  }
}
