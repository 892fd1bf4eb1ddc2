import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical.ts';
import { StoreError } from '../../src/store/errors.ts';
import { contentOf, variantId } from '../../src/store/key.ts';
import type { Candidate } from '../../src/store/pages.ts';
import {
  candidateOf,
  FEED,
  failAt,
  failAtCommit,
  numbers,
  openStore,
  openWithConnection,
  rawsOf,
  readAll,
  recordOf,
  rowsOf,
  START,
  someRecords,
  sqlite,
  storePage,
  storePath,
  tableSizes,
} from './harness.ts';

const PROGRESS = { doneUntil: START, walk: null };

describe('a page', () => {
  it('is stored whole: events in order, identities, progress', () => {
    const path = storePath();
    const store = openStore(path);
    const walk = { from: START, to: START + 5000, token: 'next', pages: 1 };
    const outcome = storePage(store, someRecords(250), { progress: { doneUntil: START - 1000, walk } });
    expect(outcome).toMatchObject({ duplicates: 0, variants: 0, malformed: 0 });
    expect(outcome.added.map(({ seq }) => seq)).toEqual(numbers(250));
    expect(rawsOf(readAll(store))).toEqual(rawsOf(someRecords(250)));
    expect(tableSizes(path)).toMatchObject({ event: 250, seen: 250, checkpoint: 1 });
    expect(store.checkpoints.get(FEED)).toEqual({
      feed: FEED,
      type: 'attachment',
      begunAt: START - 1000,
      doneUntil: START - 1000,
      walk,
      sweptAt: null,
      lastEvent: START + 250_000,
    });
  });

  it.each([0, 99, 100, 150, 249])(
    'keeps number, identity and text together round a variant that is shipped after %i records',
    (place) => {
      const path = storePath();
      const store = openStore(path);
      storePage(store, someRecords(1));
      const page = someRecords(250, 2);
      page.splice(place, 0, candidateOf(recordOf(1, { fileName: 'changed' })));
      const { added } = storePage(store, page, { variants: 'ship' });
      expect(added.map(({ seq }) => seq)).toEqual(numbers(251).map((number) => number + 1));
      type Row = { seq: number; id: string; raw: string };
      const written = rowsOf<Row>(path, 'SELECT seq, lower(hex(key)) AS id, raw FROM event WHERE seq > 1 ORDER BY seq');
      expect(written).toEqual(added.map(({ seq, id, raw }) => ({ seq, id: id.replace('-', ''), raw: raw.toString() })));
      const identities = rowsOf<Row>(path, 'SELECT seq, lower(hex(key)) AS id FROM seen WHERE seq > 1 ORDER BY seq');
      expect(identities).toEqual(added.filter((_, index) => index !== place).map(({ seq, id }) => ({ seq, id })));
    },
  );

  it('knows a record that lies behind, before and between what is stored', () => {
    const store = openStore();
    storePage(store, [...someRecords(5, 10), ...someRecords(5, 20)]);
    const outcome = storePage(store, someRecords(30));
    expect(outcome).toMatchObject({ duplicates: 10, variants: 0 });
    expect(rawsOf(outcome.added)).toEqual(rawsOf([...someRecords(9), ...someRecords(5, 15), ...someRecords(6, 25)]));
  });

  it('without progress moves no checkpoint', () => {
    const store = openStore();
    storePage(store, someRecords(1), { progress: PROGRESS });
    storePage(store, someRecords(1, 2));
    expect(store.checkpoints.get(FEED)).toMatchObject({ doneUntil: START, lastEvent: START + 1000 });
  });

  it('without records still moves the checkpoint, and keeps the date of the newest event', () => {
    const store = openStore();
    storePage(store, [], { progress: PROGRESS });
    expect(store.checkpoints.get(FEED)).toMatchObject({ doneUntil: START, lastEvent: null });
    storePage(store, someRecords(3), { progress: PROGRESS });
    storePage(store, [], { progress: { doneUntil: START + 9000, walk: null } });
    expect(store.checkpoints.get(FEED)).toMatchObject({ doneUntil: START + 9000, lastEvent: START + 3000 });
  });

  // Each table is the last straw once. The first page and a moved cursor make sure that every table would be written to.
  it.each([
    ['writing to event', (path: string) => failAt(path, 'event', "new.raw LIKE '%hash-203%'")],
    ['writing to seen', (path: string) => failAt(path, 'seen', 'new.seq = 203')],
    ['writing to variant', (path: string) => failAt(path, 'variant')],
    ['writing to malformed', (path: string) => failAt(path, 'malformed')],
    ['writing to checkpoint', (path: string) => failAt(path, 'checkpoint')],
    ['writing to cursor', (path: string) => failAt(path, 'cursor')],
    ['the commit', failAtCommit],
  ])('is all or nothing when %s fails', (_, fail) => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(100), { progress: PROGRESS });
    store.startOutput('siem', 'beginning');
    store.settle('siem', 40, [], START);
    const before = { ...tableSizes(path), events: readAll(store), lastSeq: store.outbox.lastSeq };
    const page: Candidate[] = [
      candidateOf(recordOf(1, { fileName: 'changed' })),
      { raw: Buffer.from('"not an object"'), value: { malformed: 'not an object' } },
      ...someRecords(150, 90),
    ];
    const progress = { doneUntil: START + 60_000, walk: null };

    const mend = fail(path);
    expect(() => storePage(store, page, { progress })).toThrow(/broken|FOREIGN KEY/);
    expect({ ...tableSizes(path), events: readAll(store), lastSeq: store.outbox.lastSeq }).toEqual(before);
    expect(store.checkpoints.get(FEED)?.doneUntil).toBe(START);
    expect(store.cursors.isDurable('siem')).toBe(false);
    expect(rowsOf(path, 'SELECT seq FROM cursor')).toEqual([{ seq: 0 }]);

    mend();
    const outcome = storePage(store, page, { progress });
    expect(outcome).toMatchObject({ duplicates: 11, variants: 1, malformed: 1 });
    expect(outcome.added.map(({ seq }) => seq)).toEqual(numbers(139, 101));
    expect(rowsOf(path, 'SELECT seq FROM cursor')).toEqual([{ seq: 40 }]);
  });

  it('that finds the disk full is told so, loses nothing, and goes in when there is room', () => {
    const path = storePath();
    const { store, connection } = openWithConnection(path);
    storePage(store, someRecords(10), { progress: PROGRESS });
    const pages = connection.pragma('page_count', { simple: true });
    connection.pragma(`max_page_count = ${pages}`);

    const big = someRecords(500, 11).map(({ record }) => candidateOf({ ...record, details: 'x'.repeat(500) }));
    const store500 = (): unknown => storePage(store, big, { progress: { doneUntil: START + 1, walk: null } });
    expect(store500).toThrow(StoreError);
    expect(store500).toThrow(
      expect.objectContaining({ code: 'STORE_FULL', retryable: true, hint: expect.stringMatching(/Free space/) }),
    );
    expect(rawsOf(readAll(store))).toEqual(rawsOf(someRecords(10)));
    expect(store.checkpoints.get(FEED)?.doneUntil).toBe(START);

    connection.pragma('max_page_count = 1000000');
    store500();
    expect(readAll(store).map(({ seq }) => seq)).toEqual(numbers(510));
    expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  });

  it('that meets another writer is told so, and goes in later', () => {
    const path = storePath();
    const { store, connection } = openWithConnection(path);
    connection.pragma('busy_timeout = 20');
    const other = sqlite(path);
    other.exec('BEGIN IMMEDIATE');
    expect(() => storePage(store, someRecords(1))).toThrow(
      expect.objectContaining({ code: 'STORE_BUSY', retryable: true }),
    );
    expect(() => store.probe()).toThrow(expect.objectContaining({ code: 'STORE_BUSY' }));
    other.exec('ROLLBACK');
    store.probe();
    expect(storePage(store, someRecords(1)).added).toHaveLength(1);
  });
});

