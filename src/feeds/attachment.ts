import { canonicalJson } from '../canonical.ts';
import type { EventFields, RawRecord, Severity } from '../event.ts';
import type { Feed, FeedType, Identity, TimeWindow } from './feed.ts';

/**
 * The keys that Mimecast is known to send, the most telling first: a message that must be shortened loses them from the end.
 * Each is text, or null, or not there. Real records also carry keys that the vendor's page leaves out (`subject`,
 * `messageId`, `definition`), so more may come; a key that is not listed here passes through untouched.
 */
const KEYS = [
  'result',
  'recipientAddress',
  'date',
  'fileHash',
  'senderAddress',
  'fileName',
  'actionTriggered',
  'route',
  'messageId',
  'subject',
  'fileType',
  'definition',
  'details',
] as const;
type Key = (typeof KEYS)[number];

const EVENT_CLASS = 'ttp-ap';

/**
 * One row is one attachment for one recipient. Message id and date do not tell rows apart: two attachments of one mail share
 * both, and mail without a Message-ID has none.
 */
const DEFAULT_KEY: readonly Key[] = ['fileHash', 'date', 'recipientAddress'];

/**
 * TTP attachment protection: one record for each attachment that the sandbox released, for each recipient.
 */
export const attachment: FeedType = {
  type: 'attachment',
  summary: 'Attachment Protect logs of Targeted Threat Protection (files that went through the sandbox)',
  defaultKey: DEFAULT_KEY,
  keys: KEYS,
  create: ({ name, key }) => attachmentFeed(name, key),
};

function attachmentFeed(name: string, key: readonly string[]): Feed {
  const keyNames = key.join();
  return {
    name,
    type: 'attachment',
    eventClass: EVENT_CLASS,
    path: '/api/ttp/attachment/get-logs',
    recordsKey: 'attachmentLogs',
    permission: 'Monitoring | Attachment Protection | Read',
    keepFirst: KEYS,
    filter,
    // Without a key a record is told from others by all that it says.
    looksAt: key.length > 0 ? new Set([...key, 'date', 'result']) : undefined,
    identify: (record) => identify(record, key, keyNames),
    describe,
    severityOf: (record) => severityOf(textOf(record, 'result')),
  };
}

/**
 * Both ends are always sent, since Mimecast's default for `from` is the start of a day in a zone that it does not name. Oldest
 * first, so that rows that arrive during a walk cannot move the pages that are still to come.
 */
function filter(window: TimeWindow): Readonly<Record<string, unknown>> {
  return {
    from: mimecastTime(window.from),
    to: mimecastTime(window.to),
    oldestFirst: true,
    route: 'all',
    result: 'all',
  };
}

