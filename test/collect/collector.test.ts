import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Scheduler } from '../../src/collect/scheduler.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import type { Store } from '../../src/store/store.ts';
import { collectorFor, SETTLE } from './collecting.ts';
import {
  contextFor,
  MINUTE,
  metricOf,
  NOON,
  openStore,
  pagesAsked,
  rethrow,
  SECOND,
  startSimulator,
  storedIds,
  visibleIds,
} from './reading.ts';

const SOON = { timeout: 10_000, interval: 5 };

let simulator: Simulator;
let store: Store;

beforeEach(async () => {
  simulator = await startSimulator();
  store = openStore();
});

function mail(count: number): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - 30 * MINUTE, to: now - MINUTE });
}

describe('polling', () => {
  it('tells when it last read all, how long that took and what was new', async () => {
    mail(25);
    const context = contextFor(simulator, store, { pageSize: 10 });
    const { collector } = collectorFor(context);
    expect(collector.state).toMatchObject({
      lastPollAt: null,
      lastSuccessAt: null,
      lastPollNew: 0,
      lastPollRead: 0,
      lastPollDurationMs: 0,
    });
    const before = Date.now();
    await collector.catchUp();
    const { lastPollAt, lastSuccessAt, lastPollNew, lastPollDurationMs } = collector.state;
    expect(lastPollNew).toBe(25);
    expect(lastSuccessAt).toBe(lastPollAt);
    expect(lastSuccessAt).toBeGreaterThanOrEqual(before);
    expect(lastPollDurationMs).toBeLessThanOrEqual(Date.now() - before);
    expect(await metricOf(context.metrics, 'poll_last_success_timestamp_seconds')).toBe((lastSuccessAt ?? 0) / 1000);
    const text = await context.metrics.registry.metrics();
    expect(text).toContain('poll_duration_seconds_count{feed="mail"} 1');

    await collector.catchUp();
    expect(collector.state.lastPollNew).toBe(0);
  });

  it('that is still at work is not started a second time, which is counted', async () => {
    mail(5);
    simulator.inject(...parseFaults('slow:count=1,by=200ms'));
    const context = contextFor(simulator, store);
    const { collector } = collectorFor(context);
    for (let tick = 0; tick < 4; tick += 1) collector.poll(rethrow);
    await collector.idle();
    expect(await metricOf(context.metrics, 'polls_skipped_total', { feed: 'mail' })).toBe(3);
    collector.poll(rethrow);
    await collector.idle();
    expect(await metricOf(context.metrics, 'polls_skipped_total', { feed: 'mail' })).toBe(3);
    expect(storedIds(store)).toHaveLength(5);
  });

  it('obeys a 429: it waits as long as it was told, and asks once', async () => {
    mail(5);
    simulator.inject(...parseFaults('429:count=1,by=1s'));
    const { collector, failures } = collectorFor(contextFor(simulator, store));
    const before = Date.now();
    await collector.catchUp();
    expect(Date.now() - before).toBeGreaterThanOrEqual(1000);
    expect(failures()).toMatchObject([{ reason: 'rate_limited', retryable: true }]);
    expect((failures()[0]?.nextTryAt ?? 0) - before).toBeGreaterThanOrEqual(1000);
    expect(simulator.stats).toMatchObject({ impatient: 0, pages: 1 });
    expect(storedIds(store)).toHaveLength(5);
  });

  it('and a sweep at the same time store each record once', async () => {
    mail(95);
    const { collector } = collectorFor(contextFor(simulator, store, { pageSize: 5 }));
    collector.sweep(rethrow);
    collector.poll(rethrow);
    await collector.idle();
    expect(storedIds(store).sort()).toEqual(visibleIds(simulator).sort());
  });
});

describe('a stop', () => {
  it('in the middle finishes the page in hand and begins no other', async () => {
    mail(45);
    simulator.inject(...parseFaults('slow:by=50ms'));
    const { collector, stopping } = collectorFor(contextFor(simulator, store, { pageSize: 10 }));
    collector.poll(rethrow);
    await vi.waitFor(() => expect(storedIds(store)).toHaveLength(10), SOON);
    stopping.abort();
    await collector.idle();
    expect(storedIds(store)).toHaveLength(20);
    expect(simulator.stats.pages).toBe(2);
    expect(store.checkpoints.get('mail')?.walk).toMatchObject({ pages: 2, token: expect.any(String) });
    expect(collector.episode.current).toBeNull();

    // The next start goes on there.
    simulator.clearFaults();
    const context = contextFor(simulator, store, { pageSize: 10 });
    const fetchPage = vi.spyOn(context.client, 'fetchPage');
    await collectorFor(context).collector.catchUp();
    expect(pagesAsked(fetchPage)[0]).toMatchObject({ token: true });
    expect(storedIds(store)).toEqual(visibleIds(simulator));
  });

  it('is gone on from without the token when pages have another size since', async () => {
    mail(45);
    simulator.inject(...parseFaults('slow:by=50ms'));
    const { collector, stopping } = collectorFor(contextFor(simulator, store, { pageSize: 10 }));
    collector.poll(rethrow);
    await vi.waitFor(() => expect(storedIds(store)).toHaveLength(10), SOON);
    stopping.abort();
    await collector.idle();
    simulator.clearFaults();
    const context = contextFor(simulator, store, { pageSize: 50 });
    const fetchPage = vi.spyOn(context.client, 'fetchPage');
    await collectorFor(context).collector.catchUp();
    expect(pagesAsked(fetchPage)[0]).toMatchObject({ token: false });
    expect(storedIds(store)).toEqual(visibleIds(simulator));
  });

  it('before the start asks nothing', async () => {
    const { collector, stopping } = collectorFor(contextFor(simulator, store));
    stopping.abort();
    await collector.catchUp();
    collector.sweep(rethrow);
    await collector.idle();
    expect(simulator.stats.requests).toBe(0);
  });

  it('that aborts lets go of the page in hand at once, and that is no failure', async () => {
    mail(5);
    simulator.inject(...parseFaults('slow:by=30s'));
    const { collector, stopping, abort } = collectorFor(contextFor(simulator, store));
    collector.poll(rethrow);
    collector.sweep(rethrow);
    await vi.waitFor(() => expect(simulator.stats.byFault.slow).toBeGreaterThan(0), SOON);
    const before = Date.now();
    stopping.abort();
    abort.abort();
    await collector.idle();
    expect(Date.now() - before).toBeLessThan(5 * SECOND);
    expect(collector.episode.current).toBeNull();
    expect(storedIds(store)).toEqual([]);
  });
});

