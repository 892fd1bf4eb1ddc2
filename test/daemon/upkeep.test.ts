import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Upkeep } from '../../src/daemon/upkeep.ts';
import { StoreError } from '../../src/store/errors.ts';
import { eventId } from '../../src/store/key.ts';
import type { Store } from '../../src/store/store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { openStore } from '../deliver/delivering.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 1);
const NEVER = new AbortController().signal;

let store: Store;
let log: MemoryStream;
let now: number;

beforeEach(() => {
  store = openStore();
  log = new MemoryStream();
  now = START;
});

function upkeep(maxSize = Number.MAX_SAFE_INTEGER): Upkeep {
  const logger = createLogger({ level: 'debug', format: 'json', destination: log });
  return new Upkeep(store, { path: store.path, retention: 30 * DAY, maxSize, minFreeDisk: 0 }, logger, () => now);
}

/** Stores events on this day, counted from START. */
function store100(day: number): void {
  const candidates = Array.from({ length: 100 }, (_, index) => {
    const fileName = `${day}-${index}`;
    const time = START + day * DAY;
    return {
      raw: Buffer.from(JSON.stringify({ fileName })),
      value: { id: eventId('attachment', time, [fileName]), time },
    };
  });
  store.storePage({ feed: 'mail', type: 'attachment', candidates, variants: 'suppress', now: START + day * DAY });
}

/** Every output has all of it. */
function deliver(upTo: number): void {
  store.settle('siem', upTo, [], now);
}

describe('retention', () => {
  it('keeps delivered events for store.retention, and lets go of them then', async () => {
    for (const day of [0, 10, 20]) store100(day);
    deliver(300);
    now = START + 30 * DAY;
    await upkeep().run(NEVER);
    expect(store.eventCount()).toBe(300);
    now += 1;
    await upkeep().run(NEVER);
    expect(store.eventCount()).toBe(200);
    now = START + 60 * DAY;
    await upkeep().run(NEVER);
    expect(store.eventCount()).toBe(0);
    expect(log.text).toBe('');
  });

  it('never touches an event that an output waits for, however old it is', async () => {
    store.startOutput('slow', 'beginning');
    for (const day of [0, 1]) store100(day);
    deliver(200);
    store.settle('slow', 150, [], now);
    now = START + 300 * DAY;
    await upkeep().run(NEVER);
    expect(store.outbox.oldest()?.seq).toBe(151);
    expect(store.eventCount()).toBe(50);
  });

  it('goes on until nothing is left to do, in steps, letting others work in between', async () => {
    for (let day = 0; day < 13; day += 1) store100(day);
    deliver(1300);
    now = START + 100 * DAY;
    const prune = vi.spyOn(store, 'prune');
    let others = 0;
    const working = setInterval(() => (others += 1), 0);
    await upkeep().run(NEVER);
    clearInterval(working);
    expect(store.eventCount()).toBe(0);
    expect(prune.mock.calls.length).toBeGreaterThan(2);
    expect(others).toBeGreaterThan(0);
  });

  it('ends at a stop, and is not at work twice', async () => {
    for (let day = 0; day < 13; day += 1) store100(day);
    deliver(1300);
    now = START + 100 * DAY;
    const prune = vi.spyOn(store, 'prune');
    const stop = new AbortController();
    const one = upkeep();
    const running = one.run(stop.signal);
    await one.run(stop.signal);
    expect(prune).toHaveBeenCalledTimes(1);
    stop.abort();
    await running;
    expect(prune).toHaveBeenCalledTimes(1);
    await one.run(NEVER);
    expect(store.eventCount()).toBe(0);
  });
});

describe('near store.maxSize', () => {
  beforeEach(() => {
    // Each event is a thousand bytes: the real size depends on when SQLite gives its log back.
    vi.spyOn(store, 'usedBytes').mockImplementation(() => store.eventCount() * 1000);
    for (let day = 0; day < 13; day += 1) store100(day);
    now = START + 14 * DAY;
  });

  it('delivered events go before their retention is over, the oldest first, as many as are needed; it is said once', async () => {
    deliver(1300);
    const one = upkeep(1_000_000);
    await one.run(NEVER);
    expect(store.eventCount()).toBeLessThanOrEqual(900);
    expect(store.eventCount()).toBeGreaterThan(300);
    await one.run(NEVER);
    expect(log.entries.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(log.text).toContain('store.maxSize');
  });

  it('is said again when it happens again', async () => {
    deliver(1300);
    const one = upkeep(1_000_000);
    await one.run(NEVER);
    await one.run(NEVER);
    for (let day = 13; day < 20; day += 1) store100(day);
    deliver(2000);
    now = START + 21 * DAY;
    await one.run(NEVER);
    expect(log.entries.filter(({ level }) => level === 'warn')).toHaveLength(2);
  });

  it('an event that an output waits for stays, though there is no room', async () => {
    deliver(200);
    await upkeep(1000).run(NEVER);
    expect(store.outbox.oldest()?.seq).toBe(201);
    expect(store.eventCount()).toBe(1100);
  });

  it('nothing goes while there is room', async () => {
    deliver(1300);
    await upkeep(2_000_000).run(NEVER);
    expect(store.eventCount()).toBe(1300);
  });
});

describe('a store that fails', () => {
  it.each(['STORE_FULL', 'STORE_BUSY', 'STORE_UNWRITABLE'] as const)(
    'with %s is tidied up the next time: the daemon goes on',
    async (code) => {
      store100(0);
      deliver(100);
      now = START + 60 * DAY;
      const one = upkeep();
      vi.spyOn(store, 'prune').mockImplementationOnce(() => {
        throw new StoreError(code, 'not now', 'Later.');
      });
      await one.run(NEVER);
      expect(store.eventCount()).toBe(100);
      await one.run(NEVER);
      expect(store.eventCount()).toBe(0);
    },
  );

  it('for good is told', async () => {
    const broken = new StoreError('STORE_DAMAGED', 'the store is damaged', 'Restore it.');
    vi.spyOn(store, 'prune').mockImplementation(() => {
      throw broken;
    });
    await expect(upkeep().run(NEVER)).rejects.toBe(broken);
  });
});
