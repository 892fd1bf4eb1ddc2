import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller, type PollerOptions } from '../../src/collect/poller.ts';
import { SpanReader } from '../../src/collect/span.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import type { Store } from '../../src/store/store.ts';
import {
  Clock,
  contextFor,
  HOUR,
  MINUTE,
  memoryLog,
  NEVER,
  NOON,
  openStore,
  readAll,
  recordAt,
  SECOND,
  startSimulator,
} from './reading.ts';

/** That what was not read is told: the ledger under polls, sweeps and backfills. */

const DAY = 24 * HOUR;
const OPTIONS: PollerOptions = {
  overlap: 15 * MINUTE,
  settle: 10 * SECOND,
  // Wide, so that 40 days are few windows.
  maxWindow: 2 * DAY,
  startFrom: { ago: HOUR },
  recoverySpan: 48 * HOUR,
};

let store: Store;
let clock: Clock;
let simulator: Simulator;

beforeEach(async () => {
  store = openStore();
  clock = new Clock(NOON);
  simulator = await startSimulator({ now: clock.now });
});

function context(more: Partial<WalkContext> = {}): WalkContext {
  return contextFor(simulator, store, { now: clock.now, ...more }, clock);
}

/** A poller as a start of the daemon makes it. */
function started(more: Partial<PollerOptions> = {}, its = context()) {
  const { logger, stream } = memoryLog();
  return { poller: new Poller(its, { ...OPTIONS, ...more }, logger), log: stream };
}

async function backfill(from: number, to: number): Promise<void> {
  const reader = new SpanReader(context(), { from, to }, OPTIONS.maxWindow, 'backfill');
  while (!reader.done) await reader.readOnce(NEVER);
}

function gaps(): [from: number, until: number][] {
  return store.coverage.gaps('mail').map(({ from, until }) => [from, until]);
}

describe('reading', () => {
  it('leaves no gap: polls, catching up, restarts and an outage that Mimecast outlasts', async () => {
    simulator.seed(300, { from: NOON - DAY, to: NOON });
    const { poller } = started({ startFrom: { ago: DAY } });
    for (const step of [0, MINUTE, 3 * HOUR, 29 * DAY]) {
      clock.ms += step;
      await readAll(poller);
      expect(gaps()).toEqual([]);
    }
    clock.ms += DAY;
    await readAll(started().poller);
    expect(gaps()).toEqual([]);
    const rows = store.coverage.list('mail');
    expect(rows.every(({ purpose, result }) => purpose === 'poll' && result === 'complete')).toBe(true);
    expect(rows.at(-1)?.to).toBe(clock.ms - OPTIONS.settle);
  });

  it.each([
    ['a walk that goes on after a restart', 'page-token-expiry:first=2'],
    ['a walk whose page tokens are refused', 'page-token-expiry:every=2'],
    ['pages that fail half-way', 'cut:every=2'],
  ])('leaves no gap after %s', async (_, faults) => {
    simulator.seed(60, { from: NOON - HOUR, to: NOON });
    simulator.inject(...parseFaults(faults));
    // A new poller for every page: nothing but the store is remembered.
    for (let tries = 0; tries < 200; tries += 1) {
      const { poller } = started({}, context({ pageSize: 10 }));
      const step = await poller.pollOnce(NEVER).catch(() => undefined);
      if (step?.windowDone) break;
    }
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON - OPTIONS.settle);
    expect(gaps()).toEqual([]);
    expect(store.coverage.list('mail')).toMatchObject([{ from: NOON - HOUR - OPTIONS.overlap, windows: 1 }]);
  });

  it('leaves no gap after a restart in a walk that went on from its newest record', async () => {
    simulator.seed(60, { from: NOON - HOUR, to: NOON - MINUTE });
    simulator.inject(...parseFaults('page-token-expiry:first=2'));
    const its = context({ pageSize: 10 });
    const { poller } = started({}, its);
    // Two refused tokens, and a page of what is left of the window then.
    for (let steps = 0; steps < 5; steps += 1) await poller.pollOnce(NEVER);
    const whole = NOON - HOUR - OPTIONS.overlap;
    expect(store.checkpoints.get('mail')?.walk).toMatchObject({ askedFrom: whole });
    expect(store.checkpoints.get('mail')?.walk?.from).toBeGreaterThan(whole);
    await readAll(started({}, its).poller);
    expect(gaps()).toEqual([]);
    expect(store.coverage.list('mail')[0]?.from).toBe(whole);
    expect(store.eventCount()).toBe(60);
  });

  it('has a window that Mimecast does not answer in the ledger, with the reason', async () => {
    simulator.inject(...parseFaults('5xx:first=2'));
    const { poller } = started();
    for (let tries = 0; tries < 2; tries += 1) await expect(poller.pollOnce(NEVER)).rejects.toThrow();
    expect(store.coverage.list('mail')).toMatchObject([{ result: 'server', pages: 0, endedAt: null }]);
    await readAll(poller);
    expect(store.coverage.list('mail')).toMatchObject([{ result: 'complete', pages: 1 }]);
  });
});

