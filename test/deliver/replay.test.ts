import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Replay } from '../../src/store/replay.ts';
import { Store } from '../../src/store/store.ts';
import { metricOf } from '../collect/reading.ts';
import {
  ACCEPTED,
  addEvents,
  deliverAll,
  dispatcherFor,
  durable,
  failure,
  NEVER,
  numberOf,
  numbers,
  openStore,
  refusing,
  rejectedNumbers,
  START,
} from './delivering.ts';

const SOON = { timeout: 10_000, interval: 2 };
const HOUR = 3_600_000;
const ALL = { from: START - HOUR, to: START + HOUR };

let store: Store;

beforeEach(() => {
  store = openStore();
});

function ask(output = 'siem', span = ALL): Replay {
  const { replay } = store.replays.ask({ output, span, underWay: 0 }, START);
  if (!replay) throw new Error('there is nothing to replay');
  return replay;
}

/** So many events, which `siem` has had already. */
async function delivered(count: number, options: Parameters<typeof dispatcherFor>[1] = {}) {
  addEvents(store, count);
  const delivering = dispatcherFor(store, options);
  await deliverAll(delivering.dispatcher);
  store.flush('siem');
  delivering.output.accepted.length = 0;
  delivering.output.offered.length = 0;
  return delivering;
}

async function replayAll({ dispatcher }: Pick<ReturnType<typeof dispatcherFor>, 'dispatcher'>): Promise<void> {
  while (await dispatcher.replayOnce(NEVER));
}

describe('a replay', () => {
  it('sends the events of its span again, in batches, and moves no cursor', async () => {
    const delivering = await delivered(25);
    const { id } = ask('siem', { from: START + 3000, to: START + 20_000 });
    await replayAll(delivering);
    expect(delivering.output.offered).toEqual([numbers(10, 3), numbers(7, 13)]);
    expect(store.replays.get(id)).toMatchObject({ delivered: 17, rejected: 0, filtered: 0, endedAt: START });
    expect(durable(store.path).cursor()).toBe(25);
    const messages = delivering.log.entries.filter(({ replay }) => replay === id);
    expect(messages).toMatchObject([
      { level: 'info', msg: 'a replay begins', events: 17, from: '2026-11-23T12:00:03.000Z' },
      { level: 'info', msg: 'a replay is done', delivered: 17 },
    ]);
  });

  it('passes through the filter of its output, and goes on over a batch of which nothing passes', async () => {
    const delivering = await delivered(10, {
      filter: { result: ['malicious'] },
      batch: { maxEvents: 5, maxBytes: 1e6 },
    });
    addEvents(store, 5, 11, { result: 'malicious' });
    await deliverAll(delivering.dispatcher);
    store.flush('siem');
    const { id } = ask();
    await replayAll(delivering);
    expect(delivering.output.offered).toEqual([numbers(5, 11), numbers(5, 11)]);
    expect(store.replays.get(id)).toMatchObject({ total: 15, delivered: 5, filtered: 10 });
    expect(await metricOf(delivering.metrics, 'output_events_total', { outcome: 'filtered' })).toBe(20);
  });

  it('counts what was delivered, and leaves the figures of live delivery alone', async () => {
    const delivering = await delivered(10);
    const latency = async () => {
      const { values } = await delivering.metrics.deliveryLatency.get();
      return values.find(({ metricName }) => metricName?.endsWith('_count'))?.value;
    };
    const before = await latency();
    ask();
    await replayAll(delivering);
    expect(await metricOf(delivering.metrics, 'output_events_total', { outcome: 'delivered' })).toBe(20);
    expect(before).toBe(10);
    expect(await latency()).toBe(before);
    expect(store.outbox.countAfter(delivering.dispatcher.cursor)).toBe(0);
  });

  it('is felt by no other output', async () => {
    store.startOutput('archive', 'beginning');
    const siem = await delivered(10);
    const archive = dispatcherFor(store, { name: 'archive' });
    await deliverAll(archive.dispatcher);
    ask();
    expect(await archive.dispatcher.replayOnce(NEVER)).toBe(false);
    await replayAll(siem);
    expect(archive.output.accepted).toEqual(numbers(10));
    expect(siem.output.accepted).toEqual(numbers(10));
  });

  it('sends of a batch that was taken in part only the rest', async () => {
    const delivering = await delivered(10);
    const { id } = ask();
    delivering.output.react = (events) => ({
      ...ACCEPTED,
      unsettled: { events: events.slice(4), error: failure('retry') },
    });
    await expect(delivering.dispatcher.replayOnce(NEVER)).rejects.toThrow('it does not work');
    expect(store.replays.get(id)).toMatchObject({ delivered: 0, failure: 'it does not work: retry' });
    delivering.output.react = () => ACCEPTED;
    await replayAll(delivering);
    expect(delivering.output.accepted).toEqual(numbers(10));
    expect(store.replays.get(id)).toMatchObject({ delivered: 10, failure: null });
  });

  it('keeps what is refused as rejects, once', async () => {
    const delivering = await delivered(10);
    delivering.output.react = refusing(new Set([4, 7]));
    for (const _ of [1, 2]) {
      ask();
      await replayAll(delivering);
    }
    expect(rejectedNumbers(store)).toEqual([4, 7]);
    expect(store.replays.get(2)).toMatchObject({ delivered: 8, rejected: 2 });
    expect(await metricOf(delivering.metrics, 'output_events_total', { outcome: 'rejected' })).toBe(4);
    delivering.output.react = () => ACCEPTED;
    ask();
    await replayAll(delivering);
    expect(rejectedNumbers(store)).toEqual([]);
  });

  it('that is cancelled in the midst of a failing batch is not tried again, and the next one is whole', async () => {
    const delivering = await delivered(10);
    const [first, second] = [ask(), ask('siem', { from: START + 2000, to: START + 4000 })];
    delivering.output.react = () => {
      throw failure('retry');
    };
    await expect(delivering.dispatcher.replayOnce(NEVER)).rejects.toThrow('it does not work');
    store.replays.cancel(first.id, START);
    delivering.output.react = () => ACCEPTED;
    await replayAll(delivering);
    expect(delivering.output.accepted).toEqual([2, 3]);
    expect(store.replays.get(second.id)).toMatchObject({ delivered: 2 });
  });

  it('begins a batch only when the cursor is durable, and is durable itself before the next', async () => {
    const delivering = await delivered(25);
    addEvents(store, 1, 26);
    await delivering.dispatcher.deliverOnce(NEVER);
    expect(durable(store.path).cursor()).toBe(25);
    const { id } = ask();
    const seen: (readonly [number | undefined, number | undefined])[] = [];
    delivering.output.react = () => {
      const other = Store.open(store.path);
      seen.push([durable(store.path).cursor(), other.replays.get(id)?.delivered]);
      other.close();
      return ACCEPTED;
    };
    await replayAll(delivering);
    expect(seen).toEqual([
      [26, 0],
      [26, 10],
      [26, 20],
    ]);
  });
});

