import { codeOf, messageOf } from './errors.ts';

/**
 * What every TLS connection of ours asks for. Said aloud and not left to Node's defaults, because the environment can turn those off
 * (`NODE_TLS_REJECT_UNAUTHORIZED=0`, `NODE_OPTIONS=--tls-min-v1.0`), and a line that somebody left in a unit file must not send credentials to
 * whoever answers.
 */
export const STRICT_TLS = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;

/** `, it holds DNS:siem.example` of a certificate that is for another name; empty for every other fault. */
export function namesInCertificate(error: unknown): string {
  if (codeOf(error) !== 'ERR_TLS_CERT_ALTNAME_INVALID') return '';
  const names = /(?:DNS|IP Address):[^\s,]+(?:, (?:DNS|IP Address):[^\s,]+)*/.exec(messageOf(error))?.[0];
  // Whoever answers has written them: a few plain characters are enough to know the receiver by.
  return names === undefined ? '' : `, it holds ${names.replace(/[^\w.:*, -]/g, '?').slice(0, 120)}`;
}
