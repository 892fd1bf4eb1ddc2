import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Turn } from '../../src/deliver/turn.ts';
import { OutputError } from '../../src/outputs/output.ts';
import { StoreError } from '../../src/store/errors.ts';

const GOING_ON = new AbortController().signal;
const RETRY = { initialDelay: 1000, maxDelay: 1000 };

let failures: unknown[];
let turn: Turn;

beforeEach(() => {
  // No `setTimeout`: nothing here waits, the clock alone decides.
  vi.useFakeTimers({ toFake: ['performance'] });
  failures = [];
  turn = new Turn(RETRY, (error) => failures.push(error));
});

afterEach(() => {
  vi.useRealTimers();
});

/** How often the work was done in so many ms, with a turn offered every 10 ms, as a busy output does after each batch. */
async function offeredFor(ms: number, work: () => Promise<boolean>): Promise<number> {
  let done = 0;
  for (let passed = 0; passed < ms; passed += 10) {
    await turn.take(() => {
      done += 1;
      return work();
    }, GOING_ON);
    vi.advanceTimersByTime(10);
  }
  return done;
}

describe('a turn', () => {
  it('goes on as long as there is something to do', async () => {
    expect(await offeredFor(100, async () => true)).toBe(10);
  });

  it('looks again twice a second when there was nothing to do', async () => {
    expect(await offeredFor(2000, async () => false)).toBe(4);
  });

  it('is taken at once by what comes after half a second', async () => {
    expect(await turn.take(async () => false, GOING_ON)).toBe(false);
    vi.advanceTimersByTime(499);
    expect(await turn.take(async () => true, GOING_ON)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await turn.take(async () => true, GOING_ON)).toBe(true);
    expect(failures).toEqual([]);
  });

  it('waits after a failure, at least as long as the receiver asks, and tells of it once', async () => {
    const error = new OutputError('busy', { reason: 'rate_limited', disposition: 'retry', retryAfterMs: 5000 });
    const failing = async (): Promise<boolean> => {
      throw error;
    };
    expect(await offeredFor(5000, failing)).toBe(1);
    expect(failures).toEqual([error]);
    vi.advanceTimersByTime(5000);
    expect(await turn.take(async () => true, GOING_ON)).toBe(true);
  });

  it('does not keep a failure of the store, or an abort, to itself', async () => {
    const broken = new StoreError('STORE_FULL', 'the disk is full', 'Make room.');
    await expect(turn.take(() => Promise.reject(broken), GOING_ON)).rejects.toBe(broken);
    await expect(turn.take(() => Promise.reject(new Error('cut')), AbortSignal.abort())).rejects.toThrow('cut');
    expect(failures).toEqual([]);
  });
});
