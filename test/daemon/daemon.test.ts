import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { StoreError } from '../../src/store/errors.ts';
import { Store } from '../../src/store/store.ts';
import { MINUTE, startSimulator } from '../collect/reading.ts';
import { ACCEPTED, durable, failure, ScriptedOutput } from '../deliver/delivering.ts';
import { openDaemon, scripted } from './running.ts';

const SOON = { timeout: 10_000, interval: 5 };

let simulator: Simulator;

afterEach(() => {
  vi.restoreAllMocks();
});

beforeEach(async () => {
  simulator = await startSimulator();
});

function mail(count: number): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - 30 * MINUTE, to: now - MINUTE });
}

describe('a daemon', () => {
  it('collects and delivers once it is started, and nothing before', async () => {
    mail(25);
    const output = new ScriptedOutput();
    const { daemon } = openDaemon(simulator, { outputs: [scripted('siem', output)] });
    expect(simulator.stats.requests).toBe(0);
    await daemon.start();
    await vi.waitFor(() => expect(output.accepted).toHaveLength(25), SOON);
    await daemon.stop();
    expect(durable(daemon.store.path).cursor()).toBe(25);
  });

  it('stops once, however often it is asked, and leaves the store to the next', async () => {
    const close = vi.spyOn(ScriptedOutput.prototype, 'close');
    const { daemon, reopen } = openDaemon(simulator, { outputs: [scripted('siem', new ScriptedOutput())] });
    await daemon.start();
    expect(Store.isServed(daemon.store.path)).toBe(true);
    const first = daemon.stop();
    expect(daemon.stop()).toBe(first);
    await first;
    expect(close).toHaveBeenCalledTimes(1);
    expect(Store.isServed(daemon.store.path)).toBe(false);
    await reopen().stop();
  });

  it('whose start fails half-way lets go of everything', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      const { daemon } = openDaemon(simulator, { config: { http: { listen: `127.0.0.1:${port}` } } });
      await expect(daemon.start()).rejects.toThrow();
      expect(Store.isServed(daemon.store.path)).toBe(false);
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it('whose part cannot be stopped stops the others', async () => {
    const output = new ScriptedOutput();
    output.close = () => Promise.reject(new Error('the socket is stuck'));
    const { daemon, log } = openDaemon(simulator, { outputs: [scripted('siem', output)] });
    await daemon.start();
    await daemon.stop();
    expect(log.entries.find(({ part }) => part === 'outputs')).toMatchObject({ level: 'error' });
    expect(Store.isServed(daemon.store.path)).toBe(false);
  });

  it('tells when it has met a store that it cannot go on with', async () => {
    mail(5);
    const { daemon } = openDaemon(simulator, { outputs: [scripted('siem', new ScriptedOutput())] });
    const broken = new StoreError('STORE_IO', 'the disk failed', 'Look at the kernel log.');
    vi.spyOn(daemon.store, 'storePage').mockImplementation(() => {
      throw broken;
    });
    await daemon.start();
    expect(await daemon.failed).toBe(broken);
  });

  it('begins an output that is new to the store where its startFrom says, and not again at a restart', async () => {
    mail(10);
    const first = new ScriptedOutput();
    const late = new ScriptedOutput();
    const outputs = [scripted('siem', first)];
    const { daemon, config, reopen } = openDaemon(simulator, { outputs });
    expect(await daemon.runOnce(1)).toEqual([]);
    await daemon.stop();
    outputs.push(scripted('late', late, { startFrom: 'now' }));
    expect(config.outputs).toHaveLength(2);
    const second = reopen();
    expect(await second.runOnce(1)).toEqual([]);
    await second.stop();
    expect(late.accepted).toEqual([]);
    simulator.seed(3, { from: simulator.now() - 10 * MINUTE, to: simulator.now() - MINUTE });
    const third = reopen();
    await third.runOnce(1);
    await third.stop();
    expect([first.accepted.length, late.accepted.length]).toEqual([13, 3]);
  });
});

describe('run --once', () => {
  it('gives back what failed: each feed and output on its own', async () => {
    mail(5);
    const good = new ScriptedOutput();
    const bad = new ScriptedOutput();
    const { daemon } = openDaemon(simulator, { outputs: [scripted('good', good), scripted('bad', bad)] });
    const down = failure('halt');
    bad.react = () => {
      throw down;
    };
    expect(await daemon.runOnce(2)).toEqual([down]);
    expect(good.accepted).toHaveLength(5);
  });

  it('delivers what is stored though Mimecast is dead', async () => {
    mail(5);
    const output = new ScriptedOutput();
    output.react = () => {
      throw failure('halt');
    };
    const { daemon } = openDaemon(simulator, { outputs: [scripted('siem', output)] });
    await daemon.runOnce(1);
    simulator.inject(...parseFaults('forbidden'));
    output.react = () => ACCEPTED;
    expect(await daemon.runOnce(1)).toMatchObject([{ reason: 'forbidden' }]);
    expect(output.accepted).toHaveLength(5);
  });

  it('that is stopped finishes the batch in hand before anything is closed', async () => {
    mail(25);
    const output = new ScriptedOutput();
    const { daemon } = openDaemon(simulator, { outputs: [scripted('siem', output)] });
    let finish: (() => void) | undefined;
    output.react = () => new Promise((resolve) => (finish = () => resolve(ACCEPTED)));
    const closedInFlight = vi.spyOn(output, 'close').mockImplementation(async () => expect(output.inFlight).toBe(0));
    const work = daemon.runOnce(2);
    await vi.waitFor(() => expect(output.inFlight).toBe(1), SOON);
    const stopped = daemon.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closedInFlight).not.toHaveBeenCalled();
    finish?.();
    expect(await work).toEqual([]);
    await stopped;
    expect(output.offered).toHaveLength(1);
    expect(durable(daemon.store.path).cursor()).toBe(10);
  });

  it('that is stopped finishes the page in hand', async () => {
    mail(25);
    simulator.inject(...parseFaults('slow:by=100ms'));
    const { daemon } = openDaemon(simulator, { outputs: [scripted('siem', new ScriptedOutput())] });
    const work = daemon.runOnce(2);
    await vi.waitFor(() => expect(simulator.stats.byFault.slow).toBe(1), SOON);
    const stopped = daemon.stop();
    expect(await work).toEqual([]);
    await stopped;
    const left = Store.open(daemon.store.path);
    expect(left.eventCount()).toBe(25);
    left.close();
  });
});
