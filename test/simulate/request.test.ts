import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PageTokens } from '../../src/simulate/page-token.ts';
import { formatDate } from '../../src/simulate/record.ts';
import { parseTime } from '../../src/simulate/request.ts';

describe('parseTime', () => {
  const second = fc.integer({ min: 0, max: 4_000_000_000 });

  test('reads what Mimecast writes, in each of the three spellings of UTC', () => {
    fc.assert(
      fc.property(second, (at) => {
        const text = formatDate(at * 1000);
        expect(parseTime(text)).toBe(at);
        expect(parseTime(text.replace('+0000', '+00:00'))).toBe(at);
        expect(parseTime(text.replace('+0000', 'Z'))).toBe(at);
        expect(parseTime(text.replace('+0000', '+0130'))).toBe(at - 5400);
        expect(parseTime(text.replace('+0000', '-0130'))).toBe(at + 5400);
      }),
    );
  });

  test.each([
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.0+0000',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:00z',
    '2026-01-01T00:00:00+00',
    ' 2026-01-01T00:00:00Z',
    '',
  ])('refuses %j', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});

describe('PageTokens', () => {
  const bookmark = { filter: 'f', from: 1, to: 2, after: { second: 1, serial: 4 }, issuedAt: 99 };

  test('read what they wrote, after a restart with the same seed as well', () => {
    const token = new PageTokens('seed').issue(bookmark);
    expect(new PageTokens('seed').read(token)).toEqual(bookmark);
    const atStart = { ...bookmark, after: undefined };
    expect(new PageTokens('seed').read(new PageTokens('seed').issue(atStart))).toEqual(atStart);
  });

  test('are never equal, not even for the same place', () => {
    const tokens = new PageTokens('seed');
    expect(tokens.issue(bookmark)).not.toBe(tokens.issue(bookmark));
  });

  test('are refused when invented, edited or of another seed', () => {
    const tokens = new PageTokens('seed');
    const token = tokens.issue(bookmark);
    const forged = fc.oneof(
      fc.string(),
      fc.nat(token.length - 1).map((at) => `${token.slice(0, at)}~${token.slice(at + 1)}`),
    );
    fc.assert(fc.property(forged, (text) => tokens.read(text) === undefined));
    expect(new PageTokens('other').read(token)).toBeUndefined();
    expect(tokens.read(`${token}.x`)).toBeUndefined();
  });
});
