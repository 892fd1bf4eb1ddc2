import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../src/store/outbox.ts';
import type { Candidate } from '../../src/store/pages.ts';
import type { Replay, ReplayRequest } from '../../src/store/replay.ts';
import { IDENTITY_DAYS } from '../../src/store/retention.ts';
import type { Store } from '../../src/store/store.ts';
import {
  candidateOf,
  DAY,
  numbers,
  openStore,
  rawsOf,
  readAll,
  recordOf,
  rowsOf,
  START,
  someRecords,
  storePage,
  storePath,
} from './harness.ts';

const SECOND = 1000;
const ALL = { from: 0, to: START + 400 * DAY };
const LIMITS = { maxEvents: 4, maxBytes: 1e9 };

function request(more: Partial<ReplayRequest> = {}): ReplayRequest {
  return { output: 'siem', span: ALL, underWay: 0, ...more };
}

/** So many events, all delivered to `siem`. */
function storeWith(count: number, path: string = storePath()): Store {
  const store = openStore(path);
  storePage(store, someRecords(count));
  store.startOutput('siem', 'now');
  return store;
}

function asked(store: Store, more: Partial<ReplayRequest> = {}): Replay {
  const { replay } = store.replays.ask(request(more), START);
  if (!replay) throw new Error('there is nothing to replay');
  return replay;
}

/** Takes the next batch, as a dispatcher to which all of it is accepted. */
function step(store: Store, limits = LIMITS): StoredEvent[] {
  const replay = store.replays.due('siem');
  if (!replay) return [];
  const events = store.replays.read(replay, limits);
  const last = events.at(-1);
  if (last) settle(store, replay, events);
  else store.replays.end(replay.id, START);
  return events;
}

function settle(store: Store, replay: Replay, events: readonly StoredEvent[]): void {
  const last = events.at(-1);
  if (!last) return;
  store.replays.settle(replay, { last, delivered: events.map(({ seq }) => seq), rejected: [], filtered: 0 }, START);
}

function replayAll(store: Store, limits = LIMITS): StoredEvent[] {
  const all: StoredEvent[] = [];
  for (let events = step(store, limits); events.length > 0; events = step(store, limits)) all.push(...events);
  return all;
}

function seqsOf(events: readonly StoredEvent[]): number[] {
  return events.map(({ seq }) => seq);
}

describe('a span', () => {
  const span = (from: number, to: number) => ({ from: START + from * SECOND, to: START + to * SECOND });

  it('has the events of its time, the first second included, the last not', () => {
    const store = storeWith(10);
    asked(store, { span: span(3, 6) });
    expect(seqsOf(replayAll(store))).toEqual([3, 4, 5]);
  });

  it('is of the events’ own time, in whatever order they were stored', () => {
    const store = openStore();
    storePage(store, someRecords(5, 6));
    storePage(store, someRecords(5));
    store.startOutput('siem', 'now');
    asked(store, { span: span(4, 8) });
    expect(seqsOf(replayAll(store))).toEqual([9, 10, 1, 2]);
  });

  it.each([
    [2.5, 4, [3]],
    [3, 4.001, [3, 4]],
    [-1e12, 2, [1]],
    [9, 1e12, [9, 10]],
  ])('may begin and end in the midst of a second, and beyond all times: %d to %d', (from, to, expected) => {
    const store = storeWith(10);
    asked(store, { span: span(from, to) });
    expect(seqsOf(replayAll(store))).toEqual(expected);
  });

  it('that is empty makes no replay', () => {
    const store = storeWith(3);
    const { replay, survey } = store.replays.ask(request({ span: span(50, 60) }), START);
    expect(replay).toBeUndefined();
    expect(survey).toEqual({ events: 0, pruned: 0, waiting: 0, first: null, last: null });
    expect(store.replays.list()).toEqual([]);
  });

  it('is surveyed without a trace: how many, from when to when, what is gone and what is still to come', () => {
    const path = storePath();
    const store = openStore(path);
    store.startOutput('siem', 'beginning');
    storePage(store, someRecords(10));
    storePage(store, someRecords(10, 11), { now: START + DAY });
    store.settle('siem', 15, [], START);
    store.flush('siem');
    expect(store.prune({ now: START + DAY, storedBefore: START + 1 }).events).toBe(10);
    const survey = { events: 5, pruned: 10, waiting: 5, first: START + 11 * SECOND, last: START + 15 * SECOND };
    expect(store.replays.survey(request())).toEqual(survey);
    expect(store.replays.survey(request({ underWay: 3 }))).toMatchObject({ events: 8, waiting: 2 });
    expect(rowsOf(path, 'SELECT * FROM replay')).toEqual([]);
    asked(store, { underWay: 3 });
    expect(seqsOf(replayAll(store))).toEqual(numbers(8, 11));
  });
});

