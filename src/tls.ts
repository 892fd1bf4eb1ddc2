/**
 * What every TLS connection of ours asks for. Said aloud and not left to Node's defaults, because the environment can turn those off
 * (`NODE_TLS_REJECT_UNAUTHORIZED=0`, `NODE_OPTIONS=--tls-min-v1.0`), and a line that somebody left in a unit file must not send credentials to
 * whoever answers.
 */
export const STRICT_TLS = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
