import { describe, expect, it } from 'vitest';
import { LeastBehind } from '../../src/daemon/least-behind.ts';

const BEAT = 5000;

/** Feeds one figure a beat, and returns when it was least behind. */
function leastAt(figures: readonly (number | null)[], beat = BEAT): number | null {
  const least = new LeastBehind();
  for (const [index, figure] of figures.entries()) least.sample('feed a', figure, index * beat);
  return least.at('feed a');
}

describe('when something was least behind', () => {
  it('is not known of what is not behind', () => {
    expect(leastAt([])).toBeNull();
    expect(leastAt([100, null])).toBeNull();
  });

  it.each<[string, readonly (number | null)[], number]>([
    ['the last beat, while it shrinks', [100, 90, 80], 2],
    ['the beginning, when it only grows', [100, 110, 120], 0],
    ['the low, when it grows again', [100, 60, 110, 90, 70], 1],
    ['the beginning, when it stands still', [100, 100, 100], 0],
    ['the new beginning, after it had caught up', [10, 20, null, 500, 600], 3],
  ])('is %s', (_, figures, beat) => {
    expect(leastAt(figures)).toBe(beat * BEAT);
  });

  it('begins anew after a sleep of the machine or a clock that was set back', () => {
    expect(leastAt([100, 200, 300], 61_000)).toBe(122_000);
    const least = new LeastBehind();
    least.sample('feed a', 100, 10_000);
    least.sample('feed a', 200, 5000);
    expect(least.at('feed a')).toBe(5000);
  });

  it('is kept of each on its own', () => {
    const least = new LeastBehind();
    least.sample('feed a', 1, 1);
    least.sample('output a', 1, 2);
    expect([least.at('feed a'), least.at('output a'), least.at('feed b')]).toEqual([1, 2, null]);
  });
});
