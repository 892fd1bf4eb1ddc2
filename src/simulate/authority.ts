import { createHash, createHmac } from 'node:crypto';
import { type Answer, escapeSlashes, failure, gatewayFailure, json } from './answer.ts';

export interface HmacKeys {
  readonly applicationId: string;
  readonly applicationKey: string;
  readonly accessKey: string;
  /** Base64 of the key that signs. */
  readonly secretKey: string;
}

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly hmac: HmacKeys;
}

/** Made up and public: they open nothing but a simulator. */
export const SIMULATOR_CREDENTIALS: Credentials = {
  clientId: 'simulator-client',
  clientSecret: 'simulator-client-secret',
  hmac: {
    applicationId: '00000000-0000-4000-8000-000000000000',
    applicationKey: '11111111-1111-4111-8111-111111111111',
    accessKey: 'simulator-access-key',
    secretKey: Buffer.from('simulator-secret-key').toString('base64'),
  },
};

/** Who is calling, and by which generation of the API. */
export interface Caller {
  readonly api: '1.0' | '2.0';
  /** The bearer token that was sent, with API 2.0. */
  readonly token?: string;
}

/** How far `x-mc-date` may be off. Mimecast's tolerance is not public; 15 minutes is what comparable APIs allow. */
const DATE_TOLERANCE_MS = 15 * 60_000;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Issues bearer tokens, and knows whether a request may come in. Answers a refusal instead of a caller when it may not. */
export class Authority {
  readonly #credentials: Credentials;
  readonly #seed: string;
  readonly #tokenLifetime: number;
  readonly #expiry = new Map<string, number>();
  readonly #requestIds = new Set<string>();
  #issued = 0;

  /** `tokenLifetime` in ms. */
  constructor(credentials: Credentials, seed: string, tokenLifetime: number) {
    this.#credentials = credentials;
    this.#seed = seed;
    this.#tokenLifetime = tokenLifetime;
  }

  get issued(): number {
    return this.#issued;
  }

  /** Answers a call of `/oauth/token`. */
  issueToken(contentType: string | undefined, body: string, now: number): Answer {
    if (!/^application\/x-www-form-urlencoded(\s*;\s*charset="?utf-8"?)?$/i.test(contentType ?? '')) {
      return gatewayFailure(400, 'invalid_request', 'Content-Type must be application/x-www-form-urlencoded');
    }
    const form = new URLSearchParams(body);
    const names = [...form.keys()].sort().join();
    if (names !== 'client_id,client_secret,grant_type') {
      return gatewayFailure(400, 'invalid_request', 'expected client_id, client_secret and grant_type, once each');
    }
    if (form.get('grant_type') !== 'client_credentials') {
      return gatewayFailure(400, 'unsupported_grant_type', 'grant_type must be client_credentials');
    }
    const { clientId, clientSecret } = this.#credentials;
    if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret) {
      return gatewayFailure(401, 'InvalidClientIdentifier', 'Client credentials are invalid');
    }
    this.#issued += 1;
    const token = createHash('sha256').update(`token:${this.#seed}:${this.#issued}`).digest('base64url');
    this.#expiry.set(token, now + this.#tokenLifetime);
    const expiresIn = Math.floor(this.#tokenLifetime / 1000);
    return json(200, { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: '' });
  }

  expire(token: string): void {
    this.#expiry.set(token, Number.NEGATIVE_INFINITY);
  }

  /** `path` as it was signed: without host and query. */
  identify(headers: Headers, path: string, now: number): Caller | Answer {
    const authorization = single(headers.authorization) ?? '';
    if (authorization.startsWith('MC ')) {
      const problem = this.#signatureProblem(authorization, headers, path, now);
      return problem ? escapeSlashes(failure(401, [{ ...problem, retryable: false }])) : { api: '1.0' };
    }
    const token = /^Bearer ([\w~+/.-]+=*)$/.exec(authorization)?.[1];
    if (token === undefined) return gatewayFailure(401, 'unauthorized');
    const expiry = this.#expiry.get(token);
    if (expiry === undefined) return gatewayFailure(401, 'token_verification_failed', 'Token could not be verified');
    if (now >= expiry) return gatewayFailure(401, 'token_expired', 'Access token has expired');
    return { api: '2.0', token };
  }

  #signatureProblem(authorization: string, headers: Headers, path: string, now: number): RefusalReason | undefined {
    const keys = this.#credentials.hmac;
    const date = single(headers['x-mc-date']) ?? '';
    const requestId = single(headers['x-mc-req-id']) ?? '';
    if (single(headers['x-mc-app-id']) !== keys.applicationId) {
      return { code: 'err_developer_key', message: '0018 Invalid application id' };
    }
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(requestId))
      return invalidSignature('x-mc-req-id is not a GUID');
    const sentAt = parseMcDate(date);
    if (sentAt === undefined) return invalidSignature('x-mc-date is not a date');
    if (Math.abs(sentAt - now) > DATE_TOLERANCE_MS) return invalidSignature('x-mc-date is too far from the time');
    const [accessKey, signature] = authorization.slice('MC '.length).split(':');
    const toSign = [date, requestId, path, keys.applicationKey].join(':');
    const expected = createHmac('sha1', Buffer.from(keys.secretKey, 'base64')).update(toSign).digest('base64');
    if (accessKey !== keys.accessKey || signature !== expected) return invalidSignature('Invalid Signature');
    return this.#isReplay(requestId) ? invalidSignature('x-mc-req-id was used before') : undefined;
  }

  /** Mimecast wants a new id for every attempt; the last ten thousand are remembered. */
  #isReplay(requestId: string): boolean {
    if (this.#requestIds.has(requestId)) return true;
    this.#requestIds.add(requestId);
    const [oldest] = this.#requestIds;
    if (this.#requestIds.size > 10_000 && oldest !== undefined) this.#requestIds.delete(oldest);
    return false;
  }
}

interface RefusalReason {
  readonly code: string;
  readonly message: string;
}

/** Mimecast's code for a wrong signature; which codes it has for the other reasons is not public, so all share it. */
function invalidSignature(message: string): RefusalReason {
  return { code: 'err_xdk_invalid_signature', message: `0004 ${message}` };
}

/** ms of `Tue, 24 Nov 2015 12:50:11 UTC`, or `GMT` as older documentation has it; English names, and the right weekday. */
function parseMcDate(text: string): number | undefined {
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (UTC|GMT)$/.test(text)) return undefined;
  const asGmt = text.replace(/UTC$/, 'GMT');
  const ms = Date.parse(asGmt);
  return !Number.isNaN(ms) && new Date(ms).toUTCString() === asGmt ? ms : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
