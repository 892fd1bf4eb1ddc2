import { setTimeout as sleep } from 'node:timers/promises';
import { amountOf, parseFaults } from '../../src/simulate/faults.ts';
import { beginAtDisk } from './disk-faults.ts';
import { isWaitingFor } from './evidence.ts';
import type { At, OutputName } from './fault.ts';
import type { Strike } from './journal.ts';
import type { Planned } from './schedule.ts';
import type { World } from './world.ts';

/** A fault that has begun. */
export interface Begun {
  /** Which of its classes have struck so far: have been met by the daemon, not only been set up. */
  readonly struck: () => readonly string[];
  /** What ends it, when it lasts. */
  readonly end?: () => Promise<void> | void;
}

/** Long enough for a daemon to have read its config again. */
const RELOAD_MS = 1500;
const PAST_RETENTION_MS = 25 * 3_600_000;
/** How often the store is looked into: that takes a connection. */
const STORE_LOOK_MS = 500;
/** How often a wait looks again. */
const LOOK_EVERY_MS = 20;

/** Begins one fault of a plan. What cannot be done as things stand (a disk that is no own file system) has not struck. */
export async function begin({ fault, classes }: Planned, world: World): Promise<Begun> {
  const { daemon } = world;
  const [name = ''] = classes;
  const done = (hasStruck: boolean): Begun => ({ struck: () => (hasStruck ? classes : []) });
  const lasting = (hasStruck: () => boolean, end: NonNullable<Begun['end']>): Begun => ({
    struck: () => (hasStruck() ? classes : []),
    end,
  });
  switch (fault.does) {
    case 'kill':
    case 'terminate': {
      // Before that it has no ear for SIGTERM, and dies of it as every process does.
      if (fault.does === 'terminate') await world.untilUp();
      const wasRunning = daemon.isRunning;
      await world.end(fault.does === 'kill' ? 'SIGKILL' : 'SIGTERM');
      world.start();
      return done(wasRunning);
    }
    case 'reload':
      world.changeConfig();
      return done(await reload(world));
    case 'reload-broken':
      return done(await reloadBroken(world));
    case 'pause-daemon': {
      const wasRunning = daemon.isRunning;
      daemon.signal('SIGSTOP');
      return lasting(
        () => wasRunning,
        () => daemon.signal('SIGCONT'),
      );
    }
    case 'pause-receiver':
    case 'restart-receiver':
    case 'receiver-down':
    case 'manner':
      return beginAtReceiver(fault, world, lasting);
    case 'rotate-certificate': {
      const receiver = world.receivers.close;
      const before = receiver.strikes('untrusted');
      world.rotateCertificate();
      return lasting(
        () => receiver.strikes('untrusted') > before,
        () => world.trustCertificate(),
      );
    }
    case 'api':
      return beginAtApi(fault.faults, classes, world);
    case 'revoke-credentials': {
      const before = world.refusedCredentials;
      world.setSecret('revoked');
      world.simulator.inject({ name: 'token-expiry', count: 1 });
      return lasting(
        () => world.refusedCredentials > before,
        () => world.setSecret(world.simulator.credentials.clientSecret),
      );
    }
    case 'clock': {
      world.stepClock(fault.ahead);
      const before = world.simulator.stats.requests;
      return lasting(
        () => world.simulator.stats.requests > before,
        () => world.stepClock(0),
      );
    }
    case 'retention':
      return beginRetention(fault.output, world, lasting);
    default:
      return beginAtDisk(fault, world, name);
  }
}

type Lasting = (hasStruck: () => boolean, end: NonNullable<Begun['end']>) => Begun;

async function beginAtReceiver(
  fault: At<'pause-receiver' | 'restart-receiver' | 'receiver-down' | 'manner'>,
  world: World,
  lasting: Lasting,
): Promise<Begun> {
  const receiver = world.receivers[fault.output];
  if (fault.does === 'manner') {
    const what: Strike = fault.manner;
    const before = receiver.strikes(what);
    receiver.behave(fault.manner);
    return lasting(
      () => receiver.strikes(what) > before,
      () => receiver.behave('well'),
    );
  }
  if (fault.does === 'pause-receiver') {
    receiver.pause();
    return lasting(
      () => isWaitingFor(world, fault.output),
      () => receiver.resume(),
    );
  }
  await receiver.end();
  if (fault.does === 'receiver-down')
    return lasting(
      () => isWaitingFor(world, fault.output),
      () => receiver.start(),
    );
  await receiver.start();
  return lasting(
    () => true,
    () => undefined,
  );
}

/** What is delivered everywhere may go; what this output waits for may not. */
async function beginRetention(output: OutputName, world: World, lasting: Lasting): Promise<Begun> {
  await world.receivers[output].end();
  world.stepClock(PAST_RETENTION_MS);
  let lookAt = performance.now() + STORE_LOOK_MS;
  let hasStruck = false;
  return lasting(
    () => {
      if (hasStruck || performance.now() < lookAt) return hasStruck;
      lookAt += STORE_LOOK_MS;
      hasStruck = world.hasPruned() && isWaitingFor(world, output);
      return hasStruck;
    },
    async () => {
      world.stepClock(0);
      await world.receivers[output].start();
    },
  );
}

/** Each of the faults is seen to strike by itself; a clock that is wrong is met by the next request. */
function beginAtApi(faults: string, classes: readonly string[], world: World): Begun {
  const { simulator } = world;
  const injected = parseFaults(faults);
  const before = { ...simulator.stats.byFault };
  const { requests } = simulator.stats;
  simulator.inject(...injected);
  const isStruck = (name: keyof typeof before | 'clock-skew'): boolean =>
    name === 'clock-skew'
      ? simulator.stats.requests > requests && injected.some((one) => one.name === name && amountOf(one) !== 0)
      : (simulator.stats.byFault[name] ?? 0) > (before[name] ?? 0);
  const struck = (): string[] => injected.flatMap(({ name }) => (isStruck(name) ? [`API ${name}`] : []));
  return {
    struck: () => struck().filter((name) => classes.includes(name)),
    end: () => {
      for (const { name } of injected) simulator.clearFaults(name);
    },
  };
}

/** A daemon that is not up yet has no ear for SIGHUP, and dies of it as every process does. */
async function reload(world: World): Promise<boolean> {
  const { daemon } = world;
  await world.untilUp();
  if (!daemon.isUp) return false;
  const { length } = daemon.said;
  daemon.signal('SIGHUP');
  await until(() => /config/.test(daemon.said.slice(length)), RELOAD_MS);
  return /config/.test(daemon.said.slice(length));
}

/** A config that is refused must change nothing; only a daemon that starts with it could not go on. */
async function reloadBroken(world: World): Promise<boolean> {
  await world.untilUp();
  if (!world.daemon.isUp) return false;
  world.configure(false);
  const isHeard = await reload(world);
  world.configure();
  return isHeard;
}

/** Waits for a condition, so many ms at most. */
export async function until(holds: () => boolean, patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  while (!holds() && performance.now() < deadline) await sleep(LOOK_EVERY_MS);
}