describe('a replay', () => {
  it('has variants that were shipped, and no other', () => {
    const store = storeWith(3);
    const variant = (fileName: string): Candidate => candidateOf(recordOf(2, { fileName }));
    storePage(store, [variant('kept.pdf')]);
    storePage(store, [variant('shipped.pdf'), variant('too.pdf')], { variants: 'ship' });
    store.startOutput('siem', 'now');
    asked(store);
    const events = replayAll(store, { maxEvents: 1, maxBytes: 1e9 });
    expect(seqsOf(events)).toEqual([1, 2, 4, 5, 3]);
    expect(rawsOf(events).filter((raw) => raw.includes('kept.pdf'))).toEqual([]);
    expect(events.map(({ seq, id }) => [seq, id])).toEqual(
      expect.arrayContaining(readAll(store).map(({ seq, id }) => [seq, id])),
    );
  });

  it('is not about what is stored after it was asked for: that is delivered by the usual path', () => {
    const store = storeWith(4);
    asked(store);
    step(store, { maxEvents: 2, maxBytes: 1e9 });
    storePage(store, someRecords(4, 5));
    expect(seqsOf(replayAll(store))).toEqual([3, 4]);
  });

  it('keeps to the limits of a batch, one event at least', () => {
    const store = storeWith(5);
    asked(store);
    expect(step(store, { maxEvents: 100, maxBytes: 1 })).toHaveLength(1);
    expect(step(store, { maxEvents: 3, maxBytes: 1e9 })).toHaveLength(3);
  });

  it('is one after the other, the oldest first, each output with its own', () => {
    const store = storeWith(3);
    store.startOutput('archive', 'now');
    const [first, second] = [asked(store), asked(store)];
    const other = asked(store, { output: 'archive' });
    expect(store.replays.openCount('siem')).toBe(2);
    expect(store.replays.due('siem')?.id).toBe(first.id);
    replayAll(store);
    expect(store.replays.get(first.id)).toMatchObject({ delivered: 3, total: 3, endedAt: START, cancelled: false });
    expect(store.replays.due('siem')?.id).toBe(second.id);
    expect(store.replays.due('archive')).toMatchObject({ id: other.id, delivered: 0 });
    expect(store.replays.list().map(({ id }) => id)).toEqual([other.id, second.id, first.id]);
  });

  it('that was cancelled does not go on, nor does it move when its batch comes back', () => {
    const path = storePath();
    const store = storeWith(8, path);
    const replay = asked(store);
    const command = openStore(path);
    const batch = store.replays.read(replay, LIMITS);
    expect(command.replays.cancel(replay.id, START + 5)).toBe(true);
    settle(store, replay, batch);
    expect(store.replays.due('siem')).toBeUndefined();
    expect(store.replays.get(replay.id)).toMatchObject({ delivered: 0, cancelled: true, endedAt: START + 5 });
    expect(command.replays.cancel(replay.id, START)).toBe(false);
    expect(command.replays.cancel(99, START)).toBe(false);
  });

  it('tells why a try failed until one succeeds', () => {
    const store = storeWith(8);
    const { id } = asked(store);
    store.replays.failed(id, 'nobody answers');
    expect(store.replays.due('siem')?.failure).toBe('nobody answers');
    step(store);
    expect(store.replays.due('siem')?.failure).toBeNull();
  });
});

describe('a reject of a replay', () => {
  it('is kept once, however often the event is refused', () => {
    const store = storeWith(3);
    const events = readAll(store);
    const [, second] = events;
    if (!second) throw new Error('there is no second event');
    for (const [reason, at] of [
      ['too long', START + 1],
      ['still too long', START + 2],
    ] as const) {
      const batch = { last: second, delivered: [1], rejected: [{ event: second, reason }], filtered: 0 };
      store.replays.settle(asked(store), batch, at);
    }
    expect(store.rejects.list()).toMatchObject([
      { id: 1, output: 'siem', reason: 'still too long', at: START + 2, retrying: false, event: { seq: 2 } },
    ]);
  });

  it('goes when a replay delivers its event, and not that of another output', () => {
    const store = storeWith(3);
    const [first] = readAll(store);
    if (!first) throw new Error('there is no event');
    store.settle('siem', 3, [{ event: first, reason: 'bad' }], START);
    store.settle('archive', 3, [{ event: first, reason: 'bad' }], START);
    asked(store);
    replayAll(store);
    expect(store.rejects.list().map(({ output }) => output)).toEqual(['archive']);
  });
});

