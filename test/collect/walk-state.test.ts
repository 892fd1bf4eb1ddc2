import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  firstState,
  type PageSummary,
  stateAfter,
  stateAfterRefusal,
  type WalkState,
} from '../../src/collect/walk-state.ts';

const WINDOW = { from: 10_000, to: 90_000 };
const FIRST = firstState(WINDOW);

function page(times: readonly number[], next?: string, nextIsOld = false): PageSummary {
  return { count: times.length, times, next, nextIsOld };
}

/** Where a walk stands after these pages. */
function walkOver(...pages: readonly PageSummary[]): WalkState {
  return pages.reduce(stateAfter, FIRST);
}

describe('where a walk goes after a page', () => {
  it('begins at the start of its window, without a token', () => {
    expect(FIRST).toEqual({
      window: WINDOW,
      token: undefined,
      pages: 0,
      emptyPages: 0,
      newest: undefined,
      ascending: true,
      done: false,
    });
  });

  it.each([
    ['a token leads on', [page([20_000], 'a')], { token: 'a', pages: 1, done: false }],
    ['no token ends it', [page([20_000], 'a'), page([30_000])], { token: undefined, pages: 2, done: true }],
    ['no token ends it on an empty page too', [page([])], { pages: 1, done: true }],
    [
      'one empty page with a token hides nothing',
      [page([20_000], 'a'), page([], 'b')],
      { token: 'b', emptyPages: 1, done: false },
    ],
    ['two neither', [page([], 'a'), page([], 'b')], { token: 'b', emptyPages: 2, done: false }],
    ['three in a row end it', [page([], 'a'), page([], 'b'), page([], 'c')], { token: undefined, done: true }],
    [
      'a record in between starts the count again',
      [page([], 'a'), page([], 'b'), page([20_000], 'c'), page([], 'd'), page([], 'e')],
      { token: 'e', emptyPages: 2, done: false },
    ],
    [
      'a page of malformed records only is not empty',
      [page([], 'a'), page([], 'b'), { ...page([], 'c'), count: 4 }],
      { token: 'c', emptyPages: 0, done: false },
    ],
    [
      'a token that comes back leads to the newest record',
      [page([20_000, 30_000], 'a'), page([40_000, 50_000], 'a', true)],
      { window: { from: 50_000, to: WINDOW.to }, token: undefined, pages: 0, newest: undefined, done: false },
    ],
    [
      'and ends the walk when the same would be asked again',
      [page([10_000, 10_000], 'a'), page([10_000], 'a', true)],
      { token: undefined, done: true },
    ],
    ['and when there was no record', [page([], 'a'), page([], 'a', true)], { token: undefined, done: true }],
    [
      'and when records did not come in order, so that nobody can tell',
      [page([50_000, 40_000], 'a'), page([60_000], 'a', true)],
      { token: undefined, done: true },
    ],
    [
      'and when a page ended before the one before',
      [page([20_000, 50_000], 'a'), page([30_000, 40_000], 'a', true)],
      { token: undefined, done: true },
    ],
    [
      'a page that repeats the end of the one before is in order',
      [page([20_000, 30_000], 'a'), page([30_000, 40_000], 'a', true)],
      { window: { from: 40_000, to: WINDOW.to }, done: false },
    ],
    [
      'a record dated behind the window leads nowhere',
      [page([20_000], 'a'), page([95_000], 'a', true)],
      { token: undefined, done: true },
    ],
  ] satisfies [string, PageSummary[], Partial<WalkState>][])('%s', (_, pages, expected) => {
    expect(walkOver(...pages)).toMatchObject(expected);
  });

  it('keeps the newest date over a page without dates', () => {
    expect(walkOver(page([20_000], 'a'), page([], 'b')).newest).toBe(20_000);
  });
});

describe('where a walk goes after a refused token', () => {
  const inTheMiddle = walkOver(page([20_000, 30_000], 'a'));

  it('goes back to the start of its window at first, which needs no trust in anything', () => {
    expect(stateAfterRefusal(inTheMiddle, true)).toEqual(FIRST);
  });

  it('goes on from the newest record from the second time on, so that it makes progress', () => {
    expect(stateAfterRefusal(inTheMiddle, false)).toEqual(firstState({ from: 30_000, to: WINDOW.to }));
  });

  it.each([
    ['records did not come in order', walkOver(page([30_000, 20_000], 'a'))],
    ['no record came', walkOver(page([], 'a'))],
    ['all are of the first second', walkOver(page([10_000], 'a'))],
  ])('but to the start when %s', (_, state) => {
    expect(stateAfterRefusal(state, false)).toEqual(FIRST);
  });
});

describe('a walk over pages that misbehave', () => {
  type Manner = 'well' | 'empty' | 'repeats its token' | 'refuses the token';
  const manner: fc.Arbitrary<Manner> = fc.constantFrom('well', 'empty', 'repeats its token', 'refuses the token');

  /** Walks an archive of one record a second, served as the manners say and then well. Returns which records it met. */
  function walk(count: number, size: number, manners: readonly Manner[]): { seen: Set<number>; steps: number } {
    const times = Array.from({ length: count }, (_, index) => WINDOW.from + index * 1000);
    const window = { from: WINDOW.from, to: WINDOW.from + Math.max(0, count - 1) * 1000 };
    const queue = [...manners];
    const seen = new Set<number>();
    let used = new Set<string>();
    let issued = 0;
    let refusals = 0;
    let emptyInARow = 0;
    let state = firstState(window);
    const goTo = (next: WalkState): void => {
      if (next.token === undefined) used = new Set();
      else used.add(next.token);
      state = next;
    };
    for (let steps = 1; ; steps += 1) {
      if (steps > 10_000) throw new Error('a walk without end');
      const how = queue.shift() ?? 'well';
      if (how === 'refuses the token' && state.token !== undefined) {
        refusals += 1;
        goTo(stateAfterRefusal(state, refusals === 1));
        continue;
      }
      // A token says which record comes next; its second half makes it differ from all others.
      const at =
        state.token === undefined
          ? times.filter((time) => time < state.window.from).length
          : Number(state.token.split('.')[0]);
      emptyInARow = how === 'empty' ? emptyInARow + 1 : 0;
      const isEmpty = how === 'empty' && emptyInARow < 3;
      const served = isEmpty ? [] : times.slice(at, at + size);
      for (const time of served) seen.add(time);
      issued += 1;
      const left = at + served.length < times.length;
      let next = left || isEmpty ? `${at + served.length}.${issued}` : undefined;
      if (how === 'repeats its token' && state.token !== undefined) next = state.token;
      goTo(
        stateAfter(state, {
          count: served.length,
          times: served,
          next,
          nextIsOld: next !== undefined && used.has(next),
        }),
      );
      if (state.done) return { seen, steps };
    }
  }

  it('meets every record, whatever happens on the way, and ends', () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.integer({ min: 2, max: 7 }),
        fc.array(manner, { maxLength: 40 }),
        (count, size, how) => {
          const { seen, steps } = walk(count, size, how);
          expect(seen.size).toBe(count);
          // Each refusal or circle costs one walk at most.
          expect(steps).toBeLessThanOrEqual((how.length + 1) * (count + 2) + how.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});
