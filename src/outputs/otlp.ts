import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format } from '../formats/format.ts';
import { size } from '../options.ts';
import { encodeBody, gzipOption } from './http/body.ts';
import { type Item, type RequestLimits, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { endpointOf } from './http/endpoint.ts';
import { headersOption, lowerCased } from './http/headers.ts';
import { wantsTls } from './http/impostors.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster } from './http/poster.ts';
import { statusText } from './http/status.ts';
import { rejectedLogRecords, statusCode } from './otlp/answer.ts';
import { type Encoding, encodings } from './otlp/encoding.ts';
import { logRecordOf, type Origin } from './otlp/record.ts';
import { verdictOf } from './otlp/verdict.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

const options = z.strictObject({
  url: httpUrl(
    'Address of the receiver, such as `http://collector:4318`. `/v1/logs` is added unless it ends so already.',
  ),
  encoding: z
    .enum(['protobuf', 'json'])
    .default('protobuf')
    .meta({ description: 'How requests are written. Every receiver reads `protobuf`; `json` can be read by people.' }),
  headers: headersOption(['content-type']),
  gzip: gzipOption,
  serviceName: z
    .string()
    .min(1)
    .default('mimecast-forwarder')
    .meta({ description: 'The resource attribute `service.name`, by which most receivers group logs.' }),
  resourceAttributes: z
    .record(
      z
        .string()
        .min(1)
        .refine((name) => name !== 'service.name', 'expected the option serviceName for this one'),
      z.string(),
    )
    .default({})
    .meta({ description: 'Further resource attributes, such as `deployment.environment.name: production`.' }),
  maxMessageBytes: size('Longest text of one event; a longer one is shortened.', 400).prefault('256KiB'),
  ...httpOptions,
});
type OtlpOptions = z.infer<typeof options>;

/**
 * Well under the 20 MiB that the OpenTelemetry Collector takes by default and the 64 MiB that the specification recommends. The
 * batches of the default config are far smaller.
 */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
/** OTLP specification, "OTLP/HTTP Response": a longer answer is an error. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** OpenTelemetry Collectors, and whatever else takes logs by OTLP over HTTP. */
export const otlp = defineOutput({
  type: 'otlp',
  summary: 'Sends log records by OTLP/HTTP, to an OpenTelemetry Collector or any receiver of that protocol.',
  options,
  defaultFormat: 'json',
  accepted: () => 'answered with 200, and without rejected log records in the answer',
  lossless: () => true,
  target: ({ url }) => originOf(url),
  carriesId: () => true,
  create: (options, context) => new Otlp(options, context),
});

class Otlp implements Output {
  readonly #options: OtlpOptions;
  readonly #format: Format;
  readonly #poster: HttpPoster;
  readonly #target: string;
  readonly #url: string;
  readonly #encoding: Encoding;
  readonly #origin: Origin;
  readonly #limits: RequestLimits;

  constructor(options: OtlpOptions, { format, userAgent }: OutputContext) {
    this.#options = options;
    this.#format = format;
    this.#target = originOf(options.url);
    this.#url = endpointOf(options.url, '/v1/logs');
    this.#poster = new HttpPoster({ ...options, target: this.#target, userAgent });
    this.#encoding = encodings[options.encoding];
    this.#origin = originOfLogs(options, userAgent);
    this.#limits = {
      maxItems: Number.POSITIVE_INFINITY,
      maxBytes: MAX_REQUEST_BYTES,
      frameBytes: this.#encoding.request(this.#origin, []).length,
      itemBytes: this.#encoding.recordOverhead,
    };
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const now = Date.now();
    const items = events.map((event) => this.#item(event, now));
    return await sendInChunks(items, this.#limits, (chunk) => this.#export(chunk, signal));
  }

  /** A request without telemetry is to be answered with success (OTLP specification, "Full Success"), and proves the credentials. */
  async probe(signal: AbortSignal): Promise<string> {
    const answer = await this.#post(this.#encoding.empty, signal);
    if (answer.status === 400 && !wantsTls(answer)) {
      return `${this.#target} is there and refuses an empty request with 400; only an event proves the rest`;
    }
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
    this.#rejected(answer);
    return `${this.#target} accepted an empty request`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }

  #item(event: ForwarderEvent, now: number): Item<Buffer> {
    const { text, shortened } = this.#format.render(event, this.#options.maxMessageBytes);
    return { event, text: this.#encoding.record(logRecordOf(event, text, now)), shortened };
  }

  async #export(chunk: readonly Item<Buffer>[], signal: AbortSignal): Promise<RequestOutcome> {
    const records = chunk.map(({ text }) => text);
    const answer = await this.#post(this.#encoding.request(this.#origin, records), signal);
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw withStatusCode(this.#poster.refusal(answer, verdict), answer);
    return { rejected: rejections(chunk, this.#rejected(answer)) };
  }

  async #post(message: Buffer, signal: AbortSignal): Promise<HttpAnswer> {
    const { body, headers } = await encodeBody(message, this.#options.gzip);
    return await this.#poster.exchange(
      {
        url: this.#url,
        headers: { ...lowerCased(this.#options.headers), ...headers, 'content-type': this.#encoding.contentType },
        body,
        keepBytes: MAX_ANSWER_BYTES,
      },
      signal,
    );
  }

  /**
   * How many records the receiver refused while it took the rest. A status of success alone does not say that there were none, so
   * an answer that cannot be read counts for nothing: it comes from something else, such as a sign-in page, more often than not.
   */
  #rejected({ bytes, complete, status }: HttpAnswer): bigint {
    if (!complete && bytes.length < MAX_ANSWER_BYTES) {
      throw new OutputError(`${this.#target} broke off its answer ${statusText(status)}`, {
        reason: 'unconfirmed',
        disposition: 'retry',
      });
    }
    const rejected = complete ? rejectedLogRecords(bytes) : undefined;
    if (rejected === undefined) {
      const problem = complete ? 'with something that is no OTLP' : 'with more than 4 MiB';
      throw new OutputError(`${this.#target} answered ${statusText(status)} ${problem}`, {
        reason: 'server',
        disposition: 'halt',
        hint: 'Something else than an OTLP receiver answers there: check host, port and path of the url.',
      });
    }
    return rejected;
  }
}

function originOfLogs({ serviceName, resourceAttributes }: OtlpOptions, userAgent: string): Origin {
  const [name = '', version = ''] = userAgent.split('/');
  return { resource: { 'service.name': serviceName, ...resourceAttributes }, scope: { name, version } };
}

/**
 * What a partial success makes of the events of its request.
 *
 * The answer tells how many records were refused, not which, and the request must not be repeated (OTLP specification, "Partial
 * Success"): that, or looking for the bad ones by halving, would double all that were taken. To count the request as delivered
 * would lose the refused ones. So every event of it is kept as a reject, for somebody to look into, and is not sent again by itself.
 */
function rejections(chunk: readonly Item<Buffer>[], rejected: bigint): Sent['rejected'] {
  if (rejected <= 0n) return [];
  const reason =
    rejected >= chunk.length
      ? 'the receiver refused it (partialSuccess)'
      : `the receiver took a request in part: it refused ${rejected} of its ${chunk.length} log records and does not say which; look there for log.record.uid before sending it again`;
  return chunk.map(({ event }) => ({ event, reason }));
}

/** Tells the number that the receiver gave besides its status; its words stay unread. */
function withStatusCode(refusal: OutputError, answer: HttpAnswer): OutputError {
  const code = statusCode(answer.bytes);
  if (code === undefined) return refusal;
  const { reason, disposition, retryAfterMs, hint } = refusal;
  return new OutputError(`${refusal.message} (gRPC status ${code})`, { reason, disposition, retryAfterMs, hint });
}
