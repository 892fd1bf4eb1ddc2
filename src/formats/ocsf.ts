import { z } from 'zod';
import type { EventFields, ForwarderEvent, Severity } from '../event.ts';
import { defineFormat, type Format } from './format.ts';
import {
  extensionOf,
  type HashAlgorithm,
  hashAlgorithm,
  isAlert,
  isNullSender,
  leftovers,
  type ScanOutcome,
  scanOutcome,
  summaryOf,
} from './interpretation.ts';
import { Field, Group, type Node, ranked, writeTree } from './json-tree.ts';

const options = z.strictObject({
  class: z.enum(['email_activity', 'detection_finding']).default('email_activity').meta({
    description:
      'What an event becomes: `email_activity` (class 4009) a mail that was scanned; `detection_finding` (class 2004) a finding, for outputs with a filter that lets only bad verdicts through.',
  }),
});
type EventClass = z.infer<typeof options>['class'];

/**
 * One event of the Open Cybersecurity Schema Framework: Email Activity, Scan (type 400903), or Detection Finding, Create
 * (type 200401), both with the profile for security controls.
 *
 * What OCSF has no attribute for stands under `unmapped`, by its own name and as it was sent. When something had to be cut,
 * `metadata.is_truncated` says so.
 */
export const ocsf = defineFormat({
  name: 'ocsf',
  summary: 'Open Cybersecurity Schema Framework 1.8: Email Activity or Detection Finding.',
  options,
  create: ({ class: eventClass }): Format => ({
    name: 'ocsf',
    mediaType: 'application/json',
    render: (event, maxBytes = Number.POSITIVE_INFINITY) => writeTree(documentOf(event, eventClass), maxBytes),
  }),
});

/** Fields in the order in which they are kept; members of the record that are not listed are the first to go. */
const rankOf = ranked([
  'address', // One of the two has to stand in every event.
  'result',
  'uid',
  'fileHash',
  'recipient',
  'sender',
  'fileName',
  'action',
  'alert',
  'status',
  'route',
  'messageId',
  'subject',
  'fileType',
  'policy',
  'title',
  'product',
  'vendor',
  'actionTriggered',
  'details',
  'eventCode',
  'extension',
  'date',
  'message',
]);

/** class_uid is category_uid × 1000 and the number of the class in it; type_uid is class_uid × 100 and activity_id. */
const EMAIL_SCAN = { category_uid: 4, class_uid: 4009, activity_id: 3, type_uid: 400903 };
const FINDING_CREATE = { category_uid: 2, class_uid: 2004, activity_id: 1, type_uid: 200401 };

function documentOf(event: ForwarderEvent, eventClass: EventClass): Node {
  const { fields } = event;
  const mail = mailOf(fields);
  const shared = {
    severity_id: severityId(fields.severity),
    time: event.time,
    message: field('message', summaryOf(fields)),
    ...verdictOf(fields),
  };
  const carried = [...mail.carried, event.record.date, fields.policy];
  if (eventClass === 'email_activity') {
    return {
      ...EMAIL_SCAN,
      metadata: metadataOf(event, event.id),
      ...shared,
      ...statusOf(scanOutcome(fields)),
      ...directionOf(fields.route),
      email: mail.email,
      unmapped: unmapped(event, [...carried, fields.route]),
    };
  }
  return {
    ...FINDING_CREATE,
    // The finding itself has the id, and has to.
    metadata: metadataOf(event, field('uid', event.id)),
    ...shared,
    finding_info: { uid: event.id, title: field('title', fields.title) },
    evidences: [{ email: mail.email }],
    unmapped: unmapped(event, carried),
  };
}

function metadataOf({ record, fields }: ForwarderEvent, uid: Node): Node {
  return {
    version: '1.8.0',
    uid,
    product: { name: field('product', 'Targeted Threat Protection', 'TTP'), vendor_name: field('vendor', 'Mimecast') },
    // Without it no event may have the attributes of the profile, so it is never cut.
    profiles: ['security_control'],
    event_code: field('eventCode', fields.eventClass),
    original_time: typeof record.date === 'string' ? field('date', record.date) : undefined,
    is_truncated: () => true,
  };
}

/** Bands of CEF's ten degrees. A verdict of `safe` is 1: Informational. */
function severityId(severity: Severity): number {
  if (severity <= 1) return 1; // Informational
  if (severity <= 3) return 2; // Low
  if (severity <= 6) return 3; // Medium
  return severity <= 8 ? 4 : 5; // High, Critical
}

/** The profile for security controls: what was done, whether it is worth an alert, by what policy. */
function verdictOf(fields: EventFields): Readonly<Record<string, Node>> {
  const { action, policy } = fields;
  return {
    ...(action !== undefined && actionOf(action, isAlert(fields))),
    is_alert: field('alert', isAlert(fields)),
    policy: { name: field('policy', policy) },
  };
}

