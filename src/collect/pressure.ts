import { ForwarderError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export type PauseReason = 'store_full' | 'disk_full' | 'disk_unwritable';

export interface PressureOptions {
  /** Bytes that the store may use. */
  readonly maxSize: number;
  /** Bytes that must stay free on its disk. */
  readonly minFreeDisk: number;
}

/**
 * Is there room for another page? Collecting pauses when there is none; nothing is dropped, for Mimecast keeps its rows 30 days
 * and delivery goes on meanwhile.
 */
export class Pressure {
  readonly #store: Store;
  #options: PressureOptions;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  #paused: { readonly reason: PauseReason; readonly since: number } | null = null;

  constructor(store: Store, options: PressureOptions, metrics: Metrics, now: () => number) {
    this.#store = store;
    this.#options = options;
    this.#metrics = metrics;
    this.#now = now;
    for (const reason of Object.keys(PAUSES)) metrics.collectingPaused.set({ reason }, 0);
  }

  /** From the next page on. */
  setLimits(options: PressureOptions): void {
    this.#options = options;
  }

  /** Why collecting is paused, and since when; null while it is not. As of the last `check`. */
  get paused(): { readonly reason: PauseReason; readonly since: number } | null {
    return this.#paused;
  }

  /** Looks again. Cheap enough for every page: three pragmas and one statfs. */
  check(): PauseReason | undefined {
    return this.#set(this.#reason());
  }

  /** Looks again, and throws `CollectingPaused` while there is no room for another page. */
  ensureRoom(): void {
    const reason = this.check();
    if (reason) throw new CollectingPaused(reason);
  }

  /** SQLite itself met a full disk, or one that takes no writes. */
  met(reason: 'disk_full' | 'disk_unwritable'): void {
    this.#set(reason);
  }

  #reason(): PauseReason | undefined {
    // Tried with a small write and not with a page, which would be asked of Mimecast for nothing.
    const wasUnwritable = this.#paused?.reason === 'disk_unwritable';
    if (wasUnwritable && !this.#store.takesWrites(this.#now())) return 'disk_unwritable';
    if (this.#store.freeDisk() < this.#options.minFreeDisk) return 'disk_full';
    if (this.#store.usedBytes() > this.#options.maxSize) return 'store_full';
    return undefined;
  }

  #set(reason: PauseReason | undefined): PauseReason | undefined {
    if (reason === this.#paused?.reason) return reason;
    if (this.#paused) this.#metrics.collectingPaused.set({ reason: this.#paused.reason }, 0);
    this.#paused = reason ? { reason, since: this.#now() } : null;
    if (reason) this.#metrics.collectingPaused.set({ reason }, 1);
    return reason;
  }
}

/** Passes by itself, once there is room. */
export class CollectingPaused extends ForwarderError {
  readonly reason: PauseReason;

  constructor(reason: PauseReason) {
    const { why, hint } = PAUSES[reason];
    super(`collecting is paused: ${why}`, { code: 'COLLECTING_PAUSED', retryable: true, hint });
    this.reason = reason;
  }
}

const PAUSES: Readonly<Record<PauseReason, { readonly why: string; readonly hint: string }>> = {
  store_full: {
    why: 'the store is full',
    hint: 'Mend the output that holds events back, or raise store.maxSize. Nothing is lost: Mimecast keeps 30 days.',
  },
  disk_full: {
    why: 'the disk is nearly full',
    hint: 'Free space on the disk of the store (see store.minFreeDisk). Nothing is lost: Mimecast keeps 30 days.',
  },
  disk_unwritable: {
    why: 'the disk under the store does not take writes',
    hint: 'Look at the kernel log and at `mount`: a file system that met an error is read-only until it is mounted again. Nothing is lost: Mimecast keeps 30 days.',
  },
};
