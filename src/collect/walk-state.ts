import type { TimeWindow } from '../feeds/feed.ts';

/** Where a walk stands between two pages. Times are ms since 1970. */
export interface WalkState {
  readonly window: TimeWindow;
  /** Token of the page that is due; undefined for the first page of the window. */
  readonly token: string | undefined;
  /** Pages read of this window. */
  readonly pages: number;
  readonly emptyPages: number;
  /** Date of the newest record so far, and whether all came in ascending order, as they were asked for. */
  readonly newest: number | undefined;
  readonly ascending: boolean;
  readonly done: boolean;
}

/** What of a page decides where the walk goes. */
export interface PageSummary {
  /** Records, the malformed ones too. */
  readonly count: number;
  /** Dates of the records that have one, in the order they came. */
  readonly times: readonly number[];
  readonly next: string | undefined;
  /** Has this walk used the token `next` already? */
  readonly nextIsOld: boolean;
}

/** Empty pages in a row, each with a token, after which a walk is at its end. */
const EMPTY_PAGES = 3;

export function firstState(window: TimeWindow): WalkState {
  return { window, token: undefined, pages: 0, emptyPages: 0, newest: undefined, ascending: true, done: false };
}

/**
 * Where the walk stands after a page. It ends when there is no token, or with empty pages in a row (one empty page with a token may
 * hide more, and one more call is harmless), or when a token comes back and nothing newer can be asked for.
 */
export function stateAfter(state: WalkState, page: PageSummary): WalkState {
  let { newest, ascending } = state;
  for (const time of page.times) {
    if (newest !== undefined && time < newest) ascending = false;
    else newest = time;
  }
  const emptyPages = page.count === 0 ? state.emptyPages + 1 : 0;
  const after = { ...state, token: page.next, pages: state.pages + 1, emptyPages, newest, ascending };
  if (page.next === undefined || emptyPages >= EMPTY_PAGES) return { ...after, token: undefined, done: true };
  return page.nextIsOld ? outOfTheCircle(after) : after;
}

/**
 * Pages that go in a circle. Some APIs repeat the last token at the end, and then nothing is left. To be sure, the walk goes on from
 * the newest record, without a token: all before it has been read, since records come oldest first. It ends when that would ask the
 * same again, or when records did not come in order, so that nobody can tell.
 */
function outOfTheCircle(state: WalkState): WalkState {
  const { window, newest, ascending } = state;
  const movesOn = newest !== undefined && ascending && newest > window.from && newest <= window.to;
  return movesOn ? firstState({ from: newest, to: window.to }) : { ...state, token: undefined, done: true };
}
