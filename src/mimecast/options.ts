import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, secret } from '../options.ts';

/** The shortest timeout that a TLS handshake across an ocean survives. */
const SHORTEST_TIMEOUT_MS = 100;

const oauth2 = z
  .strictObject({
    type: z.literal('oauth2'),
    clientId: z.string().min(1).meta({ description: 'Client id of the API 2.0 application.' }),
    clientSecret: secret('Client secret of the API 2.0 application.'),
  })
  .meta({ description: 'API 2.0: OAuth 2.0 client credentials.' });

const hmac = z
  .strictObject({
    type: z.literal('hmac'),
    applicationId: z.string().min(1).meta({ description: 'Application id of the API 1.0 application.' }),
    applicationKey: secret('Application key of the API 1.0 application.'),
    accessKey: secret("Access key of the service user's binding."),
    secretKey: secret("Secret key of the service user's binding, in base64 as Mimecast shows it."),
  })
  .meta({ description: 'API 1.0: a signature over each request. Mimecast is retiring it.' });

/** The `mimecast:` section of the config. */
export const mimecastOptions = z
  .strictObject({
    baseUrl: z
      .string()
      .superRefine((text, context) => {
        const mistake = baseUrlMistake(text);
        if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake });
      })
      .transform((text) => (URL.canParse(text) ? new URL(text).origin : text))
      .meta({ description: 'Where the API is. https only; http is accepted for a loopback host.' })
      .prefault('https://api.services.mimecast.com'),
    auth: z.discriminatedUnion('type', [oauth2, hmac]).meta({ description: 'How requests are authenticated.' }),
    requestTimeout: duration('How long one request may take, answer included.', SHORTEST_TIMEOUT_MS).prefault('30s'),
    requestsPerMinute: z
      .int()
      .min(1)
      .max(60_000)
      .meta({ description: 'Own ceiling, shared by all feeds. Limits that Mimecast states are obeyed on top.' })
      .prefault(60),
    proxy: secret('HTTP proxy')
      .refine((proxy) => isProxyUrl(proxy.read()), 'expected a URL such as http://proxy.example:3128')
      // Said again because `refine` makes a new schema, and descriptions do not travel.
      .meta({
        description: 'Proxy to go through, `http://[user:password@]host:port`. Default: `HTTPS_PROXY` and `NO_PROXY`.',
        secret: true,
      })
      .optional(),
    caFile: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'PEM file of certificates to trust besides the usual ones, for proxies that inspect TLS.' }),
  })
  .meta({ description: 'How Mimecast is reached.' });

export type MimecastOptions = z.output<typeof mimecastOptions>;
export type MimecastAuth = MimecastOptions['auth'];

/** True for `localhost`, `*.localhost` (RFC 6761 §6.3), 127.0.0.0/8 and ::1: names that never leave this machine. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (host === '::1') return true;
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host.endsWith('.localhost');
}

function isProxyUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === 'http:' || protocol === 'https:';
}

function baseUrlMistake(text: string): string | undefined {
  if (!URL.canParse(text)) return 'expected a URL such as https://api.services.mimecast.com';
  const url = new URL(text);
  const plain = url.protocol === 'http:' && isLoopback(url);
  if (url.protocol !== 'https:' && !plain) return 'expected https; http is accepted for a loopback host only';
  if (url.username !== '' || url.password !== '') return 'expected a URL without user name and password';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return 'expected scheme and host only, no path';
  return undefined;
}
