import type { ForwarderEvent, Severity } from '../../event.ts';
import { cutToCodePoints } from '../../formats/shorten.ts';

/** Names and values, of a stream or of one entry. */
export type Labels = Readonly<Record<string, string>>;

/** Fields that may become labels: those that have few values. A label for each sender would be a stream for each sender. */
export const LABEL_FIELDS = ['feed', 'result', 'action', 'route'] as const;
export type LabelField = (typeof LABEL_FIELDS)[number];

/** Label of the streams of events that come late. */
export const LATE_LABEL = 'late_hour';

export interface StreamOptions {
  readonly labels: Labels;
  readonly labelFields: readonly LabelField[];
  /** Ms. */
  readonly lateAfter: number;
}

/**
 * The labels of the stream that an event belongs to.
 *
 * In each stream Loki refuses what is more than an hour (half of `max_chunk_age`) older than the newest entry, and so it would
 * most of what a sweep or a backfill finds. Late events therefore go to streams of their own, one for each hour of the day that
 * they are of: in an hour's stream nothing can be too far behind. Loki does the same with `time_sharding_enabled`, which is off
 * by default. What is not late is too young to be too far behind.
 */
export function streamOf(event: ForwarderEvent, options: StreamOptions, now: number): Labels {
  const labels: Record<string, string> = { ...options.labels };
  for (const field of options.labelFields) {
    const value = bounded(field === 'feed' ? event.source.name : event.fields[field]);
    if (value !== undefined) labels[field] = value;
  }
  if (now - event.time > options.lateAfter) labels[LATE_LABEL] = new Date(event.time).toISOString().slice(0, 13);
  return labels;
}

/**
 * What can be filtered by without reading the line. Made of the event alone: Loki tells an entry that it has already from a new one
 * by time, line and metadata.
 */
export function metadataOf(event: ForwarderEvent): Labels {
  const { fields, source } = event;
  const values: Readonly<Record<string, string | undefined>> = {
    event_id: event.id,
    feed: source.name,
    level: levelOf(fields.severity),
    result: fields.result,
    action: fields.action,
    route: fields.route,
    sender: fields.sender,
    recipient: fields.recipient,
    message_id: fields.messageId,
    file_hash: fields.fileHash,
  };
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    const text = bounded(value);
    if (text !== undefined) present[name] = text;
  }
  return present;
}

/** Words that Grafana has colours for. */
function levelOf(severity: Severity): string {
  if (severity <= 3) return 'info';
  if (severity <= 6) return 'warn';
  return severity <= 8 ? 'error' : 'critical';
}

/** Up to 1 KiB of UTF-8: a label may have 2 KiB, the metadata of an entry 64 KiB. The line has the value whole. */
const MAX_CODE_POINTS = 255;

function bounded(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const whole = text.toWellFormed();
  const cut = cutToCodePoints(whole, MAX_CODE_POINTS);
  return cut.length === whole.length ? whole : `${cut}…`;
}
