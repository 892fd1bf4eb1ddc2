import { expect, it, onTestFinished, vi } from 'vitest';
import { watchClock } from '../../src/daemon/clock-step.ts';

const SOON = { timeout: 10_000, interval: 20 };

/** Clocks that a test moves, watched until the test is over. */
function watched() {
  const clocks = { wall: 1_000_000, monotonic: 0 };
  const steps: number[] = [];
  let looks = 0;
  const stopping = new AbortController();
  const watching = watchClock((step) => void steps.push(step), stopping.signal, {
    wall: () => {
      looks += 1;
      return clocks.wall;
    },
    monotonic: () => clocks.monotonic,
  });
  onTestFinished(async () => {
    stopping.abort();
    await watching;
  });
  const looked = async () => {
    const before = looks;
    await vi.waitFor(() => expect(looks).toBeGreaterThan(before), SOON);
  };
  return { clocks, steps, looked };
}

it('tells each step of the wall clock once, back and ahead', async () => {
  const { clocks, steps, looked } = watched();
  clocks.wall -= 3_600_000;
  await looked();
  await looked();
  clocks.wall += 86_400_000;
  await looked();
  expect(steps).toEqual([-3_600_000, 86_400_000]);
});

it('takes time that passes, and slewing, for no step', async () => {
  const { clocks, steps, looked } = watched();
  for (const slew of [0, 500, -1500]) {
    clocks.monotonic += 60_000;
    clocks.wall += 60_000 + slew;
    await looked();
  }
  expect(steps).toEqual([]);
});
