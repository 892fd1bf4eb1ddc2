import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'vitest';
import { PROGRAM } from './daemon-process.ts';
import { isDrained } from './evidence.ts';
import { ZONES } from './schedule.ts';
import { World, type WorldOptions } from './world.ts';

const HOUR = 3_600_000;
/** A clock that is watched each second, and polls that come each second. */
const SOON = { timeout: 60_000, interval: 50 };

it.concurrent.for([
  ['back by an hour', -HOUR],
  ['ahead by a day', 24 * HOUR],
] as const)('a wall clock that is set %s does not stop polling', { timeout: 120_000 }, ([, step], { expect }) =>
  inWorld({}, async (world) => {
    const asked = () => world.simulator.stats.requests;
    await expect.poll(asked, SOON).toBeGreaterThan(2);
    world.stepClock(step);
    const before = asked();
    await expect.poll(asked, SOON).toBeGreaterThan(before + 4);
  }),
);

/** An hour that comes twice, and one that does not come: both begin three seconds after the daemon is started. */
it.concurrent.for([
  ['put forward', ZONES[2]],
  ['put back', ZONES[3]],
] as const)(
  'clocks of the zone that are %s neither stop polling nor move a date',
  { timeout: 60_000 },
  ([, zone], { expect }) =>
    inWorld({ zone }, async (world) => {
      const { simulator } = world;
      const change = zone?.change ?? 0;
      await expect.poll(() => simulator.now(), SOON).toBeGreaterThan(change + 500);
      simulator.seed(5, { from: change - 1000, to: change });
      const before = simulator.stats.requests;
      await expect.poll(() => simulator.stats.requests, SOON).toBeGreaterThan(before + 1);
      await expect.poll(() => isDrained(world, simulator.now()), SOON).toBe(true);
      await world.end('SIGTERM');
      // What the log says of its own times is true, whatever the clock on the wall shows.
      const times = [...world.daemon.said.matchAll(/"time":"([^"]+)"/g)].map(([, time]) => Date.parse(time ?? ''));
      expect(times.length).toBeGreaterThan(1);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
      expect(world.complaints).toEqual([]);
    }),
);

async function inWorld(options: Pick<WorldOptions, 'zone'>, work: (world: World) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'forwarder-clock-'));
  const world = await World.create({ folder: join(folder, 'world'), seed: 'clock', program: PROGRAM, ...options });
  try {
    world.start();
    await world.untilUp();
    await work(world);
  } finally {
    await world.remove(false);
    rmSync(folder, { recursive: true, force: true });
  }
}
