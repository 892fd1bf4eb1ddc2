import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { metricOf } from '../collect/reading.ts';
import {
  ACCEPTED,
  addEvents,
  deliverAll,
  dispatcherFor,
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
const MINUTE = 60_000;

let store: Store;
let now: number;

beforeEach(() => {
  store = openStore();
  now = START;
});

const clock = { now: () => now };
const HUNDRED = { batch: { maxEvents: 100, maxBytes: 1e6 } };

describe('an output that refuses whatever it is sent', () => {
  it('holds the batch and says so: a mistake in a config must not turn a backlog into rejects', async () => {
    addEvents(store, 100);
    const { dispatcher, output, metrics } = dispatcherFor(store, { ...HUNDRED, ...clock });
    output.react = () => {
      throw failure('split');
    };
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition: 'halt', reason: 'refused' });
    expect(await metricOf(metrics, 'output_up')).toBe(0);
    const before = rejectedNumbers(store).length;
    expect(before).toBeLessThan(20);
    for (let tries = 0; tries < 5; tries += 1) await dispatcher.deliverOnce(NEVER).catch(() => undefined);
    expect(rejectedNumbers(store)).toHaveLength(before);
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(output.accepted).toEqual(numbers(100 - before, before + 1));
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'rejected' })).toBe(before);
  });

  it('holds a batch whose events it refuses one by one as well', async () => {
    addEvents(store, 100);
    const { dispatcher, output } = dispatcherFor(store, { ...HUNDRED, ...clock });
    output.react = (events) => ({ rejected: events.map((event) => ({ event, reason: 'no' })), shortened: 0 });
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition: 'halt' });
    expect(rejectedNumbers(store)).toEqual([]);
    expect(dispatcher.cursor).toBe(0);
  });

  it('is not waited for without end: who sends us mail must not be able to stop an output', async () => {
    addEvents(store, 100);
    addEvents(store, 100, 101);
    const { dispatcher, output } = dispatcherFor(store, { ...HUNDRED, ...clock });
    output.react = refusing(new Set(numbers(200)));
    await dispatcher.deliverOnce(NEVER).catch(() => undefined);
    now += 15 * MINUTE;
    expect(await dispatcher.deliverOnce(NEVER)).toBe(true);
    expect(rejectedNumbers(store)).toEqual(numbers(100));
    // The next batch is held anew.
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition: 'halt' });
    expect(rejectedNumbers(store)).toEqual(numbers(100));
  });

  it('is another thing than many refusals in a batch of which the rest was taken', async () => {
    addEvents(store, 100);
    const { dispatcher, output } = dispatcherFor(store, HUNDRED);
    output.react = (events) => ({
      rejected: events.slice(0, 40).map((event) => ({ event, reason: 'no' })),
      shortened: 0,
    });
    await deliverAll(dispatcher);
    expect(rejectedNumbers(store)).toEqual(numbers(40));
    expect(dispatcher.cursor).toBe(100);
  });

  it('is another thing than many bad events among good ones', async () => {
    addEvents(store, 100);
    const { dispatcher, output } = dispatcherFor(store, HUNDRED);
    const bad = numbers(100).filter((number) => number % 5 !== 0);
    output.react = refusing(new Set(bad));
    await deliverAll(dispatcher);
    expect(rejectedNumbers(store)).toEqual(bad);
  });
});

describe('a batch that was taken in part, again and again', () => {
  it('is one trouble, as old as its first try, and counts each time', async () => {
    addEvents(store, 60);
    const { dispatcher, output, metrics } = dispatcherFor(store, { ...HUNDRED, ...clock });
    output.react = (events) => ({
      ...ACCEPTED,
      unsettled: { events: events.slice(1), error: failure('retry') },
    });
    const succeeded = vi.spyOn(dispatcher.episode, 'succeeded');
    for (let tries = 0; tries < 5; tries += 1) await dispatcher.deliverOnce(NEVER).catch(() => undefined);
    expect(succeeded).not.toHaveBeenCalled();
    expect(await metricOf(metrics, 'output_errors_total', { reason: 'connect' })).toBe(5);
    expect(await metricOf(metrics, 'output_up')).toBe(0);
    expect(dispatcher.cursor).toBe(5);
  });
});

describe('a backlog that the filter drops', () => {
  it('lets timers and other outputs have their turn', async () => {
    for (let page = 0; page < 40; page += 1) addEvents(store, 500, 1 + page * 500);
    const { dispatcher, start, stopping } = dispatcherFor(store, { filter: { fileName: ['nothing'] } });
    const running = start();
    await new Promise((resolve) => setTimeout(resolve, 1));
    stopping.abort();
    await running;
    expect(dispatcher.cursor).toBeGreaterThan(0);
    expect(dispatcher.cursor).toBeLessThan(20_000);
  });
});

describe('a reject that cannot be sent again just now', () => {
  it('keeps no new event waiting', async () => {
    addEvents(store, 3);
    const retry = { initialDelay: 60_000, maxDelay: 60_000 };
    const { dispatcher, output, start } = dispatcherFor(store, { retry });
    output.react = refusing(new Set([2]));
    await deliverAll(dispatcher);
    const [reject] = store.rejects.list();
    store.rejects.retry([reject?.id ?? 0]);
    output.react = (events) => {
      if (events.some((event) => numberOf(event) === 2)) throw failure('retry');
      return ACCEPTED;
    };
    void start();
    await vi.waitFor(() => expect(output.offered.at(-1)).toEqual([2]), SOON);
    addEvents(store, 1, 4);
    await vi.waitFor(() => expect(dispatcher.cursor).toBe(4), SOON);
    expect(rejectedNumbers(store)).toEqual([2]);
  });
});
