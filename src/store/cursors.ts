import type { Database } from 'better-sqlite3';

/**
 * How far each output has been served. A cursor covers a contiguous prefix of the outbox: accepted, rejected or filtered.
 *
 * A cursor that moves is kept in memory first and written with the next page's transaction, or alone before the same output's
 * next batch is sent (`flush`). So a crash sends at most one batch per output again, and a busy stretch saves one fsync a batch.
 */
export class Cursors {
  readonly #positions = new Map<string, number>();
  readonly #dirty = new Set<string>();
  readonly #load;
  readonly #save;
  readonly #begin;
  readonly #forget;
  readonly #forgetBeginning;

  constructor(db: Database) {
    this.#save = db.prepare<[string, number]>(
      'INSERT INTO cursor (output, seq) VALUES (?, ?) ON CONFLICT (output) DO UPDATE SET seq = excluded.seq',
    );
    this.#begin = db.prepare<[string, number]>('INSERT OR REPLACE INTO beginning (output, seq) VALUES (?, ?)');
    this.#forgetBeginning = db.prepare<[string]>('DELETE FROM beginning WHERE output = ?');
    this.#forget = db.prepare<[string]>('DELETE FROM cursor WHERE output = ?');
    this.#load = db.prepare<[], { output: string; seq: number }>('SELECT output, seq FROM cursor');
    for (const { output, seq } of this.#load.all()) this.#positions.set(output, seq);
  }

  /** Undefined for an output that is new to the store. */
  get(output: string): number | undefined {
    return this.#positions.get(output);
  }

  all(): ReadonlyMap<string, number> {
    return this.#positions;
  }

  /** The least of all cursors: nothing after it may be pruned. Infinity when there is no output yet. */
  least(): number {
    return Math.min(...this.#positions.values(), Number.POSITIVE_INFINITY);
  }

  /** In memory; durable with the next `flush`. */
  move(output: string, seq: number): void {
    this.#positions.set(output, seq);
    this.#dirty.add(output);
  }

  /** Inside a transaction: the first cursor of an output, on the disk, and not yet in memory. */
  beginAt(output: string, seq: number): void {
    this.#begin.run(output, seq);
    this.writeAt(output, seq);
  }

  /** Inside a transaction: on the disk, and not yet in memory. `move` and `written` are to follow its commit. */
  writeAt(output: string, seq: number): void {
    this.#save.run(output, seq);
  }

  isDurable(output: string): boolean {
    return !this.#dirty.has(output);
  }

  /** Writes what has moved: of one output, or of all. Inside a transaction or alone. `written` is to follow its commit. */
  write(output?: string): string[] {
    const moved = output === undefined ? [...this.#dirty] : this.#dirty.has(output) ? [output] : [];
    for (const name of moved) this.writeAt(name, this.#positions.get(name) ?? 0);
    return moved;
  }

  /** To be called with what `write` gave, once its transaction is committed. */
  written(outputs: readonly string[]): void {
    for (const name of outputs) this.#dirty.delete(name);
  }

  /** Lets go of what another process has forgotten. An output that is served here keeps its cursor whatever others did. */
  forgetGone(served: ReadonlySet<string>): void {
    const known = new Set(this.#load.all().map(({ output }) => output));
    for (const output of [...this.#positions.keys()]) {
      if (known.has(output) || served.has(output)) continue;
      this.#positions.delete(output);
      this.#dirty.delete(output);
    }
  }

  /** Takes up what another process has moved. */
  refresh(): void {
    this.forgetGone(new Set(this.#dirty));
    for (const { output, seq } of this.#load.all()) if (!this.#dirty.has(output)) this.#positions.set(output, seq);
  }

  forget(output: string): boolean {
    this.#positions.delete(output);
    this.#dirty.delete(output);
    this.#forgetBeginning.run(output);
    return this.#forget.run(output).changes > 0;
  }
}
