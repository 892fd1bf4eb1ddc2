import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { Reaction, ReceivedRequest } from './http-receiver.ts';

export interface Stored {
  readonly stream: Readonly<Record<string, string>>;
  readonly timestamp: bigint;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Stream {
  readonly labels: Stored['stream'];
  /** The newest timestamp that was ever taken. */
  highest: bigint;
  /** What lies in the block that is being filled: only there is a repeated entry recognised. */
  head: Stored[];
  last: Stored | undefined;
}

/** Of a default installation, from its `limits_config` and `ingester`. Times in ms, sizes in bytes. */
const DEFAULTS = {
  maxLineSize: 256 * 1024,
  maxLabelNames: 15,
  maxLabelName: 1024,
  maxLabelValue: 2048,
  rejectOldSamplesMaxAge: 7 * 86_400_000,
  creationGracePeriod: 600_000,
  maxChunkAge: 2 * 3_600_000,
  chunkBlockSize: 256 * 1024,
  allowStructuredMetadata: true,
  maxStructuredMetadataSize: 64 * 1024,
  maxStructuredMetadataEntries: 128,
};

/**
 * The push API of Loki 3 after its documentation ("Ingest logs", "Request validation and rate limits", "Accept out-of-order writes")
 * and the sources of its distributor and ingester, less replication and rate limits: what is wrong with an entry costs that entry and
 * makes the answer 400, while the rest of the request is stored.
 */
export class FakeLoki {
  readonly stored: Stored[] = [];
  readonly requests: ReceivedRequest[] = [];
  limits = { ...DEFAULTS };
  /** `auth_enabled`: requests must name a tenant. */
  tenant: string | undefined;
  /** What a gateway before Loki wants as `Authorization`. */
  authorization: string | undefined;
  /** `block_ingestion_status_code`, while ingestion is blocked. */
  blocked: number | undefined;
  /** Further entries that are refused. */
  refuses: (line: string) => boolean = () => false;
  /** Comes before all else. */
  override: () => Reaction | undefined = () => undefined;
  now: () => number = Date.now;
  readonly #streams = new Map<string, Stream>();

  /** What an `HttpReceiver` is to do with a request. */
  readonly react = (request: ReceivedRequest): Reaction => this.override() ?? this.#serve(request);

  get lines(): string[] {
    return this.stored.map(({ line }) => line);
  }

  #serve(request: ReceivedRequest): Reaction {
    const { headers } = request;
    if (this.authorization !== undefined && headers.authorization !== this.authorization) return problem(401, 'no');
    if (request.path.split('?')[0] !== '/loki/api/v1/push') return problem(404, '404 page not found');
    if (request.method !== 'POST') return problem(405, '');
    if (this.tenant !== undefined && headers['x-scope-orgid'] === undefined) return problem(401, 'no org id');
    if (this.tenant !== headers['x-scope-orgid'] && this.tenant !== undefined) return problem(403, 'another tenant');
    if (headers['content-type'] !== 'application/json') return problem(400, 'snappy: corrupt input');
    let entries: Stored[][];
    try {
      entries = pushedEntries(request);
    } catch (error) {
      return problem(400, String(error));
    }
    this.requests.push(request);
    if (entries.length === 0) return problem(422, 'error at least one valid stream is required for ingestion');
    if (this.blocked !== undefined) return problem(this.blocked, 'ingestion blocked');
    const problems = entries.flatMap((stream) => this.#take(stream));
    return problems.length > 0 ? problem(400, problems.join('\n')) : { status: 204 };
  }

