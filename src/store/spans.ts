/** A stretch of time, ms since 1970: `from` belongs to it, `until` does not. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** The same time as few spans: in order, none empty, none touching another. */
export function union(spans: readonly Span[]): Span[] {
  const joined: { from: number; until: number }[] = [];
  for (const { from, until } of spans.toSorted((a, b) => a.from - b.from)) {
    if (until <= from) continue;
    const last = joined.at(-1);
    if (last && from <= last.until) last.until = Math.max(last.until, until);
    else joined.push({ from, until });
  }
  return joined;
}

/** What of `whole` no span covers, in order. */
export function uncovered(whole: Span, spans: readonly Span[]): Span[] {
  const gaps: Span[] = [];
  let at = whole.from;
  for (const { from, until } of union(spans)) {
    if (from >= whole.until) break;
    if (from > at) gaps.push({ from: at, until: from });
    at = Math.max(at, until);
  }
  if (at < whole.until) gaps.push({ from: at, until: whole.until });
  return gaps;
}

/** How long spans that do not overlap are together, ms. */
export function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, until }) => sum + until - from, 0);
}
