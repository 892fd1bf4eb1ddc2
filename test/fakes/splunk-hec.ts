import { type Answer, HttpReceiver, type Reaction, type ReceivedRequest } from './http-receiver.ts';

/** An object of a request that was taken, as it was sent. */
export interface IndexedEvent {
  readonly time?: number;
  readonly host?: string;
  readonly source?: string;
  readonly sourcetype?: string;
  readonly index?: string;
  readonly event: unknown;
  readonly fields?: Readonly<Record<string, string>>;
}

export interface HecToken {
  readonly useAck?: boolean;
  readonly disabled?: boolean;
  /** The only indexes that the token may write to; default any. */
  readonly indexes?: readonly string[];
}

interface Channel {
  nextId: number;
  /** Ids that were given and not yet told as true; the value says whether the events are indexed. */
  readonly open: Map<number, boolean>;
}

const ENVELOPE_KEYS = new Set(['time', 'host', 'source', 'sourcetype', 'index', 'fields', 'event']);
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const html = (status: number): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: `<!doctype html><html><head><title>${status}</title></head><body><h1>${status}</h1></body></html>`,
});

/**
 * Splunk's HTTP Event Collector as its documentation and measurements of it describe it: paths, headers, the table of codes, what is
 * kept of a request that is partly bad, and indexer acknowledgement. On a loopback port.
 */
export class SplunkHec {
  /** What can be searched for. */
  readonly indexed: IndexedEvent[] = [];
  readonly tokens = new Map<string, HecToken>();
  /** Requests by endpoint (`event`, `ack`, `health`), whatever became of them. */
  readonly requests: Record<string, ReceivedRequest[]> = { event: [], ack: [], health: [] };
  /** Goes before the collector's own answer. */
  react: (request: ReceivedRequest, endpoint: string) => Reaction | undefined = () => undefined;
  reactToHead: () => Reaction | undefined = () => undefined;
  /** False: events are taken, and wait in a queue until `index()`. */
  indexesAtOnce = true;
  maxContentLength = 1_000_000;
  maxEventSize = 5_000_000;
  healthy = { status: 200, code: 17 };
  /** What a request is answered with that was taken. 24 and 25 are warnings. */
  successCode: 0 | 24 | 25 = 0;
  #http: HttpReceiver | undefined;
  readonly #port: number;
  readonly #scheme: string;
  readonly #channels = new Map<string, Channel>();
  #queue: { readonly events: readonly IndexedEvent[]; readonly channel?: Channel; readonly id?: number }[] = [];

  private constructor(http: HttpReceiver) {
    this.#port = http.port;
    this.#scheme = http.origin;
    this.#attach(http);
  }

  static async start(): Promise<SplunkHec> {
    return new SplunkHec(await HttpReceiver.start());
  }

  get origin(): string {
    return this.#scheme;
  }

  get port(): number {
    return this.#port;
  }

  /** What is in the queue becomes searchable, and its acknowledgements true. */
  index(): void {
    for (const { events, channel, id } of this.#queue.splice(0)) {
      this.indexed.push(...events);
      if (channel && id !== undefined) channel.open.set(id, true);
    }
  }

  /** What a restart of the indexer does: the queue and all channels are gone, and ids count from 0. */
  forget(): void {
    this.#queue = [];
    this.#channels.clear();
  }

  /** Drops channels that were idle for `maxIdleTime`. */
  cleanUpIdle(): void {
    this.#channels.clear();
  }

  async close(): Promise<void> {
    await this.#http?.close();
    this.#http = undefined;
  }

  /** Comes back on the same port, restarted. */
  async restart(): Promise<void> {
    await this.close();
    this.forget();
    this.#attach(await HttpReceiver.start({ port: this.#port }));
  }

