import { z } from 'zod';
import { canonicalJson } from '../canonical.ts';
import type { ForwarderEvent, RawRecord } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';
import { utcSeconds } from './timestamp.ts';

/**
 * A row of `Ttp_Attachment_CL`, the table that Mimecast's solution for Microsoft Sentinel reads:
 * `{"TimeGenerated":"2024-11-17T20:16:00Z","EventId":"<32 hex>","result":"malicious",…,"Date":"2024-11-17T20:16:00+0000"}`, and
 * `"Truncated":"details,subject"` at the end when something had to be cut.
 *
 * Values are as Mimecast sent them, since its analytic rule compares them (`Result != "safe"`). A member that a record has not, or
 * has as null, is left out: Log Analytics knows no difference between a missing string and an empty one. Members that the table has no
 * column for are not written; the data collection rule would drop them without a word.
 */
const format: Format = { name: 'sentinel', mediaType: 'application/json', render };

export const sentinel = defineFormat({
  name: 'sentinel',
  summary: "A row of Microsoft Sentinel's table Ttp_Attachment_CL, as JSON.",
  options: z.strictObject({}),
  create: () => format,
});

/**
 * Log Analytics cuts a value after 64 KB in silence (Azure Monitor service limits, Logs Ingestion API); what is cut here is marked.
 * Counted in UTF-8 with 1 KB = 1000 bytes, the narrowest reading.
 */
const MAX_VALUE_BYTES = 64_000;

/** Columns after `TimeGenerated` and `EventId`, and the member each is filled with, the most telling first. */
const COLUMNS: readonly (readonly [column: string, member: string])[] = [
  ['result', 'result'],
  ['recipientAddress', 'recipientAddress'],
  ['Date', 'date'], // The parser of Mimecast's solution reads its event time from a column with a capital D.
  ['fileHash', 'fileHash'],
  ['senderAddress', 'senderAddress'],
  ['fileName', 'fileName'],
  ['actionTriggered', 'actionTriggered'],
  ['route', 'route'],
  ['messageId', 'messageId'],
  ['subject', 'subject'],
  ['fileType', 'fileType'],
  ['definition', 'definition'],
  ['details', 'details'],
];

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  const head = `{"TimeGenerated":"${utcSeconds(event.time)}Z","EventId":"${event.id}"`;
  const { parts, cut } = partsOf(event.record);
  const room = maxBytes - head.length - '}'.length;
  const markRoom = ',"Truncated":""'.length + LOST_NAMES_BYTES;
  // Once a value was cut to its own limit, the mark has to stand whether or not the rest fits.
  const marked = cut.size > 0;
  const { text, lost } = shorten(parts, marked ? room - markRoom : room, marked ? 0 : markRoom, quoted);
  const names = parts.map(({ name }) => name).filter((name) => cut.has(name) || lost.includes(name));
  const mark = names.length > 0 ? `,"Truncated":"${lostNames(names).join()}"` : '';
  return { text: `${head}${text}${mark}}`, shortened: names.length > 0 };
}

function partsOf(record: RawRecord): { readonly parts: readonly Part[]; readonly cut: ReadonlySet<string> } {
  const parts: Part[] = [];
  const cut = new Set<string>();
  for (const [rank, [column, member]] of COLUMNS.entries()) {
    const value = record[member];
    if (value === undefined || value === null) continue;
    const whole = typeof value === 'string' ? value.toWellFormed() : canonicalJson(value).toWellFormed();
    const text = cutToUtf8(whole, MAX_VALUE_BYTES);
    if (text.length < whole.length) cut.add(column);
    parts.push({ name: column, prefix: `,"${column}":`, text, divisible: true, rank });
  }
  return { parts, cut };
}

/** The longest beginning of a well-formed text that is at most `bytes` long in UTF-8. */
function cutToUtf8(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}

/** Every column but `TimeGenerated` is a string: a value of another type is written as its JSON text. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
