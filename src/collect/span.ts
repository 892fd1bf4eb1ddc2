import type { TimeWindow } from '../feeds/feed.ts';
import type { Purpose } from '../store/coverage.ts';
import type { PageOutcome } from '../store/pages.ts';
import { type WalkContext, WindowWalk } from './walk.ts';
import { windowsOf } from './window.ts';

/** How far the reading of a past span has come. */
export interface SpanProgress extends PageOutcome {
  /** All of the span before it has been read, ms since 1970. */
  readonly doneUntil: number;
}

/**
 * Reads a past span into the store, window by window, a page a turn, moving no checkpoint: what sweep and backfill share.
 *
 * What is new reaches the outputs by the usual path. A failure ends the turn, not the reading: `next()` rejects no more than the
 * page in hand, so the caller waits as it likes and takes the reader up again.
 */
export class SpanReader {
  readonly #context: WalkContext;
  readonly #windows: TimeWindow[];
  readonly #purpose: Purpose;
  #walk: WindowWalk | undefined;
  #doneUntil: number;

  constructor(context: WalkContext, span: TimeWindow, maxWindow: number, purpose: Purpose) {
    this.#context = context;
    this.#purpose = purpose;
    this.#windows = windowsOf(span, maxWindow);
    this.#doneUntil = span.from;
  }

  get done(): boolean {
    return this.#windows.length === 0;
  }

  /** Reads one page. To be called while not `done`; rejects as `WindowWalk.step` does. */
  async readOnce(signal: AbortSignal): Promise<SpanProgress> {
    const [window] = this.#windows;
    if (!window) throw new RangeError('the span has been read to its end');
    this.#walk ??= new WindowWalk(this.#context, window, { background: true, purpose: this.#purpose });
    const outcome = await this.#walk.step(signal);
    if (this.#walk.done) {
      this.#walk = undefined;
      this.#windows.shift();
      this.#doneUntil = window.to;
    }
    return { ...outcome, doneUntil: this.#doneUntil };
  }
}
