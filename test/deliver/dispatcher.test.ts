import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../../src/store/store.ts';
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
  ScriptedOutput,
  START,
} from './delivering.ts';

const SOON = { timeout: 10_000, interval: 2 };

let store: Store;

beforeEach(() => {
  store = openStore();
});

describe('a batch', () => {
  it('follows the one before, in outbox order, up to maxEvents', async () => {
    addEvents(store, 25);
    const { dispatcher, output } = dispatcherFor(store);
    await deliverAll(dispatcher);
    expect(output.offered).toEqual([numbers(10), numbers(10, 11), numbers(5, 21)]);
    expect(dispatcher.cursor).toBe(25);
    expect(await dispatcher.deliverOnce(NEVER)).toBe(false);
  });

  it('has at most maxBytes of text, and one event at least', async () => {
    addEvents(store, 4, 1, { details: 'x'.repeat(1000) });
    addEvents(store, 1, 5, { details: 'x'.repeat(9000) });
    addEvents(store, 2, 6);
    const { dispatcher, output } = dispatcherFor(store, { batch: { maxEvents: 10, maxBytes: 2700 } });
    await deliverAll(dispatcher);
    expect(output.offered).toEqual([[1, 2], [3, 4], [5], [6, 7]]);
  });

  it('is in flight alone', async () => {
    addEvents(store, 30);
    const { output, start, stopping } = dispatcherFor(store);
    let most = 0;
    output.react = async () => {
      most = Math.max(most, output.inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      return ACCEPTED;
    };
    const running = start();
    await vi.waitFor(() => expect(output.accepted).toHaveLength(30), SOON);
    stopping.abort();
    await running;
    expect(most).toBe(1);
  });

  it('moves the cursor only when it was accepted', async () => {
    addEvents(store, 5);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = () => {
      throw failure('retry');
    };
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ reason: 'connect' });
    expect(dispatcher.cursor).toBe(0);
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(output.offered).toEqual([numbers(5), numbers(5)]);
    expect(dispatcher).toMatchObject({ cursor: 5, accepted: 5, lastAcceptedAt: START });
  });

  it('is described by the feed that its events came from', async () => {
    addEvents(store, 1);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = ([event]) => {
      expect(event?.source.name).toBe('mail');
      expect(event?.fields.fileName).toBe('1');
      return ACCEPTED;
    };
    await deliverAll(dispatcher);
    expect(output.accepted).toEqual([1]);
  });
});

describe('a filter', () => {
  it('passes over what is not wanted, counts it, and moves the cursor over it', async () => {
    addEvents(store, 4, 1, { result: 'safe' });
    addEvents(store, 2, 5, { result: 'malicious' });
    addEvents(store, 4, 7, { result: 'safe' });
    const { dispatcher, output, metrics } = dispatcherFor(store, {
      filter: { result: ['malicious'] },
      batch: { maxEvents: 3, maxBytes: 1e6 },
    });
    await deliverAll(dispatcher);
    expect(output.offered).toEqual([[5, 6]]);
    expect(dispatcher.cursor).toBe(10);
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'filtered' })).toBe(8);
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'delivered' })).toBe(2);
  });
});

describe('a batch that is refused for its content', () => {
  it('is bisected until the bad events are alone; each other event is accepted once, in order', async () => {
    const bad = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(bad, fc.integer({ min: 1, max: 40 }), async (bad, maxEvents) => {
        const own = openStore();
        addEvents(own, 40);
        const { dispatcher, output } = dispatcherFor(own, { batch: { maxEvents, maxBytes: 1e6 } });
        output.react = refusing(new Set(bad));
        await deliverAll(dispatcher);
        expect(output.accepted).toEqual(numbers(40).filter((number) => !bad.includes(number)));
        expect(rejectedNumbers(own)).toEqual(bad.toSorted((a, b) => a - b));
        expect(dispatcher.cursor).toBe(40);
        own.close();
      }),
      { numRuns: 40 },
    );
  });

  it('takes few sends: twice the depth of halving for one bad event', async () => {
    addEvents(store, 512);
    const { dispatcher, output } = dispatcherFor(store, { batch: { maxEvents: 512, maxBytes: 1e6 } });
    output.react = refusing(new Set([300]));
    await deliverAll(dispatcher);
    expect(output.accepted).toHaveLength(511);
    expect(output.offered.length).toBeLessThanOrEqual(1 + 2 * 9);
  });

  it('keeps what was accepted of it when the output fails in the middle: only the rest is sent again', async () => {
    addEvents(store, 8);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = (events) => {
      const first = numberOf(events[0] as (typeof events)[number]);
      if (events.length > 2) throw failure('split');
      if (first === 5) throw failure('retry');
      return ACCEPTED;
    };
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition: 'retry' });
    expect(output.accepted).toEqual([1, 2, 3, 4]);
    expect(dispatcher.cursor).toBe(4);
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(output.accepted).toEqual(numbers(8));
  });

  it('does not say that the output is down', async () => {
    addEvents(store, 4);
    const { dispatcher, output, metrics, failures } = dispatcherFor(store);
    output.react = refusing(new Set([4]));
    await deliverAll(dispatcher);
    expect(await metricOf(metrics, 'output_up')).toBe(1);
    expect(failures()).toEqual([]);
  });
});

