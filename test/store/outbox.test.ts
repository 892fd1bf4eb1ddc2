import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../src/store/outbox.ts';
import type { Store } from '../../src/store/store.ts';
import {
  candidateOf,
  numbers,
  openStore,
  readAll,
  recordOf,
  rowsOf,
  START,
  StoreProcess,
  someRecords,
  sqlite,
  storePage,
  storePath,
} from './harness.ts';

const ALL = { maxEvents: 1e6, maxBytes: 1e9 };
const seqsOf = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq);

describe('the numbers of events', () => {
  it('go on after the outbox was emptied and the store opened again', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(30));
    store.startOutput('siem', 'now');
    store.prune({ now: START, storedBefore: START + 1 });
    expect(rowsOf(path, 'SELECT count(*) AS n FROM event')).toEqual([{ n: 0 }]);
    expect(store.eventCount()).toBe(0);
    store.close();

    const reopened = openStore(path);
    expect(reopened.outbox.lastSeq).toBe(30);
    expect(storePage(reopened, someRecords(2, 31)).added.map(({ seq }) => seq)).toEqual([31, 32]);
    expect(seqsOf(reopened.outbox.read(reopened.cursors.get('siem') ?? 0, ALL))).toEqual([31, 32]);
    expect(reopened.eventCount()).toBe(2);
  });
});

describe('reading', () => {
  it('gives at most so many events', () => {
    const store = openStore();
    storePage(store, someRecords(10));
    expect(seqsOf(store.outbox.read(3, { maxEvents: 4, maxBytes: 1e9 }))).toEqual([4, 5, 6, 7]);
    expect(store.outbox.read(10, ALL)).toEqual([]);
    expect(store.outbox.read(99, ALL)).toEqual([]);
  });

  it.each(['from memory', 'from the disk'])('gives at most so many bytes, but always one event, %s', (where) => {
    const path = storePath();
    const writer = openStore(path);
    const huge = candidateOf(recordOf(3, { details: 'x'.repeat(100_000) }));
    const page = [...someRecords(2), huge, ...someRecords(2, 4)];
    storePage(writer, page);
    const store = where === 'from memory' ? writer : openStore(path);
    const two = (page[0]?.raw.length ?? 0) + (page[1]?.raw.length ?? 0);
    expect(seqsOf(store.outbox.read(0, { maxEvents: 10, maxBytes: two }))).toEqual([1, 2]);
    expect(seqsOf(store.outbox.read(0, { maxEvents: 10, maxBytes: two - 1 }))).toEqual([1]);
    expect(seqsOf(store.outbox.read(2, { maxEvents: 10, maxBytes: 10 }))).toEqual([3]);
    expect(seqsOf(store.outbox.read(1, { maxEvents: 10, maxBytes: 1000 }))).toEqual([2]);
  });

  it('gives what was understood of a record along while it is in memory, and the same event from the disk', () => {
    const path = storePath();
    const store = openStore(path);
    const candidate = candidateOf(recordOf(1));
    const understood = { severity: 7 as const, isPlain: true };
    storePage(store, [{ ...candidate, value: { ...candidate.value, ...understood } }]);
    const [fresh] = store.outbox.read(0, ALL);
    const [stored] = openStore(path).outbox.read(0, ALL);
    expect(fresh).toEqual({ ...stored, ...understood });
  });

  it('waits for an arrival no longer than it is told to, and leaves nothing behind', async () => {
    const store = openStore();
    const { signal } = new AbortController();
    await store.outbox.arrival(1, signal, 20);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const arrival = store.outbox.arrival(0, signal, 60_000);
    storePage(store, [candidateOf(recordOf(2))]);
    await arrival;
    expect(timers()).toBe(before);
  });

  // Whatever the mix of own pages, another process's pages, and pages larger than what is kept in memory.
  it('gives the same rows from memory and from the disk', () => {
    const page = fc.record({ size: fc.integer({ min: 0, max: 12 }), width: fc.constantFrom(10, 1000, 400_000) });
    const step = fc.oneof(
      { weight: 3, arbitrary: page.map((own) => ({ own })) },
      { weight: 2, arbitrary: page.map((foreign) => ({ foreign })) },
      { weight: 1, arbitrary: fc.constant({ refresh: true as const }) },
    );
    const reading = fc.record({
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      maxEvents: fc.integer({ min: 1, max: 40 }),
      maxBytes: fc.constantFrom(1, 500, 5000, 1_000_000, 1e9),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, reading), { minLength: 1, maxLength: 12 }), (steps) => {
        const path = storePath();
        const store = openStore(path);
        const other = openStore(path);
        let written = 0;
        for (const [at, { part, maxEvents, maxBytes }] of steps) {
          if ('refresh' in at) store.outbox.refresh();
          else {
            const { size, width } = 'own' in at ? at.own : at.foreign;
            const records = numbers(size, written + 1).map((n) =>
              candidateOf(recordOf(n, { details: 'x'.repeat(width) })),
            );
            storePage('own' in at ? store : other, records);
            written += size;
          }
          expectSameRows(store, path, Math.floor(part * written), { maxEvents, maxBytes });
        }
        store.outbox.refresh();
        expect(seqsOf(readAll(store))).toEqual(numbers(written));
        store.close();
        other.close();
      }),
      { numRuns: 15 },
    );
  });

  function expectSameRows(
    store: Store,
    path: string,
    seq: number,
    limits: { maxEvents: number; maxBytes: number },
  ): void {
    const sql = `SELECT seq, lower(hex(key)) AS id, CAST(raw AS BLOB) AS raw FROM event WHERE seq > ${seq} ORDER BY seq LIMIT ${limits.maxEvents}`;
    const expected = rowsOf<{ seq: number; id: string; raw: Buffer }>(path, sql);
    const events = store.outbox.read(seq, limits);
    expect(events.map(({ seq, id, raw }) => ({ seq, id, raw }))).toEqual(expected.slice(0, events.length));
    // Where this process knows of more, it gives at least one, and never too much.
    if (seq < store.outbox.lastSeq) expect(events.length).toBeGreaterThan(0);
    const bytes = events.reduce((sum, { raw }) => sum + raw.length, 0);
    if (events.length > 1) expect(bytes).toBeLessThanOrEqual(limits.maxBytes);
    const next = expected[events.length];
    // What another process has added need not be known yet; and memory may end where its rows begin: they come with the next reading.
    const mayStop = next === undefined || next.seq > store.outbox.lastSeq || bytes + next.raw.length > limits.maxBytes;
    expect(mayStop || store.outbox.holds((events.at(-1)?.seq ?? 0) - 1)).toBe(true);
  }
});

