import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format } from '../formats/format.ts';
import { duration, secret, size } from '../options.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { endpointOf } from './http/endpoint.ts';
import { notTheReceiver, wantsTls } from './http/impostors.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster, type HttpRequest } from './http/poster.ts';
import { classify, statusText, type Verdict } from './http/status.ts';
import { LABEL_FIELDS, LATE_LABEL, type Labels, metadataOf, streamOf } from './loki/stream.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

/** Loki's default `max_label_names_per_series`; the label for late events is one of them. */
const MAX_LABELS = 15;

const options = z
  .strictObject({
    url: httpUrl(
      'Address of Loki, such as `http://loki:3100`. `/loki/api/v1/push` is added unless it ends so already.',
    ),
    tenantId: z
      .string()
      .regex(
        /^(?!\.{1,2}$)[A-Za-z0-9!\-_.*'()]{1,150}$/,
        "expected up to 150 of the characters A-Z a-z 0-9 ! - _ . * ' ( )",
      )
      .optional()
      .meta({ description: 'Tenant, sent as `X-Scope-OrgID`. Loki wants one unless `auth_enabled` is off there.' }),
    username: z
      .string()
      .regex(/^[^:]+$/, 'expected a name without a colon')
      .optional()
      .meta({
        description: 'User of a gateway before Loki (HTTP Basic); in Grafana Cloud the number of the instance.',
      }),
    password: secret('Password of `username`; in Grafana Cloud an access policy token.').optional(),
    token: secret('Bearer token of a gateway before Loki, in the place of `username` and `password`.').optional(),
    labels: z
      .record(
        z
          .string()
          .regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,1023}$/, 'expected letters, digits and underscores, no digit first')
          .refine(
            (name) => !name.startsWith('__'),
            'expected another name: two underscores in front are for Loki itself',
          )
          .refine((name) => name !== LATE_LABEL, 'expected another name: this one is for late events'),
        z.string().min(1).max(512),
      )
      .refine((labels) => Object.keys(labels).length > 0, 'expected at least one label')
      .default({ job: 'mimecast-forwarder' })
      .meta({ description: 'Labels of every stream.' }),
    labelFields: z.array(z.enum(LABEL_FIELDS)).default([]).meta({
      description:
        'Fields that become labels too: a stream for each combination of their values. None is what Loki advises.',
    }),
    lateAfter: duration(
      `Events older than this go to a stream for each hour, with the label \`${LATE_LABEL}\`: Loki takes nothing that is an hour older than the newest of its stream.`,
    ).prefault('30m'),
    structuredMetadata: z.boolean().default(true).meta({
      description:
        'Attach event id, verdict and addresses to each line, to filter by. Loki 2.9 can have it, 3.0 has it.',
    }),
    gzip: gzipOption,
    maxMessageBytes: size(
      'Longest line; a longer one is shortened. Loki refuses more than its `max_line_size`.',
      400,
    ).prefault('256KiB'),
    ...httpOptions,
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    path: ['username'],
    error: 'expected username and password together, or neither',
  })
  .refine(({ username, token }) => username === undefined || token === undefined, {
    path: ['token'],
    error: 'expected either token or username and password',
  })
  .refine(({ labels, labelFields }) => labelFields.every((field) => !Object.hasOwn(labels, field)), {
    path: ['labelFields'],
    error: 'expected no field that labels names as well',
  })
  .refine(({ labels, labelFields }) => Object.keys(labels).length + labelFields.length < MAX_LABELS, {
    path: ['labels'],
    error: `expected at most ${MAX_LABELS - 1} labels, those of labelFields among them`,
  });
type LokiOptions = z.infer<typeof options>;

/**
 * Loki refuses entries one by one and stores the rest, and its 400 does not say which (its text is not read): the request is
 * halved, and what was stored is sent again. Loki recognises it as long as the entries are in the block that it is filling in
 * memory, 256 KiB of lines by default (`chunk_block_size`), so a request holds only a part of that.
 */
const LIMITS = { maxItems: Number.POSITIVE_INFINITY, maxBytes: 64 * 1024 };

/** Grafana Loki, by its own push API. */
export const loki = defineOutput({
  type: 'loki',
  summary: 'Pushes lines to Grafana Loki.',
  options,
  defaultFormat: 'json',
  accepted: () => 'answered with 204: a quorum of ingesters has the lines, in memory and in their write-ahead log',
  lossless: () => true,
  target: ({ url }) => originOf(url),
  carriesId: ({ structuredMetadata }) => structuredMetadata,
  create: (options, context) => new Loki(options, context),
});

