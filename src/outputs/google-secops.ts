import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format } from '../formats/format.ts';
import { secret, size } from '../options.ts';
import { classifyRpc } from './google/rpc-status.ts';
import { KEY_EXPECTED, parseServiceAccount, serviceAccount, signedAssertion } from './google/service-account.ts';
import { BearerToken, bearerUrl, parsedJson, requestToken } from './http/bearer.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { notTheReceiver } from './http/impostors.ts';
import { httpOptions, originOf } from './http/options.ts';
import { type HttpAnswer, HttpPoster } from './http/poster.ts';
import { statusText, type Verdict } from './http/status.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

const requestSize =
  'Most bytes of one request. Google documents no limit for this method; its older one took 1 MB, and 4 MiB is where Google APIs often end.';
const keyText =
  'The JSON key of a service account that may import logs; `serviceAccountFile` is the path of it. Read again when Google refuses it.';

const options = z.strictObject({
  serviceAccount: secret(keyText)
    .refine((key) => parseServiceAccount(key.read()) !== undefined, KEY_EXPECTED)
    // Said again because `refine` makes a new schema, and descriptions do not travel.
    .meta({ description: keyText, secret: true }),
  project: name('Google Cloud project that the instance is bound to: its id or number.', /^[a-z0-9][a-z0-9:.-]*$/),
  region: name('Location of the instance: `us`, `eu`, `europe-west2` …', /^[a-z][a-z0-9-]*$/),
  instance: name('Customer id of the instance, a UUID: SIEM Settings, Profile.', /^[0-9A-Za-z-]+$/),
  logType: name('Log type, which chooses the parser.', /^[A-Z0-9_]+$/).default('MIMECAST_MAIL'),
  forwarder: name('Id of the forwarder that the logs are booked under.', /^[0-9A-Za-z-]+$/).optional(),
  apiVersion: z
    .enum(['v1alpha', 'v1beta', 'v1'])
    .default('v1beta')
    .meta({ description: 'Version of the Chronicle API.' }),
  endpoint: bearerUrl('Where the API is, in the place of `https://chronicle.REGION.rep.googleapis.com`.').optional(),
  maxRequestBytes: size(requestSize, 16_384)
    .refine((bytes) => bytes <= 4 * 1024 ** 2, 'expected at most 4MiB')
    .meta({ description: requestSize, unit: 'bytes' })
    .prefault(1_000_000),
  ...httpOptions,
});
type GoogleSecopsOptions = z.infer<typeof options>;

function name(description: string, pattern: RegExp) {
  return z.string().regex(pattern, `expected a name that matches ${pattern.source}`).meta({ description });
}

/** Google Security Operations (Chronicle), by `logs.import` of the Chronicle API. */
export const googleSecops = defineOutput({
  type: 'google-secops',
  summary: 'Google Security Operations (Chronicle): raw logs, by logs.import of the Chronicle API.',
  options,
  defaultFormat: 'raw',
  accepted: () => 'answered with 2xx and a JSON object: Google has taken the logs, and parses them later',
  // What Google does with a log after its 2xx is seen in its own console only.
  lossless: () => false,
  target: (options) => `${originOf(endpointOf(options))} ${options.logType}`,
  carriesId: () => true,
  create: (options, context) => new GoogleSecops(options, context),
});

class GoogleSecops implements Output {
  readonly #options: GoogleSecopsOptions;
  readonly #format: Format;
  readonly #userAgent: string;
  readonly #target: string;
  readonly #url: string;
  readonly #head: string;
  readonly #api: HttpPoster;
  readonly #token: BearerToken;
  /** The key says where tokens are had, and a new key may say otherwise. */
  #issuer: { readonly origin: string; readonly poster: HttpPoster } | undefined;

