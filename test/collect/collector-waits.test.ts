import { setImmediate as otherWork } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { StoreError } from '../../src/store/errors.ts';
import type { Store } from '../../src/store/store.ts';
import { collectorFor } from './collecting.ts';
import {
  Clock,
  contextFor,
  MINUTE,
  metricOf,
  NEVER,
  NOON,
  openStore,
  recordAt,
  rethrow,
  SECOND,
  startSimulator,
  storedIds,
  visibleIds,
} from './reading.ts';

/** Waiting is the one thing that is not real here: it is written down, moves the clock, and lets the test change the world. */
const waiting = vi.hoisted(() => ({
  waits: [] as number[],
  meanwhile: (_ms: number): void => undefined,
}));

vi.mock('../../src/retry.ts', async (original) => ({
  ...(await original<typeof import('../../src/retry.ts')>()),
  sleep: async (ms: number, signal?: AbortSignal) => {
    // Shorter ones are not for a failure: reading lets the outputs keep up.
    if (ms >= 1000) {
      waiting.waits.push(ms);
      waiting.meanwhile(ms);
    }
    await otherWork();
    signal?.throwIfAborted();
  },
}));

let clock: Clock;
let simulator: Simulator;
let store: Store;

afterEach(() => {
  vi.restoreAllMocks();
});

beforeEach(async () => {
  clock = new Clock(NOON);
  simulator = await startSimulator({ now: clock.now });
  store = openStore();
  waiting.waits = [];
  waiting.meanwhile = (ms) => {
    clock.ms += ms;
  };
  // Full jitter draws from 0 to the bound: here always the bound.
  vi.spyOn(Math, 'random').mockReturnValue(1);
});

function collecting() {
  return collectorFor(contextFor(simulator, store, { pageSize: 10, now: clock.now }, clock));
}

function mail(count: number): void {
  simulator.seed(count, { from: NOON - 30 * MINUTE, to: NOON - MINUTE });
}

/** After so many waits the fault is over. */
function faultEndsAfter(waits: number): void {
  waiting.meanwhile = (ms) => {
    clock.ms += ms;
    if (waiting.waits.length === waits) simulator.clearFaults();
  };
}

describe('waiting out failures', () => {
  it('doubles from one second to five minutes, and never gives up', async () => {
    mail(5);
    simulator.inject(...parseFaults('5xx'));
    faultEndsAfter(11);
    const { collector, failures } = collecting();
    await collector.catchUp();
    expect(waiting.waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * SECOND));
    expect(failures()).toHaveLength(11);
    expect(storedIds(store)).toHaveLength(5);
    expect(collector.episode.current).toBeNull();
  });

  it('begins anew after a good page', async () => {
    mail(45);
    simulator.inject(...parseFaults('5xx:every=2'));
    const { collector } = collecting();
    await collector.catchUp();
    expect(new Set(waiting.waits)).toEqual(new Set([1000]));
    expect(waiting.waits.length).toBeGreaterThan(2);
    expect(storedIds(store)).toHaveLength(45);
  });

  it('is long from the first on when waiting alone will not cure it, and says when the next try is', async () => {
    simulator.inject(...parseFaults('forbidden'));
    faultEndsAfter(5);
    const { collector, failures, log } = collecting();
    await collector.catchUp();
    expect(waiting.waits).toEqual([30, 60, 120, 240, 300].map((seconds) => seconds * SECOND));
    expect(failures()[0]).toMatchObject({
      reason: 'forbidden',
      retryable: false,
      hint: expect.any(String),
      nextTryAt: NOON + 30 * SECOND,
    });
    expect(log.entries.filter(({ level }) => level === 'error')).not.toHaveLength(0);
  });

  it('waits long for what nobody foresaw, and goes on', async () => {
    mail(5);
    vi.spyOn(store, 'storePage').mockImplementationOnce(() => {
      throw new TypeError('a mistake of ours');
    });
    const { collector, failures } = collecting();
    await collector.catchUp();
    expect(waiting.waits).toEqual([30 * SECOND]);
    expect(failures()).toMatchObject([{ reason: 'internal', retryable: false }]);
    expect(storedIds(store)).toHaveLength(5);
  });

  it('is over when a window is read, not when one page is; after a minute without a failure one page is enough', async () => {
    mail(45);
    simulator.inject(...parseFaults('5xx:first=1'));
    const { collector, stopping, log } = collecting();
    const troubles: boolean[] = [];
    const storePage = store.storePage.bind(store);
    vi.spyOn(store, 'storePage').mockImplementation((page) => {
      troubles.push(collector.episode.current !== null);
      if (troubles.length === 4) clock.ms += 61 * SECOND;
      return storePage(page);
    });
    await collector.catchUp();
    expect(troubles).toEqual([true, true, true, true, false]);
    expect(log.text).toContain('feed mail works again');
    stopping.abort();
  });
});

