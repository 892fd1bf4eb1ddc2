import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lengthOf, type Span, uncovered, union } from '../../src/store/spans.ts';

/** The naive model of time: a set of its instants. */
function instantsOf(spans: readonly Span[]): Set<number> {
  const instants = new Set<number>();
  for (const { from, until } of spans) for (let at = from; at < until; at += 1) instants.add(at);
  return instants;
}

const END = 40;
const anySpan = fc.record({ from: fc.nat(END), until: fc.nat(END) });
const anySpans = fc.array(anySpan, { maxLength: 12 });

function expectTidy(spans: readonly Span[]): void {
  for (const { from, until } of spans) expect(from).toBeLessThan(until);
  for (const [at, { from }] of spans.slice(1).entries()) expect(from).toBeGreaterThan(spans[at]?.until ?? 0);
}

describe('spans', () => {
  it('joined are the same time, in order and apart from each other', () => {
    fc.assert(
      fc.property(anySpans, (spans) => {
        const joined = union(spans);
        expectTidy(joined);
        expect(instantsOf(joined)).toEqual(instantsOf(spans));
        expect(lengthOf(joined)).toBe(instantsOf(spans).size);
      }),
    );
  });

  it('and what they do not cover are the whole, and share nothing', () => {
    fc.assert(
      fc.property(anySpan, anySpans, (whole, spans) => {
        const gaps = uncovered(whole, spans);
        expectTidy(gaps);
        const covered = instantsOf(spans);
        const expected = [...instantsOf([whole])].filter((at) => !covered.has(at));
        expect([...instantsOf(gaps)].toSorted((a, b) => a - b)).toEqual(expected);
      }),
    );
  });
});
