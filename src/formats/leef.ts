import { z } from 'zod';
import type { EventFields, ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { plainWord } from './plain-word.ts';
import { cutToCodePoints, LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';

/**
 * IBM QRadar's Log Event Extended Format, with a TAB between attributes:
 * `LEEF:1.0|Mimecast|TTP Attachment Protect|2.0|malicious|devTime=1731874560→cat=inbound→sev=9→eventId=…→usrName=…`, and, when
 * something had to be cut, `truncated=details,subject` after the event id.
 *
 * LEEF has no escapes, so what would break a value is replaced. Members of a record that no field of ours names are not written;
 * the JSON format and the store have them.
 */
export const leef = defineFormat({
  name: 'leef',
  summary: "IBM QRadar's Log Event Extended Format, LEEF:1.0 or LEEF:2.0.",
  options: z
    .strictObject({
      version: z
        .enum(['1.0', '2.0'])
        .default('1.0')
        .meta({ description: 'Of LEEF. 1.0 separates attributes with a TAB.' }),
      delimiter: z
        .string()
        .transform(decodeHex)
        .refine((text) => DELIMITERS.test(text), {
          error: 'expected one of ! # $ % & ; ? ^ ` ~ ( ) [ ] { } or its hex form such as x5E',
        })
        .optional()
        .meta({
          description:
            'What stands between attributes, with `version: "2.0"`: one character, or its hex form such as `x5E`. Default: `^`.',
        }),
    })
    .refine(({ version, delimiter }) => version === '2.0' || delimiter === undefined, {
      path: ['delimiter'],
      error: 'expected only with version: "2.0"; 1.0 separates attributes with a TAB',
    }),
  create: ({ version, delimiter }) => leefFormat(version === '1.0' ? TAB_1_0 : headed(delimiter ?? '^')),
});

/**
 * Punctuation that few values have, for each one in a value is lost. Letters, digits and what addresses, hashes, media types and
 * our own words are made of would do more harm than a delimiter is worth; `|` and `=` have a meaning in LEEF.
 */
const DELIMITERS = /^[!#$%&;?^`~()[\]{}]$/;

/** IBM allows `x` or `0x` and one to four hex digits. Decoded here and written as itself: SC4S takes `x5E` for three characters. */
function decodeHex(text: string): string {
  const [, hex] = /^0?x([\da-f]{1,4})$/i.exec(text) ?? [];
  return hex === undefined ? text : String.fromCharCode(Number.parseInt(hex, 16));
}

interface Dialect {
  readonly version: string;
  readonly delimiter: string;
  /** What follows the EventID in the header. */
  readonly headerEnd: string;
}

const TAB_1_0: Dialect = { version: '1.0', delimiter: '\t', headerEnd: '|' };

function headed(delimiter: string): Dialect {
  return { version: '2.0', delimiter, headerEnd: `|${delimiter}|` };
}

function leefFormat(dialect: Dialect): Format {
  const render = (event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered =>
    write(event, dialect, maxBytes);
  return { name: 'leef', mediaType: 'text/plain; charset=utf-8', tagged: true, render };
}

function write(event: ForwarderEvent, dialect: Dialect, maxBytes: number): Rendered {
  const { delimiter } = dialect;
  const head = header(event.fields, dialect) + fixedAttributes(event, delimiter);
  const { parts, cut } = attributes(event.fields, delimiter);
  const room = maxBytes - Buffer.byteLength(head);
  const markRoom = delimiter.length + 'truncated='.length + LOST_NAMES_BYTES;
  // Once a value was cut to its own limit, the mark has to stand whether or not the rest fits.
  const { text, lost } =
    cut.length > 0 ? shorten(parts, room - markRoom, 0, asItStands) : shorten(parts, room, markRoom, asItStands);
  const names = lostNames([...cut, ...lost]);
  const mark = names.length > 0 ? `${delimiter}truncated=${names.join()}` : '';
  return { text: head + mark + text, shortened: names.length > 0 };
}

/**
 * QRadar names an event by EventID and `cat`, looked up one by one in a map that somebody filled in, so both are words of a small
 * set. A record without a verdict or a route has `unknown`, for an event that misses one of the two finds no entry.
 */
function header({ title, result }: EventFields, { version, headerEnd }: Dialect): string {
  return `LEEF:${version}|Mimecast|TTP ${title}|2.0|${plainWord(result ?? 'unknown')}${headerEnd}`;
}

/**
 * Four attributes that every event has: with fewer, SC4S takes a LEEF 1.0 event for one that is separated by pipes. Ten digits of
 * `devTime` need no `devTimeFormat` in QRadar, and are the one form that SC4S reads as well. `sev` starts at 1.
 */
function fixedAttributes({ id, time, fields }: ForwarderEvent, delimiter: string): string {
  const cat = plainWord(fields.route ?? 'unknown');
  return [
    `devTime=${Math.floor(time / 1000)}`,
    `cat=${cat}`,
    `sev=${Math.max(1, fields.severity)}`,
    `eventId=${id}`,
  ].join(delimiter);
}

/** An attribute, and what it is filled with. */
interface Attribute {
  readonly key: string;
  /** What `truncated` calls it, where that is not the key. */
  readonly name?: string;
  /** 0 is kept longest when room is short. */
  readonly rank: number;
  /** Longest value that IBM allows, in characters. */
  readonly maxLength?: number;
  value(fields: EventFields): string | undefined;
}

/**
 * In the order in which they are written. What the sender of the mail chose stands last: QRadar's custom properties may be
 * expressions such as `action=([^\t]+)`, and the first match counts, so a subject must not come before what it could imitate.
 */
const ATTRIBUTES: readonly Attribute[] = [
  { key: 'usrName', name: 'recipient', rank: 0, maxLength: 255, value: ({ recipient }) => recipient },
  { key: 'action', rank: 4, value: ({ action }) => action },
  { key: 'fileHash', rank: 1, value: ({ fileHash }) => fileHash },
  { key: 'definition', rank: 8, value: ({ policy }) => policy },
  { key: 'details', rank: 9, value: ({ details }) => details },
  { key: 'sender', rank: 2, value: ({ sender }) => sender },
  { key: 'messageId', rank: 5, value: ({ messageId }) => messageId },
  { key: 'fileType', rank: 7, value: ({ fileType }) => fileType },
  { key: 'fileName', rank: 3, value: ({ fileName }) => fileName },
  { key: 'subject', rank: 6, value: ({ subject }) => subject },
];

/** The attributes that have a value, each at most as long as its key allows, and the names of those cut for that. */
function attributes(
  fields: EventFields,
  delimiter: string,
): { readonly parts: readonly Part[]; readonly cut: readonly string[] } {
  const parts: Part[] = [];
  const cut: string[] = [];
  for (const { key, name = key, rank, maxLength, value } of ATTRIBUTES) {
    const whole = plain(value(fields) ?? '', delimiter);
    const text = maxLength === undefined ? whole : cutToCodePoints(whole, maxLength).trimEnd();
    if (text === '') continue;
    if (text.length < whole.length) cut.push(name);
    parts.push({ name, prefix: `${delimiter}${key}=`, text, divisible: true, rank });
  }
  return { parts, cut };
}

/** A line end, and every character that ends a line or an attribute for some reader. `|` is apart: see `plain`. */
const BREAKING = /\r\n|[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * A value as LEEF can carry it: line ends, TABs, other control characters and the delimiter become a space, a lone surrogate
 * U+FFFD. `|` becomes `/`: SC4S splits the whole message at pipes and reads attributes from the last piece only. `=` stands, the
 * first one of an attribute separates.
 */
function plain(text: string, delimiter: string): string {
  return text.toWellFormed().replace(BREAKING, ' ').replaceAll('|', '/').replaceAll(delimiter, ' ').trim();
}

function asItStands(text: string): string {
  return text;
}
