import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServerClock } from '../../src/mimecast/server-clock.ts';

const EPOCH = Date.UTC(2025, 5, 1, 12, 0, 0);

/** A world with two clocks: `mono` ours, and Mimecast's, which is `mono + EPOCH`. Ours on the wall is `wallAhead` ahead of it. */
function world(wallAhead = 0) {
  const state = { mono: 5000, wallAhead };
  const clock = new ServerClock(
    () => state.mono,
    () => EPOCH + state.mono + state.wallAhead,
  );
  const answer = (outward: number, homeward: number, wrongBy = 0) => {
    const sentAt = state.mono;
    state.mono += outward;
    const date = new Date(EPOCH + state.mono + wrongBy).toUTCString();
    state.mono += homeward;
    clock.observe(date, sentAt, state.mono);
  };
  const error = () => clock.now() - (EPOCH + state.mono);
  return { state, clock, answer, error };
}

describe("Mimecast's clock", () => {
  it('is ours until an answer carried a date', () => {
    const { clock } = world(777);
    clock.observe(undefined, 0, 0);
    clock.observe('no date', 0, 0);
    expect(clock.known).toBe(false);
    expect(clock.skewMs).toBeUndefined();
    expect(clock.now()).toBe(EPOCH + 5000 + 777);
  });

  it('is never further off than the slowness of the best answer and the resolution of the header allow', () => {
    const trip = fc.integer({ min: 0, max: 4000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(trip, trip, fc.integer({ min: 0, max: 90_000 })), { minLength: 1 }), (answers) => {
        const { state, answer, error } = world(123_456);
        let best = Number.POSITIVE_INFINITY;
        for (const [outward, homeward, pause] of answers.slice(-8)) {
          answer(outward, homeward);
          best = Math.min(best, (1000 + outward + homeward) / 2);
          state.mono += pause;
          expect(Math.abs(error())).toBeLessThanOrEqual(best + 1);
        }
      }),
    );
  });

  it('gets sharper than a second with several answers', () => {
    const { state, answer, error } = world();
    for (let n = 0; n < 8; n += 1) {
      answer(20, 20);
      state.mono += 1137;
    }
    expect(Math.abs(error())).toBeLessThan(150);
  });

  it('does not jump when the clock on our wall is set', () => {
    const { state, clock, answer } = world();
    answer(10, 10);
    const before = clock.now();
    state.wallAhead = 3_600_000;
    expect(clock.now()).toBe(before);
    expect(clock.skewMs).toBeGreaterThan(3_599_000);
  });

  it('outvotes a stray date', () => {
    const { answer, error } = world();
    for (let n = 0; n < 3; n += 1) answer(10, 10);
    answer(10, 10, 7_200_000);
    expect(Math.abs(error())).toBeLessThan(1000);
  });

  it('follows when the machine was suspended', () => {
    const { answer, error } = world();
    for (let n = 0; n < 8; n += 1) answer(10, 10);
    for (let n = 0; n < 5; n += 1) answer(10, 10, 600_000);
    expect(Math.abs(error() - 600_000)).toBeLessThan(1000);
  });
});
