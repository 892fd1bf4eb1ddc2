import { sleep } from '../retry.ts';

/** How long a stop waits for the page and the batch in hand before it lets go of them; the promise is 10 s in all. */
const STOP_PATIENCE = 7000;
/** How long what was let go of has to come to its end. */
export const ABORT_PATIENCE = 1500;

export interface StopSignals {
  /** Begin nothing new; finish what is in hand. */
  readonly stopping: AbortSignal;
  /** Let go of what is in hand too. */
  readonly abort: AbortSignal;
}

/** Stops one part, or the whole: a part that is given the signals of the whole stops with it, and can be stopped alone. */
export class Stopper {
  readonly signals: StopSignals;
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();

  constructor(whole?: StopSignals) {
    const own = { stopping: this.#stopping.signal, abort: this.#abort.signal };
    this.signals = whole
      ? {
          stopping: AbortSignal.any([whole.stopping, own.stopping]),
          abort: AbortSignal.any([whole.abort, own.abort]),
        }
      : own;
  }

  /** Asks for the end. Returns at once. */
  ask(): void {
    this.#stopping.abort();
  }

  /** Waits for work that was asked to end. False when it took too long and was let go of. */
  async settled(work: Promise<unknown>): Promise<boolean> {
    if (await isOverWithin(STOP_PATIENCE, work)) return true;
    this.#abort.abort();
    await isOverWithin(ABORT_PATIENCE, work);
    return false;
  }
}

/** Whether the work ends within so many ms. Rejects as the work does. */
export async function isOverWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const late = sleep(ms, over.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    over.abort();
  }
}
