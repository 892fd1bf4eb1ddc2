import type { Database } from 'better-sqlite3';
import { canonicalJson } from '../canonical.ts';
import type { Severity } from '../event.ts';
import type { Walk } from './checkpoints.ts';
import type { CoveredPage } from './coverage.ts';
import { contentOf, keyOfId, packedKey, packedKeys, variantId } from './key.ts';
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
  /** The same; for outputs that pass the text on. */
  readonly isPlain?: boolean | undefined;
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
type Known = number | Buffer;

/** How many rows one look-up or insert carries. */
const CHUNK = 100;

/** Tells the new records of a page from the known ones, and writes each to where it belongs. Works inside the caller's transaction. */
export class PageSorter {
  readonly #outbox: Outbox;
  readonly #variants: Variants;
  readonly #malformed: MalformedRecords;
  readonly #newest;
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
    this.#newest = db.prepare<[], Buffer | null>('SELECT max(key) FROM seen').pluck();
    const rows = Array.from({ length: CHUNK }, (_, row) => `(${packedKey('@keys', row)}, @first + ${row})`);
    this.#insertChunk = db.prepare<[{ keys: Buffer; first: number }]>(
      `INSERT INTO seen (key, seq) VALUES ${rows.join(',')}`,
    );
    this.#insertOne = db.prepare<[Buffer, number]>('INSERT INTO seen (key, seq) VALUES (?, ?)');
  }

  /** Stores a page's records: events, identities, variants, malformed ones. */
  store(page: PageToStore): PageOutcome {
    const known = this.#look(page.candidates);
    const added: StoredEvent[] = [];
    const fresh: StoredEvent[] = [];
    const counts = { duplicates: 0, variants: 0, malformed: 0 };
    let seq = this.#outbox.highest();
    for (const candidate of page.candidates) {
      const { raw, value } = candidate;
      if ('malformed' in value) {
        counts[this.#keepMalformed(page, candidate) ? 'malformed' : 'duplicates'] += 1;
        continue;
      }
      const { id, time, severity, isPlain } = value;
      const earlier = known.get(id);
      if (earlier !== undefined && this.#saysTheSame(id, earlier, raw)) {
        counts.duplicates += 1;
        continue;
      }
      const event = { seq: seq + 1, id, feed: page.feed, time, storedAt: page.now, raw, severity, isPlain };
      if (earlier === undefined) {
        known.set(id, raw);
        fresh.push(event);
        added.push(event);
      } else {
        const variant = this.#keepVariant(page, id, raw);
        counts[variant === undefined ? 'duplicates' : 'variants'] += 1;
        if (variant === undefined || page.variants === 'suppress') continue;
        this.#variants.markShipped(variant.row, event.seq);
        added.push({ ...event, id: variant.id });
      }
      seq = event.seq;
    }
    this.#outbox.insert(added);
    this.#insertIdentities(fresh);
    return { added, ...counts };
  }

  /** How each record compares with what is stored; writes nothing. */
  compare(candidates: readonly Candidate[]): Comparison[] {
    const known = this.#look(candidates);
    return candidates.map(({ raw, value }) => {
      if ('malformed' in value) return 'malformed';
      const seq = known.get(value.id);
      if (seq === undefined) return 'missing';
      return this.#saysTheSame(value.id, seq, raw) ? 'matching' : 'variant';
    });
  }

  /** The records that are known. A key begins with its time, so one behind the newest is new: most of a page, when all goes on as usual. */
  #look(candidates: readonly Candidate[]): Map<string, Known> {
    const known = new Map<string, Known>();
    const newest = this.#newest.get()?.toString('hex') ?? '';
    const keys: Buffer[] = [];
    for (const { value } of candidates) if ('id' in value && value.id <= newest) keys.push(keyOfId(value.id));
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
  #saysTheSame(id: string, earlier: Known, raw: Buffer): boolean {
    const stored = typeof earlier === 'number' ? this.#outbox.rawOf(earlier) : earlier;
    if (stored?.equals(raw)) return true;
    const canonical = canonicalOf(raw);
    if (stored !== undefined) return canonicalOf(stored) === canonical;
    return this.#contentOf.get(keyOfId(id)) === contentOf(canonical);
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

  /** `events`: rising in number, none of them a variant. */
  #insertIdentities(events: readonly StoredEvent[]): void {
    for (let at = 0; at < events.length; ) {
      const { seq: first, id } = events[at] as StoredEvent;
      // Between two of them may stand the number of a variant that is shipped.
      if (events[at + CHUNK - 1]?.seq === first + CHUNK - 1) {
        this.#insertChunk.run({ keys: packedKeys(events.slice(at, at + CHUNK)), first });
        at += CHUNK;
      } else {
        this.#insertOne.run(keyOfId(id), first);
        at += 1;
      }
    }
  }
}

function canonicalOf(raw: Buffer): string {
  return canonicalJson(JSON.parse(raw.toString()));
}
