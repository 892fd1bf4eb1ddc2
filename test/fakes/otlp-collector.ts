import { gunzipSync } from 'node:zlib';
import type { Answer, Reaction, ReceivedRequest } from './http-receiver.ts';
import { type Decoded, messages, readJson, readProtobuf } from './otlp-messages.ts';

export interface ReceivedRecord {
  readonly record: Decoded;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly scope: Decoded;
}

/** Why a request is answered otherwise than with success. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `google.rpc.Status`, which the specification leaves to the server to fill. */
  readonly code?: number;
}

/**
 * An OTLP/HTTP receiver for logs, after the OTLP specification 1.x: it takes what the specification lets a client send, in the
 * encoding that the request names, and answers in the same. Everything else is refused with the documented status.
 */
export class OtlpCollector {
  readonly records: ReceivedRecord[] = [];
  /** The requests that were answered with success, those without telemetry among them. */
  readonly requests: ReceivedRequest[] = [];
  /** Of the whole body, inflated. */
  maxBodyBytes = 64 * 1024 * 1024;
  /** Looks at a request before it is stored. */
  refuse: (records: readonly ReceivedRecord[], request: ReceivedRequest) => Refusal | Reaction | undefined = () =>
    undefined;
  /** How many records of a request are refused while the rest is taken: the first of them are. */
  rejectedOf: (records: readonly ReceivedRecord[]) => number = () => 0;

  /** What an `HttpReceiver` is to do with a request. */
  readonly react = (request: ReceivedRequest): Reaction => this.#serve(request);

  #serve(request: ReceivedRequest): Reaction {
    if (request.path.split('?')[0] !== '/v1/logs') return { status: 404, body: '404 page not found' };
    if (request.method !== 'POST') return { status: 405, body: '405 method not allowed' };
    const contentType = request.headers['content-type'];
    if (contentType !== 'application/x-protobuf' && contentType !== 'application/json') return { status: 415 };
    let records: ReceivedRecord[];
    try {
      const body = inflated(request);
      if (body.length > this.maxBodyBytes) return failure(contentType, { status: 413 });
      records = recordsOf(
        contentType === 'application/json'
          ? readJson(messages.request, JSON.parse(body.toString()))
          : readProtobuf(messages.request, body),
      );
    } catch (error) {
      return failure(contentType, { status: 400, code: 3 }, String(error));
    }
    const refusal = this.refuse(records, request);
    if (typeof refusal === 'string' || (refusal && 'body' in refusal)) return refusal;
    if (refusal) return failure(contentType, refusal, records.map(({ body }) => body).join());
    const rejected = this.rejectedOf(records);
    this.records.push(...records.slice(rejected));
    this.requests.push(request);
    return success(contentType, rejected);
  }
}

function inflated({ headers, wire }: ReceivedRequest): Buffer {
  const encoding = headers['content-encoding'];
  if (encoding === undefined) return wire;
  if (encoding !== 'gzip') throw new Error('an encoding that is not taken');
  return gunzipSync(wire);
}

function success(contentType: string, rejected: number): Answer {
  const partialSuccess = { rejectedLogRecords: rejected, errorMessage: 'they are too old – größer' };
  return rejected === 0
    ? encoded(contentType, 200, messages.response, {})
    : encoded(contentType, 200, messages.response, { partialSuccess });
}

/** The message repeats what was sent, as servers do. */
function failure(contentType: string, { status, headers, code }: Refusal, message = ''): Answer {
  const answer = encoded(contentType, status, messages.status, { ...(code !== undefined && { code }), message });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

export function encoded(contentType: string, status: number, type: typeof messages.response, content: object): Answer {
  const message = type.fromObject(content);
  const body =
    contentType === 'application/json'
      ? JSON.stringify(type.toObject(message, { longs: String }))
      : Buffer.from(type.encode(message).finish());
  return { status, headers: { 'content-type': contentType }, body };
}

/** Throws for what the data model forbids. */
function recordsOf(request: Decoded): ReceivedRecord[] {
  return listOf(request, 'resourceLogs').flatMap((resourceLogs) => {
    const resource = attributesOf(objectOf(resourceLogs, 'resource'));
    if (!resource['service.name']) throw new Error('a resource without service.name');
    return listOf(resourceLogs, 'scopeLogs').flatMap((scopeLogs) =>
      listOf(scopeLogs, 'logRecords').map((record) => ({
        record: checked(record),
        body: textOf(objectOf(record, 'body')),
        attributes: attributesOf(record),
        resource,
        scope: objectOf(scopeLogs, 'scope'),
      })),
    );
  });
}

function checked(record: Decoded): Decoded {
  const { timeUnixNano, severityNumber } = record;
  if (typeof timeUnixNano !== 'string' || timeUnixNano.length !== 19) throw new Error('no time of our days');
  if (typeof severityNumber !== 'number' || severityNumber < 1 || severityNumber > 24) throw new Error('no severity');
  return record;
}

/** Keys of a map of attributes must be unique. */
function attributesOf(holder: Decoded): Record<string, string> {
  const read: Record<string, string> = {};
  for (const attribute of listOf(holder, 'attributes')) {
    const { key } = attribute;
    if (typeof key !== 'string' || key === '') throw new Error('an attribute without key');
    if (Object.hasOwn(read, key)) throw new Error(`two attributes ${key}`);
    read[key] = textOf(objectOf(attribute, 'value'));
  }
  return read;
}

function textOf({ stringValue }: Decoded): string {
  if (typeof stringValue !== 'string') throw new Error('a value that is no text');
  return stringValue;
}

function listOf(holder: Decoded, name: string): readonly Decoded[] {
  return (holder[name] ?? []) as readonly Decoded[];
}

function objectOf(holder: Decoded, name: string): Decoded {
  return (holder[name] ?? {}) as Decoded;
}
