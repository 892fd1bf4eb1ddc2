/**
 * What a message loses when it has too little room; the same rules for every format.
 *
 * 1. Long texts are cut to one common length, so the longest loses first and most: a 1 MiB subject gives way, a hash does not.
 * 2. A text of at most `WHOLE_BYTES` is never cut: half a hash or half an address misleads, and would match nothing in a SIEM.
 * 3. When longer texts would fall below `LEAST_BYTES`, parts are left out, the lowest rank first.
 * 4. Cuts fall between code points, and the message names what it lost (`lostNames`).
 */

/** One part of a message, a JSON member or a CEF pair. */
export interface Part {
  /** What the mark calls it. */
  readonly name: string;
  /** Goes before the text as it stands, with the separator: `,"subject":`. */
  readonly prefix: string;
  /** The text, not yet escaped. For an indivisible part it is written as it stands. */
  readonly text: string;
  /** False for what makes sense only whole: a number, a nested value. */
  readonly divisible: boolean;
  /** 0 is kept longest; between equals, the earlier one is. */
  readonly rank: number;
  /** What stands round it, if not by itself in the message. */
  readonly groups?: readonly PartGroup[];
}

/** Something round several parts, written once if one of them is: the brackets and the key of a nested object. */
export interface PartGroup {
  readonly bytes: number;
}

/** How a format writes a text: at least one byte for each UTF-16 unit, and never fewer bytes for more code points. */
export type Encode = (text: string) => string;

export interface Shortened {
  /** The parts that are left, written one after the other. */
  readonly text: string;
  /** Names of the parts that were cut or left out, in the order of the message. */
  readonly lost: readonly string[];
}

const WHOLE_BYTES = 80;
const LEAST_BYTES = 40;

/** Writes the parts in at most `room` bytes, or, when they do not fit, in `room` less `markRoom`. */
export function shorten(parts: readonly Part[], room: number, markRoom: number, encode: Encode): Shortened {
  const { written, lost } = shortener(parts, encode)(room, markRoom);
  const kept = parts.map(({ prefix }, index) => (written[index] === undefined ? '' : prefix + written[index]));
  return { text: kept.join(''), lost };
}

/** What becomes of each part: its text without the prefix, undefined where it is left out. */
export interface ShortenedParts {
  readonly written: readonly (string | undefined)[];
  readonly lost: readonly string[];
}

/** `shorten` for parts that are not written in a row. They are measured once, to be fitted into one room after the other. */
export function shortener(parts: readonly Part[], encode: Encode): (room: number, markRoom?: number) => ShortenedParts {
  const measured = parts.map((part) => measure(part, encode));
  const wholeBytes = sum(measured, (part) => part.prefixBytes + part.bytes) + groupBytes(parts);
  return (room, markRoom = 0) => {
    if (wholeBytes <= room) return { written: measured.map((part) => part.written), lost: [] };
    const kept = keepMostTelling(measured, room - markRoom);
    const level = commonLength(kept, room - markRoom);
    const isWhole = (part: Measured) => part.least === part.bytes || part.bytes <= level;
    const written = measured.map((part) => {
      if (!kept.has(part)) return undefined;
      return isWhole(part) ? part.written : cutToBytes(part.text, level, encode);
    });
    return { written, lost: measured.filter((part) => !kept.has(part) || !isWhole(part)).map(({ name }) => name) };
  };
}

function groupBytes(parts: Iterable<Part>): number {
  const groups = new Set<PartGroup>();
  for (const part of parts) for (const group of part.groups ?? []) groups.add(group);
  return sum(groups, ({ bytes }) => bytes);
}

/** Room to reserve for `lostNames`: its names, each with two quotes and a comma. */
export const LOST_NAMES_BYTES = 72;

/** The names for the mark. What is too long for it (an unknown key may be of any length) is one `*` at the end. */
export function lostNames(names: readonly string[]): readonly string[] {
  const listed: string[] = [];
  let room = LOST_NAMES_BYTES - '"*",'.length;
  let all = true;
  for (const name of new Set(names)) {
    const bytes = name.length + 3;
    if (bytes <= room && /^\w+$/.test(name)) {
      listed.push(name);
      room -= bytes;
    } else all = false;
  }
  return all ? listed : [...listed, '*'];
}

/** Whether a text is at most `maxBytes` long in UTF-8. A UTF-16 unit is three bytes at most, so most messages need not be measured. */
export function fits(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes;
}

/** The longest beginning of a text of at most `count` code points. */
export function cutToCodePoints(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let left = count; left > 0 && end < text.length; left -= 1) end += isPairAt(text, end) ? 2 : 1;
  return text.slice(0, end);
}

/** The longest beginning of a text that is at most `bytes` long once it is escaped, escaped. */
function cutToBytes(text: string, bytes: number, encode: Encode): string {
  let fitting = 0;
  let tooLong = Math.min(text.length, bytes) + 1;
  while (tooLong - fitting > 1) {
    const middle = (fitting + tooLong) >> 1;
    if (Buffer.byteLength(encode(text.slice(0, middle))) <= bytes) fitting = middle;
    else tooLong = middle;
  }
  if (fitting > 0 && isPairAt(text, fitting - 1)) fitting -= 1;
  return encode(text.slice(0, fitting).trimEnd());
}

function isPairAt(text: string, index: number): boolean {
  return (text.codePointAt(index) ?? 0) > 0xffff;
}

interface Measured extends Part {
  readonly written: string;
  readonly prefixBytes: number;
  readonly bytes: number;
  /** The fewest bytes that it can be cut to; `bytes` when it cannot. */
  readonly least: number;
}

function measure(part: Part, encode: Encode): Measured {
  const written = part.divisible ? encode(part.text) : part.text;
  const bytes = Buffer.byteLength(written);
  const least = part.divisible && bytes > WHOLE_BYTES ? LEAST_BYTES : bytes;
  return { ...part, written, prefixBytes: Buffer.byteLength(part.prefix), bytes, least };
}

/** By rank, each part whose least size still finds room. A part that finds none does not keep out a smaller one after it. */
function keepMostTelling(parts: readonly Measured[], room: number): ReadonlySet<Measured> {
  const kept = new Set<Measured>();
  const opened = new Set<PartGroup>();
  let left = room;
  for (const part of parts.toSorted((a, b) => a.rank - b.rank)) {
    const groups = (part.groups ?? []).filter((group) => !opened.has(group));
    const cost = part.prefixBytes + part.least + sum(groups, ({ bytes }) => bytes);
    if (cost > left) continue;
    left -= cost;
    kept.add(part);
    for (const group of groups) opened.add(group);
  }
  return kept;
}

/** The number of bytes that every text may have so that all fit: what short texts leave is shared among the long ones. */
function commonLength(parts: ReadonlySet<Measured>, room: number): number {
  let left = room - groupBytes(parts) - sum(parts, (part) => part.prefixBytes);
  let sharing = parts.size;
  // Whole parts first, since they take what they need; then the long ones from the shortest up.
  const rising = [...parts].sort((a, b) => Number(a.least < a.bytes) - Number(b.least < b.bytes) || a.bytes - b.bytes);
  for (const part of rising) {
    if (part.least < part.bytes && part.bytes * sharing > left) return Math.floor(left / sharing);
    left -= part.bytes;
    sharing -= 1;
  }
  return Number.POSITIVE_INFINITY;
}

function sum<T>(values: Iterable<T>, size: (value: T) => number): number {
  let total = 0;
  for (const value of values) total += size(value);
  return total;
}
