import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { z } from 'zod';
import type { Secret } from '../../secret.ts';
import { mayCarryTokens, parsedJson } from '../http/bearer.ts';
import { SentCredentials } from '../http/credentials.ts';
import { OutputError } from '../output.ts';

/** What is needed of the JSON key that Google Cloud hands out for a service account. */
export interface ServiceAccount {
  readonly email: string;
  readonly keyId: string | undefined;
  readonly key: KeyObject;
  readonly tokenUrl: string;
}

const keyFile = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string(),
  private_key_id: z.string().optional(),
  token_uri: z.url().refine(mayCarryTokens).default('https://oauth2.googleapis.com/token'),
});

/** Throws an `OutputError` that shows nothing of the text. */
export function serviceAccount(json: Secret): ServiceAccount {
  const credentials = new SentCredentials([json]);
  const account = parseServiceAccount(json.read());
  if (account) return account;
  const message = 'the service account key cannot be used';
  throw credentials.judge(new OutputError(message, { reason: 'auth', disposition: 'halt', hint: KEY_EXPECTED }));
}

export const KEY_EXPECTED =
  'expected the JSON key of a service account, as Google Cloud gives it: type, client_email, private_key, token_uri (https)';

export function parseServiceAccount(text: string): ServiceAccount | undefined {
  const { data } = keyFile.safeParse(parsedJson(text));
  if (!data) return undefined;
  try {
    const key = createPrivateKey(data.private_key);
    if (key.asymmetricKeyType !== 'rsa') return undefined;
    return { email: data.client_email, keyId: data.private_key_id, key, tokenUrl: data.token_uri };
  } catch {
    return undefined;
  }
}

/** The most that Google allows between `iat` and `exp`. */
const ASSERTION_LIFE_S = 3600;

/** A signed assertion (RFC 7523 §2.1) that the token endpoint trades for a token: `HEADER.CLAIMS.SIGNATURE`, RS256. `now` in ms. */
export function signedAssertion({ email, keyId, key, tokenUrl }: ServiceAccount, scope: string, now: number): string {
  const iat = Math.floor(now / 1000);
  const header = { alg: 'RS256', typ: 'JWT', kid: keyId };
  const claims = { iss: email, scope, aud: tokenUrl, iat, exp: iat + ASSERTION_LIFE_S };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}