describe('retention', () => {
  const late = { now: START + 400 * DAY, storedBefore: START + 400 * DAY };

  it('leaves what an open replay still needs, and takes it when it has ended', () => {
    const store = storeWith(10);
    const span = { from: START + 4 * SECOND, to: START + 9 * SECOND };
    const { id } = asked(store, { span });
    expect(store.prune(late).events).toBe(3);
    step(store);
    expect(store.prune(late).events).toBe(0);
    expect(replayAll(store)).toHaveLength(1);
    expect(store.replays.get(id)?.endedAt).not.toBeNull();
    expect(store.prune(late).events).toBe(7);
  });

  it('takes it when it was cancelled too', () => {
    const store = storeWith(3);
    asked(store);
    expect(store.prune(late).events).toBe(0);
    expect(store.replays.cancelOf('siem', START)).toBe(1);
    expect(store.prune(late).events).toBe(3);
  });

  it('leaves the identities of events that are kept for longer: a replay finds them', () => {
    const store = storeWith(3);
    store.prune({ now: START, storedBefore: 0 });
    const now = START + (IDENTITY_DAYS + 20) * DAY;
    store.prune({ now, storedBefore: now - 90 * DAY });
    expect(store.replays.survey(request()).events).toBe(3);
    store.prune({ now, storedBefore: now });
    expect(store.prune({ now, storedBefore: now })).toMatchObject({ identities: 0 });
    expect(store.replays.survey(request())).toMatchObject({ events: 0, pruned: 0 });
  });
});

it('gives over any history each event of its span once, in the order of time, to the end', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('page' as const), first: fc.integer({ min: 1, max: 60 }), count: fc.nat(8) }),
    fc.record({ do: fc.constant('variant' as const), of: fc.integer({ min: 1, max: 60 }), content: fc.nat(2) }),
    fc.record({ do: fc.constant('prune' as const), upTo: fc.nat(40) }),
    fc.record({ do: fc.constant('step' as const), maxEvents: fc.integer({ min: 1, max: 5 }) }),
    fc.constant({ do: 'restart' as const }),
  );
  const span = fc
    .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 30 }))
    .map(([from, length]) => ({ from: START + from * SECOND, to: START + (from + length) * SECOND }));
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 25 }),
      span,
      fc.array(action, { maxLength: 25 }),
      (before, span, after) => {
        const path = storePath();
        let store = openStore(path);
        const given: number[] = [];
        const take = (one: (typeof before)[number]): void => {
          if (one.do === 'page') storePage(store, someRecords(one.count, one.first));
          else if (one.do === 'variant') {
            storePage(store, [candidateOf(recordOf(one.of, { fileName: `${one.content}` }))], { variants: 'ship' });
          } else if (one.do === 'prune') {
            store.settle(
              'siem',
              Math.max(store.cursors.get('siem') ?? 0, Math.min(one.upTo, store.outbox.lastSeq)),
              [],
              START,
            );
            store.prune({ now: START + DAY, storedBefore: START + DAY });
          } else if (one.do === 'step') {
            given.push(...seqsOf(step(store, { ...LIMITS, maxEvents: one.maxEvents })));
          } else {
            store.close();
            store = openStore(path);
          }
        };
        store.startOutput('siem', 'beginning');
        for (const one of before) take(one);
        store.settle('siem', store.outbox.lastSeq, [], START);
        store.flush('siem');
        const expected = readAll(store)
          .filter(({ time }) => time >= span.from && time < span.to)
          .toSorted((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)) || a.seq - b.seq);
        const { replay, survey } = store.replays.ask(request({ span }), START);
        expect(survey.events).toBe(expected.length);
        expect(survey.first).toBe(expected[0]?.time ?? null);
        expect(survey.last).toBe(expected.at(-1)?.time ?? null);
        expect(replay?.total ?? 0).toBe(expected.length);
        for (const one of after) take(one);
        given.push(...seqsOf(replayAll(store)));
        expect(new Set(given)).toEqual(new Set(seqsOf(expected)));
        expect(given).toHaveLength(expected.length);
        const times = new Map(expected.map(({ seq, id }) => [seq, id.slice(0, 32)]));
        expect(given.map((seq) => times.get(seq))).toEqual(given.map((seq) => times.get(seq)).toSorted());
        store.close();
      },
    ),
    { numRuns: 30 },
  );
}, 60_000);
