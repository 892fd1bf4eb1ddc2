import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import {
  FEED,
  failAt,
  openStore,
  openWithConnection,
  readAll,
  rowsOf,
  START,
  StoreProcess,
  someRecords,
  storePage,
  storePath,
} from './harness.ts';

function storedCursors(path: string): Record<string, number> {
  const rows = rowsOf<{ output: string; seq: number }>(path, 'SELECT output, seq FROM cursor');
  return Object.fromEntries(rows.map(({ output, seq }) => [output, seq]));
}

/** A store of 20 events with two outputs that begin with the first. */
function storeWithOutputs(path: string): Store {
  const store = openStore(path);
  storePage(store, someRecords(20));
  for (const output of ['siem', 'archive']) store.startOutput(output, 'beginning');
  return store;
}

describe('a cursor that moves', () => {
  it('is written with the next page, whatever the page brings', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 10, [], START);
    expect([store.cursors.get('siem'), store.cursors.isDurable('siem')]).toEqual([10, false]);
    expect(storedCursors(path)).toEqual({ siem: 0, archive: 0 });
    storePage(store, []);
    expect(storedCursors(path)).toEqual({ siem: 10, archive: 0 });
    expect(store.cursors.isDurable('siem')).toBe(true);
  });

  it('is written alone by a flush, and no other with it', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 5, [], START);
    store.settle('archive', 7, [], START);
    store.flush('siem');
    expect(storedCursors(path)).toEqual({ siem: 5, archive: 0 });
    expect([store.cursors.isDurable('siem'), store.cursors.isDurable('archive')]).toEqual([true, false]);
    store.flush('siem');
    store.flush('archive');
    expect(storedCursors(path)).toEqual({ siem: 5, archive: 7 });
  });

  it('stays to be written when writing it failed', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 5, [], START);
    const mend = failAt(path, 'cursor');
    expect(() => store.flush('siem')).toThrow('broken');
    expect(store.cursors.isDurable('siem')).toBe(false);
    mend();
    store.flush('siem');
    expect(storedCursors(path).siem).toBe(5);
  });

  it('is written when the store is closed, and closing again does nothing', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 9, [], START);
    store.close();
    store.close();
    expect(storedCursors(path).siem).toBe(9);
    expect(openStore(path).cursors.get('siem')).toBe(9);
  });

  it('can be forgotten with its output', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 9, [], START);
    expect(store.cursors.least()).toBe(0);
    expect(store.cursors.forget('archive')).toBe(true);
    expect(store.cursors.forget('archive')).toBe(false);
    expect(store.cursors.least()).toBe(9);
    expect([...store.cursors.all()]).toEqual([['siem', 9]]);
    store.cursors.forget('siem');
    expect(store.cursors.least()).toBe(Number.POSITIVE_INFINITY);
    storePage(store, []);
    expect(storedCursors(path)).toEqual({});
  });
});

it('that another process has forgotten is not written again, also when it has moved meanwhile', () => {
  const path = storePath();
  const store = storeWithOutputs(path);
  store.settle('archive', 7, [], START);
  const other = openStore(path);
  other.cursors.forget('archive');
  other.close();
  store.cursors.forgetGone(new Set(['siem']));
  storePage(store, []);
  expect(storedCursors(path)).toEqual({ siem: 0 });
});

describe('a settled batch with rejects', () => {
  it('is durable at once, the rejects with the cursor', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    const [first, second] = readAll(store);
    if (!first || !second) throw new Error('the store is empty');
    store.settle(
      'siem',
      10,
      [
        { event: first, reason: 'too long' },
        { event: second, reason: 'no such field' },
      ],
      START + 1,
    );
    expect(storedCursors(path)).toEqual({ siem: 10, archive: 0 });
    expect(rowsOf(path, 'SELECT output, seq, reason, at, raw FROM reject')).toEqual([
      { output: 'siem', seq: 1, reason: 'too long', at: START + 1, raw: first.raw.toString() },
      { output: 'siem', seq: 2, reason: 'no such field', at: START + 1, raw: second.raw.toString() },
    ]);
  });

  it.each(['reject', 'cursor'])(
    'is not settled at all when writing to %s fails, so that the batch is sent again',
    (table) => {
      const path = storePath();
      const store = storeWithOutputs(path);
      const [event] = readAll(store);
      if (!event) throw new Error('the store is empty');
      store.settle('siem', 4, [], START);
      const mend = failAt(path, table);
      expect(() => store.settle('siem', 10, [{ event, reason: 'too long' }], START)).toThrow('broken');
      expect(store.cursors.get('siem')).toBe(4);
      expect(rowsOf(path, 'SELECT * FROM reject')).toEqual([]);
      mend();
      store.flush('siem');
      expect(storedCursors(path).siem).toBe(4);
    },
  );

  it('tells a full disk', () => {
    const { store, connection } = openWithConnection();
    storePage(store, someRecords(20));
    store.startOutput('siem', 'beginning');
    connection.pragma(`max_page_count = ${connection.pragma('page_count', { simple: true })}`);
    const big = {
      ...(readAll(store)[0] ?? expect.fail('the store is empty')),
      raw: Buffer.from(JSON.stringify('x'.repeat(100_000))),
    };
    const settle = (): void => store.settle('siem', 20, [{ event: big, reason: 'too long' }], START);
    expect(settle).toThrow(expect.objectContaining({ code: 'STORE_FULL', retryable: true }));
    expect(store.cursors.get('siem')).toBe(0);
    connection.pragma('max_page_count = 100000');
    settle();
    expect([store.cursors.get('siem'), store.rejects.count('siem')]).toEqual([20, 1]);
  });
});

