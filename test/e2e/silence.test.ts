import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Sent } from '../../src/outputs/output.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { readiness } from '../../src/status/readiness.ts';
import { openDaemon, scripted } from '../daemon/running.ts';
import { ACCEPTED, ScriptedOutput } from '../deliver/delivering.ts';
import { Forwarder, type RunningForwarder } from './forwarder.ts';

/** No new events, for one cause after the other: what the daemon says of it to a load balancer, a person and Prometheus. */

const DEADLINE = { timeout: 20_000, interval: 50 };
const HOUR = 3_600_000;

let simulator: Simulator;
let forwarder: Forwarder;

beforeEach(async () => {
  simulator = await Simulator.start({ seed: 'silence' });
  forwarder = new Forwarder();
});

afterEach(async () => {
  await forwarder.remove();
  await simulator.stop();
});

/** Starts a daemon that writes to a file. */
function start(config: { readonly feed?: object; readonly top?: object } = {}): RunningForwarder {
  forwarder.configure({ simulator, outputs: [{ name: 'disk', type: 'file', path: 'events.ndjson' }], ...config });
  return forwarder.start();
}

async function get(daemon: RunningForwarder, path: string): Promise<string> {
  await vi.waitFor(() => expect(daemon.url, daemon.stderr).toBeDefined(), DEADLINE);
  return (await fetch(`${daemon.url}${path}`)).text();
}

async function readyz(daemon: RunningForwarder): Promise<{ ready: boolean; reasons: object[]; notes: object[] }> {
  return JSON.parse(await get(daemon, '/readyz'));
}

