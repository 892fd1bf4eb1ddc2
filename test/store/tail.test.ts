import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Tail } from '../../src/store/tail.ts';

interface Row {
  readonly seq: number;
  readonly raw: Buffer;
}

const PAGE_BYTES = 500_000;
/** More than fit. */
const MANY = 20;

let tail: Tail<Row>;
let signal: AbortSignal;
let seq: number;

beforeEach(() => {
  vi.useFakeTimers();
  tail = new Tail<Row>();
  signal = new AbortController().signal;
  seq = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

function row(bytes = PAGE_BYTES): Row {
  seq += 1;
  return { seq, raw: Buffer.alloc(bytes) };
}

/** How long a wait takes on the test's clock, ms. */
async function waited(wait: Promise<void>): Promise<number> {
  const since = performance.now();
  let isOver = false;
  void wait.then(() => {
    isOver = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  while (!isOver) await vi.advanceTimersByTimeAsync(1);
  return performance.now() - since;
}

/** Collects so many rows as large as a page, of which no output takes any. How long it waited after each, ms. */
async function collect(count: number): Promise<number[]> {
  const waits: number[] = [];
  for (let n = 0; n < count; n += 1) {
    tail.append([row()]);
    waits.push(await waited(tail.relief(signal)));
  }
  return waits;
}

const held = (): number[] => Array.from({ length: seq }, (_, index) => index + 1).filter((n) => tail.holds(n - 1));

describe('the rows in memory', () => {
  it('are the newest, and of bounded size', () => {
    for (let n = 0; n < 200; n += 1) tail.append([row(100_000)]);
    expect(held().length * 100_000).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(held().length).toBeGreaterThan(50);
    expect(held().at(-1)).toBe(200);
    expect(tail.after(199, 10)?.map((one) => one.seq)).toEqual([200]);
    expect(tail.after(0, 10)).toBeUndefined();
  });

  it('are gapless: rows of another process in between make those before them go', () => {
    tail.append([row(10), row(10)]);
    seq += 1;
    tail.append([row(10)]);
    expect(held()).toEqual([4]);
  });

  it('go when every output that keeps up has taken them, and no sooner', () => {
    tail.append([row(10), row(10), row(10), row(10)]);
    tail.taken([4, 2]);
    expect(held()).toEqual([3, 4]);
    // An output that reads from the disk does not count.
    tail.taken([4, 4, 0]);
    expect(held()).toEqual([]);
  });
});

describe('collecting', () => {
  it('does not wait while little is left to take', async () => {
    await tail.relief(signal);
    tail.append([row(100_000)]);
    await tail.relief(signal);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('waits until outputs have taken most of it', async () => {
    tail.append([row(), row()]);
    let relieved = false;
    const relief = tail.relief(signal).then(() => {
      relieved = true;
    });
    tail.taken([1]);
    await Promise.resolve();
    expect(relieved).toBe(false);
    tail.taken([2]);
    await relief;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('waits once for an output that takes nothing, and again when it has taken something', async () => {
    expect(await collect(4)).toEqual([15, 0, 0, 0]);
    tail.taken([1]);
    expect(await collect(2)).toEqual([15, 0]);
  });

  it('waits longer before rows fall out of memory: longer than a first batch is watched', async () => {
    const waits = await collect(15);
    expect(waits.slice(1, -1).every((ms) => ms === 0)).toBe(true);
    expect(waits.at(-1)).toBe(300);
    expect(held().at(0)).toBe(1);
  });

  it('is relieved as soon as such an output has caught up, and then waits as before', async () => {
    await collect(14);
    tail.append([row()]);
    const relief = waited(tail.relief(signal));
    await vi.advanceTimersByTimeAsync(200);
    for (let cursor = 1; cursor <= seq; cursor += 1) tail.taken([cursor]);
    expect(await relief).toBeGreaterThanOrEqual(200);
    expect(held()).toEqual([]);
    expect((await collect(15)).at(-1)).toBe(300);
  });

  it('is held up no more by an output that has fallen out of memory, until all is well again', async () => {
    await collect(15);
    expect(await collect(MANY)).toEqual(Array(MANY).fill(0));
    expect(held()).not.toContain(1);
    tail.taken([seq]);
    expect((await collect(15)).at(-1)).toBe(300);
  });

  it('goes on at once when it is to stop', async () => {
    const stop = new AbortController();
    tail.append([row(), row()]);
    const relief = tail.relief(stop.signal);
    stop.abort();
    await relief;
    await tail.relief(stop.signal);
  });
});
