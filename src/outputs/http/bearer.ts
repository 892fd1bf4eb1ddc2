import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import type { Secret } from '../../secret.ts';
import { OutputError } from '../output.ts';
import { SentCredentials } from './credentials.ts';
import { httpUrl } from './options.ts';
import { type HttpAnswer, type HttpPoster, untilAborted } from './poster.ts';
import { classify, statusText } from './status.ts';

/** An OAuth 2.0 access token, as its issuer gave it. */
export interface AccessToken {
  readonly value: string;
  /** How long it lives from when it was asked for, ms. */
  readonly lifeMs: number;
}

/** A token is renewed this long before it ends, so that none ends on its way; a tenth of its life if that is less. */
const RENEWAL_MARGIN_MS = 60_000;

interface Held {
  readonly value: string;
  /** What it was asked for with. */
  readonly credentials: SentCredentials;
  /** Monotonic ms. */
  readonly renewAt: number;
}

interface Renewal {
  readonly token: Promise<Held>;
  readonly stop: AbortController;
  waiting: number;
}

/** The bearer token (RFC 6750) of one output: fetched when first needed, kept until shortly before it ends. */
export class BearerToken {
  readonly #credential: Secret;
  readonly #request: (signal: AbortSignal) => Promise<AccessToken>;
  readonly #now: () => number;
  #held: Held | undefined;
  #renewal: Renewal | undefined;

  /**
   * `request` asks the issuer with the credential; see `requestToken`. It rejects with an `OutputError`. A token does not outlive its
   * credential: once that is replaced, a new one is asked for.
   */
  constructor(
    credential: Secret,
    request: (signal: AbortSignal) => Promise<AccessToken>,
    now: () => number = () => performance.now(),
  ) {
    this.#credential = credential;
    this.#request = request;
    this.#now = now;
  }

