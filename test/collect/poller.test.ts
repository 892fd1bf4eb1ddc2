import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller, type PollerOptions } from '../../src/collect/poller.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import {
  Clock,
  clientOf,
  contextFor,
  HOUR,
  MINUTE,
  memoryLog,
  NEVER,
  NOON,
  openStore,
  pagesAsked,
  readAll,
  recordAt,
  SECOND,
  startSimulator,
  storedIds,
  storePath,
  visibleIds,
} from './reading.ts';

const OPTIONS: PollerOptions = {
  overlap: 15 * MINUTE,
  settle: 10 * SECOND,
  maxWindow: 6 * HOUR,
  startFrom: { ago: HOUR },
  recoverySpan: 48 * HOUR,
};

let store: Store;

beforeEach(() => {
  store = openStore();
});

function poller(context: WalkContext, more: Partial<PollerOptions> = {}) {
  const { logger, stream } = memoryLog();
  const fetchPage = vi.spyOn(context.client, 'fetchPage');
  return {
    poller: new Poller(context, { ...OPTIONS, ...more }, logger),
    asked: () => pagesAsked(fetchPage),
    log: stream,
  };
}

describe('the first run', () => {
  it.each([
    ['a duration back from now', { ago: 3 * HOUR }, NOON - 3 * HOUR],
    ['a time', { time: NOON - 2 * HOUR }, NOON - 2 * HOUR],
    ['never what has not settled', { time: NOON + HOUR }, NOON - 10 * SECOND],
    ['a whole second', { ago: 3 * HOUR + 250 }, NOON - 3 * HOUR - SECOND],
  ])('begins at %s', async (_, startFrom, expected) => {
    const clock = new Clock(NOON);
    const context = contextFor(await startSimulator({ now: clock.now }), store, {}, clock);
    const { poller: first, asked } = poller(context, { startFrom });
    await first.pollOnce(NEVER);
    expect(asked()[0]?.from).toBe(expected - OPTIONS.overlap);
  });

  it('fixes the beginning at first sight: a failure and a restart do not move it', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now, faults: parseFaults('5xx:first=1') });
    const { poller: first } = poller(contextFor(simulator, store, {}, clock));
    await expect(first.pollOnce(NEVER)).rejects.toMatchObject({ reason: 'server' });
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON - HOUR, walk: null, type: 'attachment' });

    clock.ms += 5 * HOUR;
    const second = poller(contextFor(simulator, store, {}, clock), { startFrom: { ago: 10 * MINUTE } });
    await readAll(second.poller);
    expect(second.asked()[0]?.from).toBe(NOON - HOUR - OPTIONS.overlap);
  });
});

describe('windows', () => {
  it('catch up in steps of maxWindow, each with the overlap, and say when they have arrived', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    simulator.seed(200, { from: NOON - 20 * HOUR, to: NOON - MINUTE });
    const { poller: catching, asked } = poller(contextFor(simulator, store, {}, clock), {
      startFrom: { ago: 20 * HOUR },
    });
    const steps = await readAll(catching);
    const start = NOON - 20 * HOUR;
    expect(asked().map(({ from, to }) => [from - start, to - start])).toEqual([
      [-15 * MINUTE, 6 * HOUR],
      [6 * HOUR - 15 * MINUTE, 12 * HOUR],
      [12 * HOUR - 15 * MINUTE, 18 * HOUR],
      [18 * HOUR - 15 * MINUTE, 20 * HOUR - 10 * SECOND],
    ]);
    expect(steps.map(({ caughtUp }) => caughtUp)).toEqual([false, false, false, true]);
    expect(storedIds(store)).toEqual(visibleIds(simulator));
  });

  it('move the checkpoint at their end only', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    simulator.seed(50, { from: NOON - 30 * MINUTE, to: NOON - MINUTE });
    const { poller: live } = poller(contextFor(simulator, store, { pageSize: 20 }, clock));
    const checkpoints: unknown[] = [];
    for (let page = 0; page < 3; page += 1) {
      await live.pollOnce(NEVER);
      checkpoints.push(store.checkpoints.get('mail')?.doneUntil);
      // The window is frozen: what time it is now concerns the next one.
      clock.ms += MINUTE;
    }
    expect(checkpoints).toEqual([NOON - HOUR, NOON - HOUR, NOON - 10 * SECOND]);
    expect(live.walk).toBeNull();
  });

  it('tell which one is in hand', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    simulator.seed(50, { from: NOON - 30 * MINUTE, to: NOON - MINUTE });
    const { poller: live } = poller(contextFor(simulator, store, { pageSize: 20 }, clock));
    expect(live.walk).toBeNull();
    await live.pollOnce(NEVER);
    expect(live.walk).toEqual({ from: NOON - 75 * MINUTE, to: NOON - 10 * SECOND, pages: 1 });
  });

  it('do not go back when a walk that was cut short ends before the checkpoint', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    const walk = { from: NOON - 3 * HOUR, to: NOON - 2 * HOUR, token: null, pages: 0 };
    store.checkpoints.save('mail', 'attachment', NOON - HOUR, walk, null);
    const { poller: live } = poller(contextFor(simulator, store, {}, clock));
    expect(await live.pollOnce(NEVER)).toMatchObject({ windowDone: true, caughtUp: false });
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON - HOUR);
    expect(await live.pollOnce(NEVER)).toMatchObject({ windowDone: true, caughtUp: true });
  });
});

