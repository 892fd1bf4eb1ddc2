import type { Database } from 'better-sqlite3';
import { canonicalJson } from '../canonical.ts';
import type { RawRecord, Severity } from '../event.ts';
import type { Walk } from './checkpoints.ts';
import type { CoveredPage } from './coverage.ts';
import { contentOf, keyOfId, variantId } from './key.ts';
import type { MalformedRecords } from './malformed.ts';
import type { Outbox, StoredEvent } from './outbox.ts';
import type { Variants } from './variants.ts';

/** A record of a page, understood or not. `raw`: its JSON text in UTF-8. */
export interface Candidate {
  readonly raw: Buffer;
  readonly value: Identified | { readonly malformed: string };
}

/** What the store has to know of a record. */
export interface Identified {
  /** The event id; see `eventId`. */
  readonly id: string;
  /** ms since 1970. */
  readonly time: number;
  /** Kept with the event while it is in memory. */
  readonly severity?: Severity | undefined;
  /** The same; for outputs that look into records. */
  readonly record?: RawRecord | undefined;
}

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
  /** What the ledger notes with the page. */
  readonly coverage?: Omit<CoveredPage, 'feed'> | undefined;
}

/** How a record compares with the store: `variant` shares an event's id and says something else. */
export type Comparison = 'matching' | 'missing' | 'variant' | 'malformed';

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
    const keys = page.candidates.map(keyOf);
    const known = this.#look(keys);
    const added: StoredEvent[] = [];
    const addedKeys: Buffer[] = [];
    const counts = { duplicates: 0, variants: 0, malformed: 0 };
    const identities: unknown[] = [];
    let seq = this.#outbox.highest();
    for (let at = 0; at < page.candidates.length; at += 1) {
      const candidate = page.candidates[at] as Candidate;
      const { raw, value } = candidate;
      const key = keys[at];
      if ('malformed' in value || key === undefined) {
        counts[this.#keepMalformed(page, candidate) ? 'malformed' : 'duplicates'] += 1;
        continue;
      }
      const { id, time, severity, record } = value;
      const earlier = known.get(id);
      const isNew = earlier === undefined;
      if (!isNew && this.#saysTheSame(key, earlier, raw)) {
        counts.duplicates += 1;
        continue;
      }
      const event = { seq: seq + 1, id, feed: page.feed, time, storedAt: page.now, raw, severity, record };
      if (isNew) {
        identities.push(key, event.seq);
        known.set(id, { raw });
        added.push(event);
        addedKeys.push(key);
      } else {
        const variant = this.#keepVariant(page, id, raw);
        counts[variant === undefined ? 'duplicates' : 'variants'] += 1;
        if (variant === undefined || page.variants === 'suppress') continue;
        this.#variants.markShipped(variant.row, event.seq);
        added.push({ ...event, id: variant.id });
        addedKeys.push(keyOfId(variant.id));
      }
      seq = event.seq;
    }
    this.#outbox.insert(added, addedKeys);
    this.#insertIdentities(identities);
    return { added, ...counts };
  }

  /** How each record compares with what is stored; writes nothing. */
  compare(candidates: readonly Candidate[]): Comparison[] {
    const keys = candidates.map(keyOf);
    const known = this.#look(keys);
    return candidates.map(({ raw, value }, at) => {
      const key = keys[at];
      if ('malformed' in value || key === undefined) return 'malformed';
      const seq = known.get(value.id);
      if (seq === undefined) return 'missing';
      return this.#saysTheSame(key, seq, raw) ? 'matching' : 'variant';
    });
  }

  #look(all: readonly (Buffer | undefined)[]): Map<string, Known> {
    const keys = all.filter((key) => key !== undefined);
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
  #saysTheSame(key: Buffer, earlier: Known, raw: Buffer): boolean {
    const stored = typeof earlier === 'number' ? this.#outbox.rawOf(earlier) : earlier.raw;
    if (stored?.equals(raw)) return true;
    const canonical = canonicalOf(raw);
    return stored === undefined ? this.#contentOf.get(key) === contentOf(canonical) : canonicalOf(stored) === canonical;
  }

  #keepMalformed(page: PageToStore, candidate: Candidate): boolean {
    const reason = 'malformed' in candidate.value ? candidate.value.malformed : '';
    return this.#malformed.add(page.feed, reason, candidate.raw.toString(), page.now);
  }

  /** By its data, not its text: a variant that Mimecast writes differently the next time is the same variant. */
  #keepVariant(page: PageToStore, id: string, raw: Buffer): { readonly row: number; readonly id: string } | undefined {
    const content = contentOf(canonicalOf(raw));
    const row = this.#variants.add(page.feed, id, content, raw.toString(), page.now);
    return row === undefined ? undefined : { row, id: variantId(id, content) };
  }

  #insertIdentities(rows: readonly unknown[]): void {
    const width = 2 * CHUNK;
    let at = 0;
    for (; at + width <= rows.length; at += width) this.#insertChunk.run(rows.slice(at, at + width));
    for (; at < rows.length; at += 2) this.#insertOne.run(rows.slice(at, at + 2));
  }
}

function keyOf({ value }: Candidate): Buffer | undefined {
  return 'malformed' in value ? undefined : Buffer.from(value.id, 'hex');
}

function canonicalOf(raw: Buffer): string {
  return canonicalJson(JSON.parse(raw.toString()));
}
