/**
 * Takes the bytes of a page apart into records and the rest. Pure.
 *
 * A page is `{"meta":{…},"data":[{"attachmentLogs":[RECORD,…]}],"fail":[]}`. Each record is kept as the bytes that Mimecast
 * sent and parsed as well. Parsing the whole page and writing each record again as JSON would cost twice the time and lose
 * the original text, so a page of the usual shape is cut at its records instead; everything else takes the slow way. A record's
 * bytes are a view of the page: nothing is copied between the network and the store.
 */
import { isAscii } from 'node:buffer';
import type { MimecastError } from './errors.ts';
import { RecordShapes, type UsualReading } from './record-shape.ts';

export interface PageRecord<T> {
  /** The record's JSON text as Mimecast sent it, on one line, in UTF-8. */
  readonly raw: Buffer;
  /** What the reader made of the parsed record. */
  readonly value: T;
}

/**
 * Understands a record as soon as it is parsed; what is parsed is not always an object. What it does not return is garbage at once:
 * keeping the parsed records of a page for as long as its bytes cost a sixth of all CPU time, spent on moving them in memory.
 * `text`: its JSON, from UTF-8 or from UTF-8 that was read as Latin-1.
 */
export type RecordReader<T> = (parsed: unknown, text: string) => T;

/** What is made of records. */
export interface Reading<T> {
  readonly read: RecordReader<T>;
  /** What is made of usual ones, when they need not be parsed for it. */
  readonly usual?: UsualReading<T> | undefined;
}

export interface ParsedPage<T> {
  readonly records: readonly PageRecord<T>[];
  /** The answer without its records: `meta`, `fail` and what else there is. */
  readonly envelope: Readonly<Record<string, unknown>>;
}

export interface Page<T> {
  readonly records: readonly PageRecord<T>[];
  /** Token of the next page; undefined on the last one. */
  readonly next: string | undefined;
  /** Set when Mimecast sent records AND a failure: keep the records, do not move the checkpoint. */
  readonly failure: MimecastError | undefined;
}

/** JSON that is not laid out as a page is, so that records may hide in it. The message says what is odd: `its … is …`. */
export class UnknownShape extends Error {}

/** `bytes` is valid UTF-8. Undefined when it is not JSON or not an object. Throws `UnknownShape`. */
export function parsePage<T>(bytes: Buffer, recordsKey: string, reading: Reading<T>): ParsedPage<T> | undefined {
  return cutPage(bytes, recordsKey, reading) ?? parseWholePage(bytes.toString(), recordsKey, reading.read);
}

/** The page token that the answer offers. Absent, null and '' all say that this was the last page. Throws `UnknownShape`. */
export function nextPageToken(envelope: ParsedPage<unknown>['envelope']): string | undefined {
  const pagination = isObject(envelope.meta) ? envelope.meta.pagination : undefined;
  const next = isObject(pagination) ? pagination.next : undefined;
  if (next === undefined || next === null || next === '') return undefined;
  if (typeof next === 'string') return next;
  throw new UnknownShape(`its page token is of type ${kindOf(next)}, not a string`);
}

/** Stands in for the records while the rest of the page is parsed; a control character keeps it apart from real data. */
const PLACEHOLDER = '\u0000records';

/** What a `JSON.parse` that throws costs besides reading: about as much as parsing this many bytes. */
const THROW_COST_BYTES = 2000;
/** Some fifty false ends are forgiven to a short page as well: that is a quarter of a millisecond. */
const LEAST_BUDGET_BYTES = 50 * THROW_COST_BYTES;

const BRACE = '{'.charCodeAt(0);
const BRACKET = ']'.charCodeAt(0);
const COMMA = ','.charCodeAt(0);
const SEPARATOR = Buffer.from('},{');
const CLOSE = Buffer.from('}]');

/**
 * The fast way: finds the record array by its key, cuts it, and parses the rest with a placeholder in the array's place.
 * The placeholder must then be found where the records belong, alone; otherwise the key stands somewhere else, or
 * twice, and JSON.parse would have taken the other one.
 *
 * Places are places in the bytes. What is looked for is ASCII, and UTF-8 has no ASCII byte inside another character.
 */
export function cutPage<T>(bytes: Buffer, recordsKey: string, reading: Reading<T>): ParsedPage<T> | undefined {
  const key = `${JSON.stringify(recordsKey)}:[`;
  const found = bytes.indexOf(key);
  if (found < 0) return undefined;
  const start = found + Buffer.byteLength(key);
  const cut = cutRecords(bytes, start, reading);
  if (cut === undefined) return undefined;
  const envelope = parseJson(
    bytes.toString('utf8', 0, start) + JSON.stringify(PLACEHOLDER) + bytes.toString('utf8', cut.end),
  );
  if (!isObject(envelope) || !Array.isArray(envelope.data) || envelope.data.length !== 1) return undefined;
  const array = isObject(envelope.data[0]) ? envelope.data[0][recordsKey] : undefined;
  if (!Array.isArray(array) || array.length !== 1 || array[0] !== PLACEHOLDER) return undefined;
  return { records: cut.records, envelope };
}

