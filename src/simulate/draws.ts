/**
 * Seeded draws. The same seed, index and stream give the same numbers on every machine, which `Math.random` cannot promise.
 *
 * The generator is sfc32 of Chris Doty-Humphrey's PractRand: 128 bits of state, so that neighbouring indexes never share a
 * stream (a 32-bit state would give a million records about a hundred twins), and fast enough to make records while serving them.
 */
export class Draws {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string, index = 0, stream = 0) {
    this.#a = fnv1a(seed, 0x811c9dc5);
    this.#b = index | 0;
    this.#c = fnv1a(seed, 0x9e3779b9) ^ stream;
    // The author's advice: twelve rounds until a poor seed is mixed through.
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0, included, to 1, excluded. */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  /** `digits` hex digits, lower case; a multiple of eight. */
  hex(digits: number): string {
    const bytes = Buffer.allocUnsafe(digits / 2);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE(this.next(), at);
    return bytes.toString('hex');
  }
}

/** FNV-1a over UTF-16 units: http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
