import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format, Rendered } from '../formats/format.ts';
import { secret, size } from '../options.ts';
import type { Secret } from '../secret.ts';
import { type EncodedBody, encodeBody, gzipOption } from './http/body.ts';
import { headersOption, lowerCased } from './http/headers.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { HttpPoster } from './http/poster.ts';
import { statusText } from './http/status.ts';
import { acceptedStatuses, acceptsOnlyWhatIsThere, classifyWith, statusesOption } from './http/status-words.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

/** Headers that this output sets itself. */
const OWN_HEADERS = ['idempotency-key', 'x-signature-256', 'x-signature-timestamp'];

const options = z.strictObject({
  url: httpUrl('Where to POST to. Credentials belong in `headers`.'),
  headers: headersOption(OWN_HEADERS),
  encoding: z.enum(['ndjson', 'array']).default('ndjson').meta({
    description:
      'How a batch is written: `ndjson` one event on each line; `array` one JSON array, of strings when the format is not JSON.',
  }),
  gzip: gzipOption,
  signingSecret: secret(
    'Sign requests: `X-Signature-256: sha256=…` is the HMAC-SHA256, in hex, of `X-Signature-Timestamp` (seconds since 1970), a full stop, and the body as it is on the wire, that is after compression.',
  ).optional(),
  statuses: statusesOption,
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
  accepted: ({ statuses }) => `answered with ${acceptedStatuses(statuses)}`,
  lossless: ({ statuses }) => acceptsOnlyWhatIsThere(statuses),
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
    const { body, headers, shortened } = await this.#bodyOf(events);
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
    const verdict = classifyWith(this.#options.statuses, answer.status, answer.retryAfterMs);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return { rejected: [], shortened };
  }

  /** By itself, so that the texts are garbage as soon as they are bytes, and not when the receiver has answered. */
  async #bodyOf(events: readonly ForwarderEvent[]): Promise<EncodedBody & { readonly shortened: number }> {
    const rendered = events.map((event) => this.preview(event));
    const texts = rendered.map(({ text }) => text);
    const plain = this.#options.encoding === 'array' ? `[${texts.join(',')}]` : `${texts.join('\n')}\n`;
    const encoded = await encodeBody(plain, this.#options.gzip);
    return { ...encoded, shortened: rendered.filter(({ shortened }) => shortened).length };
  }

  /** In an array, a text that is no JSON is a string of JSON. */
  preview(event: ForwarderEvent): Rendered {
    const rendered = this.#format.render(event, this.#options.maxMessageBytes);
    if (this.#options.encoding === 'ndjson' || this.#format.mediaType === 'application/json') return rendered;
    return { text: JSON.stringify(rendered.text), shortened: rendered.shortened };
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

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }
}

/** Lines of a format that is not JSON are no NDJSON. */
function contentType(encoding: WebhookOptions['encoding'], mediaType: string): string {
  if (encoding === 'array') return 'application/json';
  return mediaType === 'application/json' ? 'application/x-ndjson' : 'text/plain; charset=utf-8';
}

/**
 * Made of the events alone: the same for the same events, however often they are sent, so that a receiver can drop a batch whose
 * answer was lost. Halves of a batch have keys of their own, and so has a batch that newer events have joined since its last try:
 * across those only the ids in the body tell what is known.
 */
function idempotencyKey(events: readonly ForwarderEvent[]): string {
  const hash = createHash('sha256');
  for (const { key } of events) hash.update(key).update('\n');
  return hash.digest('hex');
}

/**
 * Over the bytes on the wire: what a receiver can check before it spends memory on inflating them. The time is that of this try, so
 * a retry passes a receiver that refuses old signatures, and a request that somebody recorded soon does not.
 */
function signature(key: Secret, body: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', key.read()).update(`${timestamp}.`).update(body).digest('hex');
  return { 'x-signature-timestamp': timestamp, 'x-signature-256': `sha256=${mac}` };
}
