import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { type Answer, HttpReceiver, type Reaction, type ReceivedRequest } from './http-receiver.ts';

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const privateKeys = new Map<string, string>();

/** A key of a service account, as Google Cloud writes the file. For each id there is one key, made anew for each test run. */
export function serviceAccountKey(tokenUrl: string, keyId = '0123456789abcdef'): Readonly<Record<string, string>> {
  const private_key = privateKeys.get(keyId) ?? newPrivateKey();
  privateKeys.set(keyId, private_key);
  return {
    type: 'service_account',
    project_id: 'soc-project',
    private_key_id: keyId,
    private_key,
    client_email: 'forwarder@soc-project.iam.gserviceaccount.com',
    client_id: '1234567890',
    token_uri: tokenUrl,
  };
}

function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export interface ImportedLog {
  readonly data: string;
  readonly logEntryTime: string;
  readonly collectionTime: string;
  readonly labels: Readonly<Record<string, { readonly value: string }>>;
}

/**
 * Google's token endpoint and `logs.import` of the Chronicle API on one port, written from Google's documentation: "Using OAuth 2.0
 * for Server to Server Applications", the reference of the method, of `LogsInlineSource` and of `Log`, AIP-193 for errors.
 * What it leaves open: how an import without logs is answered (here INVALID_ARGUMENT, for `logs[]` is "Required"), and the size of a
 * request (here 4 MiB).
 */
export class GoogleSecops {
  readonly imports: (readonly ImportedLog[])[] = [];
  readonly requests: ReceivedRequest[] = [];
  tokenRequests = 0;
  interfere: (what: 'token' | 'import', request: ReceivedRequest) => Reaction | undefined = () => undefined;
  mayImport = true;
  tokenLife = 3599;
  readonly http: HttpReceiver;
  readonly parent = 'projects/soc-project/locations/us/instances/c0ffee00-0000-4000-8000-000000000001';
  readonly #keys = new Map<string, { readonly key: KeyObject; readonly email: string }>();
  readonly #tokens = new Set<string>();

  private constructor(http: HttpReceiver) {
    this.http = http;
    http.react = (request) => this.#react(request);
  }

  static async start(options: { readonly port?: number } = {}): Promise<GoogleSecops> {
    return new GoogleSecops(await HttpReceiver.start(options));
  }

  get tokenUrl(): string {
    return `${this.http.origin}/token`;
  }

  /** From now on these keys are known, and no others. */
  trust(...keys: readonly Readonly<Record<string, string>>[]): void {
    this.#keys.clear();
    for (const { private_key = '', private_key_id = '', client_email = '' } of keys) {
      this.#keys.set(private_key_id, { key: createPublicKey(private_key), email: client_email });
    }
  }

  revokeTokens(): void {
    this.#tokens.clear();
  }

  texts(): string[] {
    return this.imports.flat().map(({ data }) => Buffer.from(data, 'base64').toString());
  }

