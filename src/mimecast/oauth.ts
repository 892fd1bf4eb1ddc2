import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import type { Authorization, Grant } from './authorization.ts';
import { MimecastError } from './errors.ts';
import type { MimecastAuth } from './options.ts';

export type OAuthOptions = Extract<MimecastAuth, { type: 'oauth2' }>;

export const TOKEN_PATH = '/oauth/token';

/** A token is renewed this long before it ends, so that none ends on its way to Mimecast; a tenth of its life if that is less. */
const RENEWAL_MARGIN_MS = 60_000;
/** For a token that does not say how long it lives. Mimecast's say 1799 s. */
const UNSTATED_LIFE_S = 300;

const tokenAnswer = z.object({
  // Visible ASCII: anything else cannot stand in a header (RFC 6750 §2.1).
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  expires_in: z.coerce.number().positive().nullish(),
});

/**
 * Posts the form to the token endpoint and returns the parsed JSON of an answer that is not a failure.
 * Rejects with a `MimecastError`, of reason auth when the credentials were refused.
 */
export type AskForToken = (form: string, signal: AbortSignal) => Promise<unknown>;

interface Token {
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
  /** Monotonic ms. */
  readonly renewAt: number;
}

/** API 2.0: OAuth 2.0 client credentials (RFC 6749 §4.4). One token serves all feeds; there is no refresh token. */
export class OAuthAuthorization implements Authorization {
  readonly #options: OAuthOptions;
  readonly #ask: AskForToken;
  readonly #now: () => number;
  #token: Token | undefined;
  #renewal: Renewal | undefined;

  constructor(options: OAuthOptions, ask: AskForToken, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#ask = ask;
    this.#now = now;
  }

  async grant(_path: string, _requestId: string, signal: AbortSignal): Promise<Grant> {
    signal.throwIfAborted();
    if (this.#token !== undefined && this.#now() < this.#token.renewAt) return this.#token;
    return this.#renew(signal);
  }

  /** Drops the token, unless another feed was refused with it before and it has been replaced since. */
  refused(grant: Grant): boolean {
    if (this.#token === grant) this.#token = undefined;
    return true;
  }

  secrets(): readonly string[] {
    const secret = this.#options.clientSecret.read();
    const asFormData = new URLSearchParams([['', secret]]).toString().slice('='.length);
    return [secret, asFormData, ...(this.#token === undefined ? [] : [this.#token.value])];
  }

  /** All who need a token wait for one renewal. It is abandoned only when all of them have given up waiting. */
  async #renew(signal: AbortSignal): Promise<Token> {
    const renewal = this.#renewal ?? this.#startRenewal();
    renewal.waiting += 1;
    try {
      return await abortable(renewal.token, signal);
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
    const renewal = { token: this.#fetchToken(stop.signal), stop, waiting: 0 };
    this.#renewal = renewal;
    return renewal;
  }

  /** A secret that was rotated in its file is picked up here: refused once, it is read again, and tried if it has changed. */
  async #fetchToken(signal: AbortSignal): Promise<Token> {
    try {
      return await this.#requestToken(signal);
    } catch (error) {
      const refused = error instanceof MimecastError && error.reason === 'auth';
      if (!refused || !this.#options.clientSecret.refresh()) throw error;
      return this.#requestToken(signal);
    }
  }

  async #requestToken(signal: AbortSignal): Promise<Token> {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: this.#options.clientId,
      client_secret: this.#options.clientSecret.read(),
    });
    const askedAt = this.#now();
    const answer = tokenAnswer.safeParse(await this.#ask(form.toString(), signal));
    if (!answer.success) throw noToken();
    const { access_token: value, expires_in } = answer.data;
    const life = 1000 * (expires_in ?? UNSTATED_LIFE_S);
    const renewAt = askedAt + life - Math.min(RENEWAL_MARGIN_MS, life / 10);
    const token = { value, headers: { authorization: `Bearer ${value}` }, renewAt };
    this.#token = token;
    return token;
  }
}

interface Renewal {
  readonly token: Promise<Token>;
  readonly stop: AbortController;
  waiting: number;
}

function noToken(): MimecastError {
  return new MimecastError(`POST ${TOKEN_PATH} was answered without a usable token`, {
    code: 'MIMECAST_NO_TOKEN',
    reason: 'malformed',
    retryable: true,
    hint: 'Check that mimecast.baseUrl is an API 2.0 host such as https://api.services.mimecast.com.',
  });
}

/** The promise's outcome, or the signal's reason if that comes first. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
