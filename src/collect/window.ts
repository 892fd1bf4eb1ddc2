import type { TimeWindow } from '../feeds/feed.ts';

/** All in ms. */
export interface WindowOptions {
  /** How far behind the checkpoint each poll reads again, for records that surface late. */
  readonly overlap: number;
  /** The newest stretch that is not asked for yet. */
  readonly settle: number;
  /** The most that one window moves on. */
  readonly maxWindow: number;
}

/** The next window to read. */
export interface NextWindow extends TimeWindow {
  /** True when it reaches up to now: the feed has then caught up. */
  readonly reachesNow: boolean;
}

/** A checkpoint later than this beyond Mimecast's now is not the jitter of the Date header (1 s) but a clock that was wrong. */
const FUTURE_TOLERANCE = 60_000;

/**
 * The window after a checkpoint. `now` is Mimecast's, not ours: a fast clock of ours must not put the checkpoint into a time that
 * Mimecast has not written yet.
 *
 * Both ends are whole seconds, since Mimecast's resolution is one second, and both are read as inclusive; neighbouring windows
 * share at least the overlap, so no second between them goes unread.
 */
export function nextWindow(checkpoint: number, now: number, options: WindowOptions): NextWindow {
  const settled = wholeSecond(now - options.settle);
  const to = Math.min(settled, wholeSecond(checkpoint + options.maxWindow));
  const from = wholeSecond(Math.min(checkpoint, to) - options.overlap);
  return { from, to, reachesNow: to === settled };
}

/** Is the checkpoint in Mimecast's future, so that nothing would ever be asked for? */
export function isInFuture(checkpoint: number, now: number): boolean {
  return checkpoint > now + FUTURE_TOLERANCE;
}

/** Splits a long stretch, oldest first, into windows of at most `maxWindow`. Neighbours share their border second. */
export function windowsOf(span: TimeWindow, maxWindow: number): TimeWindow[] {
  const windows: TimeWindow[] = [];
  const step = Math.max(1000, wholeSecond(maxWindow));
  const start = wholeSecond(span.from);
  const end = wholeSecond(span.to);
  // A span of one second is a window too, since both ends are read.
  for (let from = start; from < end || (from === start && from === end); from += step) {
    windows.push({ from, to: Math.min(end, from + step) });
  }
  return windows;
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