describe('an outage that outlasts what Mimecast keeps', () => {
  const before = NOON - OPTIONS.settle;

  async function outage(days: number): Promise<ReturnType<typeof started>> {
    await readAll(started().poller);
    clock.ms += days * DAY;
    const late = started();
    await readAll(late.poller);
    return late;
  }

  it('leaves a gap from where it began to what Mimecast still had, and says so once', async () => {
    const { log } = await outage(40);
    // The checkpoint's own second was read; what Mimecast keeps is counted from when it answered.
    expect(gaps()).toEqual([[before + SECOND, NOON + 10 * DAY]]);
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON + 40 * DAY - OPTIONS.settle);
    const told = log.text.split('\n').filter((line) => line.includes('not read for longer'));
    expect(told.map((line) => JSON.parse(line))).toMatchObject([
      {
        level: 'error',
        feed: 'mail',
        from: new Date(before).toISOString(),
        to: new Date(NOON + 10 * DAY).toISOString(),
      },
    ]);
    expect(store.coverage.list('mail').map(({ result }) => result)).toContain('expired');
  });

  it('leaves a gap that sweeps and later polls do not close, and a backfill does', async () => {
    await outage(40);
    const [[from, until] = [0, 0]] = gaps();
    const sweep = new SpanReader(context(), { from, to: until }, OPTIONS.maxWindow, 'sweep');
    while (!sweep.done) await sweep.readOnce(NEVER);
    clock.ms += HOUR;
    await readAll(started().poller);
    expect(gaps()).toEqual([[from, until]]);
    await backfill(from, from + 2 * DAY);
    expect(gaps()).toEqual([[from + 2 * DAY + SECOND, until]]);
    await backfill(from, until);
    expect(gaps()).toEqual([]);
  });

  it('is seen when the process has lived through it, with its window in hand', async () => {
    const { poller, log } = started();
    await readAll(poller);
    clock.ms += HOUR;
    simulator.inject(...parseFaults('5xx:first=1'));
    await expect(poller.pollOnce(NEVER)).rejects.toThrow();
    clock.ms += 31 * DAY;
    // First the window that was in hand, then the rest.
    for (let polls = 0; polls < 2; polls += 1) await readAll(poller);
    expect(gaps()).toEqual([[before + SECOND, NOON + DAY + HOUR]]);
    expect(log.text.split('not read for longer')).toHaveLength(2);
  });
});

describe('a feed that begins', () => {
  it.each([30, 45])('%i days back, as far as Mimecast keeps or further, has missed nothing', async (days) => {
    const { poller, log } = started({ startFrom: { ago: days * DAY } });
    simulator.inject(...parseFaults('5xx:first=1'));
    await expect(poller.pollOnce(NEVER)).rejects.toThrow();
    clock.ms += MINUTE;
    await readAll(poller);
    expect(gaps()).toEqual([]);
    expect(log.text).not.toContain('not read for longer');
  });

  it('and is not read for four days then, has missed what was gone by then', async () => {
    await started({ startFrom: { ago: 30 * DAY } }).poller.pollOnce(NEVER);
    clock.ms += 4 * DAY;
    await readAll(started().poller);
    // The first window was read; of the next ones, the time up to 26 days ago was gone.
    const first = NOON - 30 * DAY + OPTIONS.maxWindow;
    expect(gaps()).toEqual([[first + SECOND, NOON - 26 * DAY]]);
  });
});

describe('a checkpoint that was moved', () => {
  it('forwards by hand leaves a gap, which a backfill closes with what was in it', async () => {
    simulator.add(recordAt(NOON + HOUR, 'in-the-gap'));
    await readAll(started().poller);
    clock.ms += 5 * HOUR;
    store.checkpoints.save('mail', 'attachment', NOON + 3 * HOUR, null, null);
    await readAll(started().poller);
    const gap = [NOON - 9 * SECOND, NOON + 3 * HOUR - OPTIONS.overlap];
    expect(gaps()).toEqual([gap]);
    expect(store.eventCount()).toBe(0);
    await backfill(gap[0] ?? 0, gap[1] ?? 0);
    expect(gaps()).toEqual([]);
    expect(store.eventCount()).toBe(1);
  });

  it('into the future is not taken for read when the clock is right again', async () => {
    await readAll(started().poller);
    clock.ms += 100 * DAY;
    const wrong = started().poller;
    await readAll(wrong);
    clock.ms -= 99 * DAY;
    await readAll(started().poller);
    expect(store.coverage.covered('mail').at(-1)?.until).toBe(clock.ms - OPTIONS.settle + SECOND);
  });
});

it('the sweep and live polling have rows of their own', async () => {
  await readAll(started().poller);
  const reader = new SpanReader(context(), { from: NOON - HOUR, to: NOON - MINUTE }, OPTIONS.maxWindow, 'sweep');
  const storePage = vi.spyOn(store, 'storePage');
  await reader.readOnce(NEVER);
  expect(storePage.mock.calls[0]?.[0].progress).toBeUndefined();
  expect(store.coverage.list('mail').map(({ purpose }) => purpose)).toEqual(['poll', 'sweep']);
});
