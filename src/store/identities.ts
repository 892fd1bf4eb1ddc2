import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';
import { lowestKey } from './key.ts';
import type { Span } from './spans.ts';

/** Every identity that the store knows, by time, also of events that it no longer keeps. */
export class Identities {
  readonly #guard: Guard;
  readonly #within;
  readonly #types;

  constructor(db: Database, guard: Guard) {
    this.#guard = guard;
    this.#within = db
      .prepare<[Buffer, Buffer], [key: string, feed: string | null]>(
        `SELECT lower(hex(seen.key)), event.feed FROM seen LEFT JOIN event ON event.seq = seen.seq
         WHERE seen.key >= ? AND seen.key < ? ORDER BY seen.key`,
      )
      .raw();
    this.#types = db.prepare<[], [feed: string, type: string]>('SELECT feed, type FROM checkpoint').raw();
  }

  /**
   * The ids of the events of a feed type that are dated within a span of whole seconds, in order. An id does not tell its type: of an
   * event that is no longer kept it is known only in a store that has seen one type, and in another such an event is left out.
   */
  ofType(type: string, span: Span): string[] {
    return this.#guard(() => {
      const typeOf = new Map(this.#types.all());
      const isAlone = [...typeOf.values()].every((other) => other === type);
      const ids: string[] = [];
      for (const [id, feed] of this.#within.iterate(lowestKey(span.from), lowestKey(span.until))) {
        if (feed === null ? isAlone : (typeOf.get(feed) ?? type) === type) ids.push(id);
      }
      return ids;
    });
  }
}
