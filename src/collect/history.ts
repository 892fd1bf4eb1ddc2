import { performance } from 'node:perf_hooks';
import type { PageOutcome } from '../store/pages.ts';

/** What the last polls did, for status. Times are ms since 1970. */
export interface CollectorState {
  /** When Mimecast last answered: the end of the last poll, or of the last page while a walk is under way. */
  readonly lastPollAt: number | null;
  readonly lastSuccessAt: number | null;
  readonly lastPollNew: number;
  /** Records that the last poll read, known ones included. */
  readonly lastPollRead: number;
  readonly lastPollDurationMs: number;
  /** Records read since an event was last new, or since the start: known ones, and those that do not fit. */
  readonly readSinceNew: number;
  readonly malformedSinceNew: number;
}

/** Keeps count of what polls bring, so that a feed with nothing new can say whether it got no records or only known ones. */
export class PollHistory {
  readonly #now: () => number;
  #state: CollectorState = {
    lastPollAt: null,
    lastSuccessAt: null,
    lastPollNew: 0,
    lastPollRead: 0,
    lastPollDurationMs: 0,
    readSinceNew: 0,
    malformedSinceNew: 0,
  };
  #startedAt = 0;
  #added = 0;
  #read = 0;
  #gotOn = performance.now();

  constructor(now: () => number) {
    this.#now = now;
  }

  get state(): CollectorState {
    return this.#state;
  }

  /** How long ago a page came, ms, by a clock that never steps. */
  get idleMs(): number {
    return performance.now() - this.#gotOn;
  }

  begins(): void {
    this.#startedAt = this.#now();
    this.#added = 0;
    this.#read = 0;
  }

  page({ added, duplicates, variants, malformed }: PageOutcome): void {
    this.#gotOn = performance.now();
    const read = added.length + duplicates + variants + malformed;
    this.#added += added.length;
    this.#read += read;
    const { readSinceNew, malformedSinceNew } = this.#state;
    const isNew = added.length > 0;
    this.#state = {
      ...this.#state,
      lastPollAt: this.#now(),
      readSinceNew: isNew ? 0 : readSinceNew + read,
      malformedSinceNew: isNew ? 0 : malformedSinceNew + malformed,
    };
  }

  /** The poll has read all that was asked for. Returns how long it took, ms. */
  ends(): number {
    const at = this.#now();
    const took = at - this.#startedAt;
    this.#state = {
      ...this.#state,
      lastPollAt: at,
      lastSuccessAt: at,
      lastPollNew: this.#added,
      lastPollRead: this.#read,
      lastPollDurationMs: took,
    };
    return took;
  }
}