/**
 * Mimecast does not publish the set of its actions, so they are told by the words in them; the first that fits counts. One that
 * has none of these words is given as it is.
 */
const ACTIONS: readonly (readonly [words: RegExp, action: number, disposition: number])[] = [
  [/\b(?:block|denied|deny)/i, 2, 2], // Denied, Blocked
  [/\b(?:bounce|reject)/i, 2, 25], // Denied, Rejected
  [/\b(?:hold|held|quarantin)/i, 2, 3], // Denied, Quarantined
  [/\b(?:delet|remov|strip)/i, 2, 5], // Denied, Deleted
  [/\brelease/i, 1, 1], // Allowed, Allowed
];
const NO_ACTION = /^(?:none|[\s,])+$/i;

function actionOf(text: string, alert: boolean): Readonly<Record<string, Node>> {
  // That nothing was done to a bad file does not say that it was let through: it was Observed. To a good one it does: Allowed.
  const noAction = [NO_ACTION, alert ? 3 : 1, 16] as const;
  const known = [...ACTIONS, noAction].find(([words]) => words.test(text.slice(0, 1000)));
  if (known === undefined) return { action_id: 99, action: field('action', text) };
  const [, action, disposition] = known;
  return { action_id: field('action', action), disposition_id: field('action', disposition) };
}

const STATUS_IDS: Readonly<Record<ScanOutcome, number>> = { unknown: 0, success: 1, failure: 2 };

/** Of an activity only: the status of a finding is for the analyst to set. */
function statusOf(outcome: ScanOutcome): Readonly<Record<string, Node>> {
  return { status_id: field('status', STATUS_IDS[outcome]) };
}

const DIRECTION_IDS: ReadonlyMap<string, number> = new Map([
  ['inbound', 1],
  ['outbound', 2],
  ['internal', 3],
]);

/** Mimecast's fourth route, `external`, has no number: 99 says that the text has it. */
function directionOf(route: string | undefined): Readonly<Record<string, Node>> {
  if (route === undefined) return { direction_id: 0 };
  const id = DIRECTION_IDS.get(route.trim().toLowerCase());
  return id === undefined ? { direction_id: 99, direction: field('route', route) } : { direction_id: id };
}

/** OCSF's own type for addresses, `email_t`, and RFC 5321's limit of 256 for a path. */
const ADDRESS = /^[\w!#$%&'*+\-/=?^`{|}~.]{1,128}@[\dA-Za-z-]{1,63}\.[\dA-Za-z.-]{1,190}$/;

function isAddress(text: string | undefined): text is string {
  return text !== undefined && ADDRESS.test(text);
}

/** The mail, and the texts of the record that stand in it unchanged. */
function mailOf(fields: EventFields): { readonly email: Node; readonly carried: readonly unknown[] } {
  const { subject, messageId, fileName, fileType, fileHash } = fields;
  const { from, to } = addressesOf(fields);
  const algorithm = hashAlgorithm(fileHash);
  const email = {
    from: from && (to === undefined ? field('address', from, 'unknown') : field('sender', from)),
    to: to && [field('address', to, 'unknown')],
    subject: field('subject', subject),
    message_uid: field('messageId', messageId),
    files: [
      new Group({
        // Required of every file, though some records have none.
        name: fileName === undefined ? 'unknown' : field('fileName', fileName, 'unknown'),
        type_id: 1, // Regular File
        ext: field('extension', extensionOf(fileName)),
        mime_type: field('fileType', fileType),
        hashes: algorithm && field('fileHash', [fingerprint(algorithm, fileHash)]),
      }),
    ],
  };
  return { email, carried: [from, to, subject, messageId, fileName, fileType, algorithm && fileHash] };
}

/**
 * Sender and recipient, where they are addresses in OCSF's sense. At least one has to be there, so that where neither is (a
 * bounce to a name without a domain), what the record has is taken as it is.
 */
function addressesOf({ sender, recipient }: EventFields): {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
} {
  const from = isAddress(sender) ? sender : undefined;
  const to = isAddress(recipient) ? recipient : undefined;
  if (from !== undefined || to !== undefined) return { from, to };
  if (recipient === undefined && sender !== undefined && !isNullSender(sender)) return { from: sender };
  return { to: recipient ?? 'unknown' };
}

const ALGORITHM_IDS: Readonly<Record<HashAlgorithm, number>> = { md5: 1, sha1: 2, sha256: 3 };

function fingerprint(algorithm: HashAlgorithm, value: string | undefined): object {
  return { algorithm_id: ALGORITHM_IDS[algorithm], value };
}

function unmapped(event: ForwarderEvent, carried: readonly unknown[]): Node {
  return Object.fromEntries(leftovers(event, carried).map(([key, value]) => [key, field(key, value)]));
}

function field(name: string, value: unknown, instead?: string): Field | undefined {
  if (value === undefined) return undefined;
  return new Field({ name, value, rank: rankOf(name), ...(instead !== undefined && { instead }) });
}