  #react(request: ReceivedRequest): Reaction {
    if (request.path === '/token') {
      this.tokenRequests += 1;
      return this.interfere('token', request) ?? this.#grant(request);
    }
    return this.interfere('import', request) ?? this.#import(request);
  }

  #grant({ method, headers, text }: ReceivedRequest): Reaction {
    const form = new URLSearchParams(text);
    if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded') {
      return oauthError('invalid_request', 'not a form');
    }
    if (form.get('grant_type') !== JWT_BEARER) return oauthError('unsupported_grant_type', 'Invalid grant_type');
    const fault = this.#assertionFault(form.get('assertion') ?? '', `http://${headers.host}/token`);
    if (fault !== undefined) return oauthError('invalid_grant', fault);
    const token = `ya29.${this.tokenRequests}`;
    this.#tokens.add(token);
    return json(200, { access_token: token, expires_in: this.tokenLife, token_type: 'Bearer' });
  }

  #assertionFault(assertion: string, audience: string): string | undefined {
    const [header = '', claims = '', signature = '', ...rest] = assertion.split('.');
    const { alg, typ, kid } = decoded(header);
    const { iss, scope, aud, iat, exp, ...others } = decoded(claims);
    const known = this.#keys.get(String(kid));
    if (rest.length > 0 || alg !== 'RS256' || typ !== 'JWT' || !known) return 'Invalid JWT';
    const signed = verify('sha256', Buffer.from(`${header}.${claims}`), known.key, Buffer.from(signature, 'base64url'));
    if (!signed) return 'Invalid JWT Signature.';
    if (iss !== known.email || Object.keys(others).length > 0) return 'Invalid grant: account not found';
    if (aud !== audience) return 'Invalid JWT: wrong audience';
    if (scope !== CLOUD_PLATFORM) return 'Invalid OAuth scope';
    const now = Date.now() / 1000;
    const times = Number.isInteger(iat) && Number.isInteger(exp) && Number(exp) - Number(iat) <= 3600;
    if (!times || Number(iat) > now + 5 || Number(exp) <= now) return 'Invalid JWT: check your iat and exp';
    return undefined;
  }

  #import(request: ReceivedRequest): Reaction {
    const { method, path, headers, text } = request;
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    if (!this.#tokens.has(token)) return rpcError(401, 'UNAUTHENTICATED');
    if (path !== `/v1beta/${this.parent}/logTypes/MIMECAST_MAIL/logs:import` || method !== 'POST') {
      return rpcError(404, 'NOT_FOUND');
    }
    if (!this.mayImport) return rpcError(403, 'PERMISSION_DENIED');
    if (headers['content-type'] !== 'application/json') return rpcError(400, 'INVALID_ARGUMENT');
    if (Buffer.byteLength(text) > 4 * 1024 ** 2) return rpcError(413, 'INVALID_ARGUMENT');
    const logs = logsOf(text, this.parent);
    if (!logs) return rpcError(400, 'INVALID_ARGUMENT');
    this.imports.push(logs);
    this.requests.push(request);
    return json(200, {});
  }
}

/** The logs of a well-formed request; undefined when a field is missing, unknown, or not of its form. */
function logsOf(text: string, parent: string): readonly ImportedLog[] | undefined {
  const { inlineSource, ...unknown } = objectOf(parsed(text));
  const { logs, forwarder, ...more } = objectOf(inlineSource);
  if (Object.keys(unknown).length + Object.keys(more).length > 0) return undefined;
  if (forwarder !== undefined && forwarder !== `${parent}/forwarders/f0f0`) return undefined;
  return Array.isArray(logs) && logs.length > 0 && logs.every(isLog) ? logs : undefined;
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function isLog(value: unknown): value is ImportedLog {
  const { data, logEntryTime, collectionTime, labels, ...unknown } = objectOf(value);
  if (Object.keys(unknown).length > 0 || typeof data !== 'string') return false;
  if (data === '' || Buffer.from(data, 'base64').toString('base64') !== data) return false;
  const times = [logEntryTime, collectionTime].map(String);
  if (!times.every((time) => RFC3339.test(time))) return false;
  const [entered = 0, collected = 0] = times.map((time) => Date.parse(time));
  return collected > entered && Object.values(objectOf(labels)).every(isLabel);
}

function isLabel(value: unknown): boolean {
  const { value: text, rbacEnabled, ...unknown } = objectOf(value);
  return typeof text === 'string' && rbacEnabled === undefined && Object.keys(unknown).length === 0;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function decoded(part: string): Record<string, unknown> {
  return objectOf(parsed(Buffer.from(part, 'base64url').toString()));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function oauthError(error: string, error_description: string): Answer {
  return json(400, { error, error_description });
}

/** `details` as AIP-193 has them: objects with an `@type`. */
export function rpcError(code: number, status: string, details: readonly unknown[] = [], message = 'in words'): Answer {
  return json(code, { error: { code, status, message, details } });
}

function json(status: number, body: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(body) };
}
