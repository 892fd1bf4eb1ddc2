import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent, Severity } from '../event.ts';
import { secret, size } from '../options.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { notTheReceiver } from './http/impostors.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster } from './http/poster.ts';
import { classify, statusText, type Verdict } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

/**
 * What one request may hold (Datadog API reference, "Send logs"): 1000 logs, 5 MB before compression. One log may have 1 MB: of a
 * longer one Datadog cuts the end off, and still answers 2xx.
 */
const LIMITS = { maxItems: 1000, maxBytes: 5_000_000, frameBytes: 2 };
const MAX_LOG_BYTES = 1_000_000;
/** Every format fits an event into this: see `Format.render`. */
const LEAST_TEXT_BYTES = 400;

const options = z.strictObject({
  apiKey: secret('API key of the organisation (not an application key).'),
  site: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'expected the site without https:// and path, such as datadoghq.eu')
    .default('datadoghq.com')
    .meta({ description: 'The Datadog site that the organisation lives on: `datadoghq.com`, `us5.datadoghq.com` …' }),
  url: httpUrl('Where to POST to, in the place of `https://http-intake.logs.SITE/api/v2/logs`: a relay.').optional(),
  service: z.string().min(1).default('mimecast').meta({ description: 'Name of the service that the logs are of.' }),
  ddsource: z.string().min(1).default('mimecast').meta({
    description: "Source of the logs; `mimecast` is what Datadog's own pipeline for Mimecast looks for.",
  }),
  ddtags: z.string().min(1).optional().meta({ description: 'Tags, separated by commas: `env:prod,team:soc`.' }),
  hostname: z.string().min(1).optional().meta({ description: "Host of the logs. Default: this machine's name." }),
  gzip: gzipOption,
  maxMessageBytes: size('Most bytes of one log as it is sent; the text of a longer one is shortened.', 4000)
    .refine((bytes) => bytes <= MAX_LOG_BYTES, 'expected at most 1000000: Datadog cuts the end off a longer log')
    // Said again because `refine` makes a new schema, and descriptions do not travel.
    .meta({ description: 'Most bytes of one log as it is sent; the text of a longer one is shortened.', unit: 'bytes' })
    .prefault(MAX_LOG_BYTES),
  ...httpOptions,
});
type DatadogOptions = z.infer<typeof options>;

/** Datadog Logs, by its HTTP intake. */
export const datadog = defineOutput({
  type: 'datadog',
  summary: 'Sends logs to Datadog.',
  options,
  defaultFormat: 'json',
  accepted: ({ url }) =>
    url === undefined
      ? 'answered with 202: Datadog has taken the logs and processes them later'
      : 'answered with 202, or by a relay with a bare 200: it has taken the logs, and Datadog processes them later',
  // Behind a 202 it drops what its pipelines or quotas exclude, and what is older than it takes.
  lossless: () => false,
  target: (datadog) => originOf(intakeUrl(datadog)),
  carriesId: () => true,
  create: (options, context) => new Datadog(options, context),
});

class Datadog implements Output {
  readonly #options: DatadogOptions;
  readonly #context: OutputContext;
  readonly #poster: HttpPoster;
  readonly #target: string;

  constructor(options: DatadogOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.#target = originOf(intakeUrl(options));
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent: context.userAgent });
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const items = events.map((event) => this.#item(event));
    return await sendInChunks(items, LIMITS, (chunk) => this.#post(chunk, signal));
  }

  /** Where the site is known there is an endpoint that checks the key. A relay has none; its HEAD proves no more than the way there. */
  async probe(signal: AbortSignal): Promise<string> {
    const { url, site, apiKey } = this.#options;
    if (url !== undefined) {
      const answer = await this.#poster.exchange({ url, method: 'HEAD' }, signal);
      return `${this.#target} is there; it answered HEAD with ${statusText(answer.status)}, only a POST proves the key`;
    }
    const validate = `https://api.${site}/api/v1/validate`;
    const answer = await this.#poster.exchange(
      { url: validate, method: 'GET', headers: { 'dd-api-key': apiKey } },
      signal,
    );
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return `${originOf(validate)} is there and knows the API key`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const { body, headers } = await encodeBody(`[${chunk.map(({ text }) => text).join(',')}]`, this.#options.gzip);
    const answer = await this.#poster.exchange(
      {
        url: intakeUrl(this.#options),
        headers: { 'content-type': 'application/json', 'dd-api-key': this.#options.apiKey, ...headers },
        body,
      },
      signal,
    );
    const verdict = isTaken(answer, this.#options) ? verdictOf(answer) : notTaken(answer);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    return { rejected: [] };
  }

  /**
   * One log. Its text is a string inside JSON, where quotes and backslashes cost twice and control characters six times: what the
   * limit leaves for the text is known only once it is written, so the room is halved until it fits.
   */
  #item(event: ForwarderEvent): Item {
    const { maxMessageBytes } = this.#options;
    for (let room = maxMessageBytes; ; room = Math.max(LEAST_TEXT_BYTES, Math.floor(room / 2))) {
      const { text: message, shortened } = this.#context.format.render(event, room);
      const text = JSON.stringify(this.#log(event, message));
      if (room === LEAST_TEXT_BYTES || Buffer.byteLength(text) <= maxMessageBytes) return { event, text, shortened };
    }
  }

  #log(event: ForwarderEvent, message: string) {
    const { ddsource, ddtags, service, hostname } = this.#options;
    return {
      message,
      ddsource,
      ddtags,
      service,
      hostname: hostname ?? this.#context.hostname,
      status: statusOf(event.severity),
      // Milliseconds since 1970, one of the forms that Datadog's date remapper reads.
      timestamp: event.time,
      eventId: event.id,
    };
  }
}

function intakeUrl({ url, site }: DatadogOptions): string {
  return url ?? `https://http-intake.logs.${site}/api/v2/logs`;
}

/**
 * Datadog takes logs with 202 and with nothing else. A relay may answer by itself: Vector's `datadog_agent` source does, with 200
 * and an empty body.
 */
function isTaken({ status, body }: HttpAnswer, { url }: DatadogOptions): boolean {
  if (status === 202) return true;
  return url !== undefined && status === 200 && ['', '{}'].includes(body.trim());
}

function notTaken(answer: HttpAnswer): Verdict {
  const verdict = verdictOf(answer);
  return verdict.accepted ? notTheReceiver('Datadog takes logs with 202 only') : verdict;
}

function verdictOf({ status, retryAfterMs }: HttpAnswer): Verdict {
  const verdict = classify(status, retryAfterMs);
  if (!verdict.accepted && (status === 401 || status === 403)) {
    return {
      ...verdict,
      hint: 'Check apiKey, and that it belongs to the organisation on this site: keys are per site.',
    };
  }
  return verdict;
}

/** The words of Datadog's status remapper, in step with the syslog severities of the other outputs. */
function statusOf(severity: Severity): string {
  if (severity <= 3) return 'info';
  if (severity <= 6) return 'notice';
  return severity <= 8 ? 'warning' : 'critical';
}