describe('beside live delivery', () => {
  it('new events go first', async () => {
    const delivering = await delivered(40);
    ask();
    let stored = 40;
    delivering.output.react = (events) => {
      const [first = 0] = events.map(numberOf);
      if (first > 40 || stored === 43) return ACCEPTED;
      stored += 1;
      addEvents(store, 1, stored);
      return ACCEPTED;
    };
    const running = delivering.start();
    await vi.waitFor(() => expect(store.replays.get(1)?.endedAt).not.toBeNull(), SOON);
    delivering.stopping.abort();
    await running;
    expect(delivering.output.offered.map(([first]) => first)).toEqual([1, 41, 11, 42, 21, 43, 31]);
  });

  it('a replay that fails holds no new event back, is told, and goes on', async () => {
    const delivering = await delivered(10, { retry: { initialDelay: 20, maxDelay: 20 }, now: Date.now });
    let broken = true;
    delivering.output.react = (events) => {
      if (broken && events.some((event) => numberOf(event) <= 10)) throw failure('retry');
      return ACCEPTED;
    };
    const { id } = ask();
    const running = delivering.start();
    await vi.waitFor(() => expect(store.replays.get(id)?.failure).toBe('it does not work: retry'), SOON);
    addEvents(store, 5, 11);
    await vi.waitFor(() => expect(delivering.output.accepted).toEqual(numbers(5, 11)), SOON);
    expect(delivering.log.text).toContain('a replay could not go on; it is tried later');
    broken = false;
    await vi.waitFor(() => expect(store.replays.get(id)?.endedAt).not.toBeNull(), SOON);
    delivering.stopping.abort();
    await running;
    expect(delivering.output.accepted).toEqual([...numbers(5, 11), ...numbers(10)]);
  });

  it('a long replay does not keep the dispatcher from seeing what another process stored', async () => {
    const delivering = await delivered(30);
    ask();
    await delivering.dispatcher.replayOnce(NEVER);
    const backfill = Store.open(store.path);
    addEvents(backfill, 2, 31);
    backfill.close();
    await delivering.dispatcher.replayOnce(NEVER);
    expect(await delivering.dispatcher.deliverOnce(NEVER)).toBe(true);
    expect(delivering.output.offered.at(-1)).toEqual([31, 32]);
  });

  it('is served by a running dispatcher that another process has asked, and by `drain`', async () => {
    const delivering = await delivered(10);
    const running = delivering.start();
    const command = Store.open(store.path);
    command.replays.ask({ output: 'siem', span: ALL, underWay: 0 }, START);
    await vi.waitFor(() => expect(command.replays.get(1)?.endedAt).not.toBeNull(), SOON);
    command.replays.ask({ output: 'siem', span: ALL, underWay: 0 }, START);
    command.close();
    delivering.stopping.abort();
    await running;
    const next = dispatcherFor(store);
    await next.dispatcher.drain({ stopping: NEVER, abort: NEVER }, 1);
    expect(store.replays.get(2)).toMatchObject({ delivered: 10, endedAt: START });
  });

  it('a stop finishes the batch in hand and leaves the rest for the next start', async () => {
    const delivering = await delivered(30);
    const { id } = ask();
    delivering.output.react = () => {
      delivering.stopping.abort();
      return ACCEPTED;
    };
    await delivering.start();
    expect(store.replays.get(id)).toMatchObject({ delivered: 10, endedAt: null });
    const next = dispatcherFor(store);
    await replayAll(next);
    expect(next.output.accepted).toEqual(numbers(20, 11));
  });
});