describe("Mimecast's clock", () => {
  it.each([
    ['an hour slow', '-1h'],
    ['an hour fast', '1h'],
    ['the same', '0s'],
  ])('rules: a clock of Mimecast that is %s is never asked for a time that it has not had', async (_, by) => {
    const simulator = await startSimulator({ faults: parseFaults(`clock-skew:by=${by},refuse-future`) });
    const now = simulator.now();
    simulator.seed(120, { from: now - 50 * MINUTE, to: now - MINUTE });
    // The real client with its own estimate of the time; our clock is the machine's.
    const context = contextFor(simulator, store, { pageSize: 50 });
    const settle = 2 * SECOND;
    const { poller: live, asked } = poller(context, { settle });
    for (let poll = 0; poll < 3; poll += 1) {
      await readAll(live);
      expect(asked().at(-1)?.to).toBeLessThanOrEqual(simulator.now() - settle);
      expect(store.checkpoints.get('mail')?.doneUntil).toBeLessThanOrEqual(simulator.now() - settle);
    }
    expect(simulator.stats.byFault['refuse-future']).toBeUndefined();
    expect(asked().at(-1)?.to).toBeGreaterThan(simulator.now() - settle - 10 * SECOND);
    expect(storedIds(store).sort()).toEqual(visibleIds(simulator).sort());
  });

  it('may turn out to be behind the checkpoint: the recovery span is read again, and the log says so', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    simulator.seed(30, { from: NOON - HOUR, to: NOON - MINUTE });
    store.checkpoints.save('mail', 'attachment', NOON + 3 * HOUR, null, null);
    const { poller: live, asked, log } = poller(contextFor(simulator, store, {}, clock), { maxWindow: 72 * HOUR });
    await readAll(live);
    expect(asked()).toMatchObject([{ from: NOON - 48 * HOUR - OPTIONS.overlap, to: NOON - 10 * SECOND }]);
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON - 10 * SECOND);
    expect(storedIds(store)).toEqual(visibleIds(simulator));
    expect(log.entries).toMatchObject([
      { level: 'error', feed: 'mail', checkpoint: new Date(NOON + 3 * HOUR).toISOString() },
    ]);
  });

  it('may jitter by less than a minute, which is no news', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    store.checkpoints.save('mail', 'attachment', NOON + 5 * SECOND, null, null);
    const { poller: live, log } = poller(contextFor(simulator, store, {}, clock));
    await readAll(live);
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON + 5 * SECOND);
    expect(log.text).toBe('');
  });

  it('may turn out to be behind a walk that was cut short: that walk is dropped, not asked for until it has come', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now, faults: parseFaults('refuse-future') });
    simulator.seed(30, { from: NOON - HOUR, to: NOON - MINUTE });
    const walk = { from: NOON - 2 * HOUR, to: NOON + 3 * HOUR, token: null, pages: 0 };
    store.checkpoints.save('mail', 'attachment', NOON - 2 * HOUR, walk, null);
    const { poller: live, asked } = poller(contextFor(simulator, store, {}, clock));
    await readAll(live);
    expect(asked()).toMatchObject([{ to: NOON - 10 * SECOND }]);
    expect(storedIds(store)).toEqual(visibleIds(simulator));
  });
});

