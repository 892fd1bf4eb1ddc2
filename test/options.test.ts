import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { duration, formatDuration, formatSize, parseDuration, parseSize, port, secret, size } from '../src/options.ts';
import { Secret } from '../src/secret.ts';

/** The message of the first mistake that a schema finds. */
function mistake(schema: z.ZodType, value: unknown): string | undefined {
  return schema.safeParse(value).error?.issues[0]?.message;
}

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(duration('how long').parse(text)).toBe(ms);
  });

  it.each(['', '30', 's', '-5s', '5 s', '5S', '1h30m', '1e3s', 'Infinityd'])('is not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
    expect(mistake(duration('how long'), text)).toMatch(/expected a duration such as/);
  });

  it('is a text and has a least value', () => {
    expect(mistake(duration('how long'), 30)).toMatch(/expected a duration such as/);
    expect(mistake(duration('how long', 60_000), '59s')).toBe('expected at least 1m');
    expect(duration('how long', 60_000).parse('60s')).toBe(60_000);
  });

  it('is written in its largest unit, so that it reads back the same', () => {
    expect([0, 1, 1500, 60_000, 5_400_000, 86_400_000].map(formatDuration)).toEqual([
      '0s',
      '1ms',
      '1500ms',
      '1m',
      '90m',
      '1d',
    ]);
    fc.assert(fc.property(fc.nat(1e11), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe('a size', () => {
  it.each([
    ['8000', 8000],
    ['8000B', 8000],
    ['64KiB', 65_536],
    ['1.5MiB', 1_572_864],
    ['10GiB', 10 * 1024 ** 3],
    ['1TiB', 1024 ** 4],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
    expect(size('how large').parse(text)).toBe(bytes);
  });

  it.each(['', 'KiB', '64KB', '64kib', '-1', '1 MiB', '1e6'])('is not %j', (text) => {
    expect(parseSize(text)).toBeUndefined();
    expect(mistake(size('how large'), text)).toMatch(/expected a size such as/);
  });

  it('may be a plain number of bytes, and has a least value', () => {
    expect(size('how large').parse(8000)).toBe(8000);
    for (const value of [-1, 1.5, Number.NaN, true]) expect(size('how large').safeParse(value).success).toBe(false);
    expect(mistake(size('how large', 65_536), '1KiB')).toBe('expected at least 64KiB');
  });

  it('is written in its largest unit, so that it reads back the same', () => {
    expect([0, 1000, 65_536, 10 * 1024 ** 3].map(formatSize)).toEqual(['0', '1000', '64KiB', '10GiB']);
    fc.assert(fc.property(fc.nat(1e13), (bytes) => parseSize(formatSize(bytes)) === bytes));
  });
});

describe('a secret', () => {
  it('becomes one that does not print, and stays one', () => {
    const parsed = secret('the password').parse('hunter2');
    expect([parsed.read(), String(parsed)]).toEqual(['hunter2', '***']);
    const given = Secret.of('from a file');
    expect(secret('the password').parse(given)).toBe(given);
  });

  it('is not empty, and a refused one is not in the message', () => {
    expect(secret('the password').safeParse('').success).toBe(false);
    expect(secret('the password').safeParse(undefined).success).toBe(false);
    expect(JSON.stringify(secret('the password').safeParse(1234567).error?.issues)).not.toContain('1234567');
  });
});

describe('a port', () => {
  it('is a whole number from 1 to 65535', () => {
    expect([port('where').parse(1), port('where').parse(65_535)]).toEqual([1, 65_535]);
    for (const value of [0, 65_536, 1.5, '514']) expect(port('where').safeParse(value).success).toBe(false);
  });
});

it('every option says what it is for and in which unit', () => {
  const described = [duration('how long'), size('how large'), secret('the password'), port('where')];
  expect(described.map((schema) => schema.meta())).toEqual([
    { description: 'how long', unit: 'ms' },
    { description: 'how large', unit: 'bytes' },
    { description: 'the password', secret: true },
    { description: 'where' },
  ]);
});
