import { beforeEach, describe, expect, it } from 'vitest';
import { LeastBehind } from '../../src/daemon/least-behind.ts';
import { Rates, refreshGauges, sampleBehind } from '../../src/daemon/snapshot.ts';
import { SnapshotNote } from '../../src/daemon/snapshot-note.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { assess } from '../../src/status/assess.ts';
import type { Snapshot } from '../../src/status/snapshot.ts';
import { MINUTE, metricOf, recordAt, startSimulator } from '../collect/reading.ts';
import { failure, ScriptedOutput } from '../deliver/delivering.ts';
import { failAt } from '../store/harness.ts';
import { openDaemon, scripted } from './running.ts';

describe('the rate of an output', () => {
  it('is not known before two samples are there', () => {
    const rates = new Rates();
    expect(rates.perMinute('siem')).toBeNull();
    rates.sample('siem', 100, 0);
    expect(rates.perMinute('siem')).toBeNull();
    rates.sample('siem', 100, 0);
    expect(rates.perMinute('siem')).toBeNull();
  });

  it('is that of the last five minutes, of each output on its own', () => {
    const rates = new Rates();
    // A thousand events a minute for ten minutes, then none.
    for (let seconds = 0; seconds <= 900; seconds += 5) {
      rates.sample('siem', Math.min(seconds, 600) * (1000 / 60), seconds * 1000);
      rates.sample('other', 0, seconds * 1000);
    }
    expect(rates.perMinute('siem')).toBe(0);
    expect(rates.perMinute('other')).toBe(0);
    const busy = new Rates();
    for (let seconds = 0; seconds <= 450; seconds += 5)
      busy.sample('siem', Math.max(0, seconds - 300) * 10, seconds * 1000);
    // 150 of the last 300 seconds at ten a second.
    expect(busy.perMinute('siem')).toBeCloseTo(300);
  });
});

describe('the snapshot of a daemon', () => {
  let simulator: Simulator;
  let now: number;

  beforeEach(async () => {
    simulator = await startSimulator();
    now = Date.now();
  });

  it('before anything has happened says so', () => {
    const { daemon } = openDaemon(simulator, { now: () => now });
    expect(daemon.snapshot()).toMatchObject({
      now,
      asOf: now,
      startedAt: now,
      running: true,
      host: 'test-host',
      version: '1.2.3',
      feeds: [
        {
          name: 'attachment',
          type: 'attachment',
          checkpoint: null,
          lastPollAt: null,
          lastSuccessAt: null,
          lastEventAt: null,
          lastSweepAt: null,
          walk: null,
          interval: 1000,
          malformed: 0,
          variants: 0,
          trouble: null,
        },
      ],
      outputs: [
        {
          name: 'disk',
          type: 'file',
          cursor: 0,
          backlog: 0,
          oldestWaitingAt: null,
          ratePerMinute: null,
          rejects: 0,
          trouble: null,
        },
      ],
      store: { events: 0, oldestEventAt: null, minFreeDisk: 1024 * 1024, paused: null },
      api: { clockSkewMs: null, requestsLastMinute: 0, requestsPerMinute: 60_000, responseMs: null },
    });
  });

  it('has what was read, delivered and refused, what is kept, and what fails', async () => {
    const newest = Math.floor(now / 1000) * 1000 - MINUTE;
    simulator.seed(18, { from: newest - 20 * MINUTE, to: newest - MINUTE });
    const known = recordAt(newest, 'a');
    simulator.add(known, { ...known, actionTriggered: 'user release, none' }, recordAt(newest, 'b'));
    simulator.inject(...parseFaults('malformed-record:first=1'));
    const good = new ScriptedOutput();
    good.react = ([first]) => ({ rejected: first ? [{ event: first, reason: 'no such index' }] : [], shortened: 0 });
    const down = new ScriptedOutput();
    down.react = () => {
      throw failure('halt');
    };
    const { daemon } = openDaemon(simulator, {
      now: () => now,
      outputs: [scripted('good', good), scripted('down', down)],
    });
    await daemon.runOnce(1);
    const snapshot = daemon.snapshot();
    expect(snapshot.feeds).toMatchObject([
      {
        lastEventAt: newest,
        lastPollNew: 20,
        malformed: 1,
        variants: 1,
        lastSuccessAt: now,
        walk: null,
        trouble: null,
      },
    ]);
    expect(snapshot.outputs).toMatchObject([
      {
        name: 'good',
        target: 'test://here',
        accepted: 'the test took it',
        lossless: true,
        cursor: 20,
        backlog: 0,
        oldestWaitingAt: null,
        lastAcceptedAt: now,
        rejects: 2,
        lastRejectAt: now,
        lastRejectReason: 'no such index',
        trouble: null,
      },
      {
        name: 'down',
        cursor: 0,
        backlog: 20,
        oldestWaitingAt: now,
        lastAcceptedAt: null,
        trouble: { reason: 'auth', count: 1, retryable: false, since: now },
      },
    ]);
    expect(snapshot.store).toMatchObject({ events: 20, oldestEventAt: now });
    expect(snapshot.api.responseMs).toBeGreaterThan(0);
    expect(Math.abs(snapshot.api.clockSkewMs ?? Number.NaN)).toBeLessThan(2000);

    now += 90_000;
    refreshGauges(daemon.metrics, daemon.snapshot());
    const gauge = (name: string, labels = {}) => metricOf(daemon.metrics, name, labels);
    const [feed] = snapshot.feeds;
    expect(await gauge('feed_lag_seconds', { feed: 'attachment' })).toBe((now - (feed?.checkpoint ?? 0)) / 1000);
    expect(await gauge('feed_last_event_timestamp_seconds')).toBe(newest / 1000);
    expect(await gauge('output_backlog_events', { output: 'good' })).toBe(0);
    expect(await gauge('output_lag_seconds', { output: 'good' })).toBe(0);
    expect(await gauge('output_rejects', { output: 'good' })).toBe(2);
    expect(await gauge('output_backlog_events', { output: 'down' })).toBe(20);
    expect(await gauge('output_lag_seconds', { output: 'down' })).toBe(90);
    expect(await gauge('store_events')).toBe(20);
    expect(await gauge('store_size_bytes')).toBe(snapshot.store.bytes);
    expect(await gauge('build_info', { version: '1.2.3', node: 'v24.0.0' })).toBe(1);
  });

  it('after a restart still tells the newest event, though no new one came', async () => {
    simulator.seed(3, { from: now - 20 * MINUTE, to: now - MINUTE });
    const { daemon, reopen } = openDaemon(simulator);
    await daemon.runOnce(1);
    await daemon.stop();
    const next = reopen();
    refreshGauges(next.metrics, next.snapshot());
    expect(await metricOf(next.metrics, 'feed_last_event_timestamp_seconds')).toBe(Math.floor((now - MINUTE) / 1000));
  });

  it('holds no secret', async () => {
    const { daemon } = openDaemon(simulator);
    await daemon.runOnce(1);
    expect(JSON.stringify(daemon.snapshot())).not.toContain(simulator.credentials.clientSecret);
  });
});

