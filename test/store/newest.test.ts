import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { candidateOf, FEED, openStore, recordOf, START, someRecords, sqlite, storePage, storePath } from './harness.ts';

/** A record with so many bytes of text that nobody would read. */
function hugeRecord(n: number, bytes: number) {
  return candidateOf(recordOf(n, { details: 'x'.repeat(bytes) }));
}

function rejectAll(store: Store, output: string, count: number, reason = 'no'): void {
  const events = store.outbox.read(store.cursors.get(output) ?? 0, { maxEvents: count, maxBytes: 1e9 });
  const rejected = events.map((event) => ({ event, reason }));
  store.settle(output, events.at(-1)?.seq ?? 0, rejected, START);
}

describe('the newest', () => {
  it('events come newest first, and a record that is too long without its text', () => {
    const store = openStore();
    storePage(store, [...someRecords(3), hugeRecord(4, 5_000_000), ...someRecords(1, 5)]);
    const events = store.newest.events(3);
    expect(events.map(({ seq, raw }) => [seq, raw?.toString()])).toEqual([
      [5, JSON.stringify(recordOf(5))],
      [4, undefined],
      [3, JSON.stringify(recordOf(3))],
    ]);
    expect(events[0]).toMatchObject({ feed: FEED, time: START + 5000, id: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  it('rejects are those of all outputs, and tell which events an output refused', () => {
    const store = openStore();
    storePage(store, someRecords(4));
    for (const name of ['a', 'b']) store.startOutput(name, 'beginning');
    rejectAll(store, 'a', 3);
    rejectAll(store, 'b', 2, 'too long');
    expect(store.newest.rejects(3).map(({ output, reason, at }) => [output, reason, at])).toEqual([
      ['b', 'too long', START],
      ['b', 'too long', START],
      ['a', 'no', START],
    ]);
    expect(store.newest.rejectedBetween('a', 2, 2)).toEqual(new Set([2]));
    expect(store.newest.rejectedBetween('a', 2, 9)).toEqual(new Set([2, 3]));
  });

  it('variants come with the event that they vary, until retention has taken it', () => {
    const store = openStore();
    storePage(store, someRecords(2));
    storePage(store, [candidateOf(recordOf(1, { fileName: 'b' })), candidateOf(recordOf(2, { fileName: 'c' }))]);
    const fileNames = () =>
      store.newest
        .variants(5)
        .map(({ was, became }) =>
          [was, became].map((raw) => raw && (JSON.parse(raw.toString()) as { fileName: string }).fileName),
        );
    expect(fileNames()).toEqual([
      ['a/2.pdf', 'c'],
      ['a/1.pdf', 'b'],
    ]);
    expect(store.newest.variants(1)).toMatchObject([{ feed: FEED, foundAt: START, shipped: false }]);
    store.prune({ now: START, storedBefore: START + 1 });
    expect(fileNames()).toEqual([
      [undefined, 'c'],
      [undefined, 'b'],
    ]);
  });

  it('cursor of an output that begins now tells what it was never to get', () => {
    const store = openStore();
    storePage(store, someRecords(4));
    store.startOutput('late', 'now');
    store.startOutput('early', 'beginning');
    expect(['late', 'early', 'none'].map((name) => store.newest.beginningOf(name))).toEqual([4, 0, 0]);
    store.cursors.forget('late');
    expect(store.newest.beginningOf('late')).toBe(0);
  });
});

describe('a store that is looked at while another process works on it', () => {
  it('is as that left it after a refresh', () => {
    const path = storePath();
    const daemon = openStore(path);
    daemon.startOutput('siem', 'beginning');
    daemon.startOutput('gone', 'beginning');
    const watcher = openStore(path);
    storePage(daemon, someRecords(4));
    daemon.startOutput('late', 'now');
    daemon.cursors.move('siem', 3);
    daemon.flush('siem');
    daemon.cursors.forget('gone');
    watcher.refresh();
    expect([watcher.outbox.lastSeq, Object.fromEntries(watcher.cursors.all())]).toEqual([4, { siem: 3, late: 4 }]);
  });
});

describe('counts', () => {
  it('are right after whatever was added, kept already, and taken away', () => {
    const path = storePath();
    const store = openStore(path);
    for (const name of ['a', 'b']) store.startOutput(name, 'beginning');
    const page = [
      ...someRecords(3),
      candidateOf(recordOf(1, { fileName: 'b' })),
      { raw: Buffer.from('[]'), value: { malformed: 'an array' } },
    ];
    for (const _ of ['once', 'again']) storePage(store, page);
    rejectAll(store, 'a', 3);
    rejectAll(store, 'b', 1);
    expect([store.rejects.count('a'), store.rejects.count('b'), store.rejects.count()]).toEqual([3, 1, 4]);
    expect([store.variants.count(FEED), store.variants.count(), store.malformed.count(FEED)]).toEqual([1, 1, 1]);
    store.rejects.remove([1, 2, 99]);
    store.malformed.remove([1]);
    // As an operator may with a shell of sqlite3.
    sqlite(path).exec("DELETE FROM reject WHERE output = 'b'; DELETE FROM variant");
    expect([store.rejects.count('a'), store.rejects.count('b'), store.rejects.count()]).toEqual([1, 0, 1]);
    expect([store.variants.count(), store.malformed.count(FEED)]).toEqual([0, 0]);
  });

  it('do not count what was rolled back', () => {
    const path = storePath();
    const store = openStore(path);
    const db = sqlite(path);
    db.exec("BEGIN; INSERT INTO malformed VALUES (1, 'mail', 0, '', x'00', ''); ROLLBACK");
    expect(store.malformed.count('mail')).toBe(0);
  });
});