/** `2015-11-16T14:49:18+0000`: the one form that Mimecast documents, whole seconds and an offset without a colon. */
function mimecastTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+0000`;
}

/**
 * The first part says which of two forms follows, so that no record of the one can look like a record of the other:
 * - the names of the key's parts, then their values;
 * - `record`, then the whole record as canonical JSON, when a part is missing, null or blank.
 *
 * `date` counts as the instant that it means, in epoch seconds: `+0000`, `+00:00` and `Z` are one event. Everything else is
 * compared as sent. Folding case would be a guess: a mailbox name may be case-sensitive (RFC 5321 §2.4), and merging two
 * events loses one, while telling one event apart from itself merely sends it twice.
 */
function identify(record: unknown, key: readonly string[], keyNames: string): Identity {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    return { malformed: `the record is ${nameOfType(record)}, expected an object` };
  }
  const fields = record as RawRecord;
  for (const name of KEYS) {
    const value = fields[name];
    if (typeof value !== 'string' && value !== undefined && value !== null) {
      return { malformed: `${name} is ${nameOfType(value)}, expected text` };
    }
  }
  const { date } = fields;
  if (typeof date !== 'string') return { malformed: 'date is missing' };
  const seconds = epochSeconds(date);
  if (seconds === undefined) return { malformed: 'date is not a time such as 2024-11-17T20:16:00+0000' };
  // The event id keeps the time in four bytes.
  if (seconds < 0 || seconds > 0xffff_ffff) return { malformed: 'date is outside the years 1970 to 2106' };
  return { time: seconds * 1000, parts: keyParts(fields, key, keyNames, seconds) ?? recordParts(fields, seconds) };
}

function keyParts(record: RawRecord, key: readonly string[], keyNames: string, seconds: number): string[] | undefined {
  if (key.length === 0) return undefined;
  const parts = [keyNames];
  for (const name of key) {
    const value = name === 'date' ? String(seconds) : textOf(record, name);
    if (value === undefined) return undefined;
    parts.push(value);
  }
  return parts;
}

function recordParts(record: RawRecord, seconds: number): string[] {
  return ['record', canonicalJson({ ...record, date: seconds })];
}

const SPACE = 0x20;
const DELETE = 0x7f;
const ZERO = '0'.charCodeAt(0);
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/;
const OFFSET = /([+-])(\d\d):?(\d\d)$/;

/**
 * Seconds since 1970 of `2024-11-17T20:16:00+0000`; undefined when it is none. Also takes `Z`, `+00:00`, other offsets and a
 * fraction, which is dropped: Mimecast's push feed writes `2026-07-05T12:03:26.0000000+00:00`. Not `Date.parse`: an offset
 * without a colon is outside the format that ECMAScript promises to read, and it takes 31 February for 3 March.
 */
function epochSeconds(text: string): number | undefined {
  if (!DATE.test(text)) return undefined;
  const day = startOfDay(text);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  const offset = text.endsWith('+0000') || text.endsWith('Z') ? 0 : offsetSeconds(text);
  if (day === undefined || hour > 23 || minute > 59 || second > 59 || offset === undefined) return undefined;
  return day + hour * 3600 + minute * 60 + second - offset;
}

let lastDay: { readonly date: string; readonly seconds: number | undefined } = { date: '-', seconds: undefined };

/** Seconds since 1970 at the start of the day of a `DATE`, in UTC. Most records are of the same day as the one before. */
function startOfDay(text: string): number | undefined {
  if (!text.startsWith(lastDay.date)) {
    const [year, month, day] = [twoDigits(text, 0) * 100 + twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8)];
    const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
    // Before 100, Date.UTC would take the year for 19xx.
    const seconds = isDay && year >= 100 ? Date.UTC(year, month - 1, day) / 1000 : undefined;
    lastDay = { date: text.slice(0, 10), seconds };
  }
  return lastDay.seconds;
}

/** Reads digits in their place: a RegExp that captures them makes an array and nine strings for each record. */
function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO;
}

function offsetSeconds(text: string): number | undefined {
  const [, sign, hours, minutes] = OFFSET.exec(text) ?? [];
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60 : 60);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function describe(record: RawRecord): EventFields {
  const result = textOf(record, 'result');
  return {
    eventClass: EVENT_CLASS,
    title: 'Attachment Protect',
    severity: severityOf(result),
    result,
    action: textOf(record, 'actionTriggered'),
    sender: textOf(record, 'senderAddress'),
    recipient: textOf(record, 'recipientAddress'),
    subject: textOf(record, 'subject'),
    messageId: textOf(record, 'messageId'),
    fileName: textOf(record, 'fileName'),
    fileType: textOf(record, 'fileType'),
    fileHash: textOf(record, 'fileHash'),
    route: textOf(record, 'route'),
    policy: textOf(record, 'definition'),
    details: textOf(record, 'details'),
  };
}

/**
 * The vendor's pages name different verdicts (`clean` on one, `safe` and `unsafe` on another), so the set stays open. A verdict
 * that nobody has seen before counts like a sandbox that gave none: worth a look, not an alarm.
 */
const SEVERITIES: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ['safe', 1],
  ['clean', 1],
  ['unknown', 5],
  ['timeout', 5],
  ['error', 5],
  ['suspicious', 7],
  ['unsafe', 7],
  ['malicious', 9],
]);

function severityOf(result: string | undefined): Severity {
  return SEVERITIES.get(result?.trim().toLowerCase() ?? 'unknown') ?? 5;
}

/** A record's text as sent; undefined when it is missing, null or blank. */
function textOf(record: RawRecord, key: string): string | undefined {
  const value = record[key];
  if (typeof value !== 'string') return undefined;
  const first = value.charCodeAt(0);
  // Only what begins with a space, or with what may be one of Unicode's, has to be looked at whole.
  return (first > SPACE && first < DELETE) || value.trim() !== '' ? value : undefined;
}

function nameOfType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