describe('the daemon tells', { timeout: 40_000 }, () => {
  it('that Mimecast answers with empty pages', async () => {
    const daemon = start({ feed: { startFrom: '48h' } });
    await vi.waitFor(async () => {
      const { ready, notes } = await readyz(daemon);
      expect({ ready, notes }).toMatchObject({ ready: true, notes: [{ note: 'feed_empty', feed: 'attachment' }] });
    }, DEADLINE);
    expect(await get(daemon, '/metrics')).toMatch(
      /^mimecast_forwarder_feed_quiet_seconds\{feed="attachment"\} 17\d{4}/m,
    );
    expect(await get(daemon, '/api/status')).toContain(
      '"headline":"Nothing fails, but: Feed attachment has brought no record',
    );
  });

  it('that all it is given is known', async () => {
    simulator.seed(12, { from: Date.now() - 30 * HOUR, to: Date.now() - 26 * HOUR });
    const daemon = start({ feed: { startFrom: '48h', overlap: '36h' } });
    await vi.waitFor(
      async () => expect((await readyz(daemon)).notes).toMatchObject([{ note: 'feed_known' }]),
      DEADLINE,
    );
    expect(await get(daemon, '/api/status')).toMatch(
      /only known records since [^"]*","detail":"the last poll read 12, all known/,
    );
  });

  it('that it is refused, and which refusal it is', async () => {
    simulator.inject(...parseFaults('forbidden'));
    const daemon = start();
    const refused = { reason: 'feed_refused', feed: 'attachment', cause: 'forbidden' };
    await vi.waitFor(async () => expect((await readyz(daemon)).reasons).toMatchObject([refused]), DEADLINE);
    expect(await get(daemon, '/metrics')).toContain('api_errors_total{feed="attachment",reason="forbidden"} 1');
    await daemon.kill9();

    const auth = { type: 'oauth2', clientId: 'nobody', clientSecret: 'nothing' };
    const stranger = start({ top: { mimecast: { baseUrl: simulator.url, auth } } });
    const unknown = { reason: 'feed_refused', cause: 'auth' };
    await vi.waitFor(async () => expect((await readyz(stranger)).reasons).toMatchObject([unknown]), DEADLINE);
  });

  it('that Mimecast limits it', async () => {
    simulator.inject(...parseFaults('429:by=10m'));
    const daemon = start();
    const limited = { reason: 'feed_rate_limited', cause: 'rate_limited' };
    await vi.waitFor(async () => expect((await readyz(daemon)).reasons).toMatchObject([limited]), DEADLINE);
    expect(await get(daemon, '/api/status')).toContain('Mimecast limits our requests');
    expect(await get(daemon, '/metrics')).toMatch(/^mimecast_forwarder_api_held_back_seconds [3-6]\d\d/m);
  });

  it('that it is paused, that clocks differ, and that a reload was refused', async () => {
    simulator.inject(...parseFaults('clock-skew:by=90s'));
    const daemon = start({ feed: { startFrom: '1h' } });
    await vi.waitFor(
      async () => expect((await readyz(daemon)).notes).toMatchObject([{ note: 'clock_skewed' }]),
      DEADLINE,
    );
    const good = readFileSync(forwarder.configFile, 'utf8');
    writeFileSync(forwarder.configFile, good.replace('type: file', 'type: pigeon'));
    daemon.signal('SIGHUP');
    const notes = [{ note: 'clock_skewed' }, { note: 'config_refused' }];
    await vi.waitFor(async () => expect((await readyz(daemon)).notes).toMatchObject(notes), DEADLINE);
    expect(await get(daemon, '/api/status')).toContain('pigeon');
    expect(await get(daemon, '/metrics')).toContain('mimecast_forwarder_config_in_force 0');
    await daemon.kill9();

    const paused = start({ top: { store: { path: forwarder.storeFile, minFreeDisk: '4000TiB' } } });
    const reason = { reason: 'paused', cause: 'disk_full' };
    await vi.waitFor(async () => expect((await readyz(paused)).reasons).toMatchObject([reason]), DEADLINE);
    const metrics = await get(paused, '/metrics');
    expect(metrics).toContain('mimecast_forwarder_collecting_paused{reason="disk_full"} 1');
    expect(metrics).toContain('mimecast_forwarder_ready 0');
  });
});

describe('a daemon whose clock is moved on', { timeout: 40_000 }, () => {
  let now: number;

  /** In this process, so that its clock can be moved. Polls are made by hand. */
  function daemonWith(output: ScriptedOutput, filter: Readonly<Record<string, string[]>> = {}) {
    now = Date.now();
    simulator.seed(12, { from: now - HOUR, to: now - 60_000 });
    const { daemon } = openDaemon(simulator, {
      now: () => now,
      outputs: [scripted('siem', output, { filter, batch: { maxEvents: 5, maxBytes: 1e6 } })],
      config: { feeds: [{ type: 'attachment', schedule: '0 0 1 1 *', sweep: false }] },
    });
    return daemon;
  }

  it('tells of an output that hangs after ten minutes', async () => {
    const output = new ScriptedOutput();
    const hung = Promise.withResolvers<Sent>();
    output.react = () => hung.promise;
    const daemon = daemonWith(output);
    await daemon.start();
    await vi.waitFor(() => expect(output.inFlight).toBe(1), DEADLINE);
    expect(readiness(daemon.snapshot()).reasons).toEqual([]);
    now += 11 * 60_000;
    expect(readiness(daemon.snapshot()).reasons).toMatchObject([{ reason: 'output_silent', output: 'siem' }]);
    hung.resolve(ACCEPTED);
  });

  it('tells of a filter that lets nothing pass, and no more once something did', async () => {
    const output = new ScriptedOutput();
    output.react = () => ACCEPTED;
    const daemon = daemonWith(output, { route: ['sideways'] });
    await daemon.runOnce(1);
    expect(readiness(daemon.snapshot()).notes).toEqual([]);
    now += 25 * HOUR;
    expect(daemon.snapshot().outputs).toMatchObject([{ backlog: 0, filteredInRow: 12 }]);
    expect(readiness(daemon.snapshot()).notes).toMatchObject([{ note: 'output_filter_closed', output: 'siem' }]);
  });
});
