import { describe, expect, it } from 'vitest';
import type { CoveredPage } from '../../src/store/coverage.ts';
import type { PageToStore } from '../../src/store/pages.ts';
import type { Store } from '../../src/store/store.ts';
import {
  DAY,
  FEED,
  failAt,
  openStore,
  openWithConnection,
  START,
  someRecords,
  sqlite,
  storePage,
  storePath,
  TYPE,
} from './harness.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Stores an empty page of a window. By default it is the only one, read by a poll, when Mimecast still had all of it. */
function read(store: Store, from: number, to: number, more: Partial<CoveredPage & PageToStore> = {}): void {
  const { purpose = 'poll', records = 0, end = 'complete', keptSince = 0, unread, ...page } = more;
  storePage(store, [], { now: to, coverage: { purpose, from, to, records, end, keptSince, unread }, ...page });
}

function checkpoint(store: Store, begunAt: number, doneUntil: number): void {
  store.checkpoints.save(FEED, TYPE, begunAt, null, null);
  store.checkpoints.save(FEED, TYPE, doneUntil, null, null);
}

function gapsOf(store: Store): [from: number, until: number][] {
  return store.coverage.gaps(FEED).map(({ from, until }) => [from, until]);
}

/** Makes it the store of the version that had no ledger. */
function forgetMigrations(path: string): void {
  const first = new Set(
    'event seen checkpoint cursor reject variant malformed tidemark note events sqlite_sequence'.split(' '),
  );
  const db = sqlite(path);
  const made = db.prepare<[], { type: string; name: string; sql: string | null }>(
    'SELECT type, name, sql FROM sqlite_schema',
  );
  const later = made.all().filter(({ name, sql }) => sql !== null && !first.has(name));
  for (const { type, name } of later.toSorted((a, b) => a.type.localeCompare(b.type))) db.exec(`DROP ${type} ${name}`);
  db.pragma('user_version = 1');
  db.close();
}

describe('the ledger', () => {
  it('has the windows that touch as one row, with what they brought', () => {
    const store = openStore();
    read(store, START, START + HOUR, { records: 7 });
    read(store, START + HOUR - MINUTE, START + 2 * HOUR, { records: 2 });
    // Whole seconds, both ends inclusive: the next second touches.
    read(store, START + 2 * HOUR + SECOND, START + 3 * HOUR);
    read(store, START + 5 * HOUR, START + 6 * HOUR);
    expect(store.coverage.list(FEED)).toMatchObject([
      { from: START, to: START + 3 * HOUR, windows: 3, pages: 3, records: 9, purpose: 'poll', result: 'complete' },
      { from: START + 5 * HOUR, to: START + 6 * HOUR, windows: 1, pages: 1, records: 0 },
    ]);
  });

  it('keeps apart what was asked for on different days and for different purposes', () => {
    const store = openStore();
    read(store, START, START + HOUR);
    read(store, START + HOUR, START + 2 * HOUR, { now: START + DAY });
    read(store, START, START + 2 * HOUR, { purpose: 'sweep' });
    expect(store.coverage.list(FEED).map(({ purpose, windows }) => [purpose, windows])).toEqual([
      ['poll', 1],
      ['sweep', 1],
      ['poll', 1],
    ]);
  });

  it('has a window that is being read, page by page, and takes it for covered at its end only', () => {
    const store = openStore();
    checkpoint(store, START, START + HOUR);
    for (const records of [500, 500]) read(store, START, START + HOUR, { records, end: null });
    expect(store.coverage.list(FEED)).toMatchObject([{ result: 'open', pages: 2, records: 1000, endedAt: null }]);
    expect(gapsOf(store)).toEqual([[START, START + HOUR]]);
    read(store, START, START + HOUR, { records: 3 });
    expect(store.coverage.list(FEED)).toMatchObject([{ result: 'complete', pages: 3, records: 1003, windows: 1 }]);
    expect(gapsOf(store)).toEqual([]);
  });

  it('has a window that nobody answered, with the last reason, until one that holds it is read', () => {
    const store = openStore();
    const window = { feed: FEED, purpose: 'poll' as const, from: START, to: START + HOUR };
    store.coverage.failed(window, 'network', START);
    store.coverage.failed(window, 'network', START + MINUTE);
    store.coverage.failed(window, 'server', START + HOUR);
    expect(store.coverage.list(FEED)).toMatchObject([{ result: 'server', pages: 0, beganAt: START, endedAt: null }]);
    read(store, START, START + 2 * HOUR);
    expect(store.coverage.list(FEED)).toMatchObject([{ result: 'complete', windows: 1 }]);
  });

  it('is written with the page or not at all', () => {
    const path = storePath();
    const store = openStore(path);
    checkpoint(store, START, START + HOUR);
    const coverage = {
      purpose: 'poll' as const,
      from: START,
      to: START + HOUR,
      records: 3,
      end: 'complete' as const,
      keptSince: 0,
    };
    const page = { coverage, progress: { doneUntil: START + 2 * HOUR, walk: null } };
    const mend = failAt(path, 'coverage');
    expect(() => storePage(store, someRecords(3), page)).toThrow();
    expect(store.outbox.read(0, { maxEvents: 9, maxBytes: 1e6 })).toEqual([]);
    expect(store.checkpoints.get(FEED)?.doneUntil).toBe(START + HOUR);
    mend();
    const mendEvents = failAt(path, 'event');
    expect(() => storePage(store, someRecords(3), page)).toThrow();
    expect(store.coverage.list(FEED)).toEqual([]);
    mendEvents();
    storePage(store, someRecords(3), page);
    expect(store.coverage.list(FEED)).toMatchObject([{ records: 3 }]);
  });

  it('stays small over a year of polls and sweeps, and forgets no gap', () => {
    const { store, connection } = openWithConnection();
    connection.pragma('synchronous = OFF');
    const EVERY = 6 * HOUR;
    checkpoint(store, START, START + 365 * DAY);
    const outage = { from: START + 20 * DAY + EVERY, until: START + 20 * DAY + 3 * EVERY };
    for (let to = START + EVERY; to <= START + 365 * DAY; to += EVERY) {
      const isOut = to > outage.from && to <= outage.until;
      if (!isOut) read(store, to - EVERY, to - SECOND);
      if (to % DAY !== 0) continue;
      const sweepsAgain = to < outage.from || to > outage.until + 2 * DAY;
      if (sweepsAgain) read(store, Math.max(START, to - DAY), to - SECOND, { purpose: 'sweep' });
      store.prune({ now: to, storedBefore: 0 });
    }
    // 90 days of a row for polls and one for sweeps, and what was before as one row on each side of the gap.
    expect(store.coverage.list(FEED).length).toBeLessThan(190);
    expect(gapsOf(store)).toEqual([[outage.from, outage.until]]);
    expect(store.coverage.list(FEED).filter(({ purpose }) => purpose === 'earlier')).toHaveLength(2);
  });

  it('of a store that had none begins with what the checkpoint said', () => {
    const path = storePath();
    const old = openStore(path);
    checkpoint(old, START, START + DAY);
    old.close();
    forgetMigrations(path);
    const store = openStore(path);
    expect(gapsOf(store)).toEqual([]);
    expect(store.coverage.list(FEED)).toMatchObject([{ from: START, to: START + DAY, purpose: 'earlier' }]);
  });
});

