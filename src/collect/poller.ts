import type { Logger } from 'pino';
import type { PageOutcome } from '../store/pages.ts';
import { type WalkContext, WindowWalk } from './walk.ts';
import { isInFuture, nextWindow, type WindowOptions } from './window.ts';

export interface PollerOptions extends WindowOptions {
  /** Where a feed that is new to the store begins: ms before Mimecast's now, or a time. */
  readonly startFrom: { readonly ago: number } | { readonly time: number };
  /** How far back to read again when the checkpoint turns out to lie in the future, ms. */
  readonly recoverySpan: number;
}

/** What a step did. */
export interface PollStep extends PageOutcome {
  /** True when the page was the last of its window, and the checkpoint has moved. */
  readonly windowDone: boolean;
  /** True when all that can be asked for now has been read. */
  readonly caughtUp: boolean;
}

/**
 * Live polling of one feed: from the checkpoint to now, one page a step.
 *
 * The checkpoint moves only when a window has been read to its end. Between two pages everything that is needed to go on is in the
 * store, so that a crash, a failure and a stop are all the same to it: the next step goes on where the last page ended.
 */
export class Poller {
  readonly #context: WalkContext;
  readonly #options: PollerOptions;
  readonly #logger: Logger;
  #walk: WindowWalk | undefined;
  #reachesNow = false;

  constructor(context: WalkContext, options: PollerOptions, logger: Logger) {
    this.#context = context;
    this.#options = options;
    this.#logger = logger;
  }

  /** Reads and stores one page. Rejects as `WindowWalk.step` does; then the same page is due again. */
  async pollOnce(signal: AbortSignal): Promise<PollStep> {
    this.#walk ??= await this.#begin(signal);
    const outcome = await this.#walk.step(signal);
    if (!this.#walk.done) return { ...outcome, windowDone: false, caughtUp: false };
    this.#walk = undefined;
    return { ...outcome, windowDone: true, caughtUp: this.#reachesNow };
  }

  /** The window in hand, for people. */
  get walk(): { readonly from: number; readonly to: number; readonly pages: number } | null {
    if (!this.#walk) return null;
    const { from, to } = this.#walk.window;
    return { from, to, pages: this.#walk.pages };
  }

  /** Goes on with the walk that the store knows, or begins the next window. */
  async #begin(signal: AbortSignal): Promise<WindowWalk> {
    const { store, client, feed } = this.#context;
    const now = await client.serverNow(signal);
    const saved = store.checkpoints.get(feed.name);
    const checkpoint = this.#checkpointFor(saved?.doneUntil ?? null, now);
    // A walk that ends in Mimecast's future is refused, or worse, empty: it was begun by a clock that was wrong.
    const resume = saved?.walk && !isInFuture(saved.walk.to, now) ? saved.walk : undefined;
    const window = nextWindow(checkpoint, now, this.#options);
    this.#reachesNow = resume === undefined && window.reachesNow;
    const to = resume?.to ?? window.to;
    const walk = new WindowWalk(this.#context, window, {
      resume,
      progress: (next) => ({ doneUntil: next === null ? Math.max(checkpoint, to) : checkpoint, walk: next }),
    });
    // A feed that is new to the store is given its checkpoint at once: a restart must not move its beginning.
    if (saved?.doneUntil !== checkpoint) store.checkpoints.save(feed.name, feed.type, checkpoint, resume ?? null, null);
    return walk;
  }

  #checkpointFor(saved: number | null, now: number): number {
    const { startFrom, recoverySpan, settle } = this.#options;
    if (saved === null) {
      const start = 'ago' in startFrom ? now - startFrom.ago : startFrom.time;
      return Math.floor(Math.min(start, now - settle) / 1000) * 1000;
    }
    if (!isInFuture(saved, now)) return saved;
    this.#logger.error(
      { feed: this.#context.feed.name, checkpoint: new Date(saved).toISOString(), now: new Date(now).toISOString() },
      "the checkpoint lies in Mimecast's future, so a clock was wrong: reading again from before now",
    );
    return Math.floor((now - recoverySpan) / 1000) * 1000;
  }
}
