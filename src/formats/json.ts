import { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Line, type Rendered } from './format.ts';
import { lineSafe, memberPart, objectHead, WholeLine, writeObject } from './json-object.ts';
import { isPlainRecord } from './plain-record.ts';
import { OUR_NAMES, recordMembers } from './record-members.ts';

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
  const head = objectHead(event);
  const line = spliced(event, head);
  if (line !== undefined && line.head.length + line.tail.length <= maxBytes) return new WholeLine(line);
  return writeObject(head, recordMembers(event).map(memberPart), maxBytes);
}

const BRACE = '{'.charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);

/** Head and record as one object; undefined when the text does not lend itself to it. */
function spliced(event: ForwarderEvent, head: string): Line | undefined {
  const { raw } = event;
  // An object without members, or with white space before the first, is not worth a case of its own.
  if (raw[0] !== BRACE || raw[1] !== QUOTE) return undefined;
  const needsCare = !(event.isPlain ?? isPlainRecord(raw.toString('latin1')));
  if (needsCare && OUR_NAMES.some((name) => Object.hasOwn(event.record, name))) return undefined;
  const safe = needsCare ? Buffer.from(lineSafe(raw.toString())) : raw;
  return { head: `${head},`, tail: safe.subarray(1) };
}
