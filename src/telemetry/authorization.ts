import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Secret } from '../secret.ts';
import { type Answer, text } from './answer.ts';

/**
 * Whether a request brings the token: as a bearer, which programs send, or as the password of a Basic sign-in under any user name, which
 * is what a browser can be asked for. Compared as digests in constant time: neither content nor length of the token can be timed.
 */
export function isAuthorized({ headers }: IncomingMessage, token: Secret): boolean {
  return timingSafeEqual(digest(tokenIn(headers.authorization ?? '')), digest(token.read()));
}

/** RFC 9110 §11.6.1 lets several challenges stand side by side; a browser takes the one that it knows. */
export function unauthorized(): Answer {
  return {
    ...text(401, 'a bearer token is needed; in a browser, the token as the password of any user\n'),
    headers: { 'www-authenticate': ['Bearer', 'Basic realm="mimecast-forwarder", charset="UTF-8"'] },
  };
}

function tokenIn(authorization: string): string {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== 'basic') return value;
  const credentials = Buffer.from(value, 'base64').toString('utf8');
  // RFC 7617: the user name has no colon, the password may.
  const colon = credentials.indexOf(':');
  return colon < 0 ? '' : credentials.slice(colon + 1);
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}
