import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller } from '../../src/collect/poller.ts';
import { SpanReader } from '../../src/collect/span.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { MimecastError, TOO_LARGE } from '../../src/mimecast/errors.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { ApiServer } from '../mimecast/api-server.ts';
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
  storedIds,
  storePath,
  visibleIds,
} from './reading.ts';

/** Answers that are larger than we take: pages get smaller, and a record that fits into no answer costs its second and not the feed. */

const OPTIONS = { overlap: 0, settle: 0, maxWindow: 48 * HOUR, startFrom: { ago: HOUR }, recoverySpan: 48 * HOUR };
/** Stands in for the 8 MiB where the size itself is not the matter. */
const LIMIT = 20_000;

let clock: Clock;
let simulator: Simulator;
let store: Store;

beforeEach(async () => {
  clock = new Clock(NOON);
  simulator = await startSimulator({ now: clock.now });
  store = openStore();
});

/** Refuses the pages of a client as the transport does those that are too large, at a smaller limit. */
function limited(context: WalkContext): WalkContext {
  const { client } = context;
  const fetchPage = client.fetchPage.bind(client);
  vi.spyOn(client, 'fetchPage').mockImplementation(async (request) => {
    const page = await fetchPage(request);
    if (page.records.reduce((sum, { raw }) => sum + raw.length, 0) <= LIMIT) return page;
    throw new MimecastError('too large', { code: TOO_LARGE, reason: 'malformed', retryable: false });
  });
  return context;
}

function pollerOf(context: WalkContext): Poller {
  return new Poller(context, OPTIONS, memoryLog().logger);
}

const minutesAgo = (minutes: number, seconds = 0): number => NOON - minutes * MINUTE + seconds * SECOND;

function large(time: number, name: string, bytes: number): Record<string, unknown> {
  return recordAt(time, name, { subject: 'x'.repeat(bytes) });
}

describe('a page of 50 MB', () => {
  it('is asked for in smaller pages, and all of it is read', { timeout: 20_000 }, async () => {
    const { logger, stream } = memoryLog();
    simulator.add(...Array.from({ length: 50 }, (_, at) => large(minutesAgo(30, at), `${at}`, 1_000_000)));
    const context = contextFor(simulator, store, { pageSize: 50, logger }, clock);
    const asked = vi.spyOn(context.client, 'fetchPage');
    await readAll(pollerOf(context));
    expect(storedIds(store)).toEqual(visibleIds(simulator));
    expect(asked.mock.calls.slice(0, 4).map(([{ pageSize }]) => pageSize)).toEqual([50, 25, 12, 6]);
    expect(stream.entries.slice(0, 3)).toMatchObject([
      { level: 'warn', feed: 'mail', pageSize: 25 },
      { level: 'warn', feed: 'mail', pageSize: 12 },
      { level: 'warn', feed: 'mail', pageSize: 6 },
    ]);
    expect(store.coverage.gaps('mail')).toEqual([]);
  });

  it('is never followed by a larger one with the token of a smaller one, which may count in pages', async () => {
    // The second half is in one second, where no page can be a first one.
    simulator.add(...Array.from({ length: 120 }, (_, at) => large(minutesAgo(30, Math.min(at, 60)), `${at}`, 1000)));
    const context = limited(contextFor(simulator, store, { pageSize: 40 }, clock));
    const asked = vi.spyOn(context.client, 'fetchPage');
    const poller = pollerOf(context);
    for (let page = 0; page < 3; page += 1) {
      await poller.pollOnce(NEVER);
      expect(store.checkpoints.get('mail')?.walk?.token ?? null).toBeNull();
    }
    await readAll(poller);
    const sizes = asked.mock.calls.map(([{ pageSize, pageToken }]) => ({ pageSize, isFirst: pageToken === undefined }));
    const larger = sizes.filter(({ pageSize }, at) => pageSize > (sizes[at - 1]?.pageSize ?? pageSize));
    expect(larger.length).toBeGreaterThan(0);
    expect(larger.every(({ isFirst }) => isFirst)).toBe(true);
    expect(storedIds(store)).toEqual(visibleIds(simulator));
  });
});