  /**
   * Sends a request with the token, and once more with a new one when the receiver answers 401: keys are rolled and tokens revoked
   * before their time, and that is no fault of the credentials. A second 401 is the caller's to judge, and so is a 403: the answer
   * names the credential behind the token, for `HttpPoster.refusal` to look at.
   */
  async exchange(
    send: (headers: { readonly authorization: string }) => Promise<HttpAnswer>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const token = await this.#current(signal);
    const { credentials } = token;
    const answer = await send({ authorization: `Bearer ${token.value}` });
    if (answer.status !== 401) return { ...answer, credentials };
    // A send beside this one may have been refused first, and hold a new token by now.
    if (this.#held === token) this.#held = undefined;
    const renewed = await this.#current(signal);
    return { ...(await send({ authorization: `Bearer ${renewed.value}` })), credentials: renewed.credentials };
  }

  async #current(signal: AbortSignal): Promise<Held> {
    signal.throwIfAborted();
    const held = this.#held;
    if (held?.credentials.areCurrent && this.#now() < held.renewAt) return held;
    return this.#renew(signal);
  }

  /** All who need a token wait for the one request. It is given up when all of them have given up waiting. */
  async #renew(signal: AbortSignal): Promise<Held> {
    this.#renewal ??= this.#startRenewal();
    const renewal = this.#renewal;
    renewal.waiting += 1;
    try {
      return await untilAborted(renewal.token, signal);
    } finally {
      renewal.waiting -= 1;
      if (renewal.waiting === 0) {
        renewal.stop.abort();
        if (this.#renewal === renewal) this.#renewal = undefined;
      }
    }
  }

  #startRenewal(): Renewal {
    const stop = new AbortController();
    return { token: this.#fetch(stop.signal), stop, waiting: 0 };
  }

  async #fetch(signal: AbortSignal): Promise<Held> {
    const askedAt = this.#now();
    const credentials = new SentCredentials([this.#credential]);
    const { value, lifeMs } = await this.#request(signal);
    this.#held = { value, credentials, renewAt: askedAt + lifeMs - Math.min(RENEWAL_MARGIN_MS, lifeMs / 10) };
    return this.#held;
  }
}

export interface TokenRequest {
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
  /** What the form was made with. Its file is read again when the issuer refuses it. */
  readonly credential: Secret;
  /** What to look at when the issuer refuses. */
  readonly hint: string;
}

/** For a token that does not say how long it lives: RFC 6749 §5.1 recommends to say, and asks for nothing. */
const UNSTATED_LIFE_S = 300;

const tokenAnswer = z.object({
  // Visible ASCII: anything else cannot stand in a header (RFC 6750 §2.1).
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  expires_in: z.coerce.number().positive().nullish(),
});

/** Asks a token endpoint (RFC 6749 §3.2). Rejects with an `OutputError`; what an issuer refuses is never a fault of the events. */
export async function requestToken(
  poster: HttpPoster,
  target: string,
  { url, form, credential, hint }: TokenRequest,
  signal: AbortSignal,
): Promise<AccessToken> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const body = Buffer.from(new URLSearchParams(form).toString());
  const answer = await poster.exchange({ url, headers, body, signedWith: credential }, signal);
  const verdict = classify(answer.status, answer.retryAfterMs);
  if (verdict.accepted) return tokenOf(answer, target);

  const { name, text } = oauthError(answer.body);
  const message = `${target} answered ${statusText(answer.status)}${text} when asked for a token`;
  if (name === 'temporarily_unavailable') {
    throw new OutputError(message, { reason: 'server', disposition: 'retry' });
  }
  // RFC 6749 §5.2 has a wrong client, secret, scope or assertion answered with 400 or 401.
  if ([400, 401, 403].includes(answer.status)) {
    throw answer.credentials.judge(new OutputError(message, { reason: 'auth', disposition: 'halt', hint }));
  }
  const disposition = verdict.disposition === 'split' ? 'halt' : verdict.disposition;
  throw new OutputError(message, { ...verdict, disposition });
}

function tokenOf(answer: HttpAnswer, target: string): AccessToken {
  const token = tokenAnswer.safeParse(parsedJson(answer.body));
  if (token.success) {
    return { value: token.data.access_token, lifeMs: 1000 * (token.data.expires_in ?? UNSTATED_LIFE_S) };
  }
  throw new OutputError(`${target} answered without a usable token`, {
    reason: 'server',
    disposition: 'retry',
    hint: 'Check that this is the address of the token issuer, and no proxy or portal that answers in its place.',
  });
}

/** The closed set of RFC 6749 §5.2, and what Entra adds to it. Any other text may repeat what we sent. */
const OAUTH_ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_resource',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
  'temporarily_unavailable',
]);

const errorAnswer = z.object({
  error: z.string().optional(),
  // Entra's numbers, to be looked up as AADSTS7000215.
  error_codes: z.array(z.int().positive().max(99_999_999)).optional().catch(undefined),
});

function oauthError(body: string): { readonly name: string | undefined; readonly text: string } {
  const { data } = errorAnswer.safeParse(parsedJson(body));
  const name = data?.error !== undefined && OAUTH_ERRORS.has(data.error) ? data.error : undefined;
  const [number] = data?.error_codes ?? [];
  const parts = [name, number === undefined ? undefined : `AADSTS${number}`].filter((part) => part !== undefined);
  return { name, text: parts.length > 0 ? ` (${parts.join(', ')})` : '' };
}

/** The value of a JSON text; undefined when it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A URL that a bearer token may be sent to: RFC 6750 §5.3 demands TLS. What is sent to a loopback host never leaves this machine. */
export function bearerUrl(description: string) {
  return httpUrl(description)
    .refine(mayCarryTokens, 'expected https; http is accepted for a loopback host only')
    .meta({ description });
}

export function mayCarryTokens(text: string): boolean {
  const url = URL.parse(text);
  // What is no URL at all has been told already.
  if (url === null || url.protocol !== 'http:') return true;
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
}
