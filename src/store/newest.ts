import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';
import { idOfKey, timeOfId } from './key.ts';

/** A record that is longer is told of, and not read: eight of 5 MB would hold up polls and sends for a quarter of a second. */
const MOST_BYTES = 256 * 1024;

/** An event of the outbox, for people. `raw` is undefined when the record is too long to look into. */
export interface NewestEvent {
  readonly seq: number;
  /** As `StoredEvent.id`. */
  readonly id: string;
  readonly feed: string;
  readonly time: number;
  readonly raw: Buffer | undefined;
}

export interface NewestReject {
  readonly output: string;
  readonly id: string;
  readonly at: number;
  readonly reason: string;
}

/** A variant beside the event whose identity it has. Either record is undefined when it is too long, or let go of by retention. */
export interface NewestVariant {
  readonly feed: string;
  /** The event id that both share. */
  readonly id: string;
  readonly foundAt: number;
  readonly shipped: boolean;
  readonly was: Buffer | undefined;
  readonly became: Buffer | undefined;
}

type EventRow = [seq: number, feed: string, key: Buffer, raw: Buffer | null];
type VariantRow = [feed: string, key: Buffer, at: number, shipped: number | null, was: Buffer | null, became: Buffer];

/** The newest rows of the tables that only ever grow: each a walk along an index that ends after some rows, whatever the table holds. */
export class Newest {
  readonly #guard: Guard;
  readonly #events;
  readonly #rejects;
  readonly #variants;
  readonly #rejected;
  readonly #beginning;

  constructor(db: Database, guard: Guard) {
    this.#guard = guard;
    // octet_length reads the length of a text and not the text.
    const short = (column: string) =>
      `CASE WHEN octet_length(${column}) <= ${MOST_BYTES} THEN CAST(${column} AS BLOB) END`;
    this.#events = db
      .prepare<[number], EventRow>(`SELECT seq, feed, key, ${short('raw')} FROM event ORDER BY seq DESC LIMIT ?`)
      .raw();
    this.#rejects = db
      .prepare<[number], [output: string, key: Buffer, at: number, reason: string]>(
        'SELECT output, key, at, reason FROM reject ORDER BY id DESC LIMIT ?',
      )
      .raw();
    this.#variants = db
      .prepare<[number], VariantRow>(
        `SELECT variant.feed, variant.key, found_at, shipped, ${short('event.raw')}, ${short('variant.raw')}
         FROM variant LEFT JOIN seen ON seen.key = variant.key LEFT JOIN event ON event.seq = seen.seq
         ORDER BY variant.id DESC LIMIT ?`,
      )
      .raw();
    this.#rejected = db
      .prepare<[string, number, number], number>('SELECT seq FROM reject WHERE output = ? AND seq BETWEEN ? AND ?')
      .pluck();
    this.#beginning = db.prepare<[string], number>('SELECT seq FROM beginning WHERE output = ?').pluck();
  }

  /** The newest first, as all of these. */
  events(limit: number): NewestEvent[] {
    return this.#guard(() =>
      this.#events.all(limit).map(([seq, feed, key, raw]) => {
        const id = idOfKey(key);
        return { seq, id, feed, time: timeOfId(id), raw: raw ?? undefined };
      }),
    );
  }

  rejects(limit: number): NewestReject[] {
    return this.#guard(() =>
      this.#rejects.all(limit).map(([output, key, at, reason]) => ({ output, id: idOfKey(key), at, reason })),
    );
  }

  variants(limit: number): NewestVariant[] {
    return this.#guard(() =>
      this.#variants.all(limit).map(([feed, key, foundAt, shipped, was, became]) => ({
        ...{ feed, foundAt, id: key.toString('hex'), shipped: shipped !== null },
        ...{ was: was ?? undefined, became: became ?? undefined },
      })),
    );
  }

  /** Which events of a stretch of the outbox, both ends included, an output has refused for good. */
  rejectedBetween(output: string, first: number, last: number): ReadonlySet<number> {
    return this.#guard(() => new Set(this.#rejected.all(output, first, last)));
  }

  /** The cursor that an output began with: it was to get none of the events up to it. 0 when that was before it was kept. */
  beginningOf(output: string): number {
    return this.#guard(() => this.#beginning.get(output) ?? 0);
  }
}
