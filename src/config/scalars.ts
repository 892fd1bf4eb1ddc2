import { validateDetailed } from 'node-cron';
import { z } from 'zod';
import { parseDuration } from '../options.ts';
import { HOST_PATTERN } from '../telemetry/host-check.ts';
import type { ListenAddress } from '../telemetry/listen.ts';

/** Fields that only the config has: names, schedules, points in time, addresses. Texts in, texts out; the parsers are beside them. */

const ISO_TIME = 'an ISO time with its zone such as 2026-01-31T00:00:00Z';

/** The name of a feed or an output: a metric label, a key in the store and a word on the command line. */
export function entryName(description: string) {
  return z
    .string()
    .max(64)
    .regex(/^[a-z0-9][a-z0-9_.-]*$/, 'expected small letters, digits, `_`, `.` and `-`, the first a letter or a digit')
    .meta({ description });
}

export function schedule(description: string) {
  return z
    .string()
    .superRefine((text, context) => {
      const { valid, errors } = validateDetailed(text);
      if (valid) return;
      const wrong = errors.map(({ field, value }) =>
        field === 'expression' ? '' : ` with a valid ${field}, not ${value}`,
      );
      context.addIssue({
        code: 'custom',
        message: `expected a cron expression of 5 or 6 fields such as "*/5 * * * *"${wrong.join(' and')}`,
      });
    })
    .meta({ description });
}

/** Where a feed begins when its checkpoint is new: so many ms back from now, or at a time (ms since 1970). */
export type FeedStart = { readonly ago: number } | { readonly time: number };

export function feedStart(description: string) {
  return z
    .string(`expected a duration back from now such as 24h, or ${ISO_TIME}`)
    .refine(
      (text) => parseFeedStart(text) !== undefined,
      `expected a duration back from now such as 24h, or ${ISO_TIME}`,
    )
    .meta({ description });
}

export function parseFeedStart(text: string): FeedStart | undefined {
  const ago = parseDuration(text);
  if (ago !== undefined) return { ago };
  const time = parseTime(text);
  return time === undefined ? undefined : { time };
}

/** Where an output that is new to the store begins; a number is ms since 1970. */
export type OutputStart = 'now' | 'beginning' | { readonly time: number };

export function outputStart(description: string) {
  return z
    .string(`expected now, beginning or ${ISO_TIME}`)
    .refine((text) => parseOutputStart(text) !== undefined, `expected now, beginning or ${ISO_TIME}`)
    .meta({ description });
}

export function parseOutputStart(text: string): OutputStart | undefined {
  if (text === 'now' || text === 'beginning') return text;
  const time = parseTime(text);
  return time === undefined ? undefined : { time };
}

/** Milliseconds of an ISO 8601 time that names its zone; a date alone is midnight UTC. Undefined when it is none. */
function parseTime(text: string): number | undefined {
  const isTime = z.iso.datetime({ offset: true }).safeParse(text).success || z.iso.date().safeParse(text).success;
  return isTime ? Date.parse(text) : undefined;
}

export function listenAddress(description: string) {
  return z
    .string('expected HOST:PORT such as 127.0.0.1:9464 or [::1]:9464')
    .refine((text) => parseListenAddress(text) !== undefined, 'expected HOST:PORT such as 127.0.0.1:9464 or [::1]:9464')
    .meta({ description });
}

/** See `isKnownHost`. */
export function hostPattern() {
  return z.string().regex(HOST_PATTERN, 'expected a host name without a port, or *. and the end of one');
}

/** Port 0 asks the system for a free one. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}