/**
 * Records from `start`, just behind the array's `[`, and the place of its `]`.
 *
 * A record ends where `},{` or `}]` follows, but these may also stand inside a string or a nested array. `JSON.parse` decides:
 * an object's text is never the beginning of another object's text, so exactly one of the candidates parses. Senders choose
 * subjects and file names and could fill them with false ends; once those have cost as much as the page is long, the slow
 * way, whose time does not depend on the content, is taken.
 */
function cutRecords<T>(
  bytes: Buffer,
  start: number,
  { read, usual }: Reading<T>,
): { records: PageRecord<T>[]; end: number } | undefined {
  const records: PageRecord<T>[] = [];
  if (bytes[start] === BRACKET) return { records, end: start };
  const shapes = usual && new RecordShapes(bytes, usual);
  let budget = Math.max(bytes.length, LEAST_BUDGET_BYTES);
  let separator = -1;
  let close = -1;
  for (let at = start, from = start; bytes[at] === BRACE; ) {
    const recognised = from === at ? shapes?.recordAt(at) : undefined;
    if (usual && recognised && isFollowed(bytes, recognised.end)) {
      const { end, text, members } = recognised;
      records.push({ raw: bytes.subarray(at, end), value: usual.read(members, text) });
      if (bytes[end] === BRACKET) return { records, end };
      at = end + 1;
      from = at;
      continue;
    }
    if (separator < from) separator = indexOrEnd(bytes, SEPARATOR, from);
    if (close < from) close = indexOrEnd(bytes, CLOSE, from);
    const end = Math.min(separator, close) + 1;
    if (end > bytes.length) return undefined;
    const raw = bytes.subarray(at, end);
    const text = raw.toString('latin1');
    const value = parseJson(isAscii(raw) ? text : raw.toString());
    if (value === undefined) {
      budget -= end - at + THROW_COST_BYTES;
      if (budget < 0) return undefined;
      from = end;
      continue;
    }
    records.push({ raw: onOneLine(raw), value: read(value, text) });
    shapes?.learn(value);
    if (end - 1 === close) return { records, end };
    at = end + 1;
    from = at;
  }
  return undefined;
}

/** Stands the end of the array, or another object, behind a record? */
function isFollowed(bytes: Buffer, end: number): boolean {
  return bytes[end] === BRACKET || (bytes[end] === COMMA && bytes[end + 1] === BRACE);
}

function indexOrEnd(bytes: Buffer, part: Buffer, from: number): number {
  const index = bytes.indexOf(part, from);
  return index < 0 ? bytes.length : index;
}

/** JSON strings hold no bare line breaks (RFC 8259 §7), so those in the text are white space between tokens. */
function onOneLine(raw: Buffer): Buffer {
  if (!raw.includes('\n') && !raw.includes('\r')) return raw;
  return Buffer.from(raw.toString('latin1').replace(/[\r\n]+/g, ' '), 'latin1');
}

/** The slow way: any JSON, any layout, records gathered over all elements of `data`. */
export function parseWholePage<T>(text: string, recordsKey: string, read: RecordReader<T>): ParsedPage<T> | undefined {
  const envelope = parseJson(text);
  if (!isObject(envelope)) return undefined;
  const { data } = envelope;
  if (data === undefined || data === null) return { records: [], envelope };
  if (!Array.isArray(data)) throw new UnknownShape(`its "data" is of type ${kindOf(data)}, not an array`);
  const values = data.flatMap((element: unknown) => recordsOf(element, recordsKey));
  return {
    records: values.map((value) => {
      const own = JSON.stringify(value);
      return { raw: Buffer.from(own), value: read(value, own) };
    }),
    envelope,
  };
}

function recordsOf(element: unknown, recordsKey: string): readonly unknown[] {
  if (element === null) return [];
  if (!isObject(element))
    throw new UnknownShape(`an element of its "data" is of type ${kindOf(element)}, not an object`);
  const records = element[recordsKey];
  if (Array.isArray(records)) return records;
  if (records === undefined || records === null) {
    const other = Object.keys(element).find((key) => Array.isArray(element[key]) && element[key].some(isObject));
    if (other === undefined) return [];
    throw new UnknownShape(`its "data" has no "${recordsKey}" but another list of objects`);
  }
  throw new UnknownShape(`its "${recordsKey}" is of type ${kindOf(records)}, not an array`);
}

/** Undefined when the text is not JSON. V8's own message quotes the text, which may hold mail data, so it is not kept. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
