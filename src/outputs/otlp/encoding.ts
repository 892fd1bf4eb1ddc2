import type { Attributes, LogRecord, Origin } from './record.ts';
import { fixed64, integer, message, nested, text, textOfOneof } from './wire-format.ts';

/** One of the two ways that OTLP/HTTP has to write an `ExportLogsServiceRequest`. */
export interface Encoding {
  readonly contentType: string;
  /** One `LogRecord`. */
  record(record: LogRecord): Buffer;
  /** The request around records that are written already. */
  request(origin: Origin, records: readonly Buffer[]): Buffer;
  /** A request without telemetry. */
  readonly empty: Buffer;
  /** Most bytes that a record costs in a request besides itself. */
  readonly recordOverhead: number;
}

/** Field numbers are those of `opentelemetry/proto/{collector/logs,logs,resource,common}/v1`. */
const protobuf: Encoding = {
  contentType: 'application/x-protobuf',
  record: (record) =>
    message(
      fixed64(1, record.timeUnixNano),
      integer(2, record.severityNumber),
      text(3, record.severityText),
      nested(5, anyValue(record.body)),
      ...keyValues(6, record.attributes),
      fixed64(11, record.observedTimeUnixNano),
      text(12, record.eventName),
    ),
  request: ({ resource, scope }, records) => {
    const scopeLogs = message(
      nested(1, message(text(1, scope.name), text(2, scope.version))),
      ...records.map((record) => nested(2, record)),
    );
    const resourceLogs = message(nested(1, message(...keyValues(1, resource))), nested(2, scopeLogs));
    return message(nested(1, resourceLogs));
  },
  empty: Buffer.alloc(0),
  recordOverhead: 6, // The tag, and a length of up to 2^35.
};

function keyValues(field: number, attributes: Attributes): Buffer[] {
  return Object.entries(attributes).map(([key, value]) =>
    nested(field, message(text(1, key), nested(2, anyValue(value)))),
  );
}

function anyValue(value: string): Buffer {
  return textOfOneof(1, value);
}

/**
 * ProtoJSON with OTLP's deviations: names in lowerCamelCase, 64-bit integers as decimal strings, enums as integers and never by
 * name (OTLP specification, "JSON Protobuf Encoding").
 */
const json: Encoding = {
  contentType: 'application/json',
  record: (record) =>
    Buffer.from(
      JSON.stringify({
        timeUnixNano: String(record.timeUnixNano),
        observedTimeUnixNano: String(record.observedTimeUnixNano),
        severityNumber: record.severityNumber,
        severityText: record.severityText,
        eventName: record.eventName,
        body: { stringValue: record.body },
        attributes: jsonAttributes(record.attributes),
      }),
    ),
  request: ({ resource, scope }, records) => {
    const head = `{"resourceLogs":[{"resource":${JSON.stringify({ attributes: jsonAttributes(resource) })},"scopeLogs":[{"scope":${JSON.stringify(scope)},"logRecords":[`;
    const separated = records.flatMap((record, index) => (index === 0 ? [record] : [COMMA, record]));
    return Buffer.concat([Buffer.from(head), ...separated, Buffer.from(']}]}]}')]);
  },
  empty: Buffer.from('{"resourceLogs":[]}'),
  recordOverhead: 1,
};

const COMMA = Buffer.from(',');

function jsonAttributes(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

export const encodings = { protobuf, json } as const;