describe('an output that is new to the store', () => {
  it('has no cursor until it is started', () => {
    expect(openStore().cursors.get('siem')).toBeUndefined();
  });

  it.each([
    ['now', 'now', 30],
    ['with the oldest event that is kept', 'beginning', 10],
    ['with the first event of a time or later', { time: START + 25_000 }, 24],
    ['with the oldest event that is kept when the time is before it', { time: START }, 10],
    ['now when nothing has happened since a time', { time: START + 3_600_000 }, 30],
  ] as const)('begins %s, durably', (_, from, cursor) => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(10));
    storePage(store, someRecords(20, 11), { now: START + 50_000 });
    store.prune({ now: START + 60_000, storedBefore: START + 50_000 });
    store.startOutput('siem', from);
    expect(store.cursors.get('siem')).toBe(cursor);
    expect(storedCursors(path)).toEqual({ siem: cursor });
    expect(readAll(store, cursor)[0]?.seq).toBe(cursor < 30 ? cursor + 1 : undefined);
  });

  it('begins before an old event that came late, when it asks for that time', () => {
    const store = openStore();
    storePage(store, [...someRecords(5, 101), ...someRecords(1, 50), ...someRecords(5, 106)]);
    store.startOutput('siem', { time: START + 103_000 });
    expect(store.cursors.get('siem')).toBe(2);
    store.startOutput('other', { time: START + 40_000 });
    expect(store.cursors.get('other')).toBe(0);
  });

  it('begins at 0 in an empty store, and after what another process has stored', () => {
    const path = storePath();
    const store = openStore(path);
    for (const [output, from] of [
      ['a', 'now'],
      ['b', 'beginning'],
      ['c', { time: START }],
    ] as const) {
      store.startOutput(output, from);
      expect(store.cursors.get(output)).toBe(0);
    }
    storePage(openStore(path), someRecords(4));
    store.startOutput('d', 'now');
    expect(store.cursors.get('d')).toBe(4);
  });

  it('begins at the end of an outbox that was emptied', () => {
    const store = openStore();
    storePage(store, someRecords(4));
    store.prune({ now: START, storedBefore: START + 1 });
    store.startOutput('siem', 'beginning');
    expect(store.cursors.get('siem')).toBe(4);
  });
});

describe('a kill -9', () => {
  it('in the middle of collecting leaves whole pages, each with its progress, and none missing that was reported', async () => {
    const path = storePath();
    const writer = new StoreProcess('write', path);
    await writer.saidLines(40);
    await writer.kill();
    const reported = writer.lines.filter((line) => line.startsWith('stored ')).length;

    const store = openStore(path);
    const events = readAll(store);
    const pages = events.length / 7;
    expect(pages === reported || pages === reported + 1).toBe(true);
    expect(store.checkpoints.get('process')?.doneUntil).toBe(pages * 1000);
    expect(events.map(({ seq, raw }) => [seq, raw.toString()])).toEqual(
      events.map((_, index) => [index + 1, `{"n":${index + 1}}`]),
    );
    expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    expect(storePage(store, someRecords(1), { feed: FEED }).added).toMatchObject([{ seq: events.length + 1 }]);
  });

  it('in the middle of delivering sends one batch again at most', async () => {
    const path = storePath();
    const sender = new StoreProcess('deliver', path);
    await sender.saidLines(60);
    await sender.kill();
    const sent = Number(sender.lines.at(-1)?.split(' ')[2]);
    const cursor = openStore(path).cursors.get('siem') ?? Number.NaN;
    expect(sent - cursor).toBeGreaterThanOrEqual(0);
    expect(sent - cursor).toBeLessThanOrEqual(5);
  });

  it('before a cursor was written sends its batch again, and not after', () => {
    const path = storePath();
    const store = storeWithOutputs(path);
    store.settle('siem', 5, [], START);
    expect(openStore(asLeftByCrash(path)).cursors.get('siem')).toBe(0);
    store.flush('siem');
    expect(openStore(asLeftByCrash(path)).cursors.get('siem')).toBe(5);
  });
});

/** A copy of the files as they are now: what a killed process would leave. Made by another process, see `digestOf`. */
function asLeftByCrash(path: string): string {
  const copy = storePath();
  for (const ending of ['', '-wal']) execFileSync('cp', [path + ending, copy + ending]);
  return copy;
}