interface Entry extends Item {
  readonly stream: Labels;
}

class Loki implements Output {
  readonly #options: LokiOptions;
  readonly #format: Format;
  readonly #poster: HttpPoster;
  readonly #target: string;
  readonly #url: string;

  constructor(options: LokiOptions, { format, userAgent }: OutputContext) {
    this.#options = options;
    this.#format = format;
    this.#target = originOf(options.url);
    this.#url = endpointOf(options.url, '/loki/api/v1/push');
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent });
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const now = Date.now();
    const entries = events.map((event) => this.#entry(event, now));
    return await sendInChunks(entries, LIMITS, async (chunk): Promise<RequestOutcome> => {
      const answer = await this.#push(pushRequest(chunk), signal);
      const verdict = verdictOf(answer);
      if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
      return { rejected: [] };
    });
  }

  /**
   * A push without streams. It goes the way of all others, tenant and credentials included, and stores nothing: Loki answers 422,
   * before version 3 204. `/ready` and the query API prove less, for a gateway may keep them from whoever may only write.
   */
  async probe(signal: AbortSignal): Promise<string> {
    const answer = await this.#push('{"streams":[]}', signal);
    if (answer.status === 422) return `${this.#target} takes pushes from us`;
    if (answer.status === 400 && !wantsTls(answer))
      return `${this.#target} is there and refuses an empty push; only an event proves the rest`;
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return `${this.#target} takes pushes from us (${statusText(answer.status)})`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }

  #entry(event: ForwarderEvent, now: number): Entry {
    const { text: line, shortened } = this.#format.render(event, this.#options.maxMessageBytes);
    // A number would be refused, and could not hold so many digits anyway.
    const timestamp = String(BigInt(event.time) * 1_000_000n);
    const value = this.#options.structuredMetadata ? [timestamp, line, metadataOf(event)] : [timestamp, line];
    return { event, text: JSON.stringify(value), shortened, stream: streamOf(event, this.#options, now) };
  }

  async #push(plain: string, signal: AbortSignal): Promise<HttpAnswer> {
    const { body, headers } = await encodeBody(plain, this.#options.gzip);
    const { tenantId } = this.#options;
    const { headers: credentials, signedWith } = credentialsOf(this.#options);
    return await this.#poster.exchange(
      {
        url: this.#url,
        headers: {
          'content-type': 'application/json',
          ...headers,
          ...credentials,
          ...(tenantId !== undefined && { 'x-scope-orgid': tenantId }),
        },
        body,
        signedWith,
      },
      signal,
    );
  }
}

/** The secret is named besides the header that is made of it, so that the poster can tell when its file has changed. */
function credentialsOf({ username, password, token }: LokiOptions): Pick<HttpRequest, 'headers' | 'signedWith'> {
  if (token !== undefined) return { headers: { authorization: `Bearer ${token.read()}` }, signedWith: token };
  if (username === undefined || password === undefined) return {};
  const pair = Buffer.from(`${username}:${password.read()}`).toString('base64');
  return { headers: { authorization: `Basic ${pair}` }, signedWith: password };
}

/** Entries by their stream, the oldest first: an older one behind a newer one can be too far behind. */
function pushRequest(entries: readonly Entry[]): string {
  const streams = Map.groupBy(entries, ({ stream }) => JSON.stringify(stream));
  const written = [...streams].map(([labels, members]) => {
    const values = members.toSorted((a, b) => a.event.time - b.event.time).map(({ text }) => text);
    return `{"stream":${labels},"values":[${values.join(',')}]}`;
  });
  return `{"streams":[${written.join(',')}]}`;
}

/**
 * An empty 200 is what some gateways make of 204; with a body it is somebody else's. Other 2xx are none: 260 says that ingestion is
 * blocked and nothing was stored.
 */
function verdictOf({ status, retryAfterMs, body }: HttpAnswer): Verdict {
  const verdict = classify(status, retryAfterMs);
  if (!verdict.accepted || status === 204 || (status === 200 && body === '')) return verdict;
  if (status !== 260) return notTheReceiver('Loki stores with 204 and says nothing more');
  return {
    accepted: false,
    reason: 'refused',
    disposition: 'halt',
    hint: 'Ingestion is blocked for this tenant and nothing is stored: see block_ingestion_until in the limits of Loki.',
  };
}
