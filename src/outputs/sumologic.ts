import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import { secret, size } from '../options.ts';
import type { Secret } from '../secret.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { SentCredentials } from './http/credentials.ts';
import { isWebPage, notTheReceiver } from './http/impostors.ts';
import { httpOptions, originOf } from './http/options.ts';
import { HttpPoster } from './http/poster.ts';
import { classify, type Refusal, statusText } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

/** Sumo Logic asks for 100 KB to 1 MB a request, before compression; past 30 s it answers 408, with part of it taken. */
const LIMITS = { maxItems: 10_000, maxBytes: 1_000_000 };

/** What HTTP allows in the value of a header and Sumo Logic shows as it is. */
const headerText = () => z.string().regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'expected printable ASCII');

const URL_DESCRIPTION =
  'Address of the HTTP source. It is a secret: whoever knows it can send. Shown by Sumo Logic when the source is made.';

const options = z.strictObject({
  url: secret(URL_DESCRIPTION)
    .refine((url) => isHttpUrl(url.read()), 'expected the address of an HTTP source, https://…/receiver/v1/http/…')
    // Said again because `refine` makes a new schema, and descriptions do not travel.
    .meta({ description: URL_DESCRIPTION, secret: true }),
  category: headerText().optional().meta({ description: '`_sourceCategory`. Default: that of the source.' }),
  sourceName: headerText().optional().meta({ description: '`_sourceName`. Default: that of the source.' }),
  host: headerText().optional().meta({ description: '`_sourceHost`. Default: that of the source.' }),
  fields: z
    .record(
      z.string().regex(/^[A-Za-z0-9_.-]+$/, 'expected letters, digits, _ . and -'),
      headerText().regex(/^[^,=]*$/, 'expected no comma and no equals sign'),
    )
    .default({})
    .meta({ description: 'Fields to add to every message. They must be known to the field schema of the account.' }),
  gzip: gzipOption,
  // 64 KB are told as the limit; a message of 65 536 bytes is one that was cut.
  maxMessageBytes: size(
    'Longest text of one event; a longer one is shortened. Sumo Logic slices what is over 64 KB.',
    400,
  )
    .refine((bytes) => bytes < LIMITS.maxBytes, 'expected less than 1000000: the most that one request may hold')
    .meta({
      description: 'Longest text of one event; a longer one is shortened. Sumo Logic slices what is over 64 KB.',
      unit: 'bytes',
    })
    .prefault(64_000),
  ...httpOptions,
});
type SumoLogicOptions = z.infer<typeof options>;

/** An HTTP Logs and Metrics source of a Sumo Logic hosted collector. */
export const sumologic = defineOutput({
  type: 'sumologic',
  summary: 'Sends lines to an HTTP source of Sumo Logic.',
  options,
  defaultFormat: 'json',
  accepted: () => 'answered with 2xx, and not with a web page: Sumo Logic has received the lines',
  // Behind a 200 it drops what is over a budget of its ingestion, or what a processing rule excludes.
  lossless: () => false,
  target: ({ url }) => originOf(url.read()),
  create: (options, context) => new SumoLogic(options, context),
});

class SumoLogic implements Output {
  readonly #options: SumoLogicOptions;
  readonly #context: OutputContext;
  readonly #poster: HttpPoster;
  readonly #target: string;

  constructor(options: SumoLogicOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.#target = originOf(options.url.read());
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent: context.userAgent });
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const items = events.map((event): Item => {
      const { text, shortened } = this.#context.format.render(event, this.#options.maxMessageBytes);
      return { event, text, shortened };
    });
    return await sendInChunks(items, LIMITS, (chunk) => this.#post(chunk, signal));
  }

  /** HEAD sends nothing, whatever a source makes of it. GET would not do: what follows its `?` is taken in as data. */
  async probe(signal: AbortSignal): Promise<string> {
    const url = urlOf(this.#options.url);
    const answer = await this.#poster.exchange({ url, method: 'HEAD', signedWith: this.#options.url }, signal);
    const verdict = verdictOf(answer.status);
    if (!verdict.accepted && verdict.reason === 'auth') throw this.#poster.refusal(answer, verdict);
    return `${this.#target} is there; it answered HEAD with ${statusText(answer.status)}, only a POST proves the address`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const { url, gzip } = this.#options;
    const { body, headers } = await encodeBody(`${chunk.map(({ text }) => text).join('\n')}\n`, gzip);
    const answer = await this.#poster.exchange(
      {
        url: urlOf(url),
        // Not sent as a header, and yet what the receiver checks: a refusal reads its file again.
        signedWith: url,
        headers: { 'content-type': 'text/plain; charset=utf-8', ...sumoHeaders(this.#options), ...headers },
        body,
      },
      signal,
    );
    const judged = verdictOf(answer.status, answer.retryAfterMs);
    const verdict = judged.accepted && isWebPage(answer) ? notTheReceiver('Sumo Logic writes no web pages') : judged;
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return { rejected: [] };
  }
}

/** Any content type but those of Sumo Logic's metrics means logs. */
function sumoHeaders({ category, sourceName, host, fields }: SumoLogicOptions): Record<string, string> {
  const list = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  const wanted = {
    'x-sumo-category': category,
    'x-sumo-name': sourceName,
    'x-sumo-host': host,
    'x-sumo-fields': list.length > 0 ? list.join(',') : undefined,
  };
  return Object.fromEntries(
    Object.entries(wanted).filter((header): header is [string, string] => header[1] !== undefined),
  );
}

/** 401 is about the address: the token is its last part. 408 says that part may be in; it is sent again, and may then be there twice. */
function verdictOf(status: number, retryAfterMs?: number): { readonly accepted: true } | Refusal {
  const verdict = classify(status, retryAfterMs);
  if (!verdict.accepted && verdict.reason === 'auth' && status !== 407) {
    return {
      ...verdict,
      hint: 'Sumo Logic does not know this address: copy it again from the HTTP source (Show URL).',
    };
  }
  return verdict;
}

/** A file that was read again may hold anything by now. */
function urlOf(url: Secret): string {
  const credentials = new SentCredentials([url]);
  const text = url.read();
  if (isHttpUrl(text)) return text;
  const hint = 'Look into the file of urlFile: it must hold the address of the HTTP source and nothing else.';
  const message = 'the url of the HTTP source is none any more';
  throw credentials.judge(new OutputError(message, { reason: 'auth', disposition: 'halt', hint }));
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
}
