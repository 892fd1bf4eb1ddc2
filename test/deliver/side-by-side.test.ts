import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import type { Sent } from '../../src/outputs/output.ts';
import { Store } from '../../src/store/store.ts';
import {
  ACCEPTED,
  addEvents,
  copyOfStore,
  deliverAll,
  dispatcherFor,
  failure,
  NEVER,
  numberOf,
  numbers,
  openStore,
  temporaryFolder,
} from './delivering.ts';

const SOON = { timeout: 10_000, interval: 2 };
const FIVES = { batch: { maxEvents: 5, maxBytes: 1e6 }, inFlight: 3 };

let store: Store;

beforeEach(() => {
  store = openStore();
});

/** An output that confirms late: each send waits until the test says what becomes of it. */
function late() {
  const sends: { readonly numbers: number[]; readonly accept: () => void; readonly fail: () => void }[] = [];
  const react = (events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      sends.push({
        numbers: events.map(numberOf),
        accept: () => resolve(ACCEPTED),
        fail: () => reject(failure('retry')),
      });
    });
  return { sends, react };
}

describe('batches side by side', () => {
  it('are as many as the output allows', async () => {
    addEvents(store, 40);
    const { output, start, abort } = dispatcherFor(store, FIVES);
    const { sends, react } = late();
    output.react = react;
    const running = start();
    await vi.waitFor(() => expect(sends).toHaveLength(3), SOON);
    sends[0]?.accept();
    await vi.waitFor(() => expect(sends).toHaveLength(4), SOON);
    expect(output.inFlight).toBe(3);
    abort.abort();
    await running;
    expect(output.inFlight).toBe(0);
  });

  it('go on when events come while the first still waits', async () => {
    addEvents(store, 5);
    const { output, dispatcher, start } = dispatcherFor(store, FIVES);
    const { sends, react } = late();
    output.react = react;
    void start();
    await vi.waitFor(() => expect(sends).toHaveLength(1), SOON);
    addEvents(store, 5, 6);
    await vi.waitFor(() => expect(sends).toHaveLength(2), SOON);
    expect(sends[1]?.numbers).toEqual(numbers(5, 6));
    for (const { accept } of sends) accept();
    await vi.waitFor(() => expect(dispatcher.cursor).toBe(10), SOON);
  });

  it('may finish in any order: the cursor follows the first that is not done with', async () => {
    addEvents(store, 15);
    const { output, dispatcher, start } = dispatcherFor(store, FIVES);
    const { sends, react } = late();
    output.react = react;
    void start();
    await vi.waitFor(() => expect(sends).toHaveLength(3), SOON);
    sends[2]?.accept();
    sends[1]?.accept();
    await vi.waitFor(() => expect(output.accepted).toHaveLength(10), SOON);
    expect(dispatcher.cursor).toBe(0);
    sends[0]?.accept();
    await vi.waitFor(() => expect(dispatcher.cursor).toBe(15), SOON);
    expect(output.offered).toHaveLength(3);
  });

  it('are sent again each on its own: what another has delivered is not repeated', async () => {
    addEvents(store, 15);
    const { output, dispatcher, start } = dispatcherFor(store, { ...FIVES, retry: { initialDelay: 1, maxDelay: 1 } });
    const { sends, react } = late();
    output.react = react;
    void start();
    await vi.waitFor(() => expect(sends).toHaveLength(3), SOON);
    sends[1]?.accept();
    sends[2]?.fail();
    sends[0]?.fail();
    await vi.waitFor(() => expect(sends).toHaveLength(4), SOON);
    expect(sends[3]?.numbers).toEqual(numbers(5));
    expect(dispatcher.cursor).toBe(0);
    sends[3]?.accept();
    await vi.waitFor(() => expect(sends).toHaveLength(5), SOON);
    expect(sends[4]?.numbers).toEqual(numbers(5, 11));
    sends[4]?.accept();
    await vi.waitFor(() => expect(dispatcher.cursor).toBe(15), SOON);
    expect(output.accepted.toSorted((a, b) => a - b)).toEqual(numbers(15));
  });

  it('are all finished at a stop, and no other is begun', async () => {
    addEvents(store, 40);
    const { output, dispatcher, start, stopping } = dispatcherFor(store, FIVES);
    const { sends, react } = late();
    output.react = react;
    const running = start();
    await vi.waitFor(() => expect(sends).toHaveLength(3), SOON);
    stopping.abort();
    for (const { accept } of sends) accept();
    await running;
    expect(sends).toHaveLength(3);
    expect(dispatcher.cursor).toBe(15);
  });
});

it('a kill repeats as many batches as are side by side at most, and loses nothing', { timeout: 60_000 }, async () => {
  const endings = fc.array(fc.record({ place: fc.nat(3), accepted: fc.boolean() }), { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(endings, async (endings) => {
      const folder = temporaryFolder();
      const path = join(folder, 'forwarder.db');
      const copy = join(folder, 'left-by-the-kill.db');
      const own = openStore(path);
      addEvents(own, 40);
      const { output, start, stopping, abort } = dispatcherFor(own, {
        ...FIVES,
        retry: { initialDelay: 1, maxDelay: 1 },
      });
      const { sends, react } = late();
      output.react = react;
      const running = start();
      const open = () => sends.filter((send) => !ended.has(send));
      const ended = new Set<(typeof sends)[number]>();
      for (const { place, accepted } of endings) {
        await vi.waitFor(() => expect(open().length > 0 || output.accepted.length === 40).toBe(true), SOON);
        const send = open()[place % Math.max(1, open().length)];
        if (!send) break;
        ended.add(send);
        if (accepted) send.accept();
        else send.fail();
        await new Promise(setImmediate);
      }

      const before = [...output.accepted];
      copyOfStore(path, copy);
      stopping.abort();
      abort.abort();
      await running;
      own.close();

      const left = Store.open(copy);
      const next = dispatcherFor(left, FIVES);
      await deliverAll(next.dispatcher);
      await next.dispatcher.deliverOnce(NEVER);
      left.close();
      expect(new Set(before).size).toBe(before.length);
      expect(before.filter((number) => next.output.accepted.includes(number)).length).toBeLessThanOrEqual(15);
      expect([...new Set([...before, ...next.output.accepted])].toSorted((a, b) => a - b)).toEqual(numbers(40));
    }),
    { numRuns: 40 },
  );
});
