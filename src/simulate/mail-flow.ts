import type { RawRecord } from '../event.ts';
import type { Archive } from './archive.ts';
import type { FaultInjector } from './fault-injector.ts';
import { amountOf } from './faults.ts';
import { leaderOf } from './record.ts';
import { parseTime } from './request.ts';

/** A span of time, ms since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface Traffic {
  readonly startedAt: number;
  /** ms between two records. */
  readonly interval: number;
  /** How many it has made. */
  readonly made: number;
}

/**
 * Puts records into the archive: given ones, a spread of made-up ones, and traffic.
 *
 * Traffic has no timer: each look at the archive first makes what has become due since the last one. The result is the same,
 * costs nothing in between, and follows whatever clock the simulator was given.
 */
export class MailFlow {
  readonly #archive: Archive;
  readonly #faults: FaultInjector;
  #traffic: Traffic | undefined;

  constructor(archive: Archive, faults: FaultInjector) {
    this.#archive = archive;
    this.#faults = faults;
  }

  /** A record without a readable date, or with one before 1970, takes its place in the order from `visibleAt`. */
  add(records: readonly RawRecord[], visibleAt: number): void {
    for (const content of records) {
      const second = typeof content.date === 'string' ? parseTime(content.date) : undefined;
      const place = second === undefined || second < 0 ? Math.floor(visibleAt / 1000) : second;
      this.#archive.add(content, place, visibleAt);
    }
  }

  /** Spreads `count` made-up records over a span. Those dated later than `now` are shown when their time has come. */
  seed(count: number, span: Span, now: number): void {
    this.catchUp(now);
    const from = Math.ceil(span.from / 1000) * 1000;
    const step = Math.max(0, span.to - from) / Math.max(1, count - 1);
    this.#archive.generate(
      count,
      (k) => from + k * step,
      (ms) => Math.max(now, this.#surfacesAt(ms)),
    );
  }

  startTraffic(ratePerSecond: number, now: number): void {
    this.catchUp(now);
    this.#traffic = { startedAt: now, interval: 1000 / ratePerSecond, made: 0 };
  }

  stopTraffic(now: number): void {
    this.catchUp(now);
    this.#traffic = undefined;
  }

  /** Makes the records that traffic owes by `now`. */
  catchUp(now: number): void {
    if (!this.#traffic) return;
    const { startedAt, interval, made } = this.#traffic;
    const next = this.#archive.nextIndex;
    let owed = Math.floor((now - startedAt) / interval) - made;
    if (owed <= 0) return;
    // The rows of one mail arrive together.
    while (leaderOf(next + owed) < next + owed) owed += 1;
    this.#archive.generate(
      owed,
      (k) => startedAt + (made + k + 1) * interval,
      (ms) => this.#surfacesAt(ms),
    );
    this.#traffic = { startedAt, interval, made: made + owed };
  }

  #surfacesAt(ms: number): number {
    const late = this.#faults.strike('late');
    return late ? ms + amountOf(late) : ms;
  }
}
