import { type Field, fieldsOf } from './wire-format.ts';

/**
 * What an OTLP receiver says, as far as it is a number. Its texts are for people and may repeat what we sent: they are not read.
 *
 * An answer is written like its request (OTLP specification, "OTLP/HTTP Response"). Both encodings are tried all the same, since
 * many gateways answer in JSON whatever they were sent. The two cannot be mistaken for each other: JSON text never is a message
 * of the wire format, for `{` would begin a group.
 */

/**
 * `partialSuccess.rejectedLogRecords` of an `ExportLogsServiceResponse`: how many records were refused while the rest was taken.
 * Undefined when the body is no such response. An empty body is one, in Protobuf, and so is `{}`: all were taken.
 *
 * ProtoJSON has a parser read the names of the .proto file too (`partial_success`), and receivers write them. An object that has
 * neither, and is not empty, is another API's way of saying something.
 */
export function rejectedLogRecords(body: Buffer): bigint | undefined {
  const json = jsonObject(body);
  if (json !== undefined) {
    const isResponse = 'partialSuccess' in json || 'partial_success' in json || Object.keys(json).length === 0;
    const partial = json.partialSuccess ?? json.partial_success ?? {};
    if (!isResponse || !isObject(partial)) return undefined;
    return int64(partial.rejectedLogRecords ?? partial.rejected_log_records ?? 0);
  }
  const fields = fieldsOf(body);
  const partial = fields && fieldsOf(nestedIn(fields, 1));
  return partial && (lastInt64(partial, 1) ?? 0n);
}

/** `code` of a `google.rpc.Status`, from 1 to 16; undefined when the body has none. OTLP leaves it to the receiver to send it. */
export function statusCode(body: Buffer): number | undefined {
  const json = jsonObject(body);
  const code = json === undefined ? lastInt64(fieldsOf(body) ?? [], 1) : int64(json.code ?? 0);
  return code !== undefined && code >= 1n && code <= 16n ? Number(code) : undefined;
}

/** A message inside. If it comes more than once, all of them one after the other are one message too. */
function nestedIn(fields: readonly Field[], number: number): Buffer {
  return Buffer.concat(fields.flatMap((field) => (field.number === number && 'bytes' in field ? [field.bytes] : [])));
}

/** Of a number that comes more than once, the last counts. */
function lastInt64(fields: readonly Field[], number: number): bigint | undefined {
  const field = fields.findLast((field) => field.number === number);
  return field !== undefined && 'bits' in field ? BigInt.asIntN(64, field.bits) : undefined;
}

/** ProtoJSON reads a 64-bit integer from a decimal string or from a number. */
function int64(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined;
}

function jsonObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