describe('the snapshot that is noted', () => {
  it('is noted again after a write that failed, also when nothing has changed since', async () => {
    const { daemon } = openDaemon(await startSimulator());
    const note = new SnapshotNote(daemon.store);
    const snapshot = daemon.snapshot();
    const mend = failAt(daemon.store.path, 'note');
    expect(() => note.keep(snapshot)).toThrow();
    mend();
    note.keep(snapshot);
    expect(note.at).toBe(snapshot.now);
  });
});

describe('a daemon that catches up and gains nothing', () => {
  it('is told after an hour, as a state and as a metric', async () => {
    const simulator = await startSimulator();
    let now = Date.now();
    const { daemon } = openDaemon(simulator, {
      now: () => now,
      // Polled once a year: an hour without a page is no missed poll.
      config: { feeds: [{ type: 'attachment', schedule: '0 0 1 1 *', sweep: false }] },
    });
    await daemon.runOnce(1);
    const least = new LeastBehind();
    const [read] = daemon.snapshot().feeds;
    const behind = (minutes: number, gained: number): Snapshot => {
      now += minutes * MINUTE;
      const checkpoint = now - 3 * 60 * MINUTE + gained;
      const leastBehindAt = least.at('feed attachment');
      const feeds = read ? [{ ...read, interval: MINUTE, lastSuccessAt: now, checkpoint, leastBehindAt }] : [];
      const snapshot = { ...daemon.snapshot(), feeds };
      sampleBehind(least, snapshot);
      return snapshot;
    };
    const stateAfter = (snapshot: Snapshot) => assess(snapshot).feeds[0]?.state;
    expect(stateAfter(behind(0, 0))).toBe('Catching up');
    for (let minute = 0; minute < 59; minute += 1) behind(1, 0);
    expect(stateAfter(behind(0, 0))).toBe('Catching up');
    const stuck = behind(1, 0);
    expect(stateAfter(stuck)).toMatch(/^Falls behind since/);
    refreshGauges(daemon.metrics, stuck);
    expect(await metricOf(daemon.metrics, 'feed_falling_behind', { feed: 'attachment' })).toBe(1);
    behind(1, MINUTE);
    expect(stateAfter(behind(0, MINUTE))).toBe('Catching up');
  });
});
