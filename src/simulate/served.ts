/**
 * The oracle of conservation: which records have gone out in a complete, successful answer, once or more.
 * One bit a record, so that a million of them weigh nothing.
 */
export class Served {
  readonly #malformed = new Set<string>();
  #bits = new Uint32Array(1024);
  #count = 0;

  /** How many different records. */
  get count(): number {
    return this.#count;
  }

  /** The JSON texts of the malformed records that went out, each once. */
  get malformed(): ReadonlySet<string> {
    return this.#malformed;
  }

  has(serial: number): boolean {
    return ((this.#bits[serial >>> 5] ?? 0) & (1 << (serial & 31))) !== 0;
  }

  mark(serials: readonly number[], malformed: readonly string[]): void {
    for (const serial of serials) this.#markOne(serial);
    for (const text of malformed) this.#malformed.add(text);
  }

  #markOne(serial: number): void {
    if (this.has(serial)) return;
    const word = serial >>> 5;
    if (word >= this.#bits.length) {
      const bits = new Uint32Array(Math.max(word + 1, this.#bits.length * 2));
      bits.set(this.#bits);
      this.#bits = bits;
    }
    this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (serial & 31));
    this.#count += 1;
  }
}