  /** Stores what is good of one stream's entries, and tells what is wrong with the others. */
  #take(entries: readonly Stored[]): string[] {
    const [first] = entries;
    if (!first) return [];
    const wrong = this.#labelProblem(first.stream);
    if (wrong !== undefined) return [wrong];
    const key = JSON.stringify(Object.entries(first.stream).sort());
    const stream = this.#streams.get(key) ?? { labels: first.stream, highest: 0n, head: [], last: undefined };
    this.#streams.set(key, stream);
    const valid = entries.map((entry) => ({ entry, problem: this.#entryProblem(entry) }));
    const problems = valid.flatMap(({ problem }) => problem ?? []);
    for (const { entry, problem } of valid) {
      if (problem !== undefined || isDeepStrictEqual(entry, stream.last)) continue;
      if (entry.timestamp < stream.highest - BigInt(this.limits.maxChunkAge / 2) * 1_000_000n) {
        problems.push(`entry with timestamp ${entry.timestamp} ignored, reason: 'entry too far behind': ${entry.line}`);
        continue;
      }
      this.#store(entry, stream);
    }
    return problems;
  }

  #store(entry: Stored, stream: Stream): void {
    stream.last = entry;
    if (entry.timestamp > stream.highest) stream.highest = entry.timestamp;
    if (stream.head.some((known) => isDeepStrictEqual(known, entry))) return;
    stream.head.push(entry);
    this.stored.push(entry);
    const size = stream.head.reduce((sum, { line }) => sum + line.length, 0);
    if (size >= this.limits.chunkBlockSize) stream.head = [];
  }

  #labelProblem(labels: Stored['stream']): string | undefined {
    const names = Object.keys(labels);
    const { maxLabelNames, maxLabelName, maxLabelValue } = this.limits;
    if (names.length === 0) return 'error at least one label pair is required per stream';
    if (names.length > maxLabelNames) return `entry has ${names.length} label names; limit ${maxLabelNames}`;
    if (names.some((name) => Buffer.byteLength(name) > maxLabelName)) return 'label name too long';
    if (Object.values(labels).some((value) => Buffer.byteLength(value) > maxLabelValue)) return 'label value too long';
    return undefined;
  }

  #entryProblem({ timestamp, line, metadata }: Stored): string | undefined {
    const at = Number(timestamp / 1_000_000n);
    const now = this.now();
    if (at < now - this.limits.rejectOldSamplesMaxAge) return `timestamp too old: ${line}`;
    if (at > now + this.limits.creationGracePeriod) return `timestamp too new: ${line}`;
    if (Buffer.byteLength(line) > this.limits.maxLineSize) return `max entry size exceeded: ${line.slice(0, 100)}`;
    if (this.refuses(line)) return `refused: ${line}`;
    const pairs = Object.entries(metadata);
    if (pairs.length > 0 && !this.limits.allowStructuredMetadata) return 'structured metadata is disallowed';
    if (pairs.length > this.limits.maxStructuredMetadataEntries) return 'too many structured metadata labels';
    const size = pairs.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
    return size > this.limits.maxStructuredMetadataSize ? 'structured metadata too large' : undefined;
  }
}

/** The entries of each stream. Throws for a body that Loki cannot decode: then nothing is stored. */
function pushedEntries({ headers, wire }: ReceivedRequest): Stored[][] {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'gzip') throw new Error(`Content-Encoding ${encoding} not supported`);
  const text = (encoding === 'gzip' ? gunzipSync(wire) : wire).toString();
  const body = demandObject(JSON.parse(text));
  demand(Object.keys(body).join() === 'streams', 'the body has streams and nothing else');
  return demandArray(body.streams).map((each) => {
    const { stream, values, ...others } = demandObject(each);
    demand(Object.keys(others).length === 0, 'a stream has labels and values');
    const labels = demandTexts(stream);
    for (const name of Object.keys(labels)) demand(/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name), 'a label that is none');
    return demandArray(values).map((value) => entryOf(labels, demandArray(value)));
  });
}

function entryOf(stream: Stored['stream'], [timestamp, line, metadata, ...others]: readonly unknown[]): Stored {
  demand(others.length === 0, 'array must have at least 2 and up to 3 values');
  if (typeof timestamp !== 'string' || !/^\d{1,19}$/.test(timestamp)) throw new Error('the timestamp is no string');
  if (typeof line !== 'string' || !line.isWellFormed()) throw new Error('the line is no text');
  return { stream, timestamp: BigInt(timestamp), line, metadata: metadata === undefined ? {} : demandTexts(metadata) };
}

function demand(good: boolean, expected: string): void {
  if (!good) throw new Error(expected);
}

function demandArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('expected an array');
  return value;
}

function demandObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('expected an object');
  return value as Readonly<Record<string, unknown>>;
}

function demandTexts(value: unknown): Readonly<Record<string, string>> {
  const read: Record<string, string> = {};
  for (const [name, text] of Object.entries(demandObject(value))) {
    if (typeof text !== 'string' || !text.isWellFormed()) throw new Error(`${name} is no text`);
    read[name] = text;
  }
  return read;
}

function problem(status: number, body: string): Reaction {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}
