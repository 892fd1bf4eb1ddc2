import { z } from 'zod';
import { canonicalJson } from '../canonical.ts';
import type { ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Line, type Rendered } from './format.ts';
import { LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';
import { utcSeconds } from './timestamp.ts';

/**
 * Mimecast's own record with three members in front:
 * `{"eventId":"<32 hex>","eventTime":"2024-11-17T20:16:00Z","feed":"attachment","senderAddress":…}`, and, when something had to
 * be cut, `"truncated":["details"]` at the end.
 *
 * The record's bytes are spliced in as they were sent. Writing the parsed record anew would cost four times as much, and would
 * write numbers past 2^53 differently from Mimecast.
 */
const format: Format = { name: 'json', mediaType: 'application/json', render };

export const json = defineFormat({
  name: 'json',
  summary: "Mimecast's own record as JSON, with event id, time and feed in front.",
  options: z.strictObject({}),
  create: () => format,
});

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  const head = headOf(event);
  const line = spliced(event, head);
  if (line !== undefined && line.head.length + line.tail.length <= maxBytes) return new Spliced(line);
  return rewritten(event.record, head, maxBytes, event.source.keepFirst ?? []);
}

/** The record as sent, behind our head. Most outputs never ask for it as one text. */
class Spliced implements Rendered {
  readonly line: Line;
  readonly shortened = false;

  constructor(line: Line) {
    this.line = line;
  }

  get text(): string {
    return this.line.head + this.line.tail.toString();
  }
}

/** Members that are ours. A record's own by these names is left out, so that no reader can take it for ours. */
const OURS = ['eventId', 'eventTime', 'feed', 'truncated'] as const;

/** ASCII, so its length is its size in bytes. */
function headOf(event: ForwarderEvent): string {
  return `{"eventId":"${event.id}","eventTime":"${utcSeconds(event.time)}Z","feed":"${event.source.type}"`;
}

/**
 * What keeps a record's text from standing on a line as it is, found in one pass over its bytes (all of it is ASCII): white space
 * that would end the line, any `\u` (it may spell a lone surrogate, or one of our names), `CEF:0`, our names.
 */
const NEEDS_CARE = /[\t\n\r]|\\u|CEF:0|"(?:eventId|eventTime|feed|truncated)"/;

/** Head and record as one object; undefined when the text does not lend itself to it. */
function spliced(event: ForwarderEvent, head: string): Line | undefined {
  const { raw } = event;
  const text = raw.toString('latin1');
  // An object without members, or with white space before the first, is not worth a case of its own.
  if (!text.startsWith('{"')) return undefined;
  const needsCare = NEEDS_CARE.test(text);
  if (needsCare && OURS.some((name) => Object.hasOwn(event.record, name))) return undefined;
  const safe = needsCare ? Buffer.from(lineSafe(raw.toString())) : raw;
  return { head: `${head},`, tail: safe.subarray(1) };
}

/** An escape sequence: a surrogate pair, a surrogate without its other half (group 1), or any other. */
const ESCAPES = /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\./g;

/**
 * JSON text, less what receivers stumble on, with the same meaning:
 * - Tabs and line ends can only stand between tokens (RFC 8259 §7), where a space means the same.
 * - A lone surrogate, escaped or not, becomes U+FFFD: strict parsers refuse the whole message for it.
 * - `CEF:0` is what SC4S takes for CEF anywhere in a message, so a subject could hide the event from its parser.
 */
function lineSafe(text: string): string {
  const oneLine = text.replace(/[\t\n\r]/g, ' ').toWellFormed();
  // Most texts have no escaped surrogate, and looking at each escape of a long one costs more than all the rest.
  const paired = /\\u[dD]/.test(oneLine) ? oneLine.replace(ESCAPES, replaceLone) : oneLine;
  return paired.replaceAll('CEF:0', 'CEF\\u003a0');
}

function replaceLone(sequence: string, lone: string | undefined): string {
  return lone === undefined ? sequence : '\\ufffd';
}

function rewritten(
  record: Readonly<Record<string, unknown>>,
  head: string,
  maxBytes: number,
  keepFirst: readonly string[],
): Rendered {
  const members = Object.entries(record).filter(([key]) => !OURS.some((name) => name === key));
  const parts = members.map(([key, value]) => memberPart(key, value, keepFirst));
  const room = maxBytes - head.length - '}'.length;
  const { text, lost } = shorten(parts, room, ',"truncated":[]'.length + LOST_NAMES_BYTES, quoted);
  const mark = lost.length > 0 ? `,"truncated":${JSON.stringify(lostNames(lost))}` : '';
  return { text: `${head}${text}${mark}}`, shortened: lost.length > 0 };
}

function memberPart(key: string, value: unknown, keepFirst: readonly string[]): Part {
  const divisible = typeof value === 'string';
  const place = keepFirst.indexOf(key);
  return {
    name: key,
    prefix: `,${quoted(key)}:`,
    text: divisible ? value : lineSafe(canonicalJson(value)),
    divisible,
    rank: place < 0 ? keepFirst.length : place,
  };
}

function quoted(text: string): string {
  return lineSafe(JSON.stringify(text));
}
