import { describe, expect, it } from 'vitest';
import type { FailedStretch, MinuteCount, OfSubject } from '../../src/store/activity.ts';
import type { Store } from '../../src/store/store.ts';
import {
  candidateOf,
  DAY,
  FEED,
  failAt,
  openStore,
  recordOf,
  rowsOf,
  START,
  someRecords,
  sqlite,
  storePage,
  storePath,
} from './harness.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FIRST = START / MINUTE;
const ALWAYS = { from: 0, until: START + 100 * DAY };

function minute(number: number, count: number, waiting: number | null = 0): OfSubject<MinuteCount> {
  return { subject: 'output siem', minute: FIRST + number, count, waiting };
}

/** `from` and `until` in minutes. */
function failure(from: number, until: number | null, message = 'no answer'): OfSubject<FailedStretch> {
  const end = until === null ? null : START + until * MINUTE;
  return { subject: 'output siem', from: START + from * MINUTE, until: end, reason: 'timeout', message };
}

function countsOf(store: Store, span = ALWAYS): [minute: number, count: number, waiting: number | null][] {
  return store.activity
    .minutes('output siem', span)
    .map(({ minute, count, waiting }) => [minute - FIRST, count, waiting]);
}

function startsOf(stretches: readonly FailedStretch[]): number[] {
  return stretches.map(({ from }) => (from - START) / MINUTE);
}

describe('minutes', () => {
  it('are kept by subject, in order, and come back for a span', () => {
    const path = storePath();
    openStore(path).activity.write(
      [minute(2, 7, null), minute(0, 5), minute(1, 0, 3), { ...minute(1, 9), subject: 'feed siem' }],
      [],
    );
    const store = openStore(path);
    expect(countsOf(store)).toEqual([
      [0, 5, 0],
      [1, 0, 3],
      [2, 7, null],
    ]);
    expect(store.activity.minutes('feed siem', ALWAYS)).toEqual([{ minute: FIRST + 1, count: 9, waiting: 0 }]);
    // A minute belongs to the span that it begins in.
    expect(countsOf(store, { from: START + 1, until: START + 2 * MINUTE })).toEqual([[1, 0, 3]]);
  });

  it('that two daemons share have what both counted, and what waited last', () => {
    const store = openStore();
    store.activity.write([minute(0, 5, 9)], []);
    store.activity.write([minute(0, 2, 1)], []);
    expect(countsOf(store)).toEqual([[0, 7, 1]]);
  });

  it('are written with the failures in one transaction, or not at all', () => {
    const path = storePath();
    const store = openStore(path);
    const mend = failAt(path, 'failure');
    expect(() => store.activity.write([minute(0, 5)], [failure(0, null)])).toThrow('broken');
    expect(countsOf(store)).toEqual([]);
    mend();
    store.activity.write([minute(0, 5)], [failure(0, null)]);
    expect([countsOf(store).length, store.activity.open().length]).toEqual([1, 1]);
  });
});

describe('new records', () => {
  it('are counted by feed as their pages are committed, and known ones are not', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(5));
    storePage(store, someRecords(7));
    storePage(store, someRecords(2, 20), { feed: 'other' });
    const mend = failAt(path, 'event');
    expect(() => storePage(store, someRecords(2, 30))).toThrow();
    mend();
    expect([store.activity.stored(FEED), store.activity.stored('other'), store.activity.stored('none')]).toEqual([
      7, 2, 0,
    ]);
  });
});

describe('failures', () => {
  it('are those that touch a span, in order, one that lasts too', () => {
    const { activity } = openStore();
    activity.write([], [failure(10, 20), failure(0, 5), failure(30, null), failure(40, 45)]);
    const between = (from: number, until: number): number[] =>
      startsOf(activity.failures('output siem', { from: START + from * MINUTE, until: START + until * MINUTE }));
    expect(between(0, 100)).toEqual([0, 10, 30, 40]);
    expect(between(5, 30)).toEqual([10]);
    expect(between(19, 31)).toEqual([10, 30]);
    expect(between(46, 50)).toEqual([30]);
    expect(startsOf(activity.open())).toEqual([30]);
  });

  it('that end are told as the last one that is over, however long ago', () => {
    const { activity } = openStore();
    expect(activity.lastOver('output siem')).toBeUndefined();
    activity.write([], [failure(0, null, 'refused'), failure(20, null)]);
    expect(activity.lastOver('output siem')).toBeUndefined();
    activity.write([], [failure(0, 10, 'refused')]);
    expect(activity.lastOver('output siem')).toMatchObject({ until: START + 10 * MINUTE, message: 'refused' });
  });
});