describe('metrics', () => {
  it('count each send that failed by its reason, and tell whether the output is up', async () => {
    addEvents(store, 5);
    const { dispatcher, output, metrics } = dispatcherFor(store, { now: () => START + 65_000 });
    for (const disposition of ['retry', 'retry', 'halt'] as const) {
      output.react = () => {
        throw failure(disposition);
      };
      await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition });
      expect(await metricOf(metrics, 'output_up', { output: 'siem' })).toBe(0);
    }
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(await metricOf(metrics, 'output_errors_total', { output: 'siem', reason: 'connect' })).toBe(2);
    expect(await metricOf(metrics, 'output_errors_total', { output: 'siem', reason: 'auth' })).toBe(1);
    expect(await metricOf(metrics, 'output_up')).toBe(1);
    const text = await metrics.registry.metrics();
    expect(text).toContain('output_send_duration_seconds_count{output="siem"} 1');
    // The five are dated 1 to 5 s after START: 60 to 64 s old when they are accepted.
    expect(text).toContain('delivery_latency_seconds_bucket{le="30",output="siem"} 0');
    expect(text).toContain('delivery_latency_seconds_bucket{le="60",output="siem"} 1');
    expect(text).toContain('delivery_latency_seconds_bucket{le="120",output="siem"} 5');
  });
});

describe('several outputs on one store', () => {
  it('are served each on its own: a slow and a dead one delay nobody', async () => {
    store.startOutput('slow', 'beginning');
    store.startOutput('dead', 'beginning');
    addEvents(store, 50);
    const quick = dispatcherFor(store);
    const slow = dispatcherFor(store, { name: 'slow' });
    const dead = dispatcherFor(store, { name: 'dead' });
    let release: (() => void) | undefined;
    slow.output.react = () => new Promise((resolve) => (release = () => resolve(ACCEPTED)));
    dead.output.react = () => {
      throw failure('retry');
    };
    const running = [quick.start(), slow.start(), dead.start()];
    await vi.waitFor(() => expect(quick.output.accepted).toEqual(numbers(50)), SOON);
    expect(slow.output.offered).toEqual([numbers(10)]);
    expect([slow.dispatcher.cursor, dead.dispatcher.cursor]).toEqual([0, 0]);
    addEvents(store, 5, 51);
    await vi.waitFor(() => expect(quick.output.accepted).toEqual(numbers(55)), SOON);
    slow.output.react = () => ACCEPTED;
    release?.();
    await vi.waitFor(() => expect(slow.output.accepted).toEqual(numbers(55)), SOON);
    expect(dead.output.accepted).toEqual([]);
    for (const { stopping } of [quick, slow, dead]) stopping.abort();
    await Promise.all(running);
  });
});

describe('drain, for run --once', () => {
  it('delivers all that is outstanding, makes the cursor durable and ends', async () => {
    addEvents(store, 25);
    const { dispatcher, output, stopping, abort } = dispatcherFor(store);
    await dispatcher.drain({ stopping: stopping.signal, abort: abort.signal }, 4);
    expect(output.accepted).toEqual(numbers(25));
    expect(durable(store.path).cursor()).toBe(25);
  });

  it('sends the rejects that are asked for as well, and does not go in circles with one that is refused again', async () => {
    addEvents(store, 3);
    const { dispatcher, output, stopping, abort } = dispatcherFor(store);
    output.react = refusing(new Set([2]));
    const signals = { stopping: stopping.signal, abort: abort.signal };
    await dispatcher.drain(signals, 4);
    store.rejects.retry(store.rejects.list().map(({ id }) => id));
    await dispatcher.drain(signals, 4);
    expect(output.offered.filter((batch) => batch.length === 1 && batch[0] === 2)).toHaveLength(2);
  });

  it.each([
    ['retry', 3],
    ['halt', 1],
  ] as const)('gives up after as many failures in a row as it has tries: %s %d', async (disposition, sends) => {
    addEvents(store, 5);
    const { dispatcher, output, stopping, abort, failures } = dispatcherFor(store);
    output.react = () => {
      throw failure(disposition);
    };
    const draining = dispatcher.drain({ stopping: stopping.signal, abort: abort.signal }, 3);
    await expect(draining).rejects.toMatchObject({ disposition });
    expect(output.offered).toHaveLength(sends);
    expect(failures()).toHaveLength(sends);
  });

  it('counts failures from the last success on', async () => {
    addEvents(store, 60);
    const { dispatcher, output, stopping, abort } = dispatcherFor(store);
    output.react = () => {
      if (output.offered.length % 2 === 1) throw failure('retry');
      return ACCEPTED;
    };
    await dispatcher.drain({ stopping: stopping.signal, abort: abort.signal }, 2);
    expect(output.accepted).toEqual(numbers(60));
  });

  it('ends at a stop after the batch in hand', async () => {
    addEvents(store, 60);
    const { dispatcher, output, stopping, abort } = dispatcherFor(store);
    output.react = () => {
      stopping.abort();
      return ACCEPTED;
    };
    await dispatcher.drain({ stopping: stopping.signal, abort: abort.signal }, 2);
    expect(output.accepted).toEqual(numbers(10));
  });
});

it('an output that is new to the store and has no cursor yet begins at the first event', async () => {
  addEvents(store, 3);
  const { dispatcher, output } = dispatcherFor(store, { name: 'other', output: new ScriptedOutput() });
  await deliverAll(dispatcher);
  expect(output.accepted).toEqual([1, 2, 3]);
});
