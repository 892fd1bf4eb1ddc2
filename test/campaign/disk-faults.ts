import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Begun } from './actions.ts';
import type { At } from './fault.ts';
import type { World } from './world.ts';

const READ_ONLY_PATIENCE_MS = 15_000;

/** Begins a fault of the store's disk, or of what is on it. */
export async function beginAtDisk(
  fault: At<'disk-full' | 'disk-read-only' | 'io-error' | 'cut-log' | 'damage' | 'backup'>,
  world: World,
  name: string,
): Promise<Begun> {
  const { volume, daemon } = world;
  const struckWhen = (hasStruck: () => boolean, end?: Begun['end']): Begun => ({
    struck: () => (hasStruck() ? [name] : []),
    ...(end && { end }),
  });
  switch (fault.does) {
    case 'disk-full': {
      const { length } = daemon.said;
      world.fillDisk(fault.left);
      return struckWhen(
        () => /collecting is paused|no room left/.test(daemon.said.slice(length)),
        () => world.freeDisk(),
      );
    }
    case 'disk-read-only': {
      const hasStruck = volume.limit === undefined && (await startReadOnly(world));
      return struckWhen(() => hasStruck);
    }
    case 'io-error':
      return failWrites(world, struckWhen);
    case 'cut-log': {
      await world.end('SIGKILL');
      const { life } = daemon;
      // What is cut off is forgotten: pages, cursors, rejects. All of it is in Mimecast still, so it is read again, and may be sent again;
      // what has been in the store since its last orderly close cannot be forgotten.
      const wasCut = volume.cutLog(fault.share);
      world.startOn(wasCut ? world.lastSettledLife : life);
      return struckWhen(() => wasCut);
    }
    case 'damage': {
      if (!(await backUp(world))) {
        world.start();
        return struckWhen(() => false);
      }
      world.takeDisk();
      volume.damagePage(fault.share);
      const { length } = daemon.said;
      world.start();
      return struckWhen(
        () => daemon.said.slice(length).includes('is damaged'),
        () => putBack(world),
      );
    }
    case 'backup': {
      const isBackedUp = await backUp(world);
      world.start();
      return struckWhen(
        () => isBackedUp && world.isAheadOfBackup(),
        () => putBack(world),
      );
    }
  }
}

/** On a disk that nobody can write to, the daemon has to say so and end with code 3, not to run on. */
async function startReadOnly(world: World): Promise<boolean> {
  const { volume, daemon } = world;
  await world.end('SIGKILL');
  volume.setReadOnly(true);
  try {
    world.start();
    const code = await daemon.ended(READ_ONLY_PATIENCE_MS);
    if (code !== 3)
      world.complaints.push(`life ${daemon.life}: on a read-only disk it ended with code ${code}, expected 3`);
    await world.end('SIGKILL');
    return code === 3;
  } finally {
    volume.setReadOnly(false);
    world.start();
  }
}

/** Every write of this life fails from now on with EFBIG, which SQLite takes for a failure of the disk. */
async function failWrites(
  world: World,
  struckWhen: (hasStruck: () => boolean, end?: Begun['end']) => Begun,
): Promise<Begun> {
  const { daemon } = world;
  await world.untilUp();
  const { pid } = daemon;
  const { length } = daemon.said;
  if (pid === undefined || !daemon.isUp || !limitWrites(pid, '1')) return struckWhen(() => false);
  world.takeDisk();
  return struckWhen(
    () => /the disk under the store .* (failed|does not take writes)/.test(daemon.said.slice(length)),
    () => {
      if (daemon.pid === pid) limitWrites(pid, 'unlimited');
      world.freeDisk();
    },
  );
}

/** RLIMIT_FSIZE of a running process, the soft one. False where that cannot be done. */
function limitWrites(pid: number, bytes: string): boolean {
  try {
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Stops the daemon. False when its store could not be closed in good order: it is no backup then. */
async function backUp(world: World): Promise<boolean> {
  await world.end('SIGTERM');
  const { life } = world.daemon;
  if (world.lastSettledLife !== life) return false;
  const file = join(world.folder, 'backup.db');
  world.volume.backUp(file);
  world.backup = { file, life, served: world.simulator.served.count };
  return true;
}

/** As after a cut log: what came after the backup is read again and sent again, and nothing is lost. */
async function putBack(world: World): Promise<void> {
  if (!world.backup) return;
  await world.end('SIGKILL');
  world.volume.putBack(world.backup.file);
  world.freeDisk();
  world.lastSettledLife = world.backup.life;
  world.startOn(world.backup.life);
}
