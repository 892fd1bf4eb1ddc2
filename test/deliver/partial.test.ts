import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import type { Sent } from '../../src/outputs/output.ts';
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
  rejectedNumbers,
} from './delivering.ts';

let store: Store;

beforeEach(() => {
  store = openStore();
});

const among = (events: readonly ForwarderEvent[], wanted: readonly number[]) =>
  events.filter((event) => wanted.includes(numberOf(event)));

describe('a batch of which a part was taken', () => {
  it('sends the rest again at once when nothing speaks against it, and nothing but the rest', async () => {
    addEvents(store, 10);
    const { dispatcher, output, metrics, failures } = dispatcherFor(store);
    output.react = (events) =>
      output.offered.length === 1 ? { ...ACCEPTED, unsettled: { events: among(events, [4, 9]) } } : ACCEPTED;
    expect(await dispatcher.deliverOnce(NEVER)).toBe(true);
    expect(output.offered).toEqual([numbers(10), [4, 9]]);
    expect(dispatcher.cursor).toBe(10);
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'delivered' })).toBe(10);
    expect(failures()).toEqual([]);
  });

  it('waits with the rest when the output says why; the cursor stays before the first event of it', async () => {
    addEvents(store, 10);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = (events) => ({
      ...ACCEPTED,
      unsettled: { events: among(events, [4, 9]), error: failure('retry', { retryAfterMs: 7000 }) },
    });
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 7000 });
    expect(dispatcher.cursor).toBe(3);
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(output.offered).toEqual([numbers(10), [4, 9]]);
    expect(dispatcher.cursor).toBe(10);
  });

  it('halves the rest when that is what is refused', async () => {
    addEvents(store, 10);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = (events) => {
      const rest = events.filter((event) => numberOf(event) > 6);
      if (rest.length === events.length) {
        if (among(events, [8]).length > 0) throw failure('split');
        return ACCEPTED;
      }
      return { ...ACCEPTED, unsettled: { events: rest, error: failure('split') } };
    };
    await deliverAll(dispatcher);
    expect(output.accepted).toEqual([1, 2, 3, 4, 5, 6, 7, 9, 10]);
    expect(rejectedNumbers(store)).toEqual([8]);
    expect(dispatcher.cursor).toBe(10);
  });

  it('keeps what was refused in it only when the cursor passes it, so that a crash before can send it again', async () => {
    addEvents(store, 10);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = (events) => ({
      rejected: among(events, [2, 8]).map((event) => ({ event, reason: 'no such field' })),
      shortened: 0,
      unsettled: { events: among(events, [5]), error: failure('retry') },
    });
    await dispatcher.deliverOnce(NEVER).catch(() => undefined);
    expect(rejectedNumbers(store)).toEqual([2]);
    expect(dispatcher.cursor).toBe(4);
    output.react = () => ACCEPTED;
    await deliverAll(dispatcher);
    expect(rejectedNumbers(store)).toEqual([2, 8]);
    expect(output.offered).toEqual([numbers(10), [5]]);
  });

  it('does not go in circles with an output that settles nothing and gives no reason', async () => {
    addEvents(store, 3);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = (events) => ({ ...ACCEPTED, unsettled: { events } });
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(output.offered).toHaveLength(1);
  });
});

describe('whatever comes of each event', () => {
  const outcomes = fc.array(fc.constantFrom('taken', 'taken', 'refused', 'open', 'open, wait'), {
    minLength: 1,
    maxLength: 60,
  });

  it('each is taken or refused once, and the cursor never passes one that is neither', async () => {
    await fc.assert(
      fc.asyncProperty(outcomes, fc.integer({ min: 1, max: 12 }), async (outcomes, maxEvents) => {
        const own = openStore();
        addEvents(own, 24);
        const { dispatcher, output } = dispatcherFor(own, { batch: { maxEvents, maxBytes: 1e6 } });
        const settled = new Set<number>();
        let turn = 0;
        output.react = (events): Sent => {
          const given = events.map((event) => ({ event, outcome: outcomes[turn++] ?? 'taken' }));
          const open = given.filter(({ outcome }) => outcome.startsWith('open')).map(({ event }) => event);
          const refused = given.filter(({ outcome }) => outcome === 'refused').map(({ event }) => event);
          if (open.length === events.length) throw failure('retry');
          for (const event of events) if (!open.includes(event)) settled.add(numberOf(event));
          const waits = given.some(({ outcome }) => outcome === 'open, wait');
          return {
            rejected: refused.map((event) => ({ event, reason: 'no' })),
            shortened: 0,
            ...(open.length > 0 && { unsettled: { events: open, ...(waits && { error: failure('retry') }) } }),
          };
        };
        for (let more = true; more; ) {
          more = await dispatcher.deliverOnce(NEVER).catch(() => true);
          for (const number of numbers(dispatcher.cursor)) expect(settled).toContain(number);
        }
        const done = [...output.accepted, ...rejectedNumbers(own)].toSorted((a, b) => a - b);
        expect(done).toEqual(numbers(24));
        expect(dispatcher.cursor).toBe(24);
        own.close();
      }),
      { numRuns: 60 },
    );
  });
});
