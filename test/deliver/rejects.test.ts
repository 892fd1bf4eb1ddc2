import { beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../src/store/errors.ts';
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
  openStore,
  refusing,
  rejectedNumbers,
} from './delivering.ts';

const SOON = { timeout: 10_000, interval: 2 };

let store: Store;

beforeEach(() => {
  store = openStore();
});

describe('a reject', () => {
  it('is kept whole and durable with the cursor, with its reason, and told without what is in the mail', async () => {
    addEvents(store, 10);
    const { dispatcher, output, metrics, log } = dispatcherFor(store);
    output.react = (events) => ({
      rejected: events
        .filter((event) => numberOf(event) === 4)
        .map((event) => ({ event, reason: 'mapper_parsing_exception' })),
      shortened: 2,
    });
    await dispatcher.deliverOnce(NEVER);
    expect(durable(store.path).cursor()).toBe(10);
    expect(durable(store.path).rejects()).toBe(1);
    const [reject] = store.rejects.list({ output: 'siem' });
    expect(reject).toMatchObject({
      reason: 'mapper_parsing_exception',
      retrying: false,
      event: { seq: 4, feed: 'mail' },
    });
    expect(reject?.event.raw.toString()).toContain('private-4@example.net');

    expect(log.entries).toMatchObject([{ level: 'warn', output: 'siem', eventId: reject?.event.id }]);
    expect(log.text).not.toContain('private');
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'rejected' })).toBe(1);
    expect(await metricOf(metrics, 'output_events_total', { outcome: 'delivered' })).toBe(9);
    expect(await metricOf(metrics, 'output_shortened_total')).toBe(2);
    expect(dispatcher.accepted).toBe(9);
  });

  it('that cannot be kept is not passed over: the cursor stays, and it is sent again', async () => {
    addEvents(store, 3);
    const { dispatcher, output } = dispatcherFor(store);
    output.react = refusing(new Set([2]));
    const full = new StoreError('STORE_FULL', 'there is no room left', 'Free space.');
    const settle = vi.spyOn(store, 'settle');
    settle.mockImplementation((name, seq, rejected, now) => {
      if (rejected.length > 0) throw full;
      return Store.prototype.settle.call(store, name, seq, rejected, now);
    });
    await expect(dispatcher.deliverOnce(NEVER)).rejects.toBe(full);
    expect(dispatcher.cursor).toBe(1);
    expect(store.rejects.list()).toEqual([]);
    settle.mockRestore();
    await deliverAll(dispatcher);
    expect(rejectedNumbers(store)).toEqual([2]);
    expect(output.accepted).toEqual([1, 3]);
  });

  describe('that is to be sent again', () => {
    async function oneReject() {
      addEvents(store, 3);
      const delivering = dispatcherFor(store);
      delivering.output.react = refusing(new Set([2]));
      await deliverAll(delivering.dispatcher);
      const [reject] = store.rejects.list();
      if (!reject) throw new Error('nothing was rejected');
      return { ...delivering, id: reject.id };
    }

    it('is not, until somebody asks', async () => {
      const { dispatcher } = await oneReject();
      expect(await dispatcher.retryReject(NEVER)).toBe(false);
    });

    it('is gone once it is accepted', async () => {
      const { dispatcher, output, id } = await oneReject();
      store.rejects.retry([id]);
      output.react = () => ACCEPTED;
      expect(await dispatcher.retryReject(NEVER)).toBe(true);
      expect(output.accepted).toEqual([1, 3, 2]);
      expect(store.rejects.list()).toEqual([]);
      expect(await dispatcher.retryReject(NEVER)).toBe(false);
    });

    it('is kept when it is refused again, with the new reason, and waits for the next asking', async () => {
      const { dispatcher, output, id } = await oneReject();
      for (const react of [
        refusing(new Set([2])),
        ((events) => ({
          rejected: events.map((event) => ({ event, reason: 'still bad' })),
          shortened: 0,
        })) as typeof output.react,
      ]) {
        store.rejects.retry([id]);
        output.react = react;
        expect(await dispatcher.retryReject(NEVER)).toBe(true);
        expect(await dispatcher.retryReject(NEVER)).toBe(false);
      }
      expect(store.rejects.list()).toMatchObject([{ id, reason: 'still bad', retrying: false }]);
    });

    it('is still to be sent when the output fails', async () => {
      const { dispatcher, output, id } = await oneReject();
      store.rejects.retry([id]);
      output.react = () => {
        throw failure('retry');
      };
      await expect(dispatcher.retryReject(NEVER)).rejects.toMatchObject({ disposition: 'retry' });
      expect(store.rejects.get(id)).toMatchObject({ retrying: true });
    });

    it('leaves after the cursor is durable: it counts as a batch', async () => {
      const { dispatcher, output, id } = await oneReject();
      addEvents(store, 2, 4);
      output.react = () => ACCEPTED;
      await dispatcher.deliverOnce(NEVER);
      store.rejects.retry([id]);
      output.react = () => {
        expect(durable(store.path).cursor()).toBe(5);
        return ACCEPTED;
      };
      expect(await dispatcher.retryReject(NEVER)).toBe(true);
    });

    it('is sent by a running dispatcher that another process has asked', async () => {
      const { output, start, stopping, id } = await oneReject();
      output.react = () => ACCEPTED;
      const running = start();
      const elsewhere = Store.open(store.path);
      elsewhere.rejects.retry([id]);
      elsewhere.close();
      await vi.waitFor(() => expect(output.accepted).toEqual([1, 3, 2]), SOON);
      stopping.abort();
      await running;
    });
  });
});