describe('no room', () => {
  it.each([
    ['disk_full', 'minFreeDisk', Number.MAX_SAFE_INTEGER],
    ['store_full', 'maxSize', 1],
  ] as const)('%s: reading pauses and says so, and goes on by itself', async (reason, key, limit) => {
    mail(5);
    const context = contextFor(simulator, store, { now: clock.now }, clock);
    const { collector, room, pressure, failures } = collectorFor(context);
    const paused = () => metricOf(context.metrics, 'collecting_paused', { reason });
    expect(await paused()).toBe(0);
    const enough = room[key];
    room[key] = limit;
    const pausedMeanwhile: Promise<number>[] = [];
    waiting.meanwhile = () => {
      expect(pressure.paused).toEqual({ reason, since: NOON });
      pausedMeanwhile.push(paused());
      expect(storedIds(store)).toEqual([]);
      expect(simulator.stats.pages).toBe(0);
      if (waiting.waits.length === 3) room[key] = enough;
    };
    await collector.catchUp();
    expect(waiting.waits).toEqual([5000, 5000, 5000]);
    expect(await Promise.all(pausedMeanwhile)).toEqual([1, 1, 1]);
    expect(await paused()).toBe(0);
    expect(pressure.paused).toBeNull();
    expect(failures()[0]).toMatchObject({ reason, retryable: true, hint: expect.stringContaining('Nothing is lost') });
    expect(storedIds(store)).toHaveLength(5);
  });

  it('met by SQLite itself is told as a full disk, and waited out', async () => {
    mail(5);
    vi.spyOn(store, 'storePage').mockImplementationOnce(() => {
      throw new StoreError('STORE_FULL', 'there is no room left', 'Free space.');
    });
    const { collector, pressure, failures } = collecting();
    waiting.meanwhile = () => expect(pressure.paused).toMatchObject({ reason: 'disk_full' });
    await collector.catchUp();
    expect(waiting.waits).toEqual([SECOND]);
    expect(failures()).toMatchObject([{ reason: 'store', retryable: true }]);
    expect(pressure.paused).toBeNull();
    expect(storedIds(store)).toHaveLength(5);
  });

  it('holds a sweep back as well', async () => {
    mail(5);
    const { collector, room } = collecting();
    room.maxSize = 1;
    waiting.meanwhile = () => {
      room.maxSize = Number.MAX_SAFE_INTEGER;
    };
    collector.sweep(rethrow);
    await collector.idle();
    expect(waiting.waits).toHaveLength(1);
    expect(storedIds(store)).toHaveLength(5);
  });
});

describe('tries, for run --once', () => {
  it('are failures in a row: the last one is thrown, without a wait after it', async () => {
    simulator.inject(...parseFaults('5xx'));
    const { collector } = collecting();
    await expect(collector.catchUp(4)).rejects.toMatchObject({ reason: 'server' });
    expect(waiting.waits).toHaveLength(3);
    expect(collector.episode.current).toMatchObject({ reason: 'server', count: 4 });
  });

  it('are counted from the last good page on', async () => {
    mail(95);
    simulator.inject(...parseFaults('5xx:every=2'));
    const { collector } = collecting();
    await collector.catchUp(2);
    expect(waiting.waits.length).toBeGreaterThan(5);
    expect(storedIds(store)).toHaveLength(95);
  });

  it('are not spent on what waiting cannot cure', async () => {
    simulator.inject(...parseFaults('forbidden'));
    await expect(collecting().collector.catchUp(4)).rejects.toMatchObject({ reason: 'forbidden' });
    expect(waiting.waits).toEqual([]);
  });

  it('do not take an abort that nobody asked for as the end: reading has not succeeded', async () => {
    mail(5);
    const context = contextFor(simulator, store, { now: clock.now }, clock);
    vi.spyOn(context.client, 'fetchPage').mockRejectedValueOnce(new DOMException('a stray one', 'AbortError'));
    const { collector } = collectorFor(context);
    await collector.catchUp(Number.POSITIVE_INFINITY);
    expect(storedIds(store)).toHaveLength(5);
  });
});

