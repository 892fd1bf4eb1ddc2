import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format, Rendered } from '../formats/format.ts';
import { secret } from '../options.ts';
import { BearerToken, bearerUrl, parsedJson, requestToken } from './http/bearer.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { httpOptions, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster } from './http/poster.ts';
import { classify, statusText, type Verdict } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

const API_VERSION = '2023-01-01';

/**
 * 1 MB a call, "both compressed and uncompressed data" (Azure Monitor service limits), so gzip lets no more in. What is left free
 * is for a megabyte that is counted with the headers.
 */
const LIMITS = { maxItems: 10_000, maxBytes: 950_000, frameBytes: '[]'.length };
const LONGEST_ROW = LIMITS.maxBytes - LIMITS.frameBytes - ','.length;

const options = z.strictObject({
  endpoint: bearerUrl(
    'Where logs are taken in: the `logsIngestion` endpoint of the data collection rule, or a data collection endpoint.',
  ),
  dcrImmutableId: z
    .string()
    .regex(
      /^dcr-[0-9a-f]+$/i,
      'expected the immutable id of a data collection rule, such as dcr-000a00a000a00000a000000aa000a0aa',
    )
    .meta({ description: 'Immutable id of the data collection rule.' }),
  streamName: z
    .string()
    .regex(/^(Custom|Microsoft)-\w+$/, 'expected the name of a stream, such as Custom-Ttp_Attachment_CL')
    .default('Custom-Ttp_Attachment_CL')
    .meta({ description: 'The stream that the rule declares for these rows.' }),
  tenantId: z
    .string()
    .regex(/^[\w.-]+$/, 'expected the id or the domain of a tenant')
    .meta({ description: 'Directory (tenant) id of the app registration.' }),
  clientId: z.string().min(1).meta({ description: 'Application (client) id of the app registration.' }),
  clientSecret: secret('Client secret of the app registration: its value, not its id.'),
  authority: bearerUrl(
    'Who issues tokens. US Government: `https://login.microsoftonline.us`; China: `https://login.partner.microsoftonline.cn`.',
  ).prefault('https://login.microsoftonline.com'),
  scope: z.string().min(1).default('https://monitor.azure.com/.default').meta({
    description:
      'What the token is for. US Government: `https://monitor.azure.us/.default`; China: `https://monitor.azure.cn/.default`.',
  }),
  gzip: gzipOption,
  ...httpOptions,
});
type SentinelOptions = z.infer<typeof options>;

const ROWS_EXPECTED =
  'expected no format, for rows of Ttp_Attachment_CL, or one that writes JSON with columns that the data collection rule declares: the Logs Ingestion API takes JSON rows only';

/** Microsoft Sentinel, by way of the Logs Ingestion API of Azure Monitor. */
export const sentinel = defineOutput({
  type: 'sentinel',
  summary: 'Microsoft Sentinel: rows of a Log Analytics table, by the Logs Ingestion API.',
  options,
  defaultFormat: 'sentinel',
  accepted: () => 'answered with 204: Azure Monitor has taken the rows in, and stores them within minutes',
  // A row that the transformation or the table does not take is dropped after the 204, without a word to us.
  lossless: () => false,
  target: ({ endpoint, streamName }) => `${originOf(endpoint)} ${streamName}`,
  refuses: (_options, { mediaType }) => (mediaType === 'application/json' ? undefined : ROWS_EXPECTED),
  create: (options, context) => new Sentinel(options, context),
});

class Sentinel implements Output {
  readonly #options: SentinelOptions;
  readonly #format: Format;
  readonly #target: string;
  readonly #url: string;
  readonly #ingestion: HttpPoster;
  readonly #authority: HttpPoster;
  readonly #token: BearerToken;