describe('a gap', () => {
  it('is none before a feed has begun', () => {
    const store = openStore();
    expect(gapsOf(store)).toEqual([]);
    read(store, START, START + HOUR);
    expect(gapsOf(store)).toEqual([]);
  });

  it('is what Mimecast no longer had when it was asked, until a backfill takes its answer for good', () => {
    const store = openStore();
    checkpoint(store, START, START + 3 * HOUR);
    // Half of the second window, not on a whole second, was gone by then.
    const keptSince = START + 90 * MINUTE - 400;
    read(store, START, START + HOUR, { keptSince });
    read(store, START + HOUR, START + 2 * HOUR, { keptSince, records: 5 });
    read(store, START + 2 * HOUR, START + 3 * HOUR, { keptSince });
    expect(gapsOf(store)).toEqual([[START, START + 90 * MINUTE]]);
    expect(store.coverage.list(FEED).map(({ result, records }) => [result, records])).toEqual([
      ['expired', 0],
      ['complete', 5],
    ]);
    for (const purpose of ['sweep', 'reconcile'] as const) read(store, START, START + 2 * HOUR, { keptSince, purpose });
    expect(gapsOf(store)).toEqual([[START, START + 90 * MINUTE]]);
    read(store, START, START + 90 * MINUTE, { keptSince, purpose: 'backfill' });
    expect(gapsOf(store)).toEqual([]);
    expect(store.coverage.list(FEED).filter(({ purpose }) => purpose === 'poll')).toMatchObject([
      { result: 'complete' },
    ]);
  });

  it('is a second that was covered, when a record comes up in it that cannot be read, until a backfill accepts that', () => {
    const store = openStore();
    checkpoint(store, START, START + HOUR);
    read(store, START, START + HOUR, { records: 9 });
    const [first, late] = [START, START + 30 * MINUTE];
    const gap = [late, late + SECOND];
    read(store, START + 20 * MINUTE, START + HOUR, { unread: [late] });
    expect(gapsOf(store)).toEqual([gap]);
    read(store, START, START + HOUR, { purpose: 'sweep', unread: [first, late] });
    expect(gapsOf(store)).toEqual([[first, first + SECOND], gap]);
    expect(store.coverage.list(FEED).reduce((sum, { records }) => sum + records, 0)).toBe(9);
    for (const second of [first, late]) read(store, second, second, { purpose: 'backfill', unread: [second] });
    expect(gapsOf(store)).toEqual([]);
    read(store, START, START + HOUR, { purpose: 'sweep', unread: [first, late] });
    expect(gapsOf(store)).toEqual([]);
  });

  it('is left by a comparison that found something missing and did not store it', () => {
    const store = openStore();
    checkpoint(store, START, START + HOUR);
    read(store, START, START + HOUR, { purpose: 'reconcile', end: 'missing' });
    expect(gapsOf(store)).toEqual([[START, START + HOUR]]);
    read(store, START, START + HOUR, { purpose: 'reconcile' });
    expect(gapsOf(store)).toEqual([]);
    expect(store.coverage.list(FEED)).toHaveLength(1);
  });

  it('is not made good by a longer window of another day that was never finished', () => {
    const store = openStore();
    checkpoint(store, START, START + 2 * HOUR);
    read(store, START, START + 2 * HOUR, { purpose: 'backfill', end: null });
    read(store, START + HOUR, START + 2 * HOUR, { purpose: 'backfill' });
    expect(gapsOf(store)).toEqual([[START, START + HOUR]]);
  });

  it('comes back when it turns out that a clock was wrong', () => {
    const store = openStore();
    read(store, START, START + 4 * HOUR);
    read(store, START + 5 * HOUR, START + 6 * HOUR);
    store.coverage.forgetAfter(FEED, START + HOUR);
    checkpoint(store, START, START + 6 * HOUR);
    expect(gapsOf(store)).toEqual([[START + HOUR + SECOND, START + 6 * HOUR]]);
  });
});
