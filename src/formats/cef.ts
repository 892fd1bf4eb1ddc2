import { z } from 'zod';
import type { EventFields, ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { plainWord } from './plain-word.ts';
import { cutToCodePoints, fits, LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';

/**
 * ArcSight's Common Event Format:
 * `CEF:0|Mimecast|Targeted Threat Protection|2.0|ttp-ap:malicious|Attachment Protect: malicious|9|rt=1731874560000 externalId=…`,
 * and, when something had to be cut, `MimecastTruncated=details,subject` at the end.
 *
 * Version 0, although 1 is out: SC4S knows CEF by the literal `CEF:0`. Members of a record that no field of ours names have no
 * key in CEF and are not written; the JSON format and the store have them.
 */
const format: Format = { name: 'cef', mediaType: 'text/plain; charset=utf-8', tagged: true, render };

export const cef = defineFormat({
  name: 'cef',
  summary: "ArcSight's Common Event Format, CEF:0.",
  options: z.strictObject({}),
  create: () => format,
});

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  const head = `${header(event.fields)}rt=${event.time} externalId=${event.id}`;
  const extension = wholeExtension(event.fields);
  if (extension !== undefined && fits(head + extension, maxBytes)) return { text: head + extension, shortened: false };

  const { parts, cut } = extensionParts(event.fields);
  const room = maxBytes - head.length;
  const markRoom = ' MimecastTruncated='.length + LOST_NAMES_BYTES;
  // Once a value was cut to its own limit, the mark has to stand whether or not the rest fits.
  const { text, lost } = shorten(
    parts,
    cut.length > 0 ? room - markRoom : room,
    cut.length > 0 ? 0 : markRoom,
    escapeValue,
  );
  const mark = ` MimecastTruncated=${lostNames([...cut, ...lost]).join()}`;
  return { text: head + text + mark, shortened: true };
}

/**
 * The seven header fields. The verdict is the one of them that a record can influence, and it goes in as a plain word: SC4S
 * splits the header at every `|`, escaped or not, so nothing that needs an escape may stand in it. `outcome` has it as sent.
 */
function header(fields: EventFields): string {
  const { eventClass, title, severity, result } = fields;
  const { of } = lastHeader;
  if (of?.eventClass !== eventClass || of.title !== title || of.severity !== severity || of.result !== result)
    lastHeader = { of: fields, text: headerOf(fields) };
  return lastHeader.text;
}

/** Most events have the header of the one before. */
let lastHeader: { readonly of: EventFields | undefined; readonly text: string } = { of: undefined, text: '' };

function headerOf({ eventClass, title, severity, result }: EventFields): string {
  const verdict = plainWord(result ?? 'unknown');
  return `CEF:0|Mimecast|Targeted Threat Protection|2.0|${eventClass}:${verdict}|${title}: ${verdict}|${severity}|`;
}

/** A key of the extension, and what it is filled with. */
interface Key {
  /** With the space before it, and with its label where it has one: ` act=`, ` cs1Label=definition cs1=`. */
  readonly key: string;
  /** What `MimecastTruncated` calls it. */
  readonly name: string;
  /** Longest value that the CEF standard allows, in characters, before escaping. */
  readonly maxLength: number;
  /** 0 is kept longest when room is short. */
  readonly rank: number;
  value(fields: EventFields): string | undefined;
}

const DIRECTIONS: ReadonlyMap<string, string> = new Map([
  ['inbound', '0'],
  ['outbound', '1'],
]);
const ACT_LENGTH = 63;

/** In the order in which they are written. `suser` and `duser` are where CEF's own mapping for mail puts the addresses. */
const KEYS: readonly Key[] = [
  {
    key: ' act=',
    name: 'action',
    maxLength: ACT_LENGTH,
    rank: 5,
    value: ({ action }) => action && shortAction(action),
  },
  { key: ' outcome=', name: 'result', maxLength: 63, rank: 1, value: ({ result }) => result },
  { key: ' suser=', name: 'sender', maxLength: 1023, rank: 3, value: ({ sender }) => sender },
  { key: ' duser=', name: 'recipient', maxLength: 1023, rank: 0, value: ({ recipient }) => recipient },
  { key: ' fname=', name: 'fileName', maxLength: 1023, rank: 4, value: ({ fileName }) => fileName },
  { key: ' fileType=', name: 'fileType', maxLength: 1023, rank: 9, value: ({ fileType }) => fileType },
  { key: ' fileHash=', name: 'fileHash', maxLength: 255, rank: 2, value: ({ fileHash }) => fileHash },
  {
    key: ' deviceDirection=',
    name: 'direction',
    maxLength: 1,
    rank: 6,
    value: ({ route }) => route && direction(route),
  },
  { key: ' cat=', name: 'category', maxLength: 1023, rank: 13, value: ({ title }) => category(title) },
  { key: ' msg=', name: 'details', maxLength: 1023, rank: 11, value: ({ details }) => details },
  { key: ' cs1Label=definition cs1=', name: 'definition', maxLength: 4000, rank: 10, value: ({ policy }) => policy },
  { key: ' cs2Label=messageId cs2=', name: 'messageId', maxLength: 4000, rank: 7, value: ({ messageId }) => messageId },
  { key: ' cs3Label=subject cs3=', name: 'subject', maxLength: 4000, rank: 8, value: ({ subject }) => subject },
  { key: ' cs4Label=route cs4=', name: 'route', maxLength: 4000, rank: 12, value: ({ route }) => route },
  // `act` holds 63 characters; a longer list of actions is whole here.
  {
    key: ' cs6Label=action cs6=',
    name: 'action',
    maxLength: 4000,
    rank: 14,
    value: ({ action }) => longAction(action),
  },
];

function shortAction(action: string): string {
  return action.length <= ACT_LENGTH ? action : cutToCodePoints(plain(action), ACT_LENGTH);
}

function longAction(action: string | undefined): string | undefined {
  return action && action.length > ACT_LENGTH && plain(action).length > ACT_LENGTH ? action : undefined;
}

/** CEF has two directions; `internal` and `external` mail has none, and `cs4` names all four. */
function direction(route: string): string | undefined {
  return DIRECTIONS.get(route.toLowerCase());
}

/** A title is a constant of its feed: there are as many as types of feeds. */
const CATEGORIES = new Map<string, string>();

function category(title: string): string {
  const known = CATEGORIES.get(title);
  if (known !== undefined) return known;
  const made = title.toLowerCase().replaceAll(' ', '_');
  CATEGORIES.set(title, made);
  return made;
}

/**
 * The pairs that have a value; undefined when a value is over its own limit. Empty ones are left out, since SC4S reads the next
 * pair as the value of an empty one.
 */
function wholeExtension(fields: EventFields): string | undefined {
  let text = '';
  for (const { key, maxLength, value } of KEYS) {
    const sent = value(fields);
    if (!sent) continue;
    if (sent.length <= maxLength && !NEEDS_CARE.test(sent)) {
      text += key + sent;
      continue;
    }
    const { whole, written } = carried(sent);
    if (whole === '') continue;
    if (cutToCodePoints(whole, maxLength).length < whole.length) return undefined;
    text += key + written;
  }
  return text;
}

/** A value as CEF can carry it, and as it is written. */
interface Carried {
  readonly whole: string;
  readonly written: string;
}

/** `details` is one of some hundred texts (`Safe … Time taken: 0 hrs, 0 min, 3 sec`), and always in need of care. */
const CARRIED = new Map<string, Carried>();
const MOST_CARRIED = 1000;
const LONGEST_CARRIED = 200;

function carried(sent: string): Carried {
  const known = CARRIED.get(sent);
  if (known) return known;
  const whole = plain(sent);
  const made = { whole, written: escapeValue(whole) };
  if (sent.length > LONGEST_CARRIED) return made;
  if (CARRIED.size === MOST_CARRIED) CARRIED.clear();
  CARRIED.set(sent, made);
  return made;
}

/** The same pairs as parts that can be shortened, each at most as long as its key allows, and the names of those cut for that. */
function extensionParts(fields: EventFields): { readonly parts: readonly Part[]; readonly cut: readonly string[] } {
  const parts: Part[] = [];
  const cut: string[] = [];
  for (const { key, name, maxLength, rank, value } of KEYS) {
    const whole = plain(value(fields) ?? '');
    const text = cutToCodePoints(whole, maxLength).trimEnd();
    if (text === '') continue;
    if (text.length < whole.length) cut.push(name);
    parts.push({ name, prefix: key, text, divisible: true, rank });
  }
  return { parts, cut };
}

/**
 * What `plain` or `escapeValue` may change: escapes, controls, surrogates, every kind of space but single ones between words.
 * Most values have none of it and go in as they are.
 */
const NEEDS_CARE =
  /^ |[\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff\ufeff\\=]| (?: |$)/;

const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;
const CONTROLS = new RegExp(CONTROL, 'g');
const RUNS = / {2,}/g;

/**
 * A value as CEF can carry it: line ends become LF (written `\n`), other control characters and the line separators of Unicode
 * a space, a lone surrogate U+FFFD. Readers trim values and fold runs of spaces, so we do it first and the limits count what
 * is left: `details` has fifty spaces before its line end. Everything else stays, right-to-left marks in file names included:
 * an analyst's search must find the name that the mail had.
 */
function plain(text: string): string {
  const folded = text.toWellFormed().replace(RUNS, ' ').replace(/\r\n?/g, '\n');
  return (CONTROL.test(folded) ? folded.replaceAll(CONTROLS, ' ').replace(RUNS, ' ') : folded).trim();
}

/** Extension values escape `\`, `=` and LF; `|` stands as it is. */
function escapeValue(text: string): string {
  return text.replace(/[\\=\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
