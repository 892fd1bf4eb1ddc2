import { describe, expect, it } from 'vitest';
import { IDENTITY_DAYS } from '../../src/store/retention.ts';
import type { Store } from '../../src/store/store.ts';
import {
  candidateOf,
  DAY,
  numbers,
  openStore,
  readAll,
  recordOf,
  rowsOf,
  START,
  someRecords,
  storePage,
  storePath,
} from './harness.ts';

/** Prunes until there is nothing more to do, as upkeep does. */
function prune(store: Store, now: number, storedBefore: number): { events: number; identities: number; steps: number } {
  const sum = { events: 0, identities: 0, steps: 0 };
  for (let more = true; more; sum.steps += 1) {
    const pruned = store.prune({ now, storedBefore });
    sum.events += pruned.events;
    sum.identities += pruned.identities;
    more = pruned.more;
  }
  return sum;
}

function seqs(path: string): number[] {
  return rowsOf<{ seq: number }>(path, 'SELECT seq FROM event ORDER BY seq').map(({ seq }) => seq);
}

describe('retention of events', () => {
  it('lets go of what was stored before a time, and no more', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(10));
    storePage(store, someRecords(10, 11), { now: START + 1 });
    expect(prune(store, START + DAY, START + 1).events).toBe(10);
    expect(seqs(path)).toEqual(numbers(10, 11));
  });

  it('never overtakes the slowest output', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(20));
    store.startOutput('fast', 'now');
    store.startOutput('dead', 'beginning');
    expect(prune(store, START + 400 * DAY, START + 400 * DAY).events).toBe(0);
    store.settle('dead', 7, [], START);
    expect(prune(store, START + 400 * DAY, START + 400 * DAY).events).toBe(7);
    expect(seqs(path)).toEqual(numbers(13, 8));
    expect(readAll(store, 7).map(({ seq }) => seq)).toEqual(numbers(13, 8));
    store.cursors.forget('dead');
    prune(store, START + 400 * DAY, START + 400 * DAY);
    expect(seqs(path)).toEqual([]);
  });

  it('works in small steps', () => {
    const path = storePath();
    const store = openStore(path);
    for (const first of [1, 501, 1001]) storePage(store, someRecords(500, first));
    expect(store.prune({ now: START, storedBefore: START + 1 })).toEqual({ events: 500, identities: 0, more: true });
    expect(prune(store, START, START + 1)).toMatchObject({ events: 1000, steps: 3 });
  });

  it('waits for a younger event in front, so that the outbox stays gapless', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(2), { now: START });
    storePage(store, someRecords(2, 3), { now: START + 9000 });
    // The clock was set back.
    storePage(store, someRecords(2, 5), { now: START });
    expect(prune(store, START + DAY, START + 5000).events).toBe(2);
    expect(seqs(path)).toEqual([3, 4, 5, 6]);
    expect(store.eventCount()).toBe(4);
    expect(prune(store, START + DAY, START + 9001).events).toBe(4);
  });
});

describe('retention of identities', () => {
  const old = someRecords(3);

  function identities(path: string): number {
    return rowsOf<{ n: number }>(path, 'SELECT count(*) AS n FROM seen')[0]?.n ?? 0;
  }

  it('keeps them for 45 days after their events have gone, and not much longer', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, old);
    for (let day = 0; day < 100; day += 1) {
      const now = START + day * DAY + DAY / 2;
      prune(store, now, now);
      if (day < IDENTITY_DAYS)
        expect(storePage(store, old, { now }), `day ${day}`).toMatchObject({ added: [], duplicates: 3 });
    }
    expect(identities(path)).toBe(0);
    expect(storePage(store, old, { now: START + 100 * DAY }).added).toHaveLength(3);
  });

  // Mimecast's archive can be asked for events that are much older than the day on which they are stored.
  it.each([0.01, 12, 23.99])(
    'keeps those of old events that a backfill brought in, from its day on (%s h into it)',
    (hours) => {
      const path = storePath();
      const store = openStore(path);
      const backfill = someRecords(3).map((_, n) => {
        const date = new Date(START - 200 * DAY + n * 1000).toISOString().replace('.000Z', '+0000');
        return candidateOf(recordOf(n, { date }));
      });
      const stored = START + hours * 3_600_000;
      // Something was stored long before, so that some identities do go.
      const before = START - 10 * DAY;
      storePage(store, [candidateOf(recordOf(77, { date: '2026-10-20T00:00:00+0000' }))], { now: before });
      prune(store, before, 0);
      storePage(store, backfill, { now: stored });
      prune(store, Math.floor(START / DAY) * DAY + DAY - 1, 0);
      // A minute before 45 days are over, and then two days after.
      const nearly = stored + IDENTITY_DAYS * DAY - 60_000;
      expect(prune(store, nearly, nearly).identities).toBe(1);
      expect(storePage(store, backfill, { now: nearly })).toMatchObject({ added: [], duplicates: 3 });
      prune(store, stored + (IDENTITY_DAYS + 2) * DAY, 0);
      expect(identities(path)).toBe(0);
    },
  );

  it('keeps all when the daemon was off for long and nothing tells how old they are', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, old);
    expect(prune(store, START + 200 * DAY, 0).identities).toBe(0);
    expect(storePage(store, old, { now: START + 200 * DAY }).duplicates).toBe(3);
  });

  it('lets go in small steps', () => {
    const path = storePath();
    const store = openStore(path);
    for (const first of [1, 401, 801]) storePage(store, someRecords(400, first));
    prune(store, START, START + 1);
    const late = START + 60 * DAY;
    expect(store.prune({ now: late, storedBefore: 0 })).toEqual({ events: 0, identities: 500, more: true });
    expect(prune(store, late, 0).identities).toBe(700);
    expect(identities(path)).toBe(0);
  });
});
