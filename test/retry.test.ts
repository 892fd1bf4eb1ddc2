import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAbort } from '../src/errors.ts';
import { Backoff, parseRetryAfter, sleep } from '../src/retry.ts';

describe('sleep', () => {
  it('waits as long as asked', async () => {
    const start = performance.now();
    await sleep(30);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    await sleep(-5);
  });

  it('ends as soon as it is aborted, and leaves no listener behind', async () => {
    const waiting = new AbortController();
    const asleep = sleep(60_000, waiting.signal);
    waiting.abort();
    expect(isAbort(await asleep.catch((error: unknown) => error))).toBe(true);
    expect(isAbort(await sleep(60_000, waiting.signal).catch((error: unknown) => error))).toBe(true);
    const { signal } = new AbortController();
    await sleep(1, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  // A receiver that answers `Retry-After: 31536000` must not be called again after a millisecond.
  it.each([2 ** 31, 31_536_000_000, Number.POSITIVE_INFINITY])(
    'does not take a very long wait for none: %d ms',
    async (ms) => {
      const waiting = new AbortController();
      let over = false;
      const asleep = sleep(ms, waiting.signal).then(
        () => {
          over = true;
        },
        () => undefined,
      );
      await sleep(20);
      waiting.abort();
      await asleep;
      expect(over).toBe(false);
    },
  );
});

describe('backoff', () => {
  const options = { initialDelay: 1000, maxDelay: 30_000 };

  it('doubles its ceiling up to the longest wait, and begins again after a success', () => {
    const backoff = new Backoff(options, () => 1);
    const waits = Array.from({ length: 7 }, () => backoff.next());
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(backoff.failures).toBe(7);
    backoff.reset();
    expect([backoff.failures, backoff.next()]).toEqual([0, 1000]);
  });

  it('draws each wait from all of 0 to its ceiling', () => {
    const draws = [0, 0.25, 0.999];
    const backoff = new Backoff(options, () => draws.shift() ?? 0);
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([0, 500, 3996]);
  });

  it('never waits less than it was asked to, nor more than its longest wait otherwise', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.nat(100_000), { nil: undefined }), { maxLength: 100 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 60_000 }),
        (asked, initialDelay, maxDelay) => {
          const backoff = new Backoff({ initialDelay, maxDelay });
          for (const retryAfter of asked) {
            const wait = backoff.next(retryAfter);
            expect(wait).toBeGreaterThanOrEqual(retryAfter ?? 0);
            expect(wait).toBeLessThanOrEqual(Math.max(maxDelay, retryAfter ?? 0));
          }
        },
      ),
    );
  });

  it('stays at its longest wait however often it fails', () => {
    const backoff = new Backoff(options, () => 1);
    for (let failure = 0; failure < 5000; failure += 1) backoff.next();
    expect(backoff.next()).toBe(30_000);
  });
});

describe('Retry-After', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 23, 12) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['120', 120_000],
    ['0', 0],
    [' 1.5 ', 1500],
    ['Mon, 23 Nov 2026 12:00:30 GMT', 30_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (value, ms) => {
    expect(parseRetryAfter(value)).toBe(ms);
  });

  it('of a date is counted from the clock that is given', () => {
    expect(parseRetryAfter('Mon, 23 Nov 2026 12:00:30 GMT', Date.UTC(2026, 10, 23, 12, 0, 20))).toBe(10_000);
  });
});
