import fc from 'fast-check';
import { expect, it } from 'vitest';
import { utcSeconds } from '../../src/formats/timestamp.ts';

it('writes any second of the event id as ISO 8601 does, in whatever order they come', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff_ffff })), (seconds) => {
      for (const second of seconds) {
        const ms = second * 1000;
        expect(utcSeconds(ms)).toBe(new Date(ms).toISOString().slice(0, 19));
        expect(utcSeconds(ms + 1000)).toBe(new Date(ms + 1000).toISOString().slice(0, 19));
      }
    }),
  );
});

it.each([
  [0, '1970-01-01T00:00:00'],
  [86_399_999, '1970-01-01T23:59:59'],
  [86_400_000, '1970-01-02T00:00:00'],
  [0xffff_ffff * 1000, '2106-02-07T06:28:15'],
])('writes %i as %s', (ms, expected) => {
  expect(utcSeconds(ms)).toBe(expected);
});
