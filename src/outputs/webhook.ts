import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';
import type { Format } from '../formats/format.ts';
import { secret, size } from '../options.ts';
import type { Secret } from '../secret.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { HttpPoster } from './http/poster.ts';
import { classify, statusText } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

/** Headers that belong to the framing of the request: another value would break it. Lower case. */
const OWN_HEADERS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-signature-256',
  'x-signature-timestamp',
]);

const options = z.strictObject({
  url: httpUrl('Where to POST to. Credentials belong in `headers`.'),
  headers: z
    .record(
      z
        .string()
        .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of an HTTP header')
        .refine(
          (name) => !OWN_HEADERS.has(name.toLowerCase()),
          'expected another header: this one is set by the output',
        ),
      secret('Value of the header'),
    )
    .default({})
    .meta({ description: 'Headers to add, name and value. Every value is treated as a secret.' }),
  encoding: z.enum(['ndjson', 'array']).default('ndjson').meta({
    description:
      'How a batch is written: `ndjson` one event on each line; `array` one JSON array, of strings when the format is not JSON.',
  }),
  gzip: gzipOption,
  signingSecret: secret(
    'Sign requests: `X-Signature-256: sha256=…` is the HMAC-SHA256, in hex, of `X-Signature-Timestamp` (seconds since 1970), a full stop, and the body as it is on the wire, that is after compression.',
  ).optional(),
  maxMessageBytes: size('Longest text of one event; a longer one is shortened.', 400).prefault('1MiB'),
  ...httpOptions,
});
type WebhookOptions = z.infer<typeof options>;

/** Any HTTP receiver that takes a batch of events as the body of a POST. */
export const webhook = defineOutput({
  type: 'webhook',
  summary: 'POSTs batches to any HTTP receiver, as NDJSON or a JSON array.',
  options,
  defaultFormat: 'json',
  accepted: () => 'answered with 2xx',
  lossless: () => true,
  target: ({ url }) => originOf(url),
  create: (options, context) => new Webhook(options, context),
});

class Webhook implements Output {
  readonly #options: WebhookOptions;
  readonly #format: Format;
  readonly #poster: HttpPoster;
  readonly #target: string;

  constructor(options: WebhookOptions, { format, userAgent }: OutputContext) {
    this.#options = options;
    this.#format = format;
    this.#target = originOf(options.url);
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent });
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    const { url, encoding, signingSecret } = this.#options;
    const rendered = events.map((event) => this.#format.render(event, this.#options.maxMessageBytes));
    const texts = rendered.map(({ text }) => text);
    const plain = encoding === 'array' ? jsonArray(texts, this.#format.mediaType) : `${texts.join('\n')}\n`;
    const { body, headers } = await encodeBody(plain, this.#options.gzip);
    const answer = await this.#poster.exchange(
      {
        url,
        headers: {
          'content-type': contentType(encoding, this.#format.mediaType),
          ...lowerCased(this.#options.headers),
          ...headers,
          'idempotency-key': idempotencyKey(events),
          ...(signingSecret && signature(signingSecret, body)),
        },
        body,
        signedWith: signingSecret,
      },
      signal,
    );
    const verdict = classify(answer.status, answer.retryAfterMs);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return { rejected: [], shortened: rendered.filter(({ shortened }) => shortened).length };
  }

  /**
   * HEAD changes nothing (RFC 9110 §9.2.1) and travels the same way as a POST: name, proxy, certificates. Its status proves no
   * credentials: many receivers answer 403 or 405 to all that is not a POST.
   */
  async probe(signal: AbortSignal): Promise<string> {
    const headers = lowerCased(this.#options.headers);
    const answer = await this.#poster.exchange({ url: this.#options.url, method: 'HEAD', headers }, signal);
    return `${this.#target} is there; it answered HEAD with ${statusText(answer.status)}, only a POST proves the credentials`;
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }
}

function jsonArray(texts: readonly string[], mediaType: string): string {
  const items = mediaType === 'application/json' ? texts : texts.map((text) => JSON.stringify(text));
  return `[${items.join(',')}]`;
}

/** Lines of a format that is not JSON are no NDJSON. */
function contentType(encoding: WebhookOptions['encoding'], mediaType: string): string {
  if (encoding === 'array') return 'application/json';
  return mediaType === 'application/json' ? 'application/x-ndjson' : 'text/plain; charset=utf-8';
}

/** The same for the same events, however often they are sent, so that a receiver can drop a batch whose answer was lost. */
function idempotencyKey(events: readonly ForwarderEvent[]): string {
  const hash = createHash('sha256');
  for (const { id } of events) hash.update(id).update('\n');
  return hash.digest('hex');
}

/** Over the bytes on the wire: what a receiver can check before it spends memory on inflating them. */
function signature(key: Secret, body: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', key.read()).update(`${timestamp}.`).update(body).digest('hex');
  return { 'x-signature-timestamp': timestamp, 'x-signature-256': `sha256=${mac}` };
}

function lowerCased(headers: WebhookOptions['headers']): Record<string, Secret> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
