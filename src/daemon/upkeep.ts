import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { StoreConfig } from '../config/config.ts';
import { StoreError } from '../store/errors.ts';
import type { Store } from '../store/store.ts';

/** Above this part of `maxSize`, delivered events go before their retention is over, so that collecting need not pause. */
const GIVE_BACK_AT = 0.9;

/**
 * Keeps the store within its bounds: lets go of delivered events past their retention, and earlier when the store is nearly full.
 * An event that an output still waits for is never touched.
 */
export class Upkeep {
  readonly #store: Store;
  #config: StoreConfig;
  readonly #logger: Logger;
  readonly #now: () => number;
  #busy = false;
  #givingBack = false;

  constructor(store: Store, config: StoreConfig, logger: Logger, now: () => number) {
    this.#store = store;
    this.#config = config;
    this.#logger = logger;
    this.#now = now;
  }

  /** From the next step on. */
  setLimits(config: StoreConfig): void {
    this.#config = config;
  }

  /**
   * Prunes in small steps, letting polls and sends in between them. Skipped while one is at work. Rejects only for a store that cannot
   * be used any more: a full disk or another writer is waited out, and the feeds and outputs tell of it.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let more = true; more && !signal.aborted; ) {
        const now = this.#now();
        const full = this.#isNearlyFull();
        const pruned = this.#store.prune({ now, storedBefore: full ? now : now - this.#config.retention });
        more = pruned.more && (!full || this.#isNearlyFull());
        this.#tell(full && pruned.events > 0);
        await yieldToOthers();
      }
    } catch (error) {
      if (!(error instanceof StoreError && error.retryable)) throw error;
      this.#logger.debug({ err: error }, 'the store is tidied up the next time');
    } finally {
      this.#busy = false;
    }
  }

  #isNearlyFull(): boolean {
    return this.#store.usedBytes() > this.#config.maxSize * GIVE_BACK_AT;
  }

  #tell(givesBack: boolean): void {
    if (givesBack && !this.#givingBack) {
      this.#logger.warn(
        'the store is nearly full: delivered events go before store.retention is over; raise store.maxSize to keep them longer',
      );
    }
    if (givesBack || !this.#isNearlyFull()) this.#givingBack = givesBack;
  }
}
