import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Action } from './schedule.ts';
import type { World } from './world.ts';

/** Long enough for a daemon to have read its config again. */
const RELOAD_MS = 300;
const READ_ONLY_PATIENCE_MS = 15_000;

/** Does one thing of a plan to the world. What cannot be done as things stand (a disk that is no own file system) is left out. */
export async function perform(action: Action, world: World): Promise<void> {
  const { simulator, daemon, volume } = world;
  switch (action.does) {
    case 'mail': {
      const now = simulator.now();
      return simulator.seed(action.count, { from: now - action.age, to: now });
    }
    case 'kill':
      await world.end('SIGKILL');
      return world.start();
    case 'terminate':
      await world.end('SIGTERM');
      return world.start();
    case 'reload':
      world.pageSize = world.pageSize === 40 ? 15 : 40;
      world.configure();
      return reload(world);
    case 'reload-broken':
      return reloadBroken(world);
    case 'pause-daemon':
      return daemon.signal('SIGSTOP');
    case 'resume-daemon':
      return daemon.signal('SIGCONT');
    case 'pause-receiver':
      return world.receivers[action.output].pause();
    case 'resume-receiver':
      return world.receivers[action.output].resume();
    case 'restart-receiver':
      await world.receivers[action.output].end();
      return world.receivers[action.output].start();
    case 'receiver-down':
      return world.receivers[action.output].end();
    case 'receiver-up':
      return world.receivers[action.output].start();
    case 'manner':
      return world.receivers[action.output].behave(action.manner);
    case 'api':
      return simulator.inject(...parseFaults(action.faults));
    case 'api-well':
      return simulator.clearFaults();
    case 'revoke-credentials':
      world.setSecret('revoked');
      return simulator.inject({ name: 'token-expiry', count: 1 });
    case 'restore-credentials':
      return world.setSecret(simulator.credentials.clientSecret);
    case 'clock':
      return world.stepClock(action.ahead);
    case 'disk-full':
      return world.fillDisk(action.left);
    case 'disk-free':
      return world.freeDisk();
    case 'disk-read-only':
      return volume.limit === undefined ? startReadOnly(world) : undefined;
    case 'cut-log':
      return cutLog(action.share, world);
    case 'backup':
      return backUp(world);
    case 'put-backup-back':
      return putBack(world);
  }
}

/** A daemon that is not up yet has no ear for SIGHUP, and dies of it as every process does. */
async function reload(world: World): Promise<void> {
  world.daemon.signal('SIGCONT');
  await world.untilUp();
  world.daemon.signal('SIGHUP');
}

/** A config that is refused must change nothing; only a daemon that starts with it could not go on. */
async function reloadBroken(world: World): Promise<void> {
  world.daemon.signal('SIGCONT');
  await world.untilUp();
  if (!world.daemon.isUp) return;
  world.configure(false);
  world.daemon.signal('SIGHUP');
  await sleep(RELOAD_MS);
  world.configure();
}

/** On a disk that nobody can write to, the daemon has to say so and end with code 3, not to run on. */
async function startReadOnly(world: World): Promise<void> {
  const { volume, daemon } = world;
  await world.end('SIGKILL');
  volume.setReadOnly(true);
  try {
    world.start();
    const code = await daemon.ended(READ_ONLY_PATIENCE_MS);
    if (code !== 3)
      world.complaints.push(`life ${daemon.life}: on a read-only disk it ended with code ${code}, expected 3`);
    await world.end('SIGKILL');
  } finally {
    volume.setReadOnly(false);
  }
  world.start();
}

/**
 * What is cut off is forgotten: pages, cursors, rejects. All of it is in Mimecast still, so it is read again, and may be sent again;
 * what has been in the store since its last orderly close cannot be forgotten.
 */
async function cutLog(share: number, world: World): Promise<void> {
  await world.end('SIGKILL');
  const { life } = world.daemon;
  world.startOn(world.volume.cutLog(share) ? world.lastSettledLife : life);
}

/** Overlap with a full disk is left out: a store that could not be closed in good order is no backup. */
async function backUp(world: World): Promise<void> {
  await world.end('SIGTERM');
  const { life } = world.daemon;
  if (world.lastSettledLife === life && !world.isDiskTaken) {
    const file = join(world.folder, 'backup.db');
    world.volume.backUp(file);
    world.backup = { file, life };
  }
  world.start();
}

/** As after a cut log: what came after the backup is read again and sent again, and nothing is lost. */
async function putBack(world: World): Promise<void> {
  if (!world.backup || world.isDiskTaken) return;
  await world.end('SIGKILL');
  world.volume.putBack(world.backup.file);
  world.lastSettledLife = world.backup.life;
  world.startOn(world.backup.life);
}
