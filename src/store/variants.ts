import type { Database } from 'better-sqlite3';
import { listUpTo } from './listing.ts';
import { Tally } from './tally.ts';

/** A record whose identity was known but whose content differed. */
export interface Variant {
  readonly id: number;
  readonly feed: string;
  /** The event id it shares. */
  readonly eventId: string;
  /** 48 bits of its content; see `contentOf`. */
  readonly content: number;
  readonly foundAt: number;
  /** Seq of the event that was made of it, when it was shipped. */
  readonly shipped: number | null;
  readonly raw: string;
}

interface Row {
  id: number;
  feed: string;
  key: Buffer;
  content: number;
  found_at: number;
  shipped: number | null;
  raw: string;
}

const COLUMNS = 'id, feed, key, content, found_at, shipped, raw';

export class Variants {
  readonly #db: Database;
  readonly #add;
  readonly #tally;

  constructor(db: Database) {
    this.#db = db;
    this.#add = db.prepare<[string, Buffer, number, number, string]>(
      'INSERT INTO variant (feed, key, content, found_at, raw) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#tally = new Tally(db, 'variant');
  }

  /** The new row's number; undefined when this very content is kept already. */
  add(feed: string, eventId: string, content: number, raw: string, at: number): number | undefined {
    const { changes, lastInsertRowid } = this.#add.run(feed, Buffer.from(eventId, 'hex'), content, at, raw);
    return changes === 0 ? undefined : Number(lastInsertRowid);
  }

  markShipped(id: number, seq: number): void {
    this.#db.prepare('UPDATE variant SET shipped = ? WHERE id = ?').run(seq, id);
  }

  get(id: number): Variant | undefined {
    const row = this.#db.prepare<[number], Row>(`SELECT ${COLUMNS} FROM variant WHERE id = ?`).get(id);
    return row && variantOf(row);
  }

  /** Of one feed, or of all. */
  count(feed?: string): number {
    return feed === undefined ? this.#tally.total() : this.#tally.owned(feed);
  }

  /** Newest first, before `id`; fewer than `limit` where the records are long. */
  list({
    before = Number.MAX_SAFE_INTEGER,
    limit = 1000,
  }: {
    readonly before?: number;
    readonly limit?: number;
  } = {}): Variant[] {
    const rows = this.#db
      .prepare<[number, number], Row>(`SELECT ${COLUMNS} FROM variant WHERE id < ? ORDER BY id DESC LIMIT ?`)
      .iterate(before, limit);
    return listUpTo(rows).map(variantOf);
  }
}

function variantOf(row: Row): Variant {
  return {
    id: row.id,
    feed: row.feed,
    eventId: row.key.toString('hex'),
    content: row.content,
    foundAt: row.found_at,
    shipped: row.shipped,
    raw: row.raw,
  };
}
