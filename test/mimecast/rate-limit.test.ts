import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter, requestedPauseMs } from '../../src/mimecast/rate-limit.ts';

const NOW = Date.UTC(2025, 5, 1, 12, 0, 0);

describe('the pause that an answer asks for', () => {
  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': 'Sun, 01 Jun 2025 12:00:09 GMT' }, 9000],
    [{ 'retry-after': '7', 'x-ratelimit-reset': '2000' }, 7000],
    [{ 'retry-after': 'soon', 'x-ratelimit-reset': '2000' }, 2000],
    [{ 'x-ratelimit-reset': '1750' }, 1750],
    [{ 'x-ratelimit-reset': ['3000', '9000'] }, 3000],
    [{ 'x-ratelimit-reset': String(NOW + 5000) }, 5000],
    [{ 'x-ratelimit-reset': String(NOW / 1000 + 5) }, 5000],
    [{ 'x-mimecast-ratelimit-reset': '4000' }, 4000],
    [{ 'x-ratelimit-reset': '12' }, 1000],
    [{ 'x-ratelimit-reset': String(NOW - 5000) }, 1000],
    [{ 'x-ratelimit-reset': '999999999' }, 900_000],
    [{ 'retry-after': '86400' }, 900_000],
    [{ 'x-ratelimit-reset': 'never' }, undefined],
    [{ 'x-ratelimit-reset': '-5' }, undefined],
    [{}, undefined],
  ])('%j is %s ms', (headers, expected) => {
    expect(requestedPauseMs(headers, NOW)).toBe(expected);
  });
});

/** A clock that stands still until `advance` moves it from alarm to alarm. */
class FakeTime {
  now = 0;
  readonly #alarms = new Set<{ at: number; ring: () => void }>();

  readonly clock = {
    now: () => this.now,
    random: () => 0.5,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const alarm = { at: this.now + ms, ring: resolve };
        this.#alarms.add(alarm);
        signal.addEventListener('abort', () => {
          this.#alarms.delete(alarm);
          reject(signal.reason);
        });
      }),
  };

  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const due = [...this.#alarms].filter((alarm) => alarm.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.now = Math.max(this.now, due.at);
      this.#alarms.delete(due);
      due.ring();
    }
    this.now = end;
  }

  get alarms(): number {
    return this.#alarms.size;
  }
}

/** Lets every promise that can go on go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const live = { background: false, signal: new AbortController().signal };
const background = { background: true, signal: new AbortController().signal };

describe('our own ceiling', () => {
  it('lets no more than N turns start in any minute, and wastes none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 30 }),
        async (requestsPerMinute, gaps) => {
          const time = new FakeTime();
          const limiter = new RateLimiter({ requestsPerMinute }, time.clock);
          const starts: number[] = [];
          for (const gap of gaps) {
            void limiter.turn(live, async () => void starts.push(time.now));
            await time.advance(gap);
            expect(limiter.startedLastMinute).toBeLessThanOrEqual(requestsPerMinute);
          }
          await time.advance(gaps.length * 60_000);
          expect(starts).toHaveLength(gaps.length);
          starts.forEach((start, index) => {
            const before = starts[index - requestsPerMinute];
            if (before !== undefined) expect(start - before).toBeGreaterThanOrEqual(60_000);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('serves live polling before the background', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1 }, time.clock);
    const order: string[] = [];
    const take = (name: string, options: typeof live) => limiter.turn(options, async () => void order.push(name));
    void take('first', live);
    void take('sweep 1', background);
    void take('sweep 2', background);
    void take('poll', live);
    await time.advance(60_000);
    expect(order).toEqual(['first', 'poll']);
    await time.advance(120_000);
    expect(order).toEqual(['first', 'poll', 'sweep 1', 'sweep 2']);
  });

  it('forgets who stops waiting, and leaves no alarm behind', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1 }, time.clock);
    await limiter.turn(live, async () => undefined);
    const controller = new AbortController();
    const waiting = limiter.turn({ background: false, signal: controller.signal }, async () => 'ran');
    await settled();
    expect(time.alarms).toBe(1);
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    expect(time.alarms).toBe(0);
    await expect(limiter.turn({ ...live, signal: controller.signal }, async () => 'ran')).rejects.toThrow('stop');
  });
});

describe('after a 429', () => {
  it('nothing goes before the reset, then one at a time until one succeeds', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1000 }, time.clock);
    const open: (() => void)[] = [];
    const feed = (outcome: () => void) =>
      void limiter.turn(live, async () => {
        await new Promise<void>((resolve) => open.push(resolve));
        outcome();
      });
    await limiter.turn(live, async () => limiter.refused(5000));
    feed(() => limiter.refused(2000));
    feed(() => limiter.succeeded({}, 0));
    feed(() => undefined);
    feed(() => undefined);
    await time.advance(4999);
    expect(open).toHaveLength(0);
    await time.advance(1000);
    expect(open).toHaveLength(1); // one, though four wait
    await time.advance(60_000);
    expect(open).toHaveLength(1);
    open[0]?.(); // it is refused as well
    await time.advance(1999);
    expect(open).toHaveLength(1);
    await time.advance(1000);
    expect(open).toHaveLength(2);
    open[1]?.(); // it succeeds: the others may go
    await settled();
    expect(open).toHaveLength(4);
    for (const close of open) close();
  });

  it('a success that was sent before it does not open the gates', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1000 }, time.clock);
    const starts: number[] = [];
    let finishEarlier = () => {};
    const earlier = limiter.turn(live, async () => {
      await new Promise<void>((resolve) => {
        finishEarlier = resolve;
      });
      limiter.succeeded({}, NOW);
    });
    await limiter.turn(live, async () => limiter.refused(5000));
    finishEarlier();
    await earlier;
    const never = () => new Promise<void>(() => starts.push(time.now));
    void limiter.turn(live, never);
    void limiter.turn(live, never);
    await time.advance(60_000);
    expect(starts).toHaveLength(1);
  });

  it('waits longer and longer when no time is named', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1000 }, time.clock);
    const pauses = Array.from({ length: 12 }, () => limiter.refused(undefined));
    expect(pauses.slice(0, 3)).toEqual([5000, 10_000, 20_000]);
    expect(pauses.at(-1)).toBe(450_000);
  });

  it('goes on when the turn fails otherwise', async () => {
    const time = new FakeTime();
    const limiter = new RateLimiter({ requestsPerMinute: 1000 }, time.clock);
    limiter.refused(1000);
    const failing = limiter.turn(live, () => Promise.reject(new Error('broken')));
    const next = limiter.turn(live, async () => 'ran');
    failing.catch(() => undefined);
    await time.advance(2000);
    await expect(failing).rejects.toThrow('broken');
    await expect(next).resolves.toBe('ran');
  });
});

it('a success that used up the quota makes the next request wait for the reset', async () => {
  const time = new FakeTime();
  const limiter = new RateLimiter({ requestsPerMinute: 1000 }, time.clock);
  const spent = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '3000' };
  await limiter.turn(live, async () => limiter.succeeded(spent, NOW));
  const starts: number[] = [];
  const take = () => limiter.turn(live, async () => void starts.push(time.now));
  void take();
  await time.advance(2999);
  expect(starts).toEqual([]);
  await time.advance(1000);
  expect(starts).toHaveLength(1);
  await limiter.turn(live, async () =>
    limiter.succeeded({ 'x-ratelimit-remaining': '4', 'x-ratelimit-reset': '3000' }, NOW),
  );
  await take();
  expect(starts).toHaveLength(2);
});
