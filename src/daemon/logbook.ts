import type { Logger } from 'pino';
import { certificatesOf } from './certificates.ts';
import { Recorder } from './recorder.ts';
import { type LiveParts, sampleBehind, takeSnapshot } from './snapshot.ts';
import { SnapshotNote } from './snapshot-note.ts';
import { watchedOf } from './watched.ts';

/** Keeps in the store how the daemon fares, for `status` and the page: the last snapshot, and the timelines. */
export class Logbook {
  readonly #live: LiveParts;
  readonly #logger: Logger;
  readonly #note: SnapshotNote;
  readonly #recorder: Recorder;

  constructor(live: LiveParts, logger: Logger) {
    const { store, host } = live;
    this.#live = live;
    this.#logger = logger;
    this.#note = new SnapshotNote(store);
    this.#recorder = new Recorder(store, () => watchedOf(live), { now: host.now(), lastSign: this.#note.at });
  }

  /** Takes up what has happened since the last beat. Never throws. */
  beat(): void {
    const { host, outputs, rates, leastBehind } = this.#live;
    const now = host.now();
    for (const { dispatcher } of outputs) rates.sample(dispatcher.name, dispatcher.accepted, now);
    this.#recorder.sample(now);
    this.#try(() => {
      sampleBehind(leastBehind, takeSnapshot(this.#live));
      this.#recorder.write();
      this.#noteNow();
    });
  }

  /** Notes how things are now. Never throws. */
  note(): void {
    this.#try(() => this.#noteNow());
  }

  /** The same, for the last time. Throws a `StoreError`. */
  lastNote(): void {
    this.#noteNow();
  }

  /** Takes up the rest, and writes all of it. Throws a `StoreError`. */
  endTimelines(): void {
    this.#recorder.end(this.#live.host.now());
  }

  #noteNow(): void {
    this.#live.certificates = certificatesOf(this.#live);
    this.#note.keep(takeSnapshot(this.#live));
  }

  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      // A full disk is told by the feeds; a status that is some seconds old is no trouble of its own.
      this.#logger.debug({ err: error }, 'the snapshot could not be noted');
    }
  }
}
