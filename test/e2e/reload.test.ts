import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { Forwarder, type RunningForwarder } from './forwarder.ts';
import { compare, EXACTLY_ONCE, expectedIds, idsOf } from './truth.ts';

const DEADLINE = { timeout: 20_000, interval: 20 };
const IN_FORCE = 'the new config is in force';

let simulator: Simulator;
let forwarder: Forwarder;
let receivers: SyslogReceiver[];

beforeEach(async () => {
  simulator = await Simulator.start({ seed: 'reload', pageSize: 40 });
  forwarder = new Forwarder();
  receivers = await Promise.all(Array.from({ length: 4 }, () => SyslogReceiver.start()));
});

afterEach(async () => {
  await forwarder.remove();
  await Promise.all(receivers.map((receiver) => receiver.stop()));
  await simulator.stop();
});

function receiver(number: number): SyslogReceiver {
  return receivers[number] ?? expect.unreachable();
}

/** An output to a receiver. With `confirm: write` it keeps its connection. */
function output(name: string, to: number, more: object = {}): object {
  return {
    name,
    type: 'syslog',
    host: '127.0.0.1',
    port: receiver(to).port,
    protocol: 'tcp',
    batch: { maxEvents: 7 },
    ...more,
  };
}

function configure(outputs: readonly object[], top: object = {}): void {
  forwarder.configure({ simulator, outputs, feed: { overlap: '5m', pageSize: 40 }, top });
}

function mail(count: number): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - 50_000, to: now - 2000 });
}

/** Mail comes in small portions while the work goes on, and for a while before and after. */
async function inMidFlow(work: () => Promise<void>): Promise<void> {
  const over = new AbortController();
  const flow = (async () => {
    for (let portion = 0; portion < 20 || !over.signal.aborted; portion += 1) {
      mail(10);
      await pause(50);
    }
  })();
  await pause(200);
  await work().finally(() => over.abort());
  await flow;
}

function saidBy(daemon: RunningForwarder, message: string): Record<string, unknown>[] {
  return daemon.log.filter(({ msg }) => msg === message);
}

/** How the ids that came to these receivers, together, compare with what Mimecast has. */
function truthOf(...numbers: number[]) {
  return compare(expectedIds(simulator), idsOf(numbers.flatMap((number) => receiver(number).messages)));
}

async function metric(daemon: RunningForwarder, name: string): Promise<string | undefined> {
  const text = await (await fetch(`${daemon.url}/metrics`)).text();
  return new RegExp(`^mimecast_forwarder_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1];
}

describe('SIGHUP in mid-flow', { timeout: 40_000 }, () => {
  it('adds, removes and changes outputs, while another keeps its connection; every event comes once', async () => {
    const steady = output('steady', 0, { confirm: 'write' });
    configure([steady, output('moves', 1), output('leaves', 2)]);
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(daemon.url).toBeDefined(), DEADLINE);
    await inMidFlow(async () => {
      await vi.waitFor(() => expect(receiver(2).messages.length).toBeGreaterThan(0), DEADLINE);
      configure([
        output('comes', 2, { framing: 'octet-counting', startFrom: 'beginning' }),
        output('moves', 3),
        steady,
      ]);
      daemon.signal('SIGHUP');
      await vi.waitFor(() => expect(saidBy(daemon, 'the new config cannot be applied')).toHaveLength(1), DEADLINE);
      expect(saidBy(daemon, 'the new config cannot be applied')).toMatchObject([{ rule: 'destination_moved' }]);
      const gone = receiver(2).messages.length;
      const to = await SyslogReceiver.start();
      receivers.push(to);
      configure([output('comes', 4, { startFrom: 'beginning' }), output('moves', 3), steady]);
      daemon.signal('SIGHUP');
      await vi.waitFor(() => expect(saidBy(daemon, IN_FORCE)).toHaveLength(1), DEADLINE);
      expect(receiver(2).messages.length).toBeGreaterThanOrEqual(gone);
    });
    const left = receiver(2).messages.length;
    await vi.waitFor(() => expect(truthOf(0)).toEqual(EXACTLY_ONCE), DEADLINE);
    await vi.waitFor(() => expect(truthOf(1, 3)).toEqual(EXACTLY_ONCE), DEADLINE);
    await vi.waitFor(() => expect(truthOf(4)).toEqual(EXACTLY_ONCE), DEADLINE);
    expect(receiver(0).streams).toHaveLength(1);
    expect([receiver(1).messages.length > 0, receiver(3).messages.length > 0]).toEqual([true, true]);
    // What it had before it left came once, and nothing after.
    expect(truthOf(2)).toMatchObject({ repeated: 0, unknown: 0 });
    expect(receiver(2).messages).toHaveLength(left);
    expect(truthOf(2).missing).toBeGreaterThan(0);
    expect(await metric(daemon, 'config_last_reload_successful')).toBe('1');
    expect((await daemon.stop()).code).toBe(0);
  });

  it('is refused while events wait for an output that is taken out; all goes on, and status says what to do', async () => {
    configure([output('steady', 0, { confirm: 'write' }), output('down', 1)]);
    await receiver(1).stop();
    mail(20);
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(receiver(0).messages).toHaveLength(20), DEADLINE);
    await vi.waitFor(() => expect(daemon.stderr).toContain('output down fails'), DEADLINE);
    configure([output('steady', 0, { confirm: 'write', format: 'cef' })]);
    daemon.signal('SIGHUP');
    await vi.waitFor(() => expect(saidBy(daemon, 'the new config cannot be applied')).toHaveLength(1), DEADLINE);
    expect(saidBy(daemon, 'the new config cannot be applied')).toMatchObject([
      { level: 'error', output: 'down', rule: 'events_waiting', reason: expect.stringContaining('20 events wait') },
    ]);
    mail(5);
    await vi.waitFor(() => expect(truthOf(0)).toEqual(EXACTLY_ONCE), DEADLINE);
    expect(receiver(0).streams).toHaveLength(1);
    expect(receiver(0).messages.join()).not.toContain('CEF:');
    expect(await metric(daemon, 'config_last_reload_successful')).toBe('0');
    const status = (await forwarder.command('status', '--config', forwarder.configFile)).stdout.replace(/\s+/g, ' ');
    expect(status).toContain('output down is taken out while 20 events wait for it');
    expect(status).toContain('do Put it back until `status` shows no backlog');
    expect((await daemon.stop()).code).toBe(0);
  });
});

it('--watch-config takes up a file that an atomic rename has put in its place', { timeout: 40_000 }, async () => {
  configure([output('first', 0)]);
  const daemon = forwarder.start('--watch-config');
  await vi.waitFor(() => expect(daemon.url).toBeDefined(), DEADLINE);
  const before = readFileSync(forwarder.configFile, 'utf8');
  configure([output('first', 0), output('second', 1)]);
  renameSync(forwarder.configFile, `${forwarder.configFile}.new`);
  writeFileSync(forwarder.configFile, before, { mode: 0o600 });
  renameSync(`${forwarder.configFile}.new`, forwarder.configFile);
  await vi.waitFor(() => expect(saidBy(daemon, IN_FORCE)).toHaveLength(1), DEADLINE);
  mail(5);
  await vi.waitFor(() => expect([truthOf(0), truthOf(1)]).toEqual([EXACTLY_ONCE, EXACTLY_ONCE]), DEADLINE);
  expect((await daemon.stop()).code).toBe(0);
});
