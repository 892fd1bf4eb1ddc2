import { topLevelKeys } from '../formats/parsers.ts';
import type { Answer, ReceivedRequest } from './http-receiver.ts';

/** How an item is answered instead of being stored. */
export interface ItemFault {
  readonly status: number;
  readonly type: string;
  /** Type of what caused it. */
  readonly cause?: string | undefined;
  /** Receivers put parts of the document in here. */
  readonly reason?: string;
}

/** Query parameters of the bulk API that we know of. Others are refused, as a cluster refuses them. */
const BULK_PARAMETERS = ['filter_path', 'pipeline', 'refresh', 'timeout', 'routing', 'require_alias'];

/**
 * What a cluster answers, written from the reference of the bulk API ("Bulk index or delete documents"), of data streams and of
 * common options (`filter_path`). Keeps documents by `_id`, as one index does.
 */
export class FakeCluster {
  /** By `_id`, in the order of arrival. */
  readonly documents = new Map<string, string>();
  /** Requests that were answered with 200. */
  readonly requests: ReceivedRequest[] = [];
  version: object = { number: '9.1.0', build_flavor: 'default' };
  /** What `Authorization` has to be; anything does while it is undefined. */
  authorization: string | undefined;
  /** The user may write, and ask for nothing. */
  writeOnly = false;
  indices = new Set(['logs-mimecast_ttp_ap-default']);
  pipelines = new Set<string>();
  /** Names that no index, template or rule allows to be made on the way. */
  autoCreate = true;
  /** `http.max_content_length`, of the body as it is unpacked. */
  maxContentLength = 100 * 1024 ** 2;
  faultOf: (id: string, document: string) => ItemFault | undefined = () => undefined;

  answer(request: ReceivedRequest): Answer {
    const { pathname, searchParams } = new URL(request.path, 'http://cluster');
    if (this.authorization !== undefined && request.headers.authorization !== this.authorization) {
      return failure(401, 'security_exception', { 'www-authenticate': 'ApiKey' });
    }
    const answer = this.#route(request, decodeURIComponent(pathname), searchParams);
    if (answer.status === 200) this.requests.push(request);
    return answer;
  }

  #route(request: ReceivedRequest, path: string, query: URLSearchParams): Answer {
    const bulk = /^\/([^/_][^/]*)\/_bulk$/.exec(path)?.[1];
    if (bulk !== undefined && request.method === 'POST') return this.#bulk(request, bulk, query);
    if (this.writeOnly) return failure(403, 'security_exception');
    if (path === '/' && request.method === 'GET') {
      return json(200, { name: 'node-1', cluster_name: 'c', version: this.version, tagline: 'You Know, for Search' });
    }
    const pipeline = /^\/_ingest\/pipeline\/([^/]+)$/.exec(path)?.[1];
    if (pipeline !== undefined && request.method === 'GET') {
      return this.pipelines.has(pipeline) ? json(200, { [pipeline]: {} }) : json(404, {});
    }
    const index = /^\/([^/_][^/]*)$/.exec(path)?.[1];
    if (index !== undefined && request.method === 'HEAD') return { status: this.indices.has(index) ? 200 : 404 };
    return failure(400, 'illegal_argument_exception');
  }

  #bulk({ text, wire, headers }: ReceivedRequest, index: string, query: URLSearchParams): Answer {
    if (Math.max(wire.length, Buffer.byteLength(text)) > this.maxContentLength) return { status: 413 };
    if (!/^application\/(?:x-ndjson|json)(?:;|$)/.test(headers['content-type'] ?? ''))
      return failure(406, 'media_type');
    if (![...query.keys()].every((name) => BULK_PARAMETERS.includes(name)))
      return failure(400, 'illegal_argument_exception');
    if (!text.endsWith('\n')) return failure(400, 'illegal_argument_exception');
    const lines = text.split('\n').slice(0, -1);
    if (lines.length % 2 !== 0) return failure(400, 'illegal_argument_exception');
    const items: object[] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const id = createId(lines[at] ?? '');
      if (id === undefined) return failure(400, 'illegal_argument_exception');
      items.push({
        create: { _index: `.ds-${index}-000001`, _id: id, ...this.#create(index, id, lines[at + 1] ?? '', query) },
      });
    }
    const errors = items.some((item) => 'error' in Object.values(item)[0]);
    const filter = query.get('filter_path');
    const whole = { errors, took: 3, ingest_took: 0, items };
    return json(
      200,
      filter === null
        ? whole
        : (filtered(
            whole,
            filter.split(',').map((path) => path.split('.')),
          ) ?? {}),
    );
  }

  #create(index: string, id: string, document: string, query: URLSearchParams): object {
    const pipeline = query.get('pipeline');
    const missing = !this.autoCreate && !this.indices.has(index);
    const fault = missing ? { status: 404, type: 'index_not_found_exception' } : this.faultOf(id, document);
    if (fault) return itemFailure(fault);
    if (pipeline !== null && !this.pipelines.has(pipeline)) {
      return itemFailure({ status: 400, type: 'illegal_argument_exception' });
    }
    if (Buffer.byteLength(id) > 512) return itemFailure({ status: 400, type: 'illegal_argument_exception' });
    if (this.documents.has(id)) return itemFailure({ status: 409, type: 'version_conflict_engine_exception' });
    if (!isDataStreamDocument(document))
      return itemFailure({ status: 400, type: 'document_parsing_exception', reason: document });
    this.documents.set(id, document);
    return { _version: 1, result: 'created', status: 201, _seq_no: 1, _primary_term: 1 };
  }
}

/** The `_id` of an action; undefined for all that a data stream does not take. */
function createId(line: string): string | undefined {
  const action: { create?: { _id?: unknown } } = JSON.parse(line);
  const { create } = action;
  const known = Object.keys(action).length === 1 && create && Object.keys(create).every((key) => key === '_id');
  return known && typeof create._id === 'string' ? create._id : undefined;
}

/** A JSON object, no name twice at the top, with a time that the default format of dates reads. */
function isDataStreamDocument(text: string): boolean {
  let document: { '@timestamp'?: unknown };
  try {
    document = JSON.parse(text);
  } catch {
    return false;
  }
  const keys = topLevelKeys(text);
  if (new Set(keys).size !== keys.length) return false;
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(String(document['@timestamp']));
}

/** `filter_path`: of each path, a step into an object by name or `*`; lists are stepped through. */
function filtered(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0)) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => filtered(item, paths)).filter((item) => item !== undefined);
    return items.length > 0 ? items : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const members = Object.entries(value).flatMap(([key, member]) => {
    const further = paths.filter(([step]) => step === key || step === '*').map((path) => path.slice(1));
    const kept = filtered(member, further);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return members.length > 0 ? Object.fromEntries(members) : undefined;
}

function itemFailure({ status, type, cause, reason = `something about ${type}` }: ItemFault): object {
  return {
    status,
    error: { type, reason, index_uuid: 'x', caused_by: { type: cause ?? 'illegal_argument_exception', reason } },
  };
}

function failure(status: number, type: string, headers: Record<string, string> = {}): Answer {
  return { ...json(status, { error: { root_cause: [{ type, reason: type }], type, reason: type }, status }), headers };
}

function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
