import type { Logger } from 'pino';
import { LIMITS } from '../status/condition.ts';
import type { PageOutcome } from '../store/pages.ts';
import { type WalkContext, WindowWalk } from './walk.ts';
import { isInFuture, nextWindow, type WindowOptions } from './window.ts';

export interface PollerOptions extends WindowOptions {
  /** Where a feed that is new to the store begins: ms before Mimecast's now, or a time. */
  readonly startFrom: { readonly ago: number } | { readonly time: number };
  /** How far back to read again when the checkpoint turns out to lie in the future, ms. */
  readonly recoverySpan: number;
}

/**
 * What leaves Mimecast while the first window is being asked for was never within reach: `startFrom: 30d` is at the very edge of what
 * it keeps, and is no gap some seconds later. ms.
 */
const START_GRACE = 3_600_000;

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
  #hasToldOfLoss = false;

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
    this.#tellOfLoss(checkpoint, now);
    // A walk that ends in Mimecast's future is refused, or worse, empty: it was begun by a clock that was wrong.
    const resume = saved?.walk && !isInFuture(saved.walk.to, now) ? saved.walk : undefined;
    const window = nextWindow(checkpoint, now, this.#options);
    this.#reachesNow = resume === undefined && window.reachesNow;
    const to = resume?.to ?? window.to;
    const walk = new WindowWalk(this.#context, window, {
      resume,
      purpose: 'poll',
      progress: (next) => ({ doneUntil: next === null ? Math.max(checkpoint, to) : checkpoint, walk: next }),
    });
    // A feed that is new to the store is given its checkpoint at once: a restart must not move its beginning.
    if (saved?.doneUntil !== checkpoint) store.checkpoints.save(feed.name, feed.type, checkpoint, resume ?? null, null);
    return walk;
  }

  #checkpointFor(saved: number | null, now: number): number {
    const { startFrom, recoverySpan, settle } = this.#options;
    if (saved === null) {
      const wanted = 'ago' in startFrom ? now - startFrom.ago : startFrom.time;
      const start = wholeSecond(Math.min(wanted, now - settle));
      this.#acceptWhatIsGone(start, now);
      return start;
    }
    if (!isInFuture(saved, now)) return saved;
    this.#logger.error(
      { feed: this.#context.feed.name, checkpoint: new Date(saved).toISOString(), now: new Date(now).toISOString() },
      "the checkpoint lies in Mimecast's future, so a clock was wrong: reading again from before now",
    );
    const again = wholeSecond(now - recoverySpan);
    this.#context.store.coverage.forgetAfter(this.#context.feed.name, again);
    return again;
  }

  /** A feed that begins further back than Mimecast keeps its rows has missed nothing there. */
  #acceptWhatIsGone(from: number, now: number): void {
    const { store, feed } = this.#context;
    const to = wholeSecond(Math.min(now, now - LIMITS.mimecastKeeps + START_GRACE));
    if (from < to) store.coverage.began(feed.name, { from, to }, this.#context.now());
    this.#hasToldOfLoss = true;
  }

  /** The windows that are too old are asked for all the same, in case that Mimecast has them still; but they count as not read. */
  #tellOfLoss(checkpoint: number, now: number): void {
    const keptSince = now - LIMITS.mimecastKeeps;
    const isLate = checkpoint < keptSince;
    const isTold = this.#hasToldOfLoss;
    this.#hasToldOfLoss = isLate;
    if (!isLate || isTold) return;
    const { store, feed } = this.#context;
    if (store.checkpoints.get(feed.name)?.begunAt === checkpoint) return;
    this.#logger.error(
      { feed: feed.name, from: new Date(checkpoint).toISOString(), to: new Date(keptSince).toISOString() },
      'Mimecast was not read for longer than it keeps its records: this span is a gap, and `status` says what to do',
    );
  }
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