describe('the sweep', () => {
  it('finds what surfaced later than the overlap, in the background, moving no checkpoint', async () => {
    mail(20);
    const context = contextFor(simulator, store, { now: clock.now }, clock);
    const fetchPage = vi.spyOn(context.client, 'fetchPage');
    const { collector, log } = collectorFor(context);
    await collector.catchUp();
    clock.ms += 60 * MINUTE;
    await collector.catchUp();
    simulator.add(recordAt(NOON - 30 * MINUTE, 'late'), recordAt(NOON - 50 * MINUTE, 'later'));
    clock.ms += MINUTE;
    await collector.catchUp();
    expect(storedIds(store)).toHaveLength(20);
    const before = store.checkpoints.get('mail');
    fetchPage.mockClear();

    collector.sweep(rethrow);
    await collector.idle();
    expect(storedIds(store).sort()).toEqual(visibleIds(simulator).sort());
    expect(store.checkpoints.get('mail')).toEqual({ ...before, sweptAt: clock.ms });
    expect(fetchPage.mock.calls.every(([request]) => request.background === true)).toBe(true);
    expect(log.entries.at(-1)).toMatchObject({ found: 2 });
  });

  it('reads nothing from before the feed began', async () => {
    mail(20);
    const context = contextFor(simulator, store, { now: clock.now }, clock);
    const { collector } = collectorFor(context);
    await collector.catchUp();
    simulator.add(recordAt(NOON - 40 * 60 * MINUTE, 'never wanted'));
    collector.sweep(rethrow);
    await collector.idle();
    expect(storedIds(store)).toHaveLength(20);
  });

  it('is waited out as polling is, and left to the next one after ten failures in a row', async () => {
    simulator.inject(...parseFaults('5xx'));
    const { collector, log } = collecting();
    collector.sweep(rethrow);
    await collector.idle();
    expect(waiting.waits).toHaveLength(10);
    expect(log.entries.at(-1)).toMatchObject({ level: 'warn', msg: 'the sweep is left to the next one' });
    expect(store.checkpoints.get('mail')?.sweptAt ?? null).toBeNull();
    // It is no trouble of the feed's: polling tells that.
    expect(collector.episode.current).toBeNull();
  });

  it('does not show an older record as the newest one that was read', async () => {
    mail(20);
    const context = contextFor(simulator, store, { now: clock.now }, clock);
    const { collector } = collectorFor(context);
    await collector.catchUp();
    const newest = store.checkpoints.get('mail')?.lastEvent;
    simulator.add(recordAt(NOON - 50 * MINUTE, 'old'));
    collector.sweep(rethrow);
    await collector.idle();
    expect(storedIds(store)).toHaveLength(21);
    expect(store.checkpoints.get('mail')?.lastEvent).toBe(newest);
  });
});

describe('a store that cannot be used any more', () => {
  const broken = new StoreError('STORE_IO', 'the disk failed', 'Look at the kernel log.');

  it('ends catching up at once', async () => {
    mail(5);
    const { collector } = collecting();
    vi.spyOn(store, 'storePage').mockImplementation(() => {
      throw broken;
    });
    await expect(collector.catchUp()).rejects.toBe(broken);
    expect(waiting.waits).toEqual([]);
  });

  it('is handed to whoever started the poll or the sweep', async () => {
    mail(5);
    const { collector } = collecting();
    vi.spyOn(store, 'storePage').mockImplementation(() => {
      throw broken;
    });
    const fatal: unknown[] = [];
    collector.poll((error) => fatal.push(error));
    await collector.idle();
    collector.sweep((error) => fatal.push(error));
    await collector.idle();
    expect(fatal).toEqual([broken, broken]);
  });

  it('is not one that another process is writing to', async () => {
    mail(5);
    vi.spyOn(store, 'storePage').mockImplementationOnce(() => {
      throw new StoreError('STORE_BUSY', 'another process is writing', 'It is tried again.');
    });
    await collecting().collector.catchUp();
    expect(waiting.waits).toEqual([SECOND]);
    expect(storedIds(store)).toHaveLength(5);
  });
});

it('a stop that is asked for while it waits ends the waiting', async () => {
  simulator.inject(...parseFaults('5xx'));
  const { collector, stopping } = collecting();
  waiting.meanwhile = () => stopping.abort();
  await collector.catchUp();
  expect(waiting.waits).toHaveLength(1);
  expect(NEVER.aborted).toBe(false);
});
