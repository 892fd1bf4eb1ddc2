import protobuf from 'protobufjs';

/** The messages of OTLP's logs, by the field numbers of its .proto files; names that we never send are here too, to be told apart. */
const root = protobuf.parse(`
  syntax = "proto3";

  message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
  message ExportLogsServiceResponse { ExportLogsPartialSuccess partial_success = 1; }
  message ExportLogsPartialSuccess { int64 rejected_log_records = 1; string error_message = 2; }

  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }
  message ScopeLogs { InstrumentationScope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }
  message LogRecord {
    fixed64 time_unix_nano = 1;
    SeverityNumber severity_number = 2;
    string severity_text = 3;
    AnyValue body = 5;
    repeated KeyValue attributes = 6;
    uint32 dropped_attributes_count = 7;
    fixed32 flags = 8;
    bytes trace_id = 9;
    bytes span_id = 10;
    fixed64 observed_time_unix_nano = 11;
    string event_name = 12;
  }
  enum SeverityNumber {
    SEVERITY_NUMBER_UNSPECIFIED = 0;
    SEVERITY_NUMBER_INFO = 9;
    SEVERITY_NUMBER_WARN = 13;
    SEVERITY_NUMBER_WARN2 = 14;
    SEVERITY_NUMBER_ERROR = 17;
  }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message InstrumentationScope {
    string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
  }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value {
      string string_value = 1;
      bool bool_value = 2;
      int64 int_value = 3;
      double double_value = 4;
      ArrayValue array_value = 5;
      KeyValueList kvlist_value = 6;
      bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }

  // google.rpc.Status, the body of every error.
  message Status { int32 code = 1; string message = 2; }
`).root;

export const messages = {
  request: root.lookupType('ExportLogsServiceRequest'),
  response: root.lookupType('ExportLogsServiceResponse'),
  status: root.lookupType('Status'),
  logRecord: root.lookupType('LogRecord'),
};

/** What a message is once it is decoded: 64-bit integers as decimal texts, enums as numbers, all by their lowerCamelCase names. */
export type Decoded = Readonly<Record<string, unknown>>;

/** Throws for bytes that are no such message, hold a field that it has not, or a text that is no UTF-8. */
export function readProtobuf(type: protobuf.Type, bytes: Uint8Array): Decoded {
  const message = type.decode(bytes);
  // What a decoder skips as unknown is missing when it writes the message again, and broken UTF-8 comes out mended.
  if (!Buffer.from(type.encode(message).finish()).equals(bytes)) throw new Error(`not a canonical ${type.name}`);
  return type.toObject(message, { longs: String, enums: Number, arrays: false }) as Decoded;
}

/**
 * ProtoJSON as OTLP wants it to be written, by the rules of both specifications and nothing more lenient: known names in lowerCamelCase,
 * 64-bit integers as decimal strings, 32-bit ones and enums as numbers, no lone surrogates.
 */
export function readJson(type: protobuf.Type, value: unknown, path = type.name): Decoded {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path} is no object`);
  const read: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const field = type.fields[name]?.resolve();
    if (!field) throw new Error(`${path} has no ${name}`);
    const at = `${path}.${name}`;
    if (field.partOf?.oneof.some((other) => other !== name && Object.hasOwn(value, other)))
      throw new Error(`two of ${at}`);
    if (field.repeated && !Array.isArray(member)) throw new Error(`${at} is no array`);
    read[name] = field.repeated
      ? (member as unknown[]).map((one) => readValue(field, one, at))
      : readValue(field, member, at);
  }
  return read;
}

function readValue(field: protobuf.Field, value: unknown, path: string): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return readJson(resolvedType, value, path);
  if (resolvedType instanceof protobuf.Enum) return demand(Number.isInteger(value), value, path);
  if (/64$/.test(field.type)) return demand(typeof value === 'string' && /^(0|-?[1-9]\d*)$/.test(value), value, path);
  if (/32$/.test(field.type)) return demand(Number.isInteger(value), value, path);
  if (field.type === 'string') return demand(typeof value === 'string' && value.isWellFormed(), value, path);
  throw new Error(`${path} is of a type that is never sent`);
}

function demand(good: boolean, value: unknown, path: string): unknown {
  if (!good) throw new Error(`${path} is not written as it should be`);
  return value;
}
