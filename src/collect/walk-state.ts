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
const SECOND = 1000;

export function firstState(window: TimeWindow): WalkState {
  return { window, token: undefined, pages: 0, emptyPages: 0, newest: undefined, ascending: true, done: false };
}

/**
 * Where the walk stands after a page. It ends when there is no token, or with empty pages in a row (one empty page with a token may
 * hide more, and one more call is harmless), or when a token comes back and nothing newer can be asked for.
 */
export function stateAfter(state: WalkState, page: PageSummary): WalkState {
  const emptyPages = page.count === 0 ? state.emptyPages + 1 : 0;
  const newest = Math.max(state.newest ?? Number.NEGATIVE_INFINITY, ...page.times.slice(-1));
  const after = {
    ...state,
    token: page.next,
    pages: state.pages + 1,
    emptyPages,
    newest: Number.isFinite(newest) ? newest : undefined,
    ascending: state.ascending && isAscending(page.times, state.newest),
  };
  if (page.next === undefined || emptyPages >= EMPTY_PAGES) return { ...after, token: undefined, done: true };
  return page.nextIsOld ? outOfTheCircle(after) : after;
}

/** A page that repeats the end of the one before is in order all the same; one that runs backwards, or ends earlier, is not. */
function isAscending(times: readonly number[], newest: number | undefined): boolean {
  const last = times.at(-1);
  if (last === undefined) return true;
  return last >= (newest ?? last) && times.every((time, at) => at === 0 || time >= (times[at - 1] ?? time));
}

/**
 * Where the walk stands after its page token was refused: at the start of its window, which needs no trust in anything. But where
 * tokens live shorter than a walk takes, that would never end: from the second refusal on, the walk goes on from the newest record.
 */
export function stateAfterRefusal(state: WalkState, isFirst: boolean): WalkState {
  return (isFirst ? undefined : fromTheNewest(state)) ?? firstState(state.window);
}

/**
 * Pages that go in a circle. Some APIs repeat the last token at the end, and then nothing is left; to be sure, the walk goes on from
 * the newest record. It ends when that would ask the same again, or when records did not come in order, so that nobody can tell.
 */
function outOfTheCircle(state: WalkState): WalkState {
  return fromTheNewest(state) ?? { ...state, token: undefined, done: true };
}

/**
 * The rest of the window as a window of its own, without a token: all before the newest record has been read, since records come
 * oldest first. Undefined when they did not, or when it would be the same window again.
 */
export function fromTheNewest({ window, newest, ascending }: WalkState): WalkState | undefined {
  if (newest === undefined || !ascending || newest <= window.from || newest > window.to) return undefined;
  return firstState({ from: newest, to: window.to });
}

/**
 * Where the walk goes when not even one record fits into an answer. The next record is the one, and it has no date for us: so the window is
 * halved in time until a second is left, which is passed over. `askedTo`: the end of the window that was asked for; the state's own moves.
 */
export function stateAfterTooLarge(
  state: WalkState,
  askedTo: number,
): { readonly state: WalkState; readonly unread: number | undefined } {
  const { from, to } = fromTheNewest(state)?.window ?? state.window;
  const seconds = Math.round((to - from) / SECOND);
  if (seconds > 0) {
    const middle = from + Math.floor(seconds / 2) * SECOND;
    return { state: firstState({ from, to: middle }), unread: undefined };
  }
  return { state: stateBehind({ ...state, window: { from, to } }, askedTo), unread: from };
}

/** Where the walk goes after a part of its window: on with the rest, or to its end. The rest shares a second with the part, as windows do. */
export function stateBehind(state: WalkState, askedTo: number): WalkState {
  const { from, to } = state.window;
  const next = from === to ? to + SECOND : to;
  if (to >= askedTo || next > askedTo) return { ...state, token: undefined, done: true };
  return firstState({ from: next, to: askedTo });
}