describe('retention', () => {
  it('keeps eight days of minutes and thirty of failures that are over', () => {
    const store = openStore();
    store.activity.write(
      [minute(0, 1), minute(1, 1), { ...minute(0, 1), subject: 'feed mail' }],
      [failure(0, 1), failure(2, 3), failure(1, null)],
    );
    const prune = (now: number): unknown => store.prune({ now, storedBefore: 0 });
    prune(START + 8 * DAY);
    expect(countsOf(store)).toHaveLength(2);
    prune(START + 8 * DAY + HOUR);
    expect([countsOf(store), store.activity.minutes('feed mail', ALWAYS)]).toEqual([[], []]);
    prune(START + 30 * DAY + 3 * MINUTE);
    expect(startsOf(store.activity.failures('output siem', ALWAYS))).toEqual([1, 2]);
    prune(START + 30 * DAY + 3 * HOUR);
    expect(startsOf(store.activity.failures('output siem', ALWAYS))).toEqual([1]);
  });

  it('keeps the newest thousand failures of an output that fails every minute', () => {
    const store = openStore();
    const many = Array.from({ length: 1200 }, (_, at) => failure(2 * at, 2 * at + 1));
    store.activity.write([], [...many, { ...failure(0, 1), subject: 'output other' }]);
    store.prune({ now: START + DAY, storedBefore: 0 });
    expect(rowsOf(store.path, 'SELECT min(from_at) AS first, count(*) AS n FROM failure GROUP BY subject')).toEqual([
      { first: START, n: 1 },
      { first: START + 400 * MINUTE, n: 1000 },
    ]);
  });

  it('looks once an hour, also when the clock was set back', () => {
    const store = openStore();
    const written = (now: number): number => {
      store.activity.write([minute(0, 1)], []);
      store.prune({ now, storedBefore: 0 });
      return countsOf(store).length;
    };
    expect(written(START + 20 * DAY)).toBe(0);
    expect(written(START + 20 * DAY + HOUR - 1)).toBe(1);
    expect(written(START + 19 * DAY)).toBe(0);
  });
});

describe('a store of the version before', () => {
  /** Takes back the newest migration. */
  function forgetMigration(path: string): void {
    const db = sqlite(path);
    for (const table of ['reject', 'variant', 'malformed']) {
      db.exec(`DROP TRIGGER ${table}_added; DROP TRIGGER ${table}_removed`);
    }
    for (const table of ['minute', 'failure', 'beginning', 'tally']) db.exec(`DROP TABLE ${table}`);
    db.exec('DROP INDEX reject_by_output; DROP INDEX reject_due');
    db.pragma('user_version = 3');
    db.close();
  }

  it('is counted once, and goes on with its cursors', () => {
    const path = storePath();
    const store = openStore(path);
    store.startOutput('siem', 'beginning');
    const { added } = storePage(store, [
      ...someRecords(4),
      candidateOf(recordOf(1, { fileName: 'other.pdf' })),
      { raw: Buffer.from('[]'), value: { malformed: 'the record is an array' } },
    ]);
    store.settle(
      'siem',
      3,
      added.slice(0, 3).map((event) => ({ event, reason: 'no' })),
      START,
    );
    store.close();
    forgetMigration(path);
    const next = openStore(path);
    expect([next.rejects.count('siem'), next.variants.count(FEED), next.malformed.count(FEED)]).toEqual([3, 1, 1]);
    expect([next.cursors.get('siem'), next.newest.beginningOf('siem'), countsOf(next)]).toEqual([3, 0, []]);
    next.activity.write([minute(0, 5)], [failure(0, null)]);
    expect(countsOf(next)).toEqual([[0, 5, 0]]);
  });
});
