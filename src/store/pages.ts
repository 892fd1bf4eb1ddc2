import type { Database } from 'better-sqlite3';
import { canonicalJson } from '../canonical.ts';
import type { RawRecord } from '../event.ts';
import type { Walk } from './checkpoints.ts';
import { contentOf, eventId } from './key.ts';
import type { MalformedRecords } from './malformed.ts';
import type { NumberedEvent, Outbox, StoredEvent } from './outbox.ts';
import type { Variants } from './variants.ts';

/** A record of a page, understood or not. `raw`: its JSON text in UTF-8. */
export type Candidate =
  | { readonly raw: Buffer; readonly record: RawRecord; readonly time: number; readonly parts: readonly string[] }
  | { readonly raw: Buffer; readonly malformed: string };

/** A page to be stored, with what it does to the feed's progress. */
export interface PageToStore {
  readonly feed: string;
  /** The feed's type: part of every event id. */
  readonly type: string;
  readonly candidates: readonly Candidate[];
  readonly variants: 'suppress' | 'ship';
  /** ms since 1970. */
  readonly now: number;
  /** What is durable together with the page; absent for a sweep or a backfill, which move no checkpoint. */
  readonly progress?: { readonly doneUntil: number | null; readonly walk: Walk | null } | undefined;
}

/** What the page brought. */
export interface PageOutcome {
  /** The new events, in outbox order. */
  readonly added: readonly StoredEvent[];
  readonly duplicates: number;
  readonly variants: number;
  readonly malformed: number;
}

/** Where a known identity is: in the outbox, or earlier in this very page. */
type Known = number | { readonly raw: Buffer };

interface Keyed {
  readonly id: string;
  readonly key: Buffer;
}

/** How many rows one look-up or insert carries. */
const CHUNK = 100;

/** Tells the new records of a page from the known ones, and writes each to where it belongs. Works inside the caller's transaction. */
export class PageSorter {
  readonly #outbox: Outbox;
  readonly #variants: Variants;
  readonly #malformed: MalformedRecords;
  readonly #lookUp;
  readonly #contentOf;
  readonly #insertChunk;
  readonly #insertOne;

  constructor(db: Database, outbox: Outbox, variants: Variants, malformed: MalformedRecords) {
    this.#outbox = outbox;
    this.#variants = variants;
    this.#malformed = malformed;
    this.#lookUp = db
      .prepare<Buffer[], [Buffer, number]>(
        `SELECT key, seq FROM seen WHERE key IN (${Array(CHUNK).fill('?').join(',')})`,
      )
      .raw();
    this.#contentOf = db.prepare<[Buffer], number | null>('SELECT content FROM seen WHERE key = ?').pluck();
    const insert = (rows: number) => `INSERT INTO seen (key, seq) VALUES ${Array(rows).fill('(?,?)').join(',')}`;
    this.#insertChunk = db.prepare(insert(CHUNK));
    this.#insertOne = db.prepare(insert(1));
  }

  /** Stores a page's records: events, identities, variants, malformed ones. */
  store(page: PageToStore): PageOutcome {
    const keyed = page.candidates.map((candidate) => keyOf(page.type, candidate));
    const known = this.#look(keyed);
    const added: NumberedEvent[] = [];
    const counts = { duplicates: 0, variants: 0, malformed: 0 };
    const identities: unknown[] = [];
    let seq = this.#outbox.highest();
    for (let at = 0; at < page.candidates.length; at += 1) {
      const candidate = page.candidates[at] as Candidate;
      const keys = keyed[at];
      if ('malformed' in candidate || keys === undefined) {
        counts[this.#keepMalformed(page, candidate) ? 'malformed' : 'duplicates'] += 1;
        continue;
      }
      const { raw, record, time } = candidate;
      const { id, key } = keys;
      const earlier = known.get(id);
      const isNew = earlier === undefined;
      if (!isNew && this.#saysTheSame(id, earlier, raw, record)) {
        counts.duplicates += 1;
        continue;
      }
      const event = { seq: seq + 1, id, key, feed: page.feed, time, storedAt: page.now, raw, record };
      if (isNew) {
        identities.push(key, event.seq);
        known.set(id, { raw });
      } else {
        const variant = this.#keepVariant(page, id, raw, record);
        counts[variant === undefined ? 'duplicates' : 'variants'] += 1;
        if (variant === undefined || page.variants === 'suppress') continue;
        this.#variants.markShipped(variant, event.seq);
      }
      added.push(event);
      seq = event.seq;
    }
    this.#outbox.insert(added);
    this.#insertIdentities(identities);
    return { added, ...counts };
  }

  #look(keyed: readonly (Keyed | undefined)[]): Map<string, Known> {
    const keys = keyed.flatMap((candidate) => (candidate ? [candidate.key] : []));
    const known = new Map<string, Known>();
    for (let from = 0; from < keys.length; from += CHUNK) {
      const chunk = keys.slice(from, from + CHUNK);
      // A last, shorter look-up asks for its first key several times.
      const [first] = chunk;
      while (first && chunk.length < CHUNK) chunk.push(first);
      for (const [key, seq] of this.#lookUp.all(...chunk)) known.set(key.toString('hex'), seq);
    }
    return known;
  }

  /**
   * Is it the same record again? Mimecast may escape or order the same content differently. Of an event that has been pruned, the
   * fingerprint of its content is left.
   */
  #saysTheSame(id: string, earlier: Known, raw: Buffer, record: RawRecord): boolean {
    const stored = typeof earlier === 'number' ? this.#outbox.rawOf(earlier) : earlier.raw;
    if (stored?.equals(raw)) return true;
    const canonical = canonicalJson(record);
    if (stored !== undefined) return canonicalJson(JSON.parse(stored.toString())) === canonical;
    return this.#contentOf.get(Buffer.from(id, 'hex')) === contentOf(canonical);
  }

  #keepMalformed(page: PageToStore, candidate: Candidate): boolean {
    const reason = 'malformed' in candidate ? candidate.malformed : '';
    return this.#malformed.add(page.feed, reason, candidate.raw.toString(), page.now);
  }

  /** By its data, not its text: a variant that Mimecast writes differently the next time is the same variant. */
  #keepVariant(page: PageToStore, id: string, raw: Buffer, record: RawRecord): number | undefined {
    return this.#variants.add(page.feed, id, contentOf(canonicalJson(record)), raw.toString(), page.now);
  }

  #insertIdentities(rows: readonly unknown[]): void {
    const width = 2 * CHUNK;
    let at = 0;
    for (; at + width <= rows.length; at += width) this.#insertChunk.run(rows.slice(at, at + width));
    for (; at < rows.length; at += 2) this.#insertOne.run(rows.slice(at, at + 2));
  }
}

function keyOf(type: string, candidate: Candidate): Keyed | undefined {
  if ('malformed' in candidate) return undefined;
  const id = eventId(type, candidate.time, candidate.parts);
  return { id, key: Buffer.from(id, 'hex') };
}
