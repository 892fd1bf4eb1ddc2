import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInFuture, nextWindow, type WindowOptions, windowsOf } from '../../src/collect/window.ts';
import type { TimeWindow } from '../../src/feeds/feed.ts';

const MINUTE = 60_000;
const NOON = Date.UTC(2026, 10, 23, 12);
const OPTIONS: WindowOptions = { overlap: 15 * MINUTE, settle: 10_000, maxWindow: 6 * 60 * MINUTE };

const options: fc.Arbitrary<WindowOptions> = fc.record({
  overlap: fc.nat(30 * MINUTE),
  settle: fc.nat(2 * MINUTE),
  maxWindow: fc.integer({ min: 1000, max: 600 * MINUTE }),
});

function expectWholeSeconds({ from, to }: TimeWindow): void {
  expect([from % 1000, to % 1000]).toEqual([0, 0]);
  expect(from).toBeLessThanOrEqual(to);
}

describe('the next window', () => {
  it('reads from the overlap before the checkpoint to what has settled', () => {
    expect(nextWindow(NOON - MINUTE, NOON, OPTIONS)).toEqual({
      from: NOON - 16 * MINUTE,
      to: NOON - 10_000,
      reachesNow: true,
    });
  });

  it('moves on by maxWindow at most, and then tells that there is more', () => {
    const checkpoint = NOON - 24 * 60 * MINUTE;
    expect(nextWindow(checkpoint, NOON, OPTIONS)).toEqual({
      from: checkpoint - OPTIONS.overlap,
      to: checkpoint + OPTIONS.maxWindow,
      reachesNow: false,
    });
  });

  it('of a checkpoint that is a little ahead still reads what has settled', () => {
    const { from, to, reachesNow } = nextWindow(NOON + 1000, NOON, OPTIONS);
    expect({ from, to, reachesNow }).toEqual({
      from: NOON - 10_000 - OPTIONS.overlap,
      to: NOON - 10_000,
      reachesNow: true,
    });
  });

  it('has whole seconds, and never asks for what has not settled', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: MINUTE }), fc.nat(999), options, (behind, fraction, options) => {
        const now = NOON + fraction;
        const window = nextWindow(now + behind, now, options);
        expectWholeSeconds(window);
        expect(window.to).toBeLessThanOrEqual(now - options.settle);
        expect(window.to - (now + behind)).toBeLessThanOrEqual(options.maxWindow);
      }),
    );
  });

  // Mimecast's clock may jitter backwards by what its Date header rounds away, or jump; the poller takes the later checkpoint.
  it('leaves no second out, whatever the clock does between two polls', () => {
    const passes = fc.array(fc.integer({ min: -5000, max: 900 * MINUTE }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(
        passes,
        fc.integer({ min: 0, max: 2000 * MINUTE }),
        fc.nat(999),
        options,
        (passes, behind, fraction, options) => {
          const start = Math.floor((NOON - behind - options.settle) / 1000) * 1000;
          let now = NOON + fraction;
          let checkpoint = start;
          // All of start..readTo has been read, both ends included.
          let readTo: number | undefined;
          for (const pass of passes) {
            now += pass;
            const window = nextWindow(checkpoint, now, options);
            expectWholeSeconds(window);
            expect(window.from).toBeLessThanOrEqual(readTo ?? start);
            if (window.to >= start) readTo = Math.max(readTo ?? start, window.to);
            checkpoint = Math.max(checkpoint, window.to);
            expect(checkpoint).toBe(Math.max(start, readTo ?? start));
          }
        },
      ),
    );
  });

  it('catches up with now, however long it was away', () => {
    fc.assert(
      fc.property(fc.nat(100_000 * 1000), options, (behind, options) => {
        let checkpoint = Math.floor((NOON - options.settle - behind) / 1000) * 1000;
        let windows = 0;
        for (let caughtUp = false; !caughtUp; windows += 1) {
          const window = nextWindow(checkpoint, NOON, options);
          expect(window.to).toBeGreaterThanOrEqual(checkpoint);
          expect(window.to > checkpoint || window.reachesNow).toBe(true);
          checkpoint = window.to;
          caughtUp = window.reachesNow;
          if (windows > 200_000) throw new Error('it never arrives');
        }
        expect(checkpoint).toBe(Math.floor((NOON - options.settle) / 1000) * 1000);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a checkpoint in the future', () => {
  it('is one by more than a minute, not by the jitter of a clock', () => {
    expect([isInFuture(NOON - 1, NOON), isInFuture(NOON + MINUTE, NOON), isInFuture(NOON + MINUTE + 1, NOON)]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('a span of the past', () => {
  it('is read oldest first, neighbours sharing their border second', () => {
    expect(windowsOf({ from: NOON, to: NOON + 25 * MINUTE }, 10 * MINUTE)).toEqual([
      { from: NOON, to: NOON + 10 * MINUTE },
      { from: NOON + 10 * MINUTE, to: NOON + 20 * MINUTE },
      { from: NOON + 20 * MINUTE, to: NOON + 25 * MINUTE },
    ]);
  });

  it('of one second is one window, and one that ends before it begins is none', () => {
    expect(windowsOf({ from: NOON, to: NOON }, 10 * MINUTE)).toEqual([{ from: NOON, to: NOON }]);
    expect(windowsOf({ from: NOON, to: NOON - 1000 }, 10 * MINUTE)).toEqual([]);
  });

  it('is covered without a hole and without a second outside it, in whole seconds, in steps of at most maxWindow', () => {
    fc.assert(
      fc.property(
        fc.nat(3_600_000),
        fc.nat(50_000_000),
        fc.integer({ min: 1, max: 5_000_000 }),
        (offset, length, maxWindow) => {
          const span = { from: NOON + offset, to: NOON + offset + length };
          const windows = windowsOf(span, Math.max(maxWindow, length / 500));
          for (const window of windows) {
            expectWholeSeconds(window);
            expect(window.to - window.from).toBeLessThanOrEqual(Math.max(1000, maxWindow, length / 500));
          }
          expect(windows[0]?.from).toBe(Math.floor(span.from / 1000) * 1000);
          expect(windows.at(-1)?.to).toBe(Math.floor(span.to / 1000) * 1000);
          expect(windows.slice(1).map(({ from }) => from)).toEqual(windows.slice(0, -1).map(({ to }) => to));
        },
      ),
    );
  });
});
