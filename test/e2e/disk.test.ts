import { execFileSync, spawnSync } from 'node:child_process';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { Forwarder, type RunningForwarder } from './forwarder.ts';
import { compare, EXACTLY_ONCE, expectedIds, idsOf } from './truth.ts';

/**
 * A disk that stops to take writes under a daemon that runs, and takes them again. A file system that the kernel has made read-only cannot be
 * had without a broken device: `mount -o remount,ro` is refused while a file is open for writing. What the process then gets is an error of
 * write(2), and that can be had for real with a limit of the size of its files (RLIMIT_FSIZE, EFBIG), by any user, with prlimit(1).
 */
const canLimit = spawnSync('prlimit', ['--version']).status === 0;
if (!canLimit) console.warn('skipped: without prlimit(1) no disk can be made to refuse writes');

const DEADLINE = { timeout: 15_000, interval: 50 };
const MINUTE = 60_000;

/** Less than one frame of the write-ahead log: nothing can be committed. */
const NOTHING_FITS = '4096:unlimited';

function limitFiles(daemon: RunningForwarder, limit: string): void {
  execFileSync('prlimit', [`--pid=${daemon.process.pid}`, `--fsize=${limit}`]);
}

async function get(daemon: RunningForwarder, path: string): Promise<string> {
  return (await fetch(`${daemon.url}${path}`)).text();
}

it.runIf(canLimit)(
  'a disk that refuses writes in mid-flow pauses collecting, says so, and heals by itself: nothing lost, nothing doubled',
  { timeout: 40_000 },
  async () => {
    const simulator = await Simulator.start({ seed: 'disk' });
    onTestFinished(() => simulator.stop());
    const receiver = await HttpReceiver.start();
    onTestFinished(() => receiver.close());
    const forwarder = new Forwarder();
    onTestFinished(() => forwarder.remove());
    const received = () => idsOf(receiver.requests.flatMap(({ text }) => text.trimEnd().split('\n')));
    simulator.seed(40, { from: Date.now() - 30 * MINUTE, to: Date.now() - 20 * MINUTE });
    forwarder.configure({
      simulator,
      outputs: [{ name: 'hook', type: 'webhook', url: `http://127.0.0.1:${receiver.port}/`, batch: { maxEvents: 10 } }],
      feed: { overlap: '30m' },
    });
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(received()).toHaveLength(40), DEADLINE);

    limitFiles(daemon, NOTHING_FITS);
    simulator.seed(40, { from: Date.now() - 20 * MINUTE, to: Date.now() - MINUTE });
    await vi.waitFor(
      async () =>
        expect(JSON.parse(await get(daemon, '/readyz')).reasons).toMatchObject([
          { reason: 'paused', cause: 'disk_unwritable' },
        ]),
      DEADLINE,
    );
    expect(await get(daemon, '/metrics')).toContain('collecting_paused{reason="disk_unwritable"} 1');
    expect(await get(daemon, '/api/status')).toMatch(/Collecting has been paused since .*takes no writes/);
    expect(received()).toHaveLength(40);
    expect(daemon.process.exitCode, daemon.stderr).toBeNull();

    limitFiles(daemon, 'unlimited');
    await vi.waitFor(() => expect(new Set(received()).size, daemon.stderr).toBe(80), DEADLINE);
    await vi.waitFor(async () => expect(JSON.parse(await get(daemon, '/readyz')).reasons).toEqual([]), DEADLINE);
    expect(compare(expectedIds(simulator), received())).toEqual(EXACTLY_ONCE);
    const told = daemon.log.filter(({ feed, level }) => feed === 'attachment' && level === 'warn');
    expect(told).toMatchObject([{ reason: 'store', error: expect.stringContaining('does not take writes') }]);
    expect((await daemon.stop()).code).toBe(0);
  },
);
