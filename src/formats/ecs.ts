import { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';
import { defineFormat, type Format } from './format.ts';
import {
  extensionOf,
  hashAlgorithm,
  isAlert,
  isNullSender,
  leftovers,
  scanOutcome,
  summaryOf,
} from './interpretation.ts';
import { Field, type Node, ranked, writeTree } from './json-tree.ts';
import { lostNames } from './shorten.ts';
import { utcSeconds } from './timestamp.ts';

/**
 * One document of the Elastic Common Schema for each event:
 * `{"@timestamp":"2024-11-17T20:16:00.000Z","ecs":{"version":"9.4.0"},"event":{"id":"<32 hex>",…},"email":{…},…}`.
 *
 * What ECS has no field for stands under `mimecast`, by its own name and as it was sent. When something had to be cut,
 * `labels.truncated` names it: `"labels":{"truncated":"details,subject"}`.
 */
const format: Format = {
  name: 'ecs',
  mediaType: 'application/json',
  render: (event, maxBytes = Number.POSITIVE_INFINITY) => writeTree(documentOf(event), maxBytes),
};

export const ecs = defineFormat({
  name: 'ecs',
  summary: 'Elastic Common Schema 9.4, one JSON document for each event.',
  options: z.strictObject({}),
  create: () => format,
});

/** Fields in the order in which they are kept; members of the record that are not listed are the first to go. */
const rankOf = ranked([
  'result',
  'recipient',
  'kind',
  'category',
  'fileHash',
  'sender',
  'fileName',
  'action',
  'route',
  'messageId',
  'subject',
  'fileType',
  'policy',
  'outcome',
  'type',
  'dataset',
  'module',
  'observer',
  'actionTriggered',
  'details',
  'extension',
  'message',
  'related',
]);

// Made once: turning them into JSON for each event would take as long as all the rest.
const OBSERVER = field('observer', { vendor: 'Mimecast', product: 'Targeted Threat Protection' });
const TYPE = field('type', ['info']);
const MAIL = field('category', ['email']);
const MALWARE = field('category', ['email', 'malware']);

function documentOf(event: ForwarderEvent): Node {
  const { fields } = event;
  const algorithm = hashAlgorithm(fields.fileHash);
  const alert = isAlert(fields);
  return {
    '@timestamp': `${utcSeconds(event.time)}.000Z`,
    ecs: { version: '9.4.0' },
    message: field('message', summaryOf(fields)),
    event: {
      id: event.id,
      severity: fields.severity,
      kind: field('kind', alert ? 'alert' : 'event'),
      category: alert ? MALWARE : MAIL,
      type: TYPE,
      outcome: field('outcome', scanOutcome(fields)),
      action: field('action', actionWord(fields.action)),
      module: field('module', 'mimecast'),
      dataset: field('dataset', `mimecast.${fields.eventClass.replaceAll('-', '_')}`),
    },
    observer: OBSERVER,
    email: {
      ...senderOf(fields.sender),
      to: { address: [field('recipient', fields.recipient)] },
      direction: field('route', fields.route?.toLowerCase()),
      subject: field('subject', fields.subject),
      message_id: field('messageId', fields.messageId),
      // A list, for the field is of type nested: an object in its place is read, but not by everything that reads ECS.
      attachments: [
        {
          file: {
            name: field('fileName', fields.fileName),
            extension: field('extension', extensionOf(fields.fileName)),
            mime_type: field('fileType', fields.fileType),
            hash: algorithm && { [algorithm]: field('fileHash', fields.fileHash) },
          },
        },
      ],
    },
    rule: { name: field('policy', fields.policy) },
    related: {
      hash: algorithm && field('related', [fields.fileHash]),
      user: related(fields.sender, fields.recipient),
    },
    mimecast: Object.fromEntries(
      remaining(event, algorithm !== undefined).map(([key, value]) => [key, field(key, value)]),
    ),
    labels: { truncated: (lost) => lostNames(lost).join() },
  };
}

function field(name: string, value: unknown): Field | undefined {
  return value === undefined ? undefined : new Field({ name, value, rank: rankOf(name) });
}

/**
 * `email.from` is for addresses of people, which a null sender is not; `email.sender` is for what was responsible for the
 * transmission.
 */
function senderOf(sender: string | undefined): Readonly<Record<string, Node>> {
  if (isNullSender(sender)) return { sender: { address: field('sender', sender) } };
  return { from: { address: [field('sender', sender)] } };
}

/** `user_release_none` of `user release, none`, as Elastic's own integration for Mimecast writes it. */
function actionWord(action: string | undefined): string | undefined {
  return action?.trim().toLowerCase().replaceAll(',', '').replace(/\s+/g, '_');
}

function related(...addresses: readonly (string | undefined)[]): Field | undefined {
  const known = addresses.filter((address) => address !== undefined && !isNullSender(address));
  return known.length === 0 ? undefined : field('related', [...new Set(known)]);
}

/** Verdict, details, the list of actions, and whatever the record holds that nobody knows yet. */
function remaining(event: ForwarderEvent, isHash: boolean): (readonly [string, unknown])[] {
  const { fields, record } = event;
  return leftovers(event, [
    record.date, // `@timestamp`
    fields.sender,
    fields.recipient,
    fields.subject,
    fields.messageId,
    fields.fileName,
    fields.fileType,
    fields.policy,
    fields.route?.toLowerCase(),
    isHash ? fields.fileHash : undefined,
  ]);
}
