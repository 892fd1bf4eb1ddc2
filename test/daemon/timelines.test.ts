import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { MINUTE, startSimulator } from '../collect/reading.ts';
import { ACCEPTED, failure, ScriptedOutput } from '../deliver/delivering.ts';
import { failAt } from '../store/harness.ts';
import { openDaemon, scripted } from './running.ts';

const SOON = { timeout: 10_000, interval: 5 };

describe('the view of a daemon', () => {
  let simulator: Simulator;

  beforeEach(async () => {
    simulator = await startSimulator();
  });

  function mail(count: number): void {
    const now = simulator.now();
    // Within the overlap, so that a later poll finds them.
    simulator.seed(count, { from: now - 10 * MINUTE, to: now - MINUTE });
  }

  it('tells of an output that goes down and comes back, over a restart', async () => {
    const good = new ScriptedOutput();
    const flaky = new ScriptedOutput();
    const outputs = [scripted('good', good), scripted('flaky', flaky)];
    const { daemon, reopen } = openDaemon(simulator, { outputs });
    mail(12);
    await daemon.start();
    await vi.waitFor(() => expect([good.accepted.length, flaky.accepted.length]).toEqual([12, 12]), SOON);

    flaky.react = () => {
      throw failure('halt');
    };
    mail(5);
    await vi.waitFor(() => expect(daemon.view('24h').outputs.get('flaky')?.failures).toHaveLength(1), SOON);
    await vi.waitFor(() => expect(good.accepted).toHaveLength(17), SOON);
    const down = daemon.view('24h');
    const since = down.report.outputs[1]?.trouble?.since;
    expect(down.outputs.get('flaky')?.failures).toEqual([{ from: since, until: null, reason: 'auth' }]);
    expect(down.recent.events).toHaveLength(8);
    const newest = down.recent.events.filter(({ acceptedBy }) => acceptedBy.length === 1);
    expect(newest.map(({ pending }) => pending)).toEqual(Array(5).fill([{ output: 'flaky', why: 'waits' }]));
    await daemon.stop();

    const second = reopen();
    flaky.react = () => ACCEPTED;
    await second.start();
    await vi.waitFor(() => expect(flaky.accepted).toHaveLength(17), SOON);
    await second.stop();
    const third = reopen();
    const after = third.view('7d');
    const [fed, told, calm] = [after.feeds.get('attachment'), after.outputs.get('flaky'), after.outputs.get('good')];
    expect([fed?.total, told?.total, calm?.total]).toEqual([17, 17, 17]);
    expect(fed?.read).toHaveLength(1);
    expect(told?.failures).toMatchObject([{ from: since, until: expect.any(Number), reason: 'auth' }]);
    expect(told?.lastOver).toMatchObject({ from: since, message: 'it does not work: halt' });
    expect([calm?.failures, calm?.lastOver]).toEqual([[], null]);
    expect(
      after.recent.events.every(({ acceptedBy, pending }) => acceptedBy.length === 2 && pending.length === 0),
    ).toBe(true);
    // The steps of which no daemon knows are not the ones in which nothing came.
    expect(fed?.steps.filter(({ perMinute }) => perMinute === null).length).toBeGreaterThan(330);
  });

  it('is kept also of `run --once`', async () => {
    mail(3);
    const { daemon, reopen } = openDaemon(simulator, { outputs: [scripted('siem', new ScriptedOutput())] });
    await daemon.runOnce(1);
    await daemon.stop();
    const { feeds, outputs } = reopen().view('24h');
    expect([feeds.get('attachment')?.total, outputs.get('siem')?.total]).toEqual([3, 3]);
  });

  it('that cannot be written harms nothing', async () => {
    mail(3);
    const siem = new ScriptedOutput();
    const { daemon, log } = openDaemon(simulator, { outputs: [scripted('siem', siem)] });
    failAt(daemon.store.path, 'minute');
    await daemon.start();
    await vi.waitFor(() => expect(siem.accepted).toHaveLength(3), SOON);
    await daemon.stop();
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([{ part: 'timelines' }]);
    expect(daemon.store.cursors.get('siem')).toBe(3);
  });
});
