import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { FEED, openStore, readAll, START, someRecords, storePage, storePath } from './harness.ts';

/** A store where `siem` has refused events 1 to 3 and `archive` event 4. */
function storeWithRejects(path: string = storePath()): Store {
  const store = openStore(path);
  storePage(store, someRecords(5));
  const events = readAll(store);
  const refused = (from: number, to: number) =>
    events.slice(from, to).map((event) => ({ event, reason: `bad ${event.seq}` }));
  store.settle('siem', 5, refused(0, 3), START + 10);
  store.settle('archive', 5, refused(3, 4), START + 20);
  return store;
}

describe('a reject', () => {
  it('is the whole event, with why and when', () => {
    const store = storeWithRejects();
    const [event] = readAll(store);
    expect(store.rejects.get(1)).toEqual({
      id: 1,
      output: 'siem',
      at: START + 10,
      reason: 'bad 1',
      retrying: false,
      event: { seq: 1, id: event?.id, feed: FEED, time: event?.time, storedAt: START + 10, raw: event?.raw },
    });
    expect(store.rejects.get(99)).toBeUndefined();
    expect(store.rejects.newest('siem')).toEqual({ at: START + 10, reason: 'bad 3' });
    expect(store.rejects.newest('nobody')).toBeUndefined();
  });

  it('outlives its event', () => {
    const store = storeWithRejects();
    store.prune({ now: START, storedBefore: START + 1 });
    expect(store.eventCount()).toBe(0);
    expect(JSON.parse(store.rejects.get(2)?.event.raw.toString() ?? '')).toEqual(someRecords(1, 2)[0]?.record);
  });

  it('is listed by output, in order, in parts', () => {
    const { rejects } = storeWithRejects();
    const ids = (filter: Parameters<typeof rejects.list>[0]): number[] => rejects.list(filter).map(({ id }) => id);
    expect(ids({})).toEqual([1, 2, 3, 4]);
    expect(ids({ output: 'siem' })).toEqual([1, 2, 3]);
    expect(ids({ output: 'siem', after: 1, limit: 1 })).toEqual([2]);
    expect(ids({ output: 'nobody' })).toEqual([]);
    expect([rejects.count('siem'), rejects.count('archive')]).toEqual([3, 1]);
  });

  it('that is to be sent again is given to its output, the oldest first, until it is accepted', () => {
    const path = storePath();
    storeWithRejects(path).close();
    const { rejects } = openStore(path);
    expect(rejects.due('siem')).toBeUndefined();
    expect(rejects.retry([3, 1, 4, 99])).toBe(3);
    expect(rejects.due('siem')).toMatchObject({ id: 1, retrying: true, event: { seq: 1 } });
    expect(rejects.remove([1])).toBe(1);
    expect(rejects.due('siem')?.id).toBe(3);
    expect(rejects.due('archive')?.id).toBe(4);
  });

  it('that is refused again waits for somebody to decide', () => {
    const { rejects } = storeWithRejects();
    rejects.retry([1]);
    rejects.refusedAgain(1, 'still bad', START + 99);
    expect(rejects.due('siem')).toBeUndefined();
    expect(rejects.get(1)).toMatchObject({ reason: 'still bad', at: START + 99, retrying: false });
  });

  it('that is discarded is gone, and its number is not given again', () => {
    const store = storeWithRejects();
    expect(store.rejects.remove([4, 4, 99])).toBe(1);
    expect(store.rejects.get(4)).toBeUndefined();
    const [event] = readAll(store);
    if (event) store.settle('archive', 5, [{ event, reason: 'bad' }], START);
    expect(store.rejects.list({ output: 'archive' })).toMatchObject([{ id: 5 }]);
  });

  it('of another process is seen by the one that sends', () => {
    const path = storePath();
    const daemon = storeWithRejects(path);
    const command = openStore(path);
    command.rejects.retry([2]);
    command.close();
    expect(daemon.rejects.due('siem')?.id).toBe(2);
  });
});
