import { waitIn } from '../retry.ts';

/** Text kept in memory for outputs that keep up, or nearly: a dozen full pages of usual records. */
const MOST_BYTES = 8 * 1024 * 1024;
/** So much, and another page or two would push the oldest rows out. */
const CROWDED_BYTES = MOST_BYTES - 1024 * 1024;
/** Text that may still wait in memory when the next page is asked for: about a page. */
const RELIEVED_BYTES = 400_000;

/** The most that collecting waits after a page for outputs that keep up, ms. */
const PATIENCE = 15;
/**
 * The same in all, from the moment that there is hardly room left until all is well again, ms. More than a syslog output waits with the
 * first batch on a connection (`Dialer.watchMs`): it keeps up, and would have to read from the disk for the rest of a backlog.
 */
const CROWDED_PATIENCE = 300;

/** What a row must have: its number, and its text. */
interface Row {
  readonly seq: number;
  readonly raw: Buffer;
}

/** The newest rows of the outbox, kept in memory until outputs that keep up have taken them. Gapless. */
export class Tail<T extends Row> {
  #rows: T[] = [];
  #bytes = 0;
  /** Has an output taken anything since a wait for it was in vain? */
  #isMoving = true;
  #crowdedPatience = CROWDED_PATIENCE;
  readonly #pressed = new Set<() => void>();

  append(rows: readonly T[]): void {
    // Another process may have added rows in between.
    if (this.#rows.at(-1)?.seq !== (rows[0]?.seq ?? 0) - 1) this.#clear();
    for (const row of rows) {
      this.#rows.push(row);
      this.#bytes += row.raw.length;
    }
    this.#dropWhile(() => this.#bytes > MOST_BYTES);
  }

  /** Is the row after `seq` here? That is: does an output with this cursor keep up with collecting? */
  holds(seq: number): boolean {
    const first = this.#rows[0]?.seq;
    return first !== undefined && seq + 1 >= first && seq < (this.#rows.at(-1)?.seq ?? 0);
  }

  /** At most `count` rows after `seq`; undefined when the first of them is not here. */
  after(seq: number, count: number): T[] | undefined {
    const first = this.#rows[0]?.seq;
    if (first === undefined || !this.holds(seq)) return undefined;
    const at = seq + 1 - first;
    return this.#rows.slice(at, at + count);
  }

  /**
   * Lets go of what every output has taken. Outputs that read from the disk do not count. Kept short, the tail is young garbage that
   * costs little to collect: peak memory was 308 MB while the newest 4 MiB were always held, and 235 MB after.
   */
  taken(cursors: Iterable<number>): void {
    const first = this.#rows[0]?.seq;
    if (first === undefined) return;
    let least = Number.POSITIVE_INFINITY;
    for (const cursor of cursors) if (cursor >= first - 1 && cursor < least) least = cursor;
    if (this.#dropWhile(({ seq }) => seq <= least) > 0) this.#isMoving = true;
    if (this.#bytes > RELIEVED_BYTES) return;
    this.#crowdedPatience = CROWDED_PATIENCE;
    for (const wake of [...this.#pressed]) wake();
  }

  /**
   * Resolves when outputs that keep up have taken most of what is here, so that collecting does not run away from them: an output that falls
   * behind reads its events from the disk and parses them again, 3.7 of 47 us an event when it was last profiled. At the latest after
   * `PATIENCE`, or when the signal is aborted.
   *
   * An output that took nothing meanwhile is not waited for again while there is room: it may be looking for a while whether its receiver
   * wants it at all, and a page a wait was 115 ms of the first 700. When there is hardly room left it is waited for longer, once. After
   * that an output that is slow or dead falls out of memory, and no longer counts.
   */
  async relief(signal: AbortSignal): Promise<void> {
    if (this.#bytes <= RELIEVED_BYTES || signal.aborted) return;
    const isCrowded = this.#bytes > CROWDED_BYTES;
    const patience = Math.max(this.#isMoving ? PATIENCE : 0, isCrowded ? this.#crowdedPatience : 0);
    if (patience === 0) return;
    this.#isMoving = false;
    const since = performance.now();
    await waitIn(this.#pressed, signal, patience);
    if (isCrowded && this.#bytes > RELIEVED_BYTES)
      this.#crowdedPatience = Math.max(0, this.#crowdedPatience - (performance.now() - since));
  }

  /** How many were dropped. */
  #dropWhile(isToGo: (row: T) => boolean): number {
    let count = 0;
    for (const row of this.#rows) {
      if (!isToGo(row)) break;
      this.#bytes -= row.raw.length;
      count += 1;
    }
    if (count > 0) this.#rows.splice(0, count);
    return count;
  }

  #clear(): void {
    this.#rows = [];
    this.#bytes = 0;
  }
}
