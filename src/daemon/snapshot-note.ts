import type { Snapshot } from '../status/snapshot.ts';
import type { Store } from '../store/store.ts';
import { SNAPSHOT_NOTE } from './snapshot.ts';

/** Keeps the last snapshot in the store, for `status`. */
export class SnapshotNote {
  readonly #store: Store;
  #kept = '';

  constructor(store: Store) {
    this.#store = store;
  }

  /** When the last one was kept, by this daemon or one before, ms since 1970; 0 when there is none. */
  get at(): number {
    return this.#store.note(SNAPSHOT_NOTE)?.at ?? 0;
  }

  /** Only when something in it has changed, since an idle daemon should leave the disk alone. Throws a `StoreError`. */
  keep(snapshot: Snapshot): void {
    const state = JSON.stringify({
      ...snapshot,
      now: 0,
      asOf: 0,
      feeds: snapshot.feeds.map((feed) => ({ ...feed, idleMs: 0 })),
      outputs: snapshot.outputs.map((output) => ({ ...output, idleMs: 0 })),
      store: { ...snapshot.store, freeDisk: 0 },
      api: null,
    });
    if (state === this.#kept) return;
    this.#store.writeNote(SNAPSHOT_NOTE, snapshot, snapshot.now);
    this.#kept = state;
  }
}
