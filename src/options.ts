import { z } from 'zod';
import { Secret } from './secret.ts';

/** The building blocks of every option schema: what the config's scalars look like, each with its unit. */

// zod would write and compile code for each schema. A config is read once: that took 10 ms of a start and saved nothing.
z.config({ jitless: true });

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const UNIT_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** Milliseconds of `500ms`, `30s`, `15m`, `24h`, `30d`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  return match ? Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]) : undefined;
}

/** Bytes of `8000`, `64KiB`, `1MiB`, `10GiB`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)?$/.exec(text.trim());
  return match ? Math.round(Number(match[1]) * UNIT_BYTES[(match[2] ?? 'B') as keyof typeof UNIT_BYTES]) : undefined;
}

/** `15m` of 900 000 ms: the largest unit that divides it, so that nothing is rounded. */
export function formatDuration(ms: number): string {
  const unit = ms === 0 ? 's' : (['d', 'h', 'm', 's'] as const).find((name) => ms % UNIT_MS[name] === 0);
  return `${ms / UNIT_MS[unit ?? 'ms']}${unit ?? 'ms'}`;
}

/** `64KiB` of 65 536 bytes; the plain number when no unit divides it. */
export function formatSize(bytes: number): string {
  const unit = (['TiB', 'GiB', 'MiB', 'KiB'] as const).find((name) => bytes > 0 && bytes % UNIT_BYTES[name] === 0);
  return unit ? `${bytes / UNIT_BYTES[unit]}${unit}` : String(bytes);
}

/** A duration: text in, ms out. `min` in ms. */
export function duration(description: string, min = 0) {
  return z
    .string('expected a duration such as 500ms, 30s, 15m, 24h or 30d')
    .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'expected a duration such as 500ms, 30s, 15m, 24h or 30d')
    .transform((text) => parseDuration(text) ?? 0)
    .refine((ms) => ms >= min, `expected at least ${formatDuration(min)}`)
    .meta({ description, unit: 'ms' });
}

const SIZE_EXPECTED = 'expected a size such as 8000, 64KiB or 10GiB';

/** A size: text or a plain number of bytes in, bytes out. `min` in bytes. */
export function size(description: string, min = 0) {
  return z
    .union(
      [
        z.number().int().nonnegative(SIZE_EXPECTED),
        z.string().regex(/^\d+(\.\d+)?(B|KiB|MiB|GiB|TiB)?$/, SIZE_EXPECTED),
      ],
      {
        error: SIZE_EXPECTED,
      },
    )
    .transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? 0)))
    .refine((bytes) => bytes >= min, `expected at least ${formatSize(min)}`)
    .meta({ description, unit: 'bytes' });
}

/**
 * A secret: text in, `Secret` out. The config gives each such key `x` a twin `xFile` (a path), and hands the member the same
 * `Secret` either way; see `config/schema.ts`.
 */
export function secret(description: string) {
  return z
    .union([
      z.custom<Secret>((value) => value instanceof Secret),
      z.string().min(1, 'expected a text that is not empty').transform(Secret.of),
    ])
    .meta({ description, secret: true });
}

/** A TCP or UDP port. */
export function port(description: string) {
  return z.int().min(1).max(65_535).meta({ description });
}
