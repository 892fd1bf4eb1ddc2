import { z } from 'zod';
import { secret } from '../../options.ts';
import type { Secret } from '../../secret.ts';

/** Headers that belong to the framing of the request: another value would break it. Lower case. */
const FRAMING_HEADERS = [
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Headers that an operator adds. `own`: those that the output sets itself, besides the framing, in lower case. */
export function headersOption(own: readonly string[]) {
  const taken = new Set([...FRAMING_HEADERS, ...own]);
  const name = z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of an HTTP header')
    .refine((name) => !taken.has(name.toLowerCase()), 'expected another header: this one is set by the output');
  return z
    .record(name, secret('Value of the header'))
    .default({})
    .meta({ description: 'Headers to add, name and value. Every value is treated as a secret.' });
}

/** The names in lower case, as `HttpPoster` wants them. */
export function lowerCased(headers: Readonly<Record<string, Secret>>): Record<string, Secret> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