  #attach(http: HttpReceiver): void {
    http.react = (request) => this.#serve(request);
    http.reactToHead = () => this.reactToHead();
    this.#http = http;
  }

  #serve(request: ReceivedRequest): Reaction {
    const { pathname, searchParams } = new URL(request.path, 'http://hec');
    const endpoint = /^\/services\/collector\/(event|ack|health)$/.exec(pathname)?.[1];
    if (endpoint === undefined) return reply(404, 404, 'The requested URL was not found on this server.');
    this.requests[endpoint]?.push(request);
    const forced = this.react(request, endpoint);
    if (forced) return forced;
    if (endpoint === 'health') {
      return request.method === 'GET' ? reply(this.healthy.status, this.healthy.code, 'HEC') : reply(405, 404, '');
    }
    if (request.method !== 'POST') return reply(405, 404, 'Method Not Allowed');

    const { authorization } = request.headers;
    if (authorization === undefined) return reply(401, 2, 'Token is required');
    if (!authorization.startsWith('Splunk ')) return reply(401, 3, 'Invalid authorization');
    const token = this.tokens.get(authorization.slice('Splunk '.length));
    if (!token) return reply(403, 4, 'Invalid token');
    if (token.disabled) return reply(403, 1, 'Token disabled');

    const channel = searchParams.get('channel') ?? single(request.headers['x-splunk-request-channel']);
    return endpoint === 'ack' ? this.#tellAcks(request, token, channel) : this.#takeEvents(request, token, channel);
  }

  #tellAcks({ text }: ReceivedRequest, { useAck }: HecToken, name: string | undefined): Answer {
    if (!useAck) return reply(400, 14, 'ACK is disabled');
    if (name === undefined) return reply(400, 10, 'Data channel is missing');
    if (!GUID.test(name)) return reply(400, 11, 'Invalid data channel');
    const ids: unknown = JSON.parse(text).acks;
    if (!Array.isArray(ids) || !ids.every(Number.isInteger)) return reply(400, 6, 'Invalid data format');
    const channel = this.#channels.get(name);
    const told = ids.map((id: number) => {
      const indexed = channel?.open.get(id) === true;
      if (indexed) channel?.open.delete(id);
      return [String(id), indexed] as const;
    });
    return { status: 200, body: JSON.stringify({ acks: Object.fromEntries(told) }) };
  }

  #takeEvents(request: ReceivedRequest, token: HecToken, name: string | undefined): Answer {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'gzip') return html(415);
    if (Buffer.byteLength(request.text) > this.maxContentLength) return html(413);
    if (request.text.trim() === '') return reply(400, 5, 'No data');
    if (token.useAck) {
      if (name === undefined) return reply(400, 10, 'Data channel is missing');
      if (!GUID.test(name)) return reply(400, 11, 'Invalid data channel');
    }
    const { events, fault } = this.#read(request.text, token);
    if (fault) {
      this.#queue.push({ events });
      if (this.indexesAtOnce) this.index();
      return fault;
    }
    const channel = token.useAck && name !== undefined ? this.#channelOf(name) : undefined;
    const id = channel?.nextId;
    if (channel && id !== undefined) {
      channel.nextId += 1;
      channel.open.set(id, false);
    }
    this.#queue.push({ events, ...(channel && { channel }), ...(id !== undefined && { id }) });
    if (this.indexesAtOnce) this.index();
    const body = { text: 'Success', code: this.successCode, ...(id !== undefined && { ackId: id }) };
    return { status: 200, body: JSON.stringify(body) };
  }

  #channelOf(name: string): Channel {
    const channel = this.#channels.get(name) ?? { nextId: 0, open: new Map() };
    this.#channels.set(name, channel);
    return channel;
  }

  /** The objects up to the first bad one, and the answer for that. An unknown key ends the request in silence. */
  #read(body: string, token: HecToken): { events: IndexedEvent[]; fault?: Answer } {
    const events: IndexedEvent[] = [];
    for (const text of concatenated(body)) {
      const at = events.length;
      const object = parsed(text);
      if (typeof object !== 'object' || object === null) return { events, fault: eventFault(6, at) };
      if (Object.keys(object).some((key) => !ENVELOPE_KEYS.has(key))) return { events };
      const envelope = object as IndexedEvent;
      const code = this.#faultOf(envelope, text, token);
      if (code === 7) return { events, fault: eventFault(7, at + 1) };
      if (code !== undefined) return { events, fault: eventFault(code, at) };
      events.push(envelope);
    }
    return { events };
  }

  #faultOf({ time, event, fields, index }: IndexedEvent, text: string, token: HecToken): number | undefined {
    if (event === undefined) return 12;
    if (event === null || event === false || Buffer.byteLength(text) > this.maxEventSize) return 6;
    if (typeof event === 'string' && event.trim() === '') return 13;
    // Plain seconds: an exponent is refused, and 13 digits mean milliseconds to some versions only.
    if (time !== undefined && !/^\{"time":\d{1,10}(\.\d{1,3})?,/.test(text)) return 15;
    if (fields !== undefined && Object.values(fields).some((value) => typeof value !== 'string')) return 15;
    if (index !== undefined && token.indexes?.includes(index) === false) return 7;
    return undefined;
  }
}

function reply(status: number, code: number, text: string): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text, code }) };
}

function eventFault(code: number, at: number): Answer {
  return { status: 400, body: JSON.stringify({ text: 'refused', code, 'invalid-event-number': at }) };
}

/** JSON objects one after the other, with white space or nothing between them. What is no object is given as it is. */
function concatenated(body: string): string[] {
  const texts: string[] = [];
  let start = 0;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < body.length; at += 1) {
    const character = body[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth > 0) continue;
      texts.push(body.slice(start, at + 1).trim());
      start = at + 1;
    }
  }
  const rest = body.slice(start).trim();
  return rest === '' ? texts : [...texts, rest];
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
