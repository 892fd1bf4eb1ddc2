import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ForwarderEvent } from '../event.ts';
import type { ReadLimits, StoredEvent } from '../store/outbox.ts';
import type { Replay } from '../store/replay.ts';
import type { Store } from '../store/store.ts';
import { Shipment } from './shipment.ts';

/** What a replayer borrows from the dispatcher of its output. */
export interface ReplayerParts {
  readonly output: string;
  readonly store: Store;
  readonly batch: ReadLimits;
  readonly passes: ((event: ForwarderEvent) => boolean) | undefined;
  readonly logger: Logger;
  readonly now: () => number;
  eventOf(row: StoredEvent): ForwarderEvent;
  storedFormOf(event: ForwarderEvent): StoredEvent;
  /** Sends what a shipment holds; resolves when all of it is done with. */
  ship(shipment: Shipment, signal: AbortSignal): Promise<void>;
  /** Counts what was filtered and rejected, and tells of the rejects. */
  tell(filtered: number, shipment: Shipment): void;
}

interface Batch {
  readonly replay: Replay;
  readonly last: StoredEvent;
  readonly events: readonly ForwarderEvent[];
  readonly filtered: number;
  readonly shipment: Shipment;
}

/**
 * Sends stored events to one output again, as somebody asked for: one request after the other, one batch at a time, in the order of the
 * events' time. Where it stands is durable before anything more is sent, so that a crash repeats one batch at most.
 */
export class Replayer {
  readonly #parts: ReplayerParts;
  /** Kept while it fails: what was taken of it is not sent again. */
  #batch: Batch | undefined;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
  }

  /** Sends the next batch. False when nothing is asked for; rejects with what the output threw. */
  async step(signal: AbortSignal): Promise<boolean> {
    const { store, output, now, logger } = this.#parts;
    const replay = store.replays.due(output);
    // Cancelled in the midst of a batch.
    if (this.#batch?.replay.id !== replay?.id) this.#batch = undefined;
    if (replay === undefined) return false;
    this.#batch ??= this.#load(replay);
    const batch = this.#batch;
    if (batch === undefined) {
      store.replays.end(replay.id, now());
      const { id, delivered, rejected, filtered } = replay;
      logger.info({ replay: id, delivered, rejected, filtered }, 'a replay is done');
      return true;
    }
    // A batch of which nothing passes the filter waits for nothing: a long row of them would hold up all else in this process.
    if (batch.shipment.part === undefined) await turnOfTheLoop();
    await this.#parts.ship(batch.shipment, signal);
    this.#settle(batch);
    this.#batch = undefined;
    // While a replay is at work nobody rests, which is when a dispatcher looks for what other processes stored.
    store.outbox.refresh();
    return true;
  }

  #load(replay: Replay): Batch | undefined {
    const { store, batch, passes, eventOf, logger } = this.#parts;
    const rows = store.replays.read(replay, batch);
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    if (replay.at.seq === 0) logger.info({ replay: replay.id, ...spanOf(replay) }, 'a replay begins');
    const all = rows.map((row) => eventOf(row));
    const events = passes ? all.filter(passes) : all;
    // By time, not by seq: no seq may count as passed before all of them are done with.
    const shipment = new Shipment(events, Number.MAX_SAFE_INTEGER);
    return { replay, last, events, filtered: all.length - events.length, shipment };
  }

  #settle({ replay, last, events, filtered, shipment }: Batch): void {
    const { store, now, storedFormOf, tell } = this.#parts;
    const rejections = shipment.passedRejections;
    const refused = new Set(rejections.map(({ event }) => event));
    const delivered = events.filter((event) => !refused.has(event)).map(({ seq }) => seq);
    const rejected = rejections.map(({ event, reason }) => ({ event: storedFormOf(event), reason }));
    store.replays.settle(replay, { last, delivered, rejected, filtered }, now());
    tell(filtered, shipment);
  }
}

function spanOf({ from, to, total }: Replay): { from: string; to: string; events: number } {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), events: total };
}
