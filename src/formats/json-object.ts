import { canonicalJson } from '../canonical.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Line, Rendered } from './format.ts';
import type { Member } from './record-members.ts';
import { LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';
import { utcSeconds } from './timestamp.ts';

/**
 * JSON objects on one line, for every format that is JSON: `{"eventId":…}`, and, when something had to be cut,
 * `"truncated":["details"]` at the end.
 */

/** `{"eventId":"<32 hex>","eventTime":"2024-11-17T20:16:00Z","feed":"attachment"`. ASCII, so its length is its size in bytes. */
export function objectHead(event: ForwarderEvent): string {
  return `{"eventId":"${event.id}","eventTime":"${utcSeconds(event.time)}Z","feed":"${event.source.type}"`;
}

/** One member after the others. Only a text can be cut: half a number or half an array means something else. */
export function memberPart({ name, value, rank }: Member): Part {
  const divisible = typeof value === 'string';
  return {
    name,
    prefix: `,${quoted(name)}:`,
    text: divisible ? value : lineSafe(canonicalJson(value)),
    divisible,
    rank,
  };
}

/**
 * `head` is an object without its closing brace: what `objectHead` gives, or `{` for one that has nothing before its members.
 * `left` names members that the caller had to leave out: then the mark stands even if the rest fits.
 */
export function writeObject(
  head: string,
  members: readonly Part[],
  maxBytes: number,
  left: readonly string[] = [],
): Rendered {
  const room = maxBytes - head.length - '}'.length;
  const markRoom = ',"truncated":[]'.length + LOST_NAMES_BYTES;
  const { text, lost } =
    left.length > 0 ? shorten(members, room - markRoom, 0, quoted) : shorten(members, room, markRoom, quoted);
  const names = lostNames([...left, ...lost]);
  const mark = names.length > 0 ? `,"truncated":${JSON.stringify(names)}` : '';
  const body = text + mark;
  return { text: `${head}${head === '{' ? body.slice(1) : body}}`, shortened: names.length > 0 };
}

/** A record's bytes behind a head, nothing cut. Most outputs never ask for it as one text. */
export class WholeLine implements Rendered {
  readonly line: Line;
  readonly shortened = false;

  constructor(line: Line) {
    this.line = line;
  }

  get text(): string {
    return this.line.head + this.line.tail.toString();
  }
}

/** An escape sequence: a surrogate pair, a surrogate without its other half (group 1), or any other. */
const ESCAPES = /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\./g;

/**
 * JSON text, less what receivers stumble on, with the same meaning:
 * - Tabs and line ends can only stand between tokens (RFC 8259 §7), where a space means the same.
 * - A lone surrogate, escaped or not, becomes U+FFFD: strict parsers refuse the whole message for it.
 * - `CEF:0` is what SC4S takes for CEF anywhere in a message, so a subject could hide the event from its parser.
 */
export function lineSafe(text: string): string {
  const oneLine = text.replace(/[\t\n\r]/g, ' ').toWellFormed();
  // Most texts have no escaped surrogate, and looking at each escape of a long one costs more than all the rest.
  const paired = /\\u[dD]/.test(oneLine) ? oneLine.replace(ESCAPES, replaceLone) : oneLine;
  return paired.replaceAll('CEF:0', 'CEF\\u003a0');
}

function replaceLone(sequence: string, lone: string | undefined): string {
  return lone === undefined ? sequence : '\\ufffd';
}

export function quoted(text: string): string {
  return PLAIN.test(text) && !text.includes('CEF:0') ? `"${text}"` : lineSafe(JSON.stringify(text));
}

/** ASCII that JSON and `lineSafe` leave as it is: most keys and most texts. */
const PLAIN = /^[ !#-[\]-~]*$/;
