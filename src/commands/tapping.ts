import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type EventSource, ForwarderEvent } from '../event.ts';
import { sleep } from '../retry.ts';
import type { EventReader } from '../store/event-reader.ts';
import type { StoredEvent } from '../store/outbox.ts';

/** Reads the events of a store as they come. */

/** Which events are wanted. */
export interface Wanted {
  /** Where to begin: with what is stored from now on, with so many of the last, or with what has this time (ms) of its own or a later one. */
  readonly begin: 'now' | { readonly last: number } | { readonly from: number };
  readonly passes: ((event: ForwarderEvent) => boolean) | undefined;
  /** False: end where the store ended when reading began. */
  readonly follow: boolean;
}

/** How often the store is asked for more, ms: soon enough for an eye, and one look-up in an index each time. */
const LOOK_EVERY = 200;
/** What is read at once, and so for how long one read transaction lasts at most: a few ms. */
const LIMITS = { maxEvents: 500, maxBytes: 1024 * 1024 };

/** Batches of wanted events in the order in which they were stored; never an empty one. Rejects when the signal is aborted. */
export async function* tapped(
  reader: EventReader,
  wanted: Wanted,
  sourceOf: (feed: string) => EventSource,
  signal: AbortSignal,
): AsyncGenerator<readonly ForwarderEvent[]> {
  const { begin, follow } = wanted;
  const passing = (rows: readonly StoredEvent[]): ForwarderEvent[] =>
    rows
      .map((row) => new ForwarderEvent({ ...row, source: sourceOf(row.feed) }))
      .filter((event) => isWanted(event, wanted));
  const end = reader.last();
  let seq = end;
  if (begin !== 'now' && 'last' in begin) {
    const last = await lastOnes(reader, end, begin.last, passing, signal);
    if (last.length > 0) yield last;
  } else if (begin !== 'now') {
    seq = Math.min(end, (reader.firstSince(begin.from) ?? end + 1) - 1);
  }
  for (;;) {
    signal.throwIfAborted();
    const rows = reader.after(seq, LIMITS);
    seq = rows.at(-1)?.seq ?? seq;
    const events = passing(follow ? rows : rows.filter((row) => row.seq <= end));
    if (events.length > 0) yield events;
    if (!follow && (rows.length === 0 || seq >= end)) return;
    await (rows.length === 0 ? sleep(LOOK_EVERY, signal) : turnOfTheLoop());
  }
}

function isWanted(event: ForwarderEvent, { begin, passes }: Wanted): boolean {
  if (begin !== 'now' && 'from' in begin && event.time < begin.from) return false;
  return passes === undefined || passes(event);
}

/** The last `count` wanted events up to `end`, oldest first; read backwards, so that what is old is not looked at. */
async function lastOnes(
  reader: EventReader,
  end: number,
  count: number,
  passing: (rows: readonly StoredEvent[]) => ForwarderEvent[],
  signal: AbortSignal,
): Promise<ForwarderEvent[]> {
  const found: ForwarderEvent[] = [];
  let before = end + 1;
  while (found.length < count) {
    const rows = reader.before(before, LIMITS);
    if (rows.length === 0) break;
    before = rows.at(-1)?.seq ?? 0;
    found.push(...passing(rows));
    await turnOfTheLoop();
    signal.throwIfAborted();
  }
  return found.slice(0, count).reverse();
}
