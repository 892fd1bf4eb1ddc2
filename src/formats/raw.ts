import { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { memberPart, WholeLine, writeObject } from './json-object.ts';
import { recordMembers } from './record-members.ts';

/**
 * Mimecast's record and nothing else: the bytes as they were sent, on one line. For parsers that were made for Mimecast's own
 * JSON, and for outputs that carry event id and time beside the text.
 *
 * Only a record that is too long is written anew, shorter, with `"truncated":["details"]` at the end.
 */
const format: Format = { name: 'raw', mediaType: 'application/json', carriesId: false, render };

export const raw = defineFormat({
  name: 'raw',
  summary: "Mimecast's own record, unchanged. It has no event id: for outputs that carry the id beside the text.",
  options: z.strictObject({}),
  create: () => format,
});

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  if (event.raw.length <= maxBytes) return new WholeLine({ head: '', tail: onOneLine(event.raw) });
  // A member of Mimecast's by the name of our mark would stand twice.
  const left = Object.hasOwn(event.record, MARK) ? [MARK] : [];
  return writeObject('{', recordMembers(event, [MARK]).map(memberPart), maxBytes, left);
}

const MARK = 'truncated';
const LF = 0x0a;
const CR = 0x0d;

/** Line ends can only stand between a record's tokens (RFC 8259 §7), where a space means the same. */
function onOneLine(record: Buffer): Buffer {
  if (!record.includes(LF) && !record.includes(CR)) return record;
  return Buffer.from(record.toString('latin1').replace(/[\r\n]/g, ' '), 'latin1');
}
