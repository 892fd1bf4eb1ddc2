import { sleep } from '../retry.ts';

/** How often the clocks are compared, ms. */
const LOOK_EVERY = 1000;
/** Less than this is NTP's slewing, or a busy machine. */
const STEP_MS = 2000;

/** The two clocks of a machine, both in ms. */
export interface Clocks {
  /** Can be set. */
  readonly wall: () => number;
  /** Only ever goes on. */
  readonly monotonic: () => number;
}

const MACHINE: Clocks = { wall: Date.now, monotonic: () => performance.now() };

/**
 * Calls the listener each time the wall clock was set, with how far, ms: by an operator, by NTP after a start without network, or when a
 * suspended machine wakes. Until the signal is aborted.
 *
 * What was planned by the wall clock is wrong then: set back by an hour, the next poll would be an hour late.
 */
export async function watchClock(
  onStep: (stepMs: number) => void | Promise<void>,
  signal: AbortSignal,
  clocks: Clocks = MACHINE,
): Promise<void> {
  let difference = clocks.wall() - clocks.monotonic();
  while (!signal.aborted) {
    await sleep(LOOK_EVERY, signal).catch(() => undefined);
    if (signal.aborted) return;
    const now = clocks.wall() - clocks.monotonic();
    const step = now - difference;
    if (Math.abs(step) >= STEP_MS) await onStep(step);
    difference = now;
  }
}