describe('a record that fits into no answer', () => {
  it('costs its second, which is told as a gap, and nothing else', async () => {
    const { logger, stream } = memoryLog();
    simulator.seed(60, { from: minutesAgo(50), to: minutesAgo(31) });
    simulator.add(large(minutesAgo(30), 'giant', 2 * LIMIT));
    simulator.seed(60, { from: minutesAgo(29), to: minutesAgo(1) });
    const context = limited(contextFor(simulator, store, { pageSize: 20, logger }, clock));
    const steps = await readAll(pollerOf(context));
    expect(visibleIds(simulator).filter((id) => !storedIds(store).includes(id))).toHaveLength(1);
    expect(store.coverage.gaps('mail')).toEqual([{ from: minutesAgo(30), until: minutesAgo(30, 1) }]);
    expect(stream.entries.filter(({ level }) => level === 'error')).toMatchObject([
      { feed: 'mail', second: '2026-11-23T11:30:00.000Z', msg: expect.stringContaining('which is a gap') },
    ]);
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON, walk: null });
    expect(steps.length).toBeLessThan(150);
  });

  it('stays a gap over a restart in the middle of the window', async () => {
    simulator.add(large(minutesAgo(50), 'giant', 2 * LIMIT));
    simulator.seed(60, { from: minutesAgo(40), to: minutesAgo(1) });
    const first = pollerOf(limited(contextFor(simulator, store, { pageSize: 5 }, clock)));
    while (storedIds(store).length < 20) await first.pollOnce(NEVER);
    await readAll(pollerOf(limited(contextFor(simulator, store, { pageSize: 5 }, clock))));
    expect(storedIds(store)).toHaveLength(60);
    expect(store.coverage.gaps('mail')).toEqual([{ from: minutesAgo(50), until: minutesAgo(50, 1) }]);
  });

  it('is told as a gap too when it surfaces in a second that was read before', async () => {
    const context = limited(contextFor(simulator, store, { pageSize: 20 }, clock));
    const poller = new Poller(context, { ...OPTIONS, overlap: 15 * MINUTE }, memoryLog().logger);
    await readAll(poller);
    simulator.add(large(minutesAgo(5), 'giant', 2 * LIMIT));
    clock.ms += MINUTE;
    await readAll(poller);
    expect(store.coverage.gaps('mail')).toEqual([{ from: minutesAgo(5), until: minutesAgo(5, 1) }]);
  });

  it('is accepted as lost by a backfill of its second, as `status` says', async () => {
    simulator.add(large(minutesAgo(30), 'giant', 2 * LIMIT));
    const context = limited(contextFor(simulator, store, { pageSize: 20 }, clock));
    await readAll(pollerOf(context));
    expect(store.coverage.gaps('mail')).toHaveLength(1);
    const span = { from: minutesAgo(30), to: minutesAgo(30, 1) };
    const reader = new SpanReader(context, span, HOUR, 'backfill');
    while (!reader.done) await reader.readOnce(NEVER);
    expect(store.coverage.gaps('mail')).toEqual([]);
  });

  it('wherever such records are, all other seconds are read, and the gaps are theirs', {
    timeout: 20_000,
  }, async () => {
    const seconds = fc.uniqueArray(fc.integer({ min: 0, max: 3599 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(seconds, fc.nat(3), fc.constantFrom(1, 3, 500), async (at, giants, pageSize) => {
        const sim = await Simulator.start({ seed: 'any', now: clock.now });
        const ours = Store.open(storePath());
        try {
          const times = at.map((second) => NOON - HOUR + second * SECOND);
          const lost = times.slice(0, giants);
          for (const time of times) sim.add(large(time, `at-${time}`, lost.includes(time) ? 2 * LIMIT : 10));
          await readAll(pollerOf(limited(contextFor(sim, ours, { pageSize }, clock))));
          expect(storedIds(ours)).toHaveLength(times.length - lost.length);
          const gaps = ours.coverage.gaps('mail').flatMap(({ from, until }) => secondsOf(from, until));
          expect(gaps).toEqual(lost.toSorted((a, b) => a - b));
        } finally {
          ours.close();
          await sim.stop();
        }
      }),
      { numRuns: 4 },
    );
  });
});

describe('answers that are too large for any request', () => {
  it('are told as a failure; some seconds at most are passed over, and the checkpoint stays', async () => {
    simulator.seed(10, { from: minutesAgo(30), to: minutesAgo(1) });
    const context = contextFor(simulator, store, { pageSize: 500 }, clock);
    const error = new MimecastError('too large', { code: TOO_LARGE, reason: 'malformed', retryable: false });
    vi.spyOn(context.client, 'fetchPage').mockRejectedValue(error);
    const poller = pollerOf(context);
    await expect(readAll(poller)).rejects.toMatchObject({ code: 'WALK_ANSWERS_TOO_LARGE', retryable: false });
    await expect(readAll(poller)).rejects.toMatchObject({ code: 'WALK_ANSWERS_TOO_LARGE' });
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON - HOUR, walk: { unread: { length: 3 } } });
  });

  it('that are no pages pass over nothing at all', async () => {
    const api = await ApiServer.start();
    const endless = Buffer.alloc(1024 * 1024, 0x20);
    api.onPage = (_request, response) => {
      const write = () => {
        while (!response.destroyed && response.write(endless));
      };
      response.writeHead(200, { 'content-type': 'text/html' });
      response.on('drain', write);
      write();
    };
    const context = contextFor(
      { ...simulator, url: api.origin, credentials: simulator.credentials } as Simulator,
      store,
    );
    try {
      await expect(readAll(pollerOf(context))).rejects.toMatchObject({ code: 'MIMECAST_ENDLESS_ANSWER' });
      expect(api.pages).toHaveLength(1);
      expect(store.checkpoints.get('mail')?.walk).toBeNull();
    } finally {
      await api.close();
    }
  });
});

function secondsOf(from: number, until: number): number[] {
  return Array.from({ length: (until - from) / SECOND }, (_, at) => from + at * SECOND);
}
