import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openStore, sqlite, storePath } from '../store/harness.ts';
import { damaged, fuzz } from './fuzzing.ts';

/**
 * SQLite keeps no checksums: what a disk has changed inside a column, it reads as if it had been written so. Where a walk stands is such a
 * column, and an optimisation: what cannot be one any more counts as none, and the window is read from its start.
 */

const FEED = 'mail';
const SECOND = 1000;

it('a walk that was damaged on the disk is a walk that could have been written, or none', () => {
  const path = storePath();
  const store = openStore(path);
  const other = sqlite(path);
  const walk = { from: 1_000_000, to: 9_000_000, token: 't', pages: 3, askedFrom: 0, unread: [2_000_000] };
  store.checkpoints.save(FEED, 'attachment', 500_000, walk, null);
  expect(store.checkpoints.get(FEED)?.walk).toEqual(walk);
  const change = other.prepare<[string | Buffer]>('UPDATE checkpoint SET walk = ?');
  const texts = [
    JSON.stringify(walk),
    JSON.stringify({ ...walk, token: null }),
    '[]',
    '"x"',
    'null',
    '{"from":-1e300}',
  ];
  let kept = 0;
  fuzz(
    fc.property(damaged(texts), (bytes) => {
      change.run(bytes.toString());
      const { doneUntil, walk: read } = store.checkpoints.get(FEED) ?? {};
      expect(doneUntil).toBe(500_000);
      if (!read) return;
      kept += 1;
      expect(read.from).toBeLessThanOrEqual(read.to);
      for (const time of [read.from, read.to, read.askedFrom ?? 0, ...(read.unread ?? [])]) {
        expect(new Date(time).getTime() % SECOND).toBe(time % SECOND);
        expect(Math.abs(time % SECOND)).toBe(0);
      }
      expect(read.token === null || typeof read.token === 'string').toBe(true);
      expect(Number.isSafeInteger(read.pages)).toBe(true);
    }),
    300,
  );
  expect(kept).toBeGreaterThan(0);
});

it('a note that was damaged is no note', () => {
  const path = storePath();
  const store = openStore(path);
  store.writeNote('holder', { pid: 1 }, 7);
  sqlite(path).exec(`UPDATE note SET data = '{"pid":'`);
  expect(store.note('holder')).toBeUndefined();
});
