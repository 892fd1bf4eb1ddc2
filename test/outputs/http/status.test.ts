import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, MAX_RETRY_AFTER, statusText } from '../../../src/outputs/http/status.ts';

/** Every status that RFC 9110 and its successors name, and what becomes of a batch. */
const TABLE: readonly (readonly [outcome: string, statuses: readonly number[]])[] = [
  ['accepted', [200, 201, 202, 203, 204, 205, 206, 207, 260]],
  ['halt refused', [300, 301, 302, 303, 304, 307, 308, 402, 404, 405, 406, 410, 411, 415, 421, 426, 428, 431, 451]],
  ['halt auth', [401, 403, 407]],
  ['retry timeout', [408]],
  ['retry server', [425, 500, 501, 502, 503, 504, 507, 511, 599]],
  ['retry rate_limited', [429]],
  ['split refused', [400, 409, 412, 413, 414, 416, 417, 418, 422, 423, 424]],
];

describe('classify', () => {
  it.each(TABLE.flatMap(([outcome, statuses]) => statuses.map((status) => [status, outcome] as const)))(
    '%i is %s',
    (status, outcome) => {
      const verdict = classify(status);
      expect(verdict.accepted ? 'accepted' : `${verdict.disposition} ${verdict.reason}`).toBe(outcome);
    },
  );

  it('tells the operator what to do about everything that halts', () => {
    for (const [outcome, statuses] of TABLE) {
      if (outcome.startsWith('halt')) for (const status of statuses) expect(classify(status)).toHaveProperty('hint');
    }
  });

  it('accepts 2xx and nothing else, and never waits longer than it should', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 999 }),
        fc.option(fc.double({ noNaN: true }), { nil: undefined }),
        (status, wait) => {
          const verdict = classify(status, wait);
          expect(verdict.accepted).toBe(status >= 200 && status < 300);
          if (verdict.accepted || verdict.retryAfterMs === undefined) return;
          expect(verdict.disposition).toBe('retry');
          expect(verdict.retryAfterMs).toBeGreaterThanOrEqual(0);
          expect(verdict.retryAfterMs).toBeLessThanOrEqual(MAX_RETRY_AFTER);
        },
      ),
    );
  });

  it('obeys Retry-After on every status that is retried', () => {
    for (const status of [408, 425, 429, 500, 503])
      expect(classify(status, 7000)).toMatchObject({ retryAfterMs: 7000 });
    expect(classify(503, 86_400_000)).toMatchObject({ retryAfterMs: 15 * 60_000 });
  });
});

it('names a status in our own words', () => {
  expect(statusText(503)).toBe('503 Service Unavailable');
  expect(statusText(599)).toBe('599');
});
