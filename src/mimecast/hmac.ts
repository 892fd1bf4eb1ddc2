import { createHmac } from 'node:crypto';
import type { Authorization, Grant } from './authorization.ts';
import type { MimecastAuth } from './options.ts';
import type { ServerClock } from './server-clock.ts';

export type HmacOptions = Extract<MimecastAuth, { type: 'hmac' }>;

/** What Mimecast lets a date be wrong by is not published; past this a refusal may well be the clock's fault. */
const NOTICEABLE_SKEW_MS = 60_000;

/** API 1.0: each request is signed with date and id of its own, a repeated one as well. */
export class HmacAuthorization implements Authorization {
  readonly #options: HmacOptions;
  readonly #clock: ServerClock;

  constructor(options: HmacOptions, clock: ServerClock) {
    this.#options = options;
    this.#clock = clock;
  }

  async grant(path: string, requestId: string): Promise<Grant> {
    const { applicationId, applicationKey, accessKey, secretKey } = this.#options;
    const date = signatureDate(this.#clock.now());
    const text = `${date}:${requestId}:${path}:${applicationKey.read()}`;
    const headers = {
      authorization: `MC ${accessKey.read()}:${signature(text, secretKey.read())}`,
      'x-mc-app-id': applicationId,
      'x-mc-date': date,
      'x-mc-req-id': requestId,
    };
    return { headers };
  }

  /** A key file may have been renewed, or the answer's `Date` may just have told that our own clock is wrong. */
  refused(grant: Grant): boolean {
    const { applicationKey, accessKey, secretKey } = this.#options;
    const renewed = [applicationKey, accessKey, secretKey].map((key) => key.refresh()).includes(true);
    const signedAt = Date.parse(grant.headers['x-mc-date'] ?? '');
    return renewed || Math.abs(this.#clock.now() - signedAt) > NOTICEABLE_SKEW_MS;
  }

  secrets(): readonly string[] {
    const { applicationKey, accessKey, secretKey } = this.#options;
    return [applicationKey.read(), accessKey.read(), secretKey.read()];
  }
}

/**
 * `Tue, 24 Nov 2015 12:50:11 UTC`, the form in Mimecast's documentation. `toUTCString` has English names whatever the
 * locale (ECMA-262, Date.prototype.toUTCString) and ends in GMT.
 */
export function signatureDate(time: number): string {
  return new Date(time).toUTCString().replace(/GMT$/, 'UTC');
}

/** base64 of HMAC-SHA1 over the text; the key is the secret key decoded from base64. */
export function signature(text: string, secretKey: string): string {
  return createHmac('sha1', Buffer.from(secretKey, 'base64')).update(text).digest('base64');
}
