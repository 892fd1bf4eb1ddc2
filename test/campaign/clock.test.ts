import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROGRAM } from './daemon-process.ts';
import { World } from './world.ts';

const HOUR = 3_600_000;
/** A clock that is watched each second, and polls that come each second. */
const SOON = { timeout: 15_000, interval: 50 };

/** What a campaign cannot see, since it starts the daemon once more before it counts: whether polling goes on by itself. */
it.each([
  ['back by an hour', -HOUR],
  ['ahead by a day', 24 * HOUR],
])('a wall clock that is set %s does not stop polling', { timeout: 60_000 }, async (_, step) => {
  const folder = mkdtempSync(join(tmpdir(), 'forwarder-clock-'));
  const world = await World.create({ folder, seed: 'clock', program: PROGRAM });
  const asked = () => world.simulator.stats.requests;
  try {
    world.start();
    await world.untilUp();
    await expect.poll(asked, SOON).toBeGreaterThan(2);
    world.stepClock(step);
    const before = asked();
    await expect.poll(asked, SOON).toBeGreaterThan(before + 4);
  } finally {
    await world.remove(false);
    rmSync(folder, { recursive: true, force: true });
  }
});
