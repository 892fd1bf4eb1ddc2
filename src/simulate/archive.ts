import type { RawRecord } from '../event.ts';
import { leaderOf, record } from './record.ts';

/** A record's place in the archive's order: its second, then its serial. */
export interface Position {
  /** Seconds since 1970. */
  readonly second: number;
  readonly serial: number;
}

export interface Entry {
  readonly position: Position;
  readonly record: RawRecord;
}

export interface Query {
  /** Seconds since 1970; both ends inclusive. */
  readonly from: number;
  readonly to: number;
  readonly oldestFirst: boolean;
  /** Start behind this position, in the direction of the walk. */
  readonly after: Position | undefined;
  readonly limit: number;
  /** Only what is visible at this moment, ms. */
  readonly at: number;
  readonly matches?: ((record: RawRecord) => boolean) | undefined;
}

export interface Slice {
  readonly entries: readonly Entry[];
  /** True when at least one more record follows. */
  readonly more: boolean;
}

/** Records are inserted in runs of this many, so that a million of them never stand as objects side by side. */
const RUN_LENGTH = 4096;

/**
 * All records that there are, ordered by date, each with the moment from which the API shows it.
 *
 * Only numbers are kept, 16 bytes a record: a generated record is made from its serial each time it is served, so that a
 * million of them cost 16 MB and start at once. Even serials are generated records (index × 2), odd ones are added records.
 */
export class Archive {
  readonly #seed: string;
  readonly #added: RawRecord[] = [];
  #generated = 0;
  #size = 0;
  #seconds = new Uint32Array(1024);
  #serials = new Uint32Array(1024);
  #visibleAt = new Float64Array(1024);
  /** When the last of all records becomes visible: past it, no row needs to be looked at one by one. */
  #allVisibleAt = Number.NEGATIVE_INFINITY;

  constructor(seed: string) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#size;
  }

  /** The index of the next record that `generate` makes. */
  get nextIndex(): number {
    return this.#generated;
  }

  /** Takes a record as it is. `second`: where it is put in the order. */
  add(content: RawRecord, second: number, visibleAt: number): void {
    const serial = this.#added.length * 2 + 1;
    this.#added.push(content);
    this.#insert([{ second, serial, visibleAt }]);
  }

  /**
   * Makes `count` records. `timeOf(k)` is the moment of the k-th one in ms, rising with k; records of one mail share the
   * moment of its first. `visibleAt(ms)` tells from when the API shows a record of that moment.
   */
  generate(count: number, timeOf: (k: number) => number, visibleAt: (ms: number) => number): void {
    const first = this.#generated;
    this.#generated += count;
    for (let start = 0; start < count; start += RUN_LENGTH) {
      const run = Array.from({ length: Math.min(RUN_LENGTH, count - start) }, (_, offset) => {
        const index = first + start + offset;
        const ms = timeOf(Math.max(first, leaderOf(index)) - first);
        return { second: Math.floor(ms / 1000), serial: index * 2, visibleAt: visibleAt(ms) };
      });
      this.#insert(run);
    }
  }

  /** Up to `limit` visible records of a time range, in the order of the walk. */
  slice(query: Query): Slice {
    const entries: Entry[] = [];
    for (const place of this.#places(query)) {
      const entry = this.#entry(place);
      if (query.matches && !query.matches(entry.record)) continue;
      if (entries.length === query.limit) return { entries, more: true };
      entries.push(entry);
    }
    return { entries, more: false };
  }

  /** How many records of a time range are visible at `at`. */
  count(from: number, to: number, at: number): number {
    const start = this.#search({ second: from, serial: 0 });
    const end = Math.max(start, this.#search({ second: to + 1, serial: 0 }));
    if (at >= this.#allVisibleAt) return end - start;
    let visible = 0;
    for (let place = start; place < end; place += 1) if (this.#isVisible(place, at)) visible += 1;
    return visible;
  }

  /** The records visible at `at`, oldest first; with `wanted`, only those whose serial it likes, the others are not even made. */
  *visible(at: number, wanted: (serial: number) => boolean = () => true): Generator<RawRecord> {
    for (let place = 0; place < this.#size; place += 1) {
      if (this.#isVisible(place, at) && wanted(this.#serials[place] ?? 0)) yield this.#entry(place).record;
    }
  }

  /** The visible places of a query's range, in the order of its walk. */
  *#places({ from, to, oldestFirst, after, at }: Query): Generator<number> {
    let low = this.#search({ second: from, serial: 0 });
    let high = this.#search({ second: to + 1, serial: 0 });
    if (after && oldestFirst) low = Math.max(low, this.#search({ second: after.second, serial: after.serial + 1 }));
    if (after && !oldestFirst) high = Math.min(high, this.#search(after));
    const step = oldestFirst ? 1 : -1;
    for (let place = oldestFirst ? low : high - 1; place >= low && place < high; place += step) {
      if (this.#isVisible(place, at)) yield place;
    }
  }

  /** The first place whose position is not before `position`. */
  #search({ second, serial }: Position): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.#seconds[middle] ?? 0;
      const before = there < second || (there === second && (this.#serials[middle] ?? 0) < serial);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isVisible(place: number, at: number): boolean {
    return (this.#visibleAt[place] ?? Number.POSITIVE_INFINITY) <= at;
  }

  #entry(place: number): Entry {
    const second = this.#seconds[place] ?? 0;
    const serial = this.#serials[place] ?? 0;
    const added = serial % 2 === 1 ? this.#added[(serial - 1) / 2] : undefined;
    return { position: { second, serial }, record: added ?? record(serial / 2, this.#seed, second * 1000) };
  }

  /** Merges a run, ordered like the archive, from the back: what is appended moves nothing. */
  #insert(run: readonly { second: number; serial: number; visibleAt: number }[]): void {
    this.#reserve(this.#size + run.length);
    let from = this.#size - 1;
    let to = this.#size + run.length - 1;
    for (let next = run.length - 1; next >= 0; to -= 1) {
      const item = run[next];
      if (item === undefined) break;
      const there = from < 0 ? -1 : (this.#seconds[from] ?? 0);
      if (there > item.second || (there === item.second && (this.#serials[from] ?? 0) > item.serial)) {
        this.#put(to, there, this.#serials[from] ?? 0, this.#visibleAt[from] ?? 0);
        from -= 1;
      } else {
        this.#put(to, item.second, item.serial, item.visibleAt);
        this.#allVisibleAt = Math.max(this.#allVisibleAt, item.visibleAt);
        next -= 1;
      }
    }
    this.#size += run.length;
  }

  #put(place: number, second: number, serial: number, visibleAt: number): void {
    this.#seconds[place] = second;
    this.#serials[place] = serial;
    this.#visibleAt[place] = visibleAt;
  }

  #reserve(size: number): void {
    if (size <= this.#seconds.length) return;
    const capacity = Math.max(size, this.#seconds.length * 2);
    const [seconds, serials, visibleAt] = [this.#seconds, this.#serials, this.#visibleAt];
    this.#seconds = new Uint32Array(capacity);
    this.#serials = new Uint32Array(capacity);
    this.#visibleAt = new Float64Array(capacity);
    this.#seconds.set(seconds);
    this.#serials.set(serials);
    this.#visibleAt.set(visibleAt);
  }
}