  constructor(options: GoogleSecopsOptions, { format, userAgent }: OutputContext) {
    const { project, region, instance, logType, forwarder, apiVersion } = options;
    const parent = `projects/${project}/locations/${region}/instances/${instance}`;
    const endpoint = endpointOf(options);
    this.#options = options;
    this.#format = format;
    this.#userAgent = userAgent;
    this.#target = originOf(endpoint);
    this.#url = `${endpoint.replace(/\/+$/, '')}/${apiVersion}/${parent}/logTypes/${logType}/logs:import`;
    const named = forwarder === undefined ? '' : `"forwarder":${JSON.stringify(`${parent}/forwarders/${forwarder}`)},`;
    this.#head = `{"inlineSource":{${named}"logs":[`;
    this.#api = new HttpPoster({ ...options, target: this.#target, userAgent });
    this.#token = new BearerToken(options.serviceAccount, (signal) => this.#requestToken(signal));
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const { maxRequestBytes } = this.#options;
    const limits = { maxItems: 10_000, maxBytes: maxRequestBytes, frameBytes: this.#head.length + TAIL.length };
    const room = maxRequestBytes - limits.frameBytes - 1;
    const now = Date.now();
    const items = events.map((event) => this.#item(event, room, now));
    return sendInChunks(items, limits, (chunk) => this.#post(chunk, signal));
  }

  #item(event: ForwarderEvent, room: number, now: number): Item {
    const around = logEntry(event, '', now);
    // Base64 writes four bytes for three.
    const { text, shortened } = this.#format.render(event, Math.floor((room - around.length) / 4) * 3);
    return { event, text: logEntry(event, Buffer.from(text).toString('base64'), now), shortened };
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const answer = await this.#exchange(chunk.map(({ text }) => text).join(','), signal);
    const verdict = verdictOf(answer);
    if (!verdict.accepted) throw this.#api.refusal(answer, verdict);
    return { rejected: [] };
  }

  /**
   * An import without logs goes the whole way of a batch, and needs no permission but that of a batch. Google does not say how it is
   * answered. 401, 403 and 404 speak for themselves; 2xx, or a complaint about the content, comes from behind them.
   */
  async probe(signal: AbortSignal): Promise<string> {
    const answer = await this.#exchange('', signal);
    const verdict = verdictOf(answer);
    if (!verdict.accepted && verdict.disposition !== 'split') throw this.#api.refusal(answer, verdict);
    const heard = `it answered ${statusText(answer.status)} to an import without logs`;
    return `${this.#target} took the token for ${this.#options.logType}; ${heard}`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#api.certificates();
  }

  async close(): Promise<void> {
    await Promise.all([this.#api.close(), this.#issuer?.poster.close()]);
  }

  #exchange(logs: string, signal: AbortSignal): Promise<HttpAnswer> {
    const body = Buffer.from(this.#head + logs + TAIL);
    return this.#token.exchange(
      (authorization) =>
        this.#api.exchange(
          { url: this.#url, headers: { ...authorization, 'content-type': 'application/json' }, body },
          signal,
        ),
      signal,
    );
  }

  #requestToken(signal: AbortSignal) {
    const { serviceAccount: key } = this.#options;
    const account = serviceAccount(key);
    const request = {
      url: account.tokenUrl,
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: signedAssertion(account, SCOPE, Date.now()),
      },
      credential: key,
      hint: "Check that the service account and its key still exist, and this machine's clock: Google refuses assertions from another hour.",
    };
    const { origin, poster } = this.#issuerAt(account.tokenUrl);
    return requestToken(poster, origin, request, signal);
  }

  #issuerAt(tokenUrl: string): { readonly origin: string; readonly poster: HttpPoster } {
    const origin = originOf(tokenUrl);
    if (this.#issuer?.origin !== origin) {
      void this.#issuer?.poster.close();
      const poster = new HttpPoster({ ...this.#options, target: origin, userAgent: this.#userAgent });
      this.#issuer = { origin, poster };
    }
    return this.#issuer;
  }
}

const TAIL = ']}}';

function endpointOf({ endpoint, region }: Pick<GoogleSecopsOptions, 'endpoint' | 'region'>): string {
  return endpoint ?? `https://chronicle.${region}.rep.googleapis.com`;
}

/**
 * One `Log`: `{"data":"<base64>","logEntryTime":…,"collectionTime":…,"labels":{"eventId":{"value":"<32 hex>"}}}`, in ASCII.
 *
 * The time of collection has to be after the time of the entry, and this machine's clock may be behind Mimecast's. Google knows no
 * key that would make a repeated log one: the label is what a search can tell it by.
 */
function logEntry({ id, time }: ForwarderEvent, data: string, now: number): string {
  const entryTime = new Date(time).toISOString();
  const collectionTime = new Date(Math.max(now, time + 1)).toISOString();
  return `{"data":"${data}","logEntryTime":"${entryTime}","collectionTime":"${collectionTime}","labels":{"eventId":{"value":"${id}"}}}`;
}

/** Google's APIs answer with a JSON object, if with an empty one. A 200 without one is some proxy's. */
function verdictOf(answer: HttpAnswer): Verdict {
  const verdict = classifyRpc(answer, HINTS);
  if (!verdict.accepted) return verdict;
  const said = parsedJson(answer.body);
  const isObject = typeof said === 'object' && said !== null && !Array.isArray(said);
  return isObject ? verdict : notTheReceiver('Google answers with a JSON object');
}

const HINTS: ReadonlyMap<string, string> = new Map([
  [
    'PERMISSION_DENIED',
    'Give the service account a role with the permission chronicle.logs.import in the project, and check that the Chronicle API is enabled there.',
  ],
  ['NOT_FOUND', 'Check project, region, instance, logType and forwarder: one of them does not exist there.'],
  ['INVALID_ARGUMENT', 'Check logType and forwarder first: with one of them wrong, every event is refused.'],
  ['FAILED_PRECONDITION', 'Look at the state of the instance and its bond to the project in Google SecOps.'],
  ['RESOURCE_EXHAUSTED', 'Google limits how much is taken in: look at the burst limits of the instance.'],
]);
