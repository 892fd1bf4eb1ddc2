import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as words from '../../src/status/words.ts';
import { at, DAY, HOUR, MINUTE, NOW, SECOND } from './snapshots.ts';

describe('words', () => {
  it.each([
    [-5 * SECOND, '0 s'],
    [999, '0 s'],
    [22 * SECOND, '22 s'],
    [MINUTE, '1 min'],
    [111 * SECOND, '1 min 51 s'],
    [HOUR + 45 * MINUTE + 59 * SECOND, '1 h 45 min'],
    [12 * DAY + 4 * HOUR, '12 d 4 h'],
    [30 * DAY, '30 d'],
    [1200 * DAY, '1,200 d'],
  ])('tells %d ms as %s', (ms, text) => {
    expect(words.duration(ms)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1024, '1 KiB'],
    [68 * 1024, '68 KiB'],
    [2.4 * 1024 ** 3, '2.4 GiB'],
    [9.96 * 1024 ** 3, '10 GiB'],
    [1023.9 * 1024 ** 2, '1 GiB'],
    [5000 * 1024 ** 4, '5,000 TiB'],
  ])('tells %d bytes as %s', (size, text) => {
    expect(words.bytes(size)).toBe(text);
  });

  it('tells moments of today by the clock and others with their day', () => {
    expect(words.clock(NOW)).toBe('09:31:42');
    expect(words.dateTime(NOW)).toBe('23 Nov 2026 09:31:42 UTC');
    expect(words.moment(at('06:40:12'), NOW)).toBe('06:40');
    expect(words.moment(at('22:40:12', '2026-11-22'), NOW)).toBe('22 Nov 22:40');
    expect(words.exactMoment(at('22:40:12', '2026-11-22'), NOW)).toBe('22 Nov 22:40:12');
    expect(words.shortMoment(at('22:40:12', '2026-11-22'), NOW)).toBe('11-22 22:40');
  });

  it('tells counts', () => {
    expect(words.count(12_408)).toBe('12,408');
    expect(words.shortCount(99_999)).toBe('99,999');
    expect(words.shortCount(1_204_000)).toBe('1,204k');
    expect(words.shortCount(17_000_000)).toBe('17M');
    expect([0, 1, 3].map((number) => words.counted(number, 'event'))).toEqual(['no events', '1 event', '3 events']);
    expect([2, 12].map(words.numberWord)).toEqual(['Two', '12']);
    expect([24 * HOUR, HOUR, 3 * DAY].map(words.lastSpan)).toEqual([
      'the last 24 hours',
      'the last 60 minutes',
      'the last 3 days',
    ]);
    expect(words.answerTime(412)).toBe('0.4 s');
    expect(words.listed(['a', 'b', 'c'])).toBe('a, b and c');
  });

  it('tells any number without throwing, in a few words', () => {
    fc.assert(
      fc.property(fc.double(), (number) => {
        for (const text of [words.clock(number), words.dateTime(number), words.shortMoment(number, NOW)]) {
          expect(text).not.toMatch(/NaN|undefined|Invalid/);
        }
        expect(words.shortMoment(number, NOW).length).toBeLessThanOrEqual(11);
      }),
    );
  });
});
