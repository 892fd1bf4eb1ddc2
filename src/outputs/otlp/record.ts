import type { ForwarderEvent, Severity } from '../../event.ts';
import { cutToCodePoints } from '../../formats/shorten.ts';

/** Names and their values. OTLP has more types of value; all of ours are text. */
export type Attributes = Readonly<Record<string, string>>;

/** One event as a log record, in the words of OpenTelemetry's log data model. */
export interface LogRecord {
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  /** `SeverityNumber`: 9 to 12 are INFO, 13 to 16 WARN, 17 to 20 ERROR. */
  readonly severityNumber: number;
  /** The severity in the words of its source; empty when it has none. */
  readonly severityText: string;
  readonly eventName: string;
  readonly body: string;
  readonly attributes: Attributes;
}

/** What all records of a request share: where they come from, and what wrote them down. */
export interface Origin {
  readonly resource: Attributes;
  readonly scope: { readonly name: string; readonly version: string };
}

/** `text`: the event in the format of the output. `observedAt`, ms: when it became a log record. */
export function logRecordOf(event: ForwarderEvent, text: string, observedAt: number): LogRecord {
  const { eventClass, severity, result } = event.fields;
  return {
    timeUnixNano: nanoseconds(event.time),
    observedTimeUnixNano: nanoseconds(observedAt),
    severityNumber: severityNumberOf(severity),
    severityText: bounded(result) ?? '',
    eventName: `mimecast.${eventClass.replaceAll('-', '_')}`,
    body: text,
    attributes: attributesOf(event),
  };
}

/** As a bigint: 1 634 237 672 000 ms times a million is past 2^53, where a number would be off by hundreds of nanoseconds. */
function nanoseconds(ms: number): bigint {
  return BigInt(ms) * 1_000_000n;
}

/** One number in each range for each band of our scale, so that a receiver that knows only the ranges keeps the order. */
function severityNumberOf(severity: Severity): number {
  if (severity <= 3) return 9; // INFO
  if (severity <= 6) return 13; // WARN
  return severity <= 8 ? 14 : 17; // WARN2, ERROR
}

/**
 * OpenTelemetry's own name where it has one (`log.record.uid`, which says that records of one id may be merged; `file.name`), the
 * name of the Elastic Common Schema where it has none, for that schema is being merged into OpenTelemetry's.
 */
function attributesOf(event: ForwarderEvent): Attributes {
  const { fields, source } = event;
  const values: Readonly<Record<string, string | undefined>> = {
    'log.record.uid': event.id,
    'mimecast.feed': source.name,
    'mimecast.result': fields.result,
    'event.action': fields.action,
    'email.from.address': fields.sender,
    'email.to.address': fields.recipient,
    'email.subject': fields.subject,
    'email.message_id': fields.messageId,
    'email.direction': fields.route,
    'file.name': fields.fileName,
    'file.mime_type': fields.fileType,
    'file.hash.sha256': /^[0-9a-f]{64}$/i.test(fields.fileHash ?? '') ? fields.fileHash : undefined,
    'rule.name': fields.policy,
  };
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    const text = bounded(value);
    if (text !== undefined) present[name] = text;
  }
  return present;
}

/** The sender of a mail chooses how long these are; the body has them whole. */
const MAX_CODE_POINTS = 1024;

function bounded(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const whole = text.toWellFormed(); // Protobuf's `string` is UTF-8, which has no lone surrogates.
  const cut = cutToCodePoints(whole, MAX_CODE_POINTS);
  return cut.length === whole.length ? whole : `${cut}…`;
}
