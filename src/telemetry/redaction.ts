/**
 * The names under which a secret could reach the log. A second line of defence: secrets are `Secret` objects, which print as
 * `***` by themselves, and no code logs headers.
 */
const SECRET_FIELDS = [
  'accessKey',
  'accessToken',
  'access_token',
  'apiKey',
  'applicationKey',
  'clientSecret',
  'client_secret',
  'password',
  'secret',
  'secretKey',
  'signingSecret',
  'token',
];

/** HTTP header fields with credentials; as one writes them, and as Node lower-cases them. */
const SECRET_HEADERS = [
  'authorization',
  'Authorization',
  'cookie',
  'Cookie',
  'set-cookie',
  'Set-Cookie',
  'proxy-authorization',
  'Proxy-Authorization',
  'x-api-key',
  'X-Api-Key',
];

/** How deep below an entry the names are looked for: `a.b.c.token` is the deepest. */
const DEPTH = 4;

/** Paths in pino's notation: each name alone and below one, two and three levels of anything. */
export const REDACTED_PATHS: readonly string[] = [...SECRET_FIELDS, ...SECRET_HEADERS].flatMap((name) =>
  Array.from({ length: DEPTH }, (_, depth) => `${'*.'.repeat(depth)}["${name}"]`.replace('.[', '[')),
);