describe('a record that is known', () => {
  it.each([
    ['in the same page', (page: Candidate[]) => [[...page, ...page]]],
    ['from the page before', (page: Candidate[]) => [page, page]],
    ['from an overlapping page', (page: Candidate[]) => [page.slice(0, 150), page.slice(100)]],
  ])('%s enters once', (_, pagesOf) => {
    const store = openStore();
    const pages = pagesOf(someRecords(205));
    const outcomes = pages.map((page) => storePage(store, page));
    const given = pages.flat().length;
    expect(outcomes.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(given - 205);
    expect(readAll(store).map(({ seq }) => seq)).toEqual(numbers(205));
    expect(rawsOf(readAll(store))).toEqual(rawsOf(someRecords(205)));
  });

  it('is known to the next process', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(20));
    store.close();
    const reopened = openStore(path);
    expect(storePage(reopened, someRecords(25))).toMatchObject({ duplicates: 20, variants: 0 });
    expect(readAll(reopened).map(({ seq }) => seq)).toEqual(numbers(25));
  });

  it('under another feed name of the same type is the same event', () => {
    const store = openStore();
    storePage(store, someRecords(3), { feed: 'old-name' });
    expect(storePage(store, someRecords(4), { feed: 'new-name' })).toMatchObject({ duplicates: 3 });
  });

  const record = recordOf(1, { nested: { b: [1, 2], a: 'x' } });
  const rewritten = [
    ['in another order', JSON.stringify(Object.fromEntries(Object.entries(record).reverse()))],
    ['with / escaped', JSON.stringify(record).replaceAll('/', '\\/')],
    ['with other escapes', JSON.stringify(record).replace('hash-1', '\\u0068ash-1')],
    ['with white space', JSON.stringify(record).replaceAll(',', ' , ')],
  ] as const;

  it.each(rewritten)('and is written %s is a duplicate, not a variant', (_, raw) => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, [candidateOf(record)]);
    expect(storePage(store, [candidateOf(record, raw)])).toMatchObject({ added: [], duplicates: 1, variants: 0 });
    const another = openStore();
    expect(storePage(another, [candidateOf(record), candidateOf(record, raw)])).toMatchObject({
      duplicates: 1,
      variants: 0,
    });
    expect(tableSizes(path).variant).toBe(0);
  });
});

