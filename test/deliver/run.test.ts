import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../src/store/errors.ts';
import { Store } from '../../src/store/store.ts';
import {
  ACCEPTED,
  addEvents,
  dispatcherFor,
  durable,
  failure,
  NEVER,
  numbers,
  openStore,
  refusing,
  START,
} from './delivering.ts';

/** The dispatcher's loop: when it sends, waits, rests and ends. */

const SOON = { timeout: 10_000, interval: 2 };

let store: Store;

afterEach(() => {
  vi.restoreAllMocks();
});

beforeEach(() => {
  store = openStore();
});

describe('a running dispatcher', () => {
  it('sends what is there, and what comes, as it comes', async () => {
    addEvents(store, 5);
    const { output, start, stopping } = dispatcherFor(store);
    const running = start();
    await vi.waitFor(() => expect(output.accepted).toEqual(numbers(5)), SOON);
    addEvents(store, 5, 6);
    await vi.waitFor(() => expect(output.accepted).toEqual(numbers(10)), SOON);
    stopping.abort();
    await running;
    expect(output.offered).toEqual([numbers(5), numbers(5, 6)]);
  });

  it('writes the cursor alone when no page comes to carry it', async () => {
    addEvents(store, 5);
    const { output, start, stopping } = dispatcherFor(store);
    const running = start();
    await vi.waitFor(() => expect(output.accepted).toHaveLength(5), SOON);
    await vi.waitFor(() => expect(durable(store.path).cursor()).toBe(5), SOON);
    stopping.abort();
    await running;
  });

  it('leaves the cursor to a page that comes soon', async () => {
    addEvents(store, 5);
    const { dispatcher } = dispatcherFor(store);
    await dispatcher.deliverOnce(NEVER);
    expect(await dispatcher.deliverOnce(NEVER)).toBe(false);
    expect(durable(store.path).cursor()).toBe(0);
    addEvents(store, 1, 6);
    expect(durable(store.path).cursor()).toBe(5);
  });

  it('finds what another process has added', async () => {
    const { output, start, stopping } = dispatcherFor(store);
    const running = start();
    const elsewhere = Store.open(store.path);
    addEvents(elsewhere, 3);
    elsewhere.close();
    await vi.waitFor(() => expect(output.accepted).toEqual([1, 2, 3]), SOON);
    addEvents(store, 2, 4);
    await vi.waitFor(() => expect(output.accepted).toEqual(numbers(5)), SOON);
    stopping.abort();
    await running;
  });
});

describe('after a failure', () => {
  /** Runs into one failure and is stopped while it waits. */
  async function waitAfter(error: unknown, retry = { initialDelay: 1000, maxDelay: 300_000 }) {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    addEvents(store, 5);
    const delivering = dispatcherFor(store, { retry });
    delivering.output.react = () => {
      throw error;
    };
    const running = delivering.start();
    await vi.waitFor(() => expect(delivering.failures()).toHaveLength(1), SOON);
    delivering.stopping.abort();
    await running;
    const [told] = delivering.failures();
    return { told, delay: (told?.nextTryAt ?? 0) - START, log: delivering.log };
  }

  it('that passes by itself it waits as the config says', async () => {
    const { told, delay } = await waitAfter(failure('retry'));
    expect(delay).toBe(1000);
    expect(told).toMatchObject({ reason: 'connect', retryable: true, message: 'it does not work: retry' });
  });

  it('never shorter than the other side has asked for', async () => {
    expect((await waitAfter(failure('retry', { retryAfterMs: 42_000 }))).delay).toBe(42_000);
  });

  it('that somebody must mend it waits long from the first on, and it is an error in the log', async () => {
    const { told, delay, log } = await waitAfter(failure('halt'));
    expect(delay).toBe(30_000);
    expect(told).toMatchObject({ reason: 'auth', retryable: false });
    expect(log.entries).toMatchObject([{ level: 'error', output: 'siem', reason: 'auth' }]);
  });

  it('but not longer than the config allows', async () => {
    expect((await waitAfter(failure('halt'), { initialDelay: 1000, maxDelay: 5000 })).delay).toBe(5000);
  });

  it('that nobody foresaw it waits long too, and goes on', async () => {
    const { told, delay } = await waitAfter(new TypeError('a mistake of ours'));
    expect(delay).toBe(30_000);
    expect(told).toMatchObject({ reason: 'internal', retryable: false });
  });

  it('it tries again, for ever, with longer waits, and anew after a success', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    addEvents(store, 15);
    const { output, start, stopping, failures, dispatcher, log } = dispatcherFor(store, {
      retry: { initialDelay: 1, maxDelay: 8 },
    });
    output.react = () => {
      // Eight failures, a success, one failure.
      if (output.offered.length <= 8 || output.offered.length === 10) throw failure('retry');
      return ACCEPTED;
    };
    const running = start();
    await vi.waitFor(() => expect(output.accepted).toEqual(numbers(15)), SOON);
    stopping.abort();
    await running;
    expect(failures().map(({ nextTryAt }) => (nextTryAt ?? 0) - START)).toEqual([1, 2, 4, 8, 8, 8, 8, 8, 1]);
    expect(dispatcher.episode.current).toBeNull();
    expect(log.text.match(/works again/g)).toHaveLength(2);
  });

  it('is not an abort that nobody asked for: the output is served again, not left for good', async () => {
    addEvents(store, 5);
    const { output, start, stopping, failures } = dispatcherFor(store);
    output.react = () => {
      if (output.offered.length === 1) throw new DOMException('a stray one', 'AbortError');
      return ACCEPTED;
    };
    const running = start();
    await vi.waitFor(() => expect(output.accepted).toEqual(numbers(5)), SOON);
    expect(failures()).toHaveLength(1);
    stopping.abort();
    await running;
  });
});