describe('the schedule', () => {
  it('polls and sweeps at its ticks until it is stopped', async () => {
    mail(5);
    const { collector } = collectorFor(contextFor(simulator, store));
    const scheduler = new Scheduler(collector, { poll: '* * * * * *', sweep: '* * * * * *' }, rethrow);
    expect(scheduler.interval).toBe(1000);
    scheduler.start();
    await vi.waitFor(() => {
      expect(collector.state.lastSuccessAt).not.toBeNull();
      expect(store.checkpoints.get('mail')?.sweptAt).toEqual(expect.any(Number));
    }, SOON);
    scheduler.stop();
    await collector.idle();
    expect(store.checkpoints.get('mail')?.doneUntil).toBeLessThanOrEqual(simulator.now() - SETTLE);
  });

  it.each([
    ['ahead by a day', 86_400_000],
    ['back by an hour', -3_600_000],
  ])('goes on within two seconds of a clock that is set %s', async (_, step) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const { collector } = collectorFor(contextFor(simulator, store));
    const scheduler = new Scheduler(collector, { poll: '* * * * * *', sweep: false }, rethrow);
    const polls = vi.spyOn(collector, 'poll');
    scheduler.start();
    await vi.waitFor(() => expect(polls).toHaveBeenCalled(), SOON);
    const before = polls.mock.calls.length;
    vi.setSystemTime(Date.now() + step);
    const setAt = performance.now();
    scheduler.replan();
    await vi.waitFor(() => expect(polls.mock.calls.length).toBeGreaterThan(before), SOON);
    expect(performance.now() - setAt).toBeLessThan(2000);
    scheduler.stop();
    await collector.idle();
  });

  it('does not work off what a clock that was set ahead has passed over', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const { collector } = collectorFor(contextFor(simulator, store));
    const scheduler = new Scheduler(collector, { poll: '* * * * * *', sweep: false }, rethrow);
    const polls = vi.spyOn(collector, 'poll');
    scheduler.start();
    vi.setSystemTime(Date.now() + 86_400_000);
    await vi.waitFor(() => expect(polls.mock.calls.length).toBeGreaterThanOrEqual(2), SOON);
    expect(polls.mock.calls.length).toBeLessThan(5);
    scheduler.stop();
    await collector.idle();
  });

  it('goes on after a clock that is set back by too little for a new plan', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOON + 900 });
    onTestFinished(() => void vi.useRealTimers());
    const { collector } = collectorFor(contextFor(simulator, store));
    const scheduler = new Scheduler(collector, { poll: '* * * * * *', sweep: false }, rethrow);
    const polls = vi.spyOn(collector, 'poll').mockReturnValue();
    scheduler.start();
    // The clock stands: after the first poll, the next two times are not later than that of the first.
    vi.setSystemTime(NOON - 1000);
    await vi.waitFor(() => expect(polls.mock.calls.length).toBeGreaterThanOrEqual(2), SOON);
    scheduler.stop();
  });

  it('is not begun again by a new plan once it is stopped', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOON + 995 });
    onTestFinished(() => void vi.useRealTimers());
    const [stopped, witness] = [1, 2].map(() => {
      const { collector } = collectorFor(contextFor(simulator, store));
      const polls = vi.spyOn(collector, 'poll').mockReturnValue();
      return { polls, scheduler: new Scheduler(collector, { poll: '* * * * * *', sweep: false }, rethrow) };
    });
    stopped?.scheduler.start();
    stopped?.scheduler.stop();
    stopped?.scheduler.replan();
    witness?.scheduler.start();
    await vi.waitFor(() => expect(witness?.polls).toHaveBeenCalled(), SOON);
    expect(stopped?.polls).not.toHaveBeenCalled();
    witness?.scheduler.stop();
  });

  it.each([
    ['* * * * *', 60_000],
    ['*/15 * * * *', 900_000],
    ['17 3 * * *', 86_400_000],
  ])('%s comes every %d ms', (poll, interval) => {
    const { collector } = collectorFor(contextFor(simulator, store));
    const scheduler = new Scheduler(collector, { poll, sweep: false }, rethrow);
    expect(scheduler.interval).toBe(interval);
  });
});