describe('a record whose content has changed', () => {
  const first = recordOf(1);
  const changed = recordOf(1, { fileName: 'b/1.pdf' });

  it('is kept as a variant, once, and not sent', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, [candidateOf(first)]);
    expect(storePage(store, [candidateOf(changed)])).toMatchObject({ added: [], duplicates: 0, variants: 1 });
    expect(storePage(store, [candidateOf(changed), candidateOf(first)])).toMatchObject({ duplicates: 2, variants: 0 });
    expect(readAll(store)).toHaveLength(1);
    expect(store.variants.count(FEED)).toBe(1);
    const [event] = readAll(store);
    const content = contentOf(canonicalJson(changed));
    expect(store.variants.list()).toEqual([
      { id: 1, feed: FEED, eventId: event?.id, content, foundAt: START, shipped: null, raw: JSON.stringify(changed) },
    ]);
  });

  it('in the same page is a variant too', () => {
    const store = openStore();
    expect(storePage(store, [candidateOf(first), candidateOf(changed), candidateOf(changed)])).toMatchObject({
      duplicates: 1,
      variants: 1,
    });
  });

  it('is sent under the same id, its content behind it, with the next number when variants are shipped, once', () => {
    const store = openStore();
    storePage(store, [candidateOf(first)]);
    const page = [candidateOf(recordOf(2)), candidateOf(changed), candidateOf(recordOf(3))];
    const { added } = storePage(store, page, { variants: 'ship' });
    expect(added.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(storePage(store, page, { variants: 'ship' })).toMatchObject({ added: [], duplicates: 3 });
    const [original, , variant] = readAll(store);
    expect(variant).toMatchObject({
      seq: 3,
      id: variantId(original?.id ?? '', contentOf(canonicalJson(changed))),
      raw: Buffer.from(JSON.stringify(changed)),
      time: original?.time,
    });
    expect(store.variants.list()).toMatchObject([{ shipped: 3 }]);
  });

  it('is the same variant when it is written differently', () => {
    const store = openStore();
    storePage(store, [candidateOf(first)]);
    storePage(store, [candidateOf(changed)], { variants: 'ship' });
    const escaped = candidateOf(changed, JSON.stringify(changed).replaceAll('/', '\\/'));
    expect(storePage(store, [escaped], { variants: 'ship' })).toMatchObject({ added: [], duplicates: 1, variants: 0 });
  });

  it('is told from a re-read even when its event has been pruned', () => {
    const store = openStore();
    storePage(store, [candidateOf(first)]);
    store.prune({ now: START, storedBefore: START + 1 });
    expect(storePage(store, [candidateOf(first)])).toMatchObject({ duplicates: 1, variants: 0 });
    const respelt = JSON.stringify(first).replaceAll('/', '\\/');
    expect(storePage(store, [candidateOf(first, respelt)])).toMatchObject({ duplicates: 1, variants: 0 });
    expect(storePage(store, [candidateOf(changed)])).toMatchObject({ duplicates: 0, variants: 1 });
  });

  it('can be shipped later', () => {
    const store = openStore();
    storePage(store, [candidateOf(first), candidateOf(changed)]);
    expect(store.shipVariant(99, START)).toBeUndefined();
    expect(store.shipVariant(1, START + 5)).toBe(2);
    store.outbox.refresh();
    expect(readAll(store, 1)).toMatchObject([
      { seq: 2, raw: Buffer.from(JSON.stringify(changed)), storedAt: START + 5 },
    ]);
    expect(store.variants.get(1)).toMatchObject({ shipped: 2 });
    expect(storePage(store, someRecords(1, 2)).added).toMatchObject([{ seq: 3 }]);
    expect(readAll(store).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });
});

describe('a record that could not be understood', () => {
  const broken: Candidate = { raw: Buffer.from('{"date":null}'), value: { malformed: 'date is missing' } };

  it('is kept once, beside the rest of its page', () => {
    const store = openStore();
    const page = [...someRecords(1), broken, ...someRecords(1, 2), broken];
    expect(storePage(store, page)).toMatchObject({ malformed: 1, duplicates: 1 });
    expect(storePage(store, page)).toMatchObject({ added: [], malformed: 0, duplicates: 4 });
    expect(readAll(store).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(store.malformed.list()).toEqual([
      { id: 1, feed: FEED, foundAt: START, reason: 'date is missing', raw: '{"date":null}' },
    ]);
    expect(store.malformed.count(FEED)).toBe(1);
  });

  it('is one a feed, and comes back when it was removed and is read again', () => {
    const store = openStore();
    storePage(store, [broken]);
    expect(storePage(store, [broken], { feed: 'another' }).malformed).toBe(1);
    expect(store.malformed.remove([1, 77])).toBe(1);
    expect(store.malformed.get(1)).toBeUndefined();
    expect(storePage(store, [broken]).malformed).toBe(1);
    expect(store.malformed.get(3)?.raw).toBe(broken.raw.toString());
  });
});
