import { z } from 'zod';
import type { EventFields, ForwarderEvent, Severity } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { isAlert } from './interpretation.ts';
import { memberPart, objectHead, writeObject } from './json-object.ts';
import { type Member, OUR_NAMES, recordMembers } from './record-members.ts';

/**
 * JSON with the field names of Splunk's Common Information Model, data models Email and Malware:
 * `{"eventId":"<32 hex>","eventTime":"2024-11-17T20:16:00Z","feed":"attachment","vendor_product":"Mimecast Attachment Protect",
 * "action":"delivered","severity":"low","direction":"inbound","src_user":…}`, and, when something had to be cut,
 * `"truncated":["details"]` at the end.
 *
 * What the model has no field for stands under Mimecast's name: `result`, `route`, `details`, whatever Mimecast adds. Members that
 * are null are left out: Splunk would find the text `null` in them.
 */
const format: Format = { name: 'cim', mediaType: 'application/json', render };

export const cim = defineFormat({
  name: 'cim',
  summary: "JSON with the field names of Splunk's Common Information Model.",
  options: z.strictObject({}),
  create: () => format,
});

/** Mimecast's names, the same in all its logs, and the model's. A `signature` is the name of the filter that was applied. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['senderAddress', 'src_user'],
  ['recipientAddress', 'recipient'],
  ['subject', 'subject'],
  ['messageId', 'message_id'],
  ['fileName', 'file_name'],
  ['fileHash', 'file_hash'],
  ['definition', 'signature'],
]);

const DERIVED = ['vendor_product', 'action', 'severity', 'direction', 'user'];
const TAKEN = [...OUR_NAMES, ...DERIVED, ...[...RENAMED.values()].filter((name) => !RENAMED.has(name))];

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  const members = [...derived(event.fields), ...renamed(event)];
  return writeObject(objectHead(event), members.map(memberPart), maxBytes);
}

function renamed(event: ForwarderEvent): readonly Member[] {
  return recordMembers(event, TAKEN)
    .filter(({ value }) => value !== null)
    .map((member) => ({ ...member, name: RENAMED.get(member.name) ?? member.name }));
}

/** What follows from the record: a few short words, which are kept before anything else. `user` repeats the recipient and goes first. */
function derived(fields: EventFields): readonly Member[] {
  const values: Readonly<Record<string, string | undefined>> = {
    vendor_product: `Mimecast ${fields.title}`,
    action: actionOf(fields),
    severity: severityOf(fields.severity),
    direction: directionOf(fields.route),
  };
  const members: Member[] = [];
  for (const [name, value] of Object.entries(values)) if (value !== undefined) members.push({ name, value, rank: -1 });
  // In Email `user` is whoever ran the mail program, in Malware whom the malware was meant for.
  if (isAlert(fields) && fields.recipient) {
    members.push({ name: 'user', value: fields.recipient, rank: Number.POSITIVE_INFINITY });
  }
  return members;
}

/**
 * What was done, in words that the model prescribes: for Email `delivered`, `blocked`, `quarantined` or `deleted`, for Malware
 * `allowed`, `blocked` or `deferred`. Both read the same field, so an event of malware has a word of Malware.
 */
const ACTIONS: ReadonlyMap<string, { readonly email: string; readonly malware: string }> = new Map([
  ['hold', { email: 'quarantined', malware: 'deferred' }],
  ['block', { email: 'blocked', malware: 'blocked' }],
  ['bounce', { email: 'blocked', malware: 'blocked' }],
  ['reject', { email: 'blocked', malware: 'blocked' }],
  ['delete', { email: 'deleted', malware: 'blocked' }],
]);

/**
 * Only where the record says it. A list (`user release, none`) must have one meaning. A safe file on which nothing was done, or
 * that its recipient asked for, has been delivered; a malicious one on which nothing was done may still have been kept back, as
 * with a sandbox that delivers safe files only, so it is not called `allowed`.
 */
function actionOf(fields: EventFields): string | undefined {
  const words = (fields.action ?? '')
    .toLowerCase()
    .split(',')
    .map((word) => word.trim());
  const done = new Set(words.filter((word) => word !== 'none'));
  const [only = ''] = done;
  if (done.size === 1 && ACTIONS.has(only)) return ACTIONS.get(only)?.[isAlert(fields) ? 'malware' : 'email'];
  const letThrough = words.every((word) => word === 'none' || word === 'user release');
  return letThrough && fields.severity <= 3 ? 'delivered' : undefined;
}

/** CEF's four levels under the names that Malware prescribes. */
function severityOf(severity: Severity): string {
  if (severity >= 9) return 'critical';
  if (severity >= 7) return 'high';
  return severity >= 4 ? 'medium' : 'low';
}

/** The model knows two directions (Network_Traffic); `internal` and `external` mail has none, and `route` names all four. */
function directionOf(route: string | undefined): string | undefined {
  const word = route?.toLowerCase();
  return word === 'inbound' || word === 'outbound' ? word : undefined;
}