describe("another process's events", () => {
  it('are seen after a refresh, in order with our own', async () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(3));
    expect(await new StoreProcess('add', path, { argument: '5' }).saidLines(1)).toEqual(['add']);
    expect(store.outbox.lastSeq).toBe(3);
    storePage(store, someRecords(2, 4));
    store.outbox.refresh();
    const events = readAll(store);
    expect(seqsOf(events)).toEqual(numbers(10));
    expect(events.map(({ feed }) => feed === 'process')).toEqual(numbers(10).map((seq) => seq > 3 && seq < 9));
  });

  it('wake who waits, after a refresh', async () => {
    const path = storePath();
    const store = openStore(path);
    const arrival = store.outbox.arrival(0, new AbortController().signal);
    storePage(openStore(path), someRecords(1));
    store.outbox.refresh();
    await arrival;
    expect(store.outbox.countAfter(0)).toBe(1);
  });
});

describe('waiting for an event', () => {
  it('is over at once when there is one, or when the wait is off already', async () => {
    const store = openStore();
    await store.outbox.arrival(0, AbortSignal.abort());
    storePage(store, someRecords(1));
    await store.outbox.arrival(0, new AbortController().signal);
  });

  it('is over for all with the next event after theirs, and leaves nothing behind', async () => {
    const store = openStore();
    const { signal } = new AbortController();
    const woken: number[] = [];
    const waits = [0, 0, 0, 5].map((seq, index) => store.outbox.arrival(seq, signal).then(() => woken.push(index)));
    expect(getEventListeners(signal, 'abort')).toHaveLength(4);
    storePage(store, someRecords(3));
    await Promise.all(waits.slice(0, 3));
    expect(woken.slice(0, 3)).toEqual([0, 1, 2]);
    storePage(store, someRecords(3, 4));
    await Promise.all(waits);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('ends with the signal, and leaves nothing behind', async () => {
    const store = openStore();
    const waiting = new AbortController();
    const arrival = store.outbox.arrival(0, waiting.signal);
    waiting.abort();
    await arrival;
    expect(getEventListeners(waiting.signal, 'abort')).toHaveLength(0);
    storePage(store, someRecords(1));
  });

  it('does not end for a page that failed or brought nothing new', async () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(1));
    let over = false;
    const waiting = new AbortController();
    const arrival = store.outbox.arrival(1, waiting.signal).then(() => {
      over = true;
    });
    storePage(store, someRecords(1));
    const db = sqlite(path);
    db.exec("CREATE TRIGGER broken BEFORE INSERT ON seen BEGIN SELECT RAISE(ABORT, 'broken'); END");
    expect(() => storePage(store, someRecords(1, 2))).toThrow('broken');
    await Promise.resolve();
    expect(over).toBe(false);
    waiting.abort();
    await arrival;
  });
});

describe('what status asks', () => {
  it('is answered from the rows', () => {
    const store = openStore();
    expect(store.outbox.oldest()).toBeUndefined();
    expect(store.outbox.storedAfter(0)).toBeNull();
    expect(store.eventCount()).toBe(0);
    storePage(store, someRecords(3));
    storePage(store, someRecords(2, 4), { now: START + 5000 });
    expect(store.outbox.oldest()).toEqual({ seq: 1, storedAt: START });
    expect(store.outbox.storedAfter(3)).toBe(START + 5000);
    expect(store.outbox.countAfter(2)).toBe(3);
    expect(store.outbox.countAfter(9)).toBe(0);
    expect(store.eventCount()).toBe(5);
    expect(store.usedBytes()).toBeGreaterThan(16_384);
    expect(store.freeDisk()).toBeGreaterThan(0);
  });

  it('is kept in notes', () => {
    const store = openStore();
    expect(store.note('snapshot')).toBeUndefined();
    store.writeNote('snapshot', { a: 1 }, START);
    store.writeNote('snapshot', { a: [2] }, START + 1);
    expect(store.note('snapshot')).toEqual({ at: START + 1, data: { a: [2] } });
  });
});
