import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import { secret, size } from '../options.ts';
import type { Secret } from '../secret.ts';
import {
  ANSWER_FILTER,
  answerBytes,
  bulkBody,
  bytesBesideDocument,
  documentOf,
  readAnswer,
} from './elasticsearch/bulk.ts';
import { parsedJson } from './http/bearer.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { endpointOf } from './http/endpoint.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster } from './http/poster.ts';
import { classify, statusText } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

/** Most documents in a request. The size decides before that, but the answer grows with the number. */
const MAX_ITEMS = 10_000;

const options = z
  .strictObject({
    url: httpUrl('Address of the cluster, `https://elastic.example:9200`. A path before the API is kept.'),
    index: z
      .string()
      .max(255)
      // https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create: the rules for names.
      .regex(
        /^[^-_+.A-Z\\/*?"<>|\s,#:%][^A-Z\\/*?"<>|\s,#:%]*$/,
        'expected the name of an index or data stream, in lower case',
      )
      .default('logs-mimecast_ttp_ap-default')
      .meta({ description: 'Data stream, index or alias to write to.' }),
    apiKey: secret(
      'API key, encoded (base64) or as `id:key`. Either this, or `username` and `password`, or neither.',
    ).optional(),
    username: z.string().min(1).optional().meta({ description: 'User for basic authentication.' }),
    password: secret('Password for basic authentication.').optional(),
    pipeline: z.string().min(1).optional().meta({ description: 'Ingest pipeline. Default: what the index has.' }),
    gzip: gzipOption,
    maxRequestBytes: size('Most bytes of one request before it is compressed.', 64 * 1024).prefault('5MiB'),
    maxMessageBytes: size('Longest document of one event; a longer one is shortened.', 1024).prefault('1MiB'),
    ...httpOptions,
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    path: ['username'],
    error: 'expected username and password together, or neither',
  })
  .refine(({ apiKey, username }) => apiKey === undefined || username === undefined, {
    path: ['apiKey'],
    error: 'expected either apiKey or username and password, not both',
  });
type ElasticsearchOptions = z.infer<typeof options>;

const NOT_KNOWN =
  'Check apiKey (the `encoded` value, or id:key) or username and password: the cluster does not know them, or they have expired.';

/** Elasticsearch 7.9 and later, and OpenSearch, by their bulk API. */
export const elasticsearch = defineOutput({
  type: 'elasticsearch',
  summary: 'Elasticsearch and OpenSearch, by the bulk API; each event once, by its `_id`.',
  options,
  defaultFormat: 'ecs',
  accepted: () => 'each document answered by itself: stored, or there already under its _id (409)',
  lossless: () => true,
  target: ({ url, index }) => `${originOf(url)} (${index})`,
  carriesId: () => true,
  repeated: ({ index }) =>
    `What ${index} has already under the same _id stays as it is: nothing new is stored. Behind a data stream or an alias that has rolled over since, it is stored a second time.`,
  create: (options, context) => new Elasticsearch(options, context),
});

class Elasticsearch implements Output {
  readonly #options: ElasticsearchOptions;
  readonly #context: OutputContext;
  readonly #poster: HttpPoster;
  readonly #target: string;

  constructor(options: ElasticsearchOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.#target = originOf(options.url);
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent: context.userAgent });
  }

  send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    const items = events.map((event) => this.#itemOf(event));
    const { maxRequestBytes } = this.#options;
    const limits = { maxItems: MAX_ITEMS, maxBytes: maxRequestBytes, itemBytes: bytesBesideDocument(events) };
    return sendInChunks(items, limits, (chunk) => this.#post(chunk, signal));
  }

  #itemOf(event: ForwarderEvent): Item {
    const { format } = this.#context;
    const isJson = format.mediaType === 'application/json';
    const rendered = format.render(event, this.#options.maxMessageBytes);
    return { event, text: documentOf(event, rendered, isJson), shortened: rendered.shortened };
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const { index, pipeline, gzip } = this.#options;
    const { body, headers } = await encodeBody(bulkBody(chunk), gzip);
    const answer = await this.#poster.exchange(
      {
        url: this.#urlOf(`${index}/_bulk`, { filter_path: ANSWER_FILTER, ...(pipeline && { pipeline }) }),
        headers: { 'content-type': 'application/x-ndjson', ...this.#authorization(), ...headers },
        body,
        signedWith: this.#secret(),
        keepBytes: answerBytes(chunk.length),
      },
      signal,
    );
    this.#requireTaken(answer);
    return readAnswer(answer.complete ? answer.body : '', chunk, {
      target: this.#target,
      index,
      retryAfterMs: answer.retryAfterMs,
      credentials: answer.credentials,
    });
  }

  /** Asks who is there, which the credentials must allow, and then for what the first batch will need. */
  async probe(signal: AbortSignal): Promise<string> {
    const { index, pipeline } = this.#options;
    const product = await this.#product(signal);
    const found = [`${this.#target} is ${product}`, await this.#presence(index, index, signal)];
    if (pipeline !== undefined) {
      found.push(
        await this.#presence(`_ingest/pipeline/${encodeURIComponent(pipeline)}`, `pipeline ${pipeline}`, signal),
      );
    }
    return found.join('; ');
  }

  async #product(signal: AbortSignal): Promise<string> {
    const answer = await this.#get('', 'GET', signal);
    // A key that may only create documents is known, but may not ask for the version.
    if (answer.status === 403) return 'there and knows the credentials, which may not ask for its version';
    this.#requireTaken(answer);
    const product = productOf(answer.body);
    if (product === undefined) {
      throw new OutputError(`${this.#target} answers, but not as Elasticsearch or OpenSearch would`, {
        reason: 'refused',
        disposition: 'halt',
        hint: 'Check the url: it has to lead to the cluster, not to Kibana or OpenSearch Dashboards.',
      });
    }
    return product;
  }

  #requireTaken(answer: HttpAnswer): void {
    const verdict = classify(answer.status, answer.retryAfterMs);
    if (verdict.accepted) return;
    throw this.#poster.refusal(answer, answer.status === 401 ? { ...verdict, hint: NOT_KNOWN } : verdict);
  }

  async #presence(path: string, name: string, signal: AbortSignal): Promise<string> {
    const method = path.startsWith('_ingest/') ? 'GET' : 'HEAD';
    const { status } = await this.#get(path, method, signal);
    if (status === 200) return `${name} is there`;
    if (status === 404) {
      const remedy =
        method === 'GET' ? 'every event would be refused' : 'load its index template before the first event';
      return `${name} is missing: ${remedy}`;
    }
    return `whether ${name} is there cannot be told (${statusText(status)})`;
  }

  #get(path: string, method: 'GET' | 'HEAD', signal: AbortSignal) {
    const request = { url: this.#urlOf(path), method, headers: this.#authorization(), signedWith: this.#secret() };
    return this.#poster.exchange(request, signal);
  }

  #urlOf(path: string, query: Readonly<Record<string, string>> = {}): string {
    const url = new URL(endpointOf(this.#options.url, `/${path}`));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  #secret(): Secret | undefined {
    return this.#options.apiKey ?? this.#options.password;
  }

  /** Made for each request: the secret behind it may have been replaced. */
  #authorization(): Readonly<Record<string, string>> {
    const { apiKey, username, password } = this.#options;
    if (apiKey !== undefined) {
      const key = apiKey.read();
      // Base64 has no colon, so one tells the two ways apart in which Elasticsearch shows a key.
      return { authorization: `ApiKey ${key.includes(':') ? base64(key) : key}` };
    }
    if (username === undefined || password === undefined) return {};
    return { authorization: `Basic ${base64(`${username}:${password.read()}`)}` };
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

const rootSchema = z.object({
  version: z.object({
    number: z.string().regex(/^\d[\w.-]{0,30}$/),
    distribution: z.string().optional(),
  }),
});

/** `Elasticsearch 9.1.0` of the answer to `GET /`; undefined when it is another's. */
function productOf(body: string): string | undefined {
  const { data } = rootSchema.safeParse(parsedJson(body));
  if (data === undefined) return undefined;
  return `${data.version.distribution === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${data.version.number}`;
}
