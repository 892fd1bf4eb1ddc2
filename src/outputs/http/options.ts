import { z } from 'zod';
import { duration, secret } from '../../options.ts';

/** Certificates of a TLS client, as paths of PEM files. */
const tls = z
  .strictObject({
    caFile: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "PEM file with the authorities to trust, instead of the system's." }),
    certFile: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'PEM file with the client certificate, its chain after it. Needs `keyFile`.' }),
    keyFile: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'PEM file with the key of the client certificate, without a passphrase.' }),
  })
  .refine((files) => (files.certFile === undefined) === (files.keyFile === undefined), {
    error: 'expected certFile and keyFile together, or neither',
  })
  .meta({ description: 'Certificates. Files that change are read again before the next request.' });

/** What every HTTP output takes besides its own options. */
export const httpOptions = {
  timeout: duration(
    'Longest time for one request: connecting, sending it and reading the head of the answer.',
    100,
  ).prefault('30s'),
  proxy: secret('HTTP proxy')
    .refine((proxy) => isHttpUrl(proxy.read()), 'expected a URL such as http://proxy.example:3128')
    // Said again because `refine` makes a new schema, and descriptions do not travel.
    .meta({
      description: 'Proxy to go through, `http://[user:password@]host:port`. Default: `HTTPS_PROXY` and `NO_PROXY`.',
      secret: true,
    })
    .optional(),
  tls: tls.optional(),
};

export type HttpOptions = z.infer<z.ZodObject<typeof httpOptions>>;

/** The URL of an HTTP receiver. User and password have options of their own: a URL turns up in too many places to hold them. */
export function httpUrl(description: string) {
  return z
    .string('expected a URL such as https://siem.example/path')
    .refine(isHttpUrl, 'expected a URL such as https://siem.example/path')
    .refine((text) => !hasUserInfo(text), 'expected no user or password in the URL: send credentials as a header')
    .meta({ description });
}

/**
 * Scheme, host and port of a URL: all that a message may show of it. Some receivers keep a token in the query, and some
 * (Slack, Sumo Logic) in the path.
 */
export function originOf(url: string): string {
  return new URL(url).origin;
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
}

function hasUserInfo(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}