  constructor(options: SentinelOptions, { format, userAgent }: OutputContext) {
    const { endpoint, dcrImmutableId, streamName } = options;
    this.#options = options;
    this.#format = format;
    this.#target = originOf(endpoint);
    this.#url = `${endpoint.replace(/\/+$/, '')}/dataCollectionRules/${dcrImmutableId}/streams/${streamName}?api-version=${API_VERSION}`;
    this.#ingestion = new HttpPoster({ ...options, target: this.#target, userAgent });
    this.#authority = new HttpPoster({ ...options, target: originOf(options.authority), userAgent });
    this.#token = new BearerToken(options.clientSecret, (signal) => this.#requestToken(signal));
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const items = events.map((event): Item => {
      const { text, shortened } = this.preview(event);
      return { event, text, shortened };
    });
    return sendInChunks(items, LIMITS, (chunk) => this.#post(chunk, signal));
  }

  preview(event: ForwarderEvent): Rendered {
    return this.#format.render(event, LONGEST_ROW);
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const answer = await this.#exchange(`[${chunk.map(({ text }) => text).join(',')}]`, signal);
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw this.#ingestion.refusal(answer, verdict);
    return { rejected: [] };
  }

  /**
   * An array without rows goes the whole way of a batch: token, role, rule. Microsoft does not say how it is answered. 401, 403 and
   * 404 speak for themselves; 204, or a complaint about the content, comes from behind them.
   */
  async probe(signal: AbortSignal): Promise<string> {
    const answer = await this.#exchange('[]', signal);
    const verdict = verdictOf(answer);
    if (!verdict.accepted && verdict.disposition !== 'split') throw this.#ingestion.refusal(answer, verdict);
    const heard = `it answered ${statusText(answer.status)} to an array without rows`;
    return `${this.#target} took the token for ${this.#options.streamName}; ${heard}, which proves no column of the table`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#ingestion.certificates();
  }

  async close(): Promise<void> {
    await Promise.all([this.#ingestion.close(), this.#authority.close()]);
  }

  async #exchange(rows: string, signal: AbortSignal): Promise<HttpAnswer> {
    const { body, headers } = await encodeBody(rows, this.#options.gzip);
    return this.#token.exchange(
      (authorization) =>
        this.#ingestion.exchange(
          {
            url: this.#url,
            headers: {
              ...authorization,
              'content-type': 'application/json',
              ...headers,
              // For Microsoft's support to find the call by.
              'x-ms-client-request-id': randomUUID(),
            },
            body,
          },
          signal,
        ),
      signal,
    );
  }

  #requestToken(signal: AbortSignal) {
    const { authority, tenantId, clientId, clientSecret, scope } = this.#options;
    const request = {
      url: `${authority.replace(/\/+$/, '')}/${tenantId}/oauth2/v2.0/token`,
      form: {
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret.read(),
        scope,
      },
      credential: clientSecret,
      hint: 'Check tenantId, clientId, scope and clientSecret: the value of the secret, not its id, and not expired.',
    };
    return requestToken(this.#authority, originOf(authority), request, signal);
  }
}

const errorAnswer = z.object({ error: z.object({ code: z.string() }) });

/**
 * Only 204 is documented as an acceptance: a 200 comes from something in between. Columns that the rule does not declare are dropped
 * without a word, so what is refused as content is a size, a time range (`RecordsTimeRangeIsMoreThan30Minutes`, tables of the
 * Auxiliary plan), or no rows at all.
 */
function verdictOf({ status, retryAfterMs, body }: HttpAnswer): Verdict {
  const verdict = classify(status, retryAfterMs);
  if (verdict.accepted && status !== 204)
    return { accepted: false, reason: 'server', disposition: 'retry', hint: NOT_204 };
  if (status === 403) return { accepted: false, reason: 'auth', disposition: 'halt', hint: NO_ROLE };
  if (status === 404) return { accepted: false, reason: 'refused', disposition: 'halt', hint: NO_STREAM };
  if (status !== 400) return verdict;
  // The codes are not listed anywhere: one that names the rule, the stream or the version is about the config, not about rows.
  const code = errorAnswer.safeParse(parsedJson(body)).data?.error.code ?? '';
  const aboutConfig = /stream|dcr|datacollection|apiversion/i.test(code);
  return aboutConfig ? { accepted: false, reason: 'refused', disposition: 'halt', hint: NO_STREAM } : verdict;
}

const NOT_204 = 'Azure Monitor accepts with 204: look for a proxy or portal that answers in its place.';
const NO_ROLE =
  'Give the application the role Monitoring Metrics Publisher on the data collection rule; it takes up to 30 minutes to take effect.';
const NO_STREAM =
  'Check endpoint, dcrImmutableId and streamName: the stream must be declared in the rule, and the endpoint in its region.';
