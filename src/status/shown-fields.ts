import type { EventFields, EventSource, RawRecord } from '../event.ts';
import type { RecentVariant } from './view.ts';

/**
 * The fields of a record that the page may show, in the order in which it does. Named one by one, so that a field that is added to records
 * one day is not shown by accident. Never the subject, nor what a mail says.
 */
const SHOWN_FIELDS = [
  'result',
  'action',
  'details',
  'policy',
  'route',
  'fileName',
  'fileType',
  'fileHash',
  'sender',
  'recipient',
  'messageId',
] as const satisfies readonly (keyof EventFields)[];

/** Longer texts are cut: the page shows a line of each, and a sender of mail chooses how long a file's name is. */
const LONGEST = 500;

/** Which of the fields that may be shown differ between two records (JSON, UTF-8), as texts of mails, and with '' for a field that is not there. */
export function shownChanges(source: EventSource, was: Buffer, became: Buffer): RecentVariant['changes'] {
  const [before, after] = [was, became].map((raw) => source.describe(JSON.parse(raw.toString()) as RawRecord));
  return SHOWN_FIELDS.filter((field) => before?.[field] !== after?.[field]).map((field) => ({
    field,
    was: (before?.[field] ?? '').slice(0, LONGEST),
    became: (after?.[field] ?? '').slice(0, LONGEST),
  }));
}