describe('a store', () => {
  it('that is busy or full for a while is waited for, and the trouble is over when it is, though nothing is left to send', async () => {
    addEvents(store, 5);
    const { output, start, stopping, failures, dispatcher } = dispatcherFor(store);
    let busy = true;
    vi.spyOn(store, 'flush').mockImplementation((name) => {
      // When all has been sent and the cursor is to be written alone.
      if (busy && dispatcher.cursor === 5) {
        busy = false;
        throw new StoreError('STORE_BUSY', 'another process is writing', 'It is tried again.');
      }
      Store.prototype.flush.call(store, name);
    });
    const running = start();
    await vi.waitFor(() => expect(durable(store.path).cursor()).toBe(5), SOON);
    expect(failures()).toMatchObject([{ reason: 'store', retryable: true }]);
    await vi.waitFor(() => expect(dispatcher.episode.current).toBeNull(), SOON);
    expect(output.accepted).toEqual(numbers(5));
    stopping.abort();
    await running;
  });

  it('that cannot be written any more ends it: nothing may be sent whose cursor cannot be kept', async () => {
    addEvents(store, 25);
    const { output, start } = dispatcherFor(store);
    const broken = new StoreError('STORE_IO', 'the disk failed', 'Look at the kernel log.');
    vi.spyOn(store, 'flush').mockImplementation(() => {
      throw broken;
    });
    await expect(start()).rejects.toBe(broken);
    expect(output.offered.length).toBeLessThanOrEqual(1);
  });
});

describe('a stop', () => {
  it('finishes the batch in hand, moves the cursor over it, and begins no other', async () => {
    addEvents(store, 30);
    const { output, start, stopping, dispatcher } = dispatcherFor(store);
    let finish: (() => void) | undefined;
    output.react = () => new Promise((resolve) => (finish = () => resolve(ACCEPTED)));
    const running = start();
    await vi.waitFor(() => expect(output.inFlight).toBe(1), SOON);
    let ended = false;
    void running.then(() => (ended = true));
    stopping.abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    finish?.();
    await running;
    expect(output.offered).toEqual([numbers(10)]);
    expect(dispatcher.cursor).toBe(10);
    store.close();
    expect(durable(store.path).cursor()).toBe(10);
  });

  it('finishes a batch that is being bisected as well', async () => {
    addEvents(store, 10);
    const { output, start, stopping, dispatcher } = dispatcherFor(store);
    const refuse = refusing(new Set([7]));
    output.react = (events, signal) => {
      stopping.abort();
      return refuse(events, signal);
    };
    await start();
    expect(output.accepted).toEqual(numbers(10).filter((number) => number !== 7));
    expect(dispatcher.cursor).toBe(10);
    expect(store.rejects.count('siem')).toBe(1);
  });

  it('wakes it when it rests', async () => {
    const { start, stopping } = dispatcherFor(store);
    const running = start();
    const before = performance.now();
    stopping.abort();
    await running;
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it('that aborts lets go of the batch in hand; that is no failure, and it is sent again by the next', async () => {
    addEvents(store, 10);
    const { output, start, stopping, abort, dispatcher, failures } = dispatcherFor(store);
    output.react = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const running = start();
    await vi.waitFor(() => expect(output.inFlight).toBe(1), SOON);
    stopping.abort();
    abort.abort();
    await running;
    expect(dispatcher.cursor).toBe(0);
    expect(failures()).toEqual([]);

    const next = dispatcherFor(store);
    const again = next.start();
    await vi.waitFor(() => expect(next.output.accepted).toEqual(numbers(10)), SOON);
    next.stopping.abort();
    await again;
  });
});