describe('records that surface late', () => {
  // Times are in seconds here.
  const record = fc.record({ date: fc.nat(3600), delay: fc.nat(OPTIONS.overlap / SECOND) });
  const pause = fc.integer({ min: 1, max: 1500 });

  it('are all found by the overlap when they are no later than it, each once', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 30 }),
        fc.array(pause, { maxLength: 8 }),
        async (records, pauses) => {
          const clock = new Clock(NOON);
          const simulator = await Simulator.start({ seed: 'late', now: clock.now });
          const own = Store.open(storePath());
          const client = clientOf(simulator, contextFor(simulator, own).metrics);
          try {
            for (const [index, { date, delay }] of records.entries()) {
              const time = NOON + date * SECOND;
              simulator.addAt(time + delay * SECOND, recordAt(time, `r${index}`));
            }
            const context = contextFor(simulator, own, { client, pageSize: 4 }, clock);
            const live = new Poller(context, OPTIONS, memoryLog().logger);
            for (const seconds of pauses) {
              await readAll(live);
              clock.ms += seconds * SECOND;
            }
            await readAll(live);
            clock.ms = Math.max(clock.ms, NOON + 3600 * SECOND) + OPTIONS.overlap + OPTIONS.settle;
            await readAll(live);
            expect(storedIds(own).sort()).toEqual(visibleIds(simulator).sort());
          } finally {
            await client.close();
            await simulator.stop();
            own.close();
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('are missed by polling when they are later than the overlap: that is what the sweep is for', async () => {
    const clock = new Clock(NOON);
    const simulator = await startSimulator({ now: clock.now });
    simulator.addAt(NOON + HOUR, recordAt(NOON - MINUTE, 'very-late'));
    const { poller: live } = poller(contextFor(simulator, store, {}, clock));
    for (const later of [0, 30 * MINUTE, HOUR, 2 * HOUR]) {
      clock.ms = NOON + later;
      await readAll(live);
    }
    expect(visibleIds(simulator)).toHaveLength(1);
    expect(storedIds(store)).toEqual([]);
  });
});

describe('a daemon that is killed after any page', () => {
  const lives = fc.array(fc.nat(5), { minLength: 1, maxLength: 5 });
  const faults = fc.constantFrom(
    '',
    'repeated-next:p=0.3',
    'page-token-expiry:p=0.3',
    'duplicate-pages:p=0.5,shuffle',
    '5xx:p=0.2,cut:p=0.1',
    // Two, for three in a row end a walk: what lies behind is the sweep's.
    'empty-with-next:count=2,fail-in-200:p=0.1',
  );

  it('misses nothing and stores nothing twice', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(lives, faults, fc.nat(1000), async (pagesOfLives, misbehaviour, seed) => {
        const clock = new Clock(NOON);
        const simulator = await Simulator.start({ seed: `kill-${seed}`, now: clock.now });
        const path = storePath();
        simulator.seed(60, { from: NOON - 50 * MINUTE, to: NOON - MINUTE });
        simulator.inject(...parseFaults(misbehaviour));
        try {
          for (const pages of [...pagesOfLives, Number.POSITIVE_INFINITY]) {
            const own = Store.open(path);
            const context = contextFor(simulator, own, { pageSize: 7 }, clock);
            const live = new Poller(context, { ...OPTIONS, maxWindow: 20 * MINUTE }, memoryLog().logger);
            for (let page = 0, caughtUp = false; page < pages && !caughtUp; page += 1) {
              if (page > 300) throw new Error('it never gets through');
              caughtUp = await live.pollOnce(NEVER).then(
                (step) => step.caughtUp,
                () => false,
              );
            }
            await context.client.close();
            if (pages === Number.POSITIVE_INFINITY) {
              expect(storedIds(own).sort()).toEqual(visibleIds(simulator).sort());
            }
            own.close();
          }
        } finally {
          await simulator.stop();
        }
      }),
      { numRuns: 10 },
    );
  });
});
