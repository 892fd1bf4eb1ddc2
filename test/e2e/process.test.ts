import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { Forwarder, MAIN } from './forwarder.ts';
import { compare, EXACTLY_ONCE, expectedIds, idsOf } from './truth.ts';

const DEADLINE = { timeout: 20_000, interval: 50 };

let simulator: Simulator;
let forwarder: Forwarder;
let syslog: SyslogReceiver;

beforeEach(async () => {
  simulator = await Simulator.start({ seed: 'process', pageSize: 100 });
  forwarder = new Forwarder();
  syslog = await SyslogReceiver.start();
});

afterEach(async () => {
  await forwarder.remove();
  await syslog.stop();
  await simulator.stop();
});

function mail(count: number): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - 50_000, to: now - 2000 });
}

function toSyslog(more: object = {}): void {
  forwarder.configure({
    simulator,
    outputs: [{ name: 'tcp', type: 'syslog', host: '127.0.0.1', port: syslog.port, protocol: 'tcp' }],
    // Wide enough that mail which is seeded later, but dated before, is read.
    feed: { overlap: '5m' },
    ...more,
  });
}

it.skipIf(process.platform !== 'linux')('a result that cannot be written whole is not exit code 0', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'config', 'schema'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect([status, stderr]).toEqual([1, 'mimecast-forwarder: standard output cannot be written (ENOSPC)\n']);
});

describe('signals', () => {
  it('SIGTERM: exit 0 within 10 s, also with an output that hangs; a restart goes on', {
    timeout: 40_000,
  }, async () => {
    mail(300);
    toSyslog();
    syslog.manner = 'never closes';
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(syslog.messages.length).toBeGreaterThan(0), DEADLINE);
    const asked = Date.now();
    expect((await daemon.stop()).code).toBe(0);
    expect(Date.now() - asked).toBeLessThan(10_000);

    syslog.manner = 'well';
    const again = forwarder.start();
    const expected = expectedIds(simulator);
    await vi.waitFor(() => expect(compare(expected, idsOf(syslog.messages)).missing).toBe(0), DEADLINE);
    await vi.waitFor(() => expect(again.url).toBeDefined(), DEADLINE);
    expect((await again.stop()).code).toBe(0);
  });

  it('a second signal forces: 130 for SIGINT, 143 for SIGTERM', async () => {
    mail(50);
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      toSyslog();
      syslog.manner = 'never closes';
      const daemon = forwarder.start();
      await vi.waitFor(() => expect(syslog.connections).toBeGreaterThan(0), DEADLINE);
      daemon.signal(signal);
      await vi.waitFor(() => expect(daemon.stderr).toContain('"stopping"'), DEADLINE);
      daemon.signal(signal);
      expect((await daemon.ended()).code).toBe(code);
      await syslog.stop();
      syslog = await SyslogReceiver.start();
    }
  });

  it('SIGHUP applies a new config, and keeps the old one when the new one is wrong', { timeout: 30_000 }, async () => {
    mail(20);
    toSyslog();
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(20), DEADLINE);

    const good = readFileSync(forwarder.configFile, 'utf8');
    writeFileSync(forwarder.configFile, good.replace('type: syslog', 'type: pigeon'));
    daemon.signal('SIGHUP');
    await vi.waitFor(() => expect(daemon.stderr).toContain('the new config is refused'), DEADLINE);
    mail(10);
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(30), DEADLINE);

    const second = await SyslogReceiver.start();
    try {
      toSyslog({
        outputs: [
          { name: 'tcp', type: 'syslog', host: '127.0.0.1', port: syslog.port, protocol: 'tcp' },
          { name: 'second', type: 'syslog', host: '127.0.0.1', port: second.port, protocol: 'tcp' },
        ],
      });
      daemon.signal('SIGHUP');
      await vi.waitFor(() => expect(second.messages).toHaveLength(30), DEADLINE);
      expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE);
      expect((await daemon.stop()).code).toBe(0);
    } finally {
      await second.stop();
    }
  });
});

describe('the store', () => {
  it('serves one daemon: the second exits 3 and names the first', async () => {
    toSyslog();
    const first = forwarder.start();
    await vi.waitFor(() => expect(first.url).toBeDefined(), DEADLINE);
    const second = await forwarder.start().ended();
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(`process ${first.process.pid}`);
    await first.kill9();
    // The kernel has let go of the lock.
    const third = forwarder.start();
    await vi.waitFor(() => expect(third.url).toBeDefined(), DEADLINE);
    expect((await third.stop()).code).toBe(0);
  });

  it('exits 3 on a store that is newer, foreign or damaged, and leaves it as it is', async () => {
    toSyslog();
    const db = new Database(forwarder.storeFile);
    db.exec('CREATE TABLE somebody_elses (x)');
    db.close();
    const before = readFileSync(forwarder.storeFile);
    const ended = await forwarder.start().ended();
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('another program');
    expect(readFileSync(forwarder.storeFile)).toEqual(before);
  });

  it('is private: mode 0600', async () => {
    mail(5);
    toSyslog();
    expect((await forwarder.start('--once').ended()).code).toBe(0);
    expect(statSync(forwarder.storeFile).mode & 0o777).toBe(0o600);
  });
});

describe('run --once', () => {
  it('polls, delivers and exits 0; again, it sends nothing twice', async () => {
    mail(120);
    toSyslog();
    expect((await forwarder.start('--once').ended()).code).toBe(0);
    expect((await forwarder.start('--once').ended()).code).toBe(0);
    expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE);
  });

  it('exits 1 when an output or the feed failed, and says which', { timeout: 40_000 }, async () => {
    mail(5);
    toSyslog();
    await syslog.stop();
    const noReceiver = await forwarder.start('--once').ended();
    expect(noReceiver.code).toBe(1);
    expect(noReceiver.stderr).toContain('output tcp fails');
    simulator.inject(...parseFaults('forbidden'));
    const noFeed = await forwarder.start('--once').ended();
    expect(noFeed.code).toBe(1);
    expect(noFeed.stderr).toContain('app_forbidden');
  });
});

describe('what an operator types', () => {
  it('exits 2 for a wrong command, a wrong option and a wrong config, and names every mistake', async () => {
    expect((await forwarder.command('fly')).code).toBe(2);
    expect((await forwarder.command('run', '--fast')).code).toBe(2);
    expect((await forwarder.command('run', '--config', 'nowhere.yaml')).code).toBe(2);
    toSyslog({ outputs: [{ name: 'tcp', type: 'syslog', host: 'x', port: 70_000, protocol: 'carrier' }] });
    const wrong = await forwarder.command('check', '--config', forwarder.configFile);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/forwarder\.yaml:\d+:\d+ outputs\[0\]\(tcp\)\.port/);
    expect(wrong.stderr).toMatch(/forwarder\.yaml:\d+:\d+ outputs\[0\]\(tcp\)\.protocol/);
  });

  it('check --online signs in, reads a page, connects, and says what accepted means', async () => {
    mail(7);
    toSyslog();
    const good = await forwarder.command('check', '--online', '--config', forwarder.configFile);
    expect(good.stderr).toBe('');
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/^ok {4}mimecast: signed in at /m);
    expect(good.stdout).toMatch(/^ok {4}feed attachment: may be read; 7 records/m);
    expect(good.stdout).toMatch(/^ok {4}output tcp \(tcp:\/\/\S+\): connected to .*; accepted = /m);
    expect(syslog.messages).toHaveLength(0);

    const tested = await forwarder.command('check', '--send-test', '--config', forwarder.configFile);
    expect(tested.code).toBe(0);
    expect(syslog.messages.join()).toContain('mimecast-forwarder test event');

    await syslog.stop();
    const bad = await forwarder.command('check', '--online', '--config', forwarder.configFile);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/^FAIL {2}output tcp \(tcp:\/\/\S+\): .*/m);
  });

  it('status tells a store that is served from one that is not', async () => {
    mail(9);
    toSyslog();
    const none = await forwarder.command('status', '--config', forwarder.configFile);
    expect(none.code).toBe(3);
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(9), DEADLINE);
    await vi.waitFor(async () => {
      const running = await forwarder.command('status', '--config', forwarder.configFile);
      expect(running.stdout).toContain('All is well');
      expect(running.code).toBe(0);
    }, DEADLINE);
    await daemon.stop();
    const stopped = await forwarder.command('status', '--config', forwarder.configFile);
    expect(stopped.stdout).toContain('The daemon is not running');
    const json = await forwarder.command('status', '--json', '--config', forwarder.configFile);
    expect(JSON.parse(json.stdout)).toMatchObject({
      running: false,
      feeds: [{ name: 'attachment' }],
      outputs: [{ backlog: 0 }],
    });
  });

  it('backfill beside the daemon ships what is new, once', async () => {
    const now = simulator.now();
    simulator.seed(40, { from: now - 20 * 3_600_000, to: now - 10 * 3_600_000 });
    toSyslog({ feed: { startFrom: '1h', overlap: '5m' } });
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(daemon.url).toBeDefined(), DEADLINE);
    const iso = (ms: number) => new Date(ms).toISOString();
    const args = ['backfill', '--from', iso(now - 24 * 3_600_000), '--to', iso(now), '--config', forwarder.configFile];
    const first = await forwarder.command(...args, '--json');
    expect(JSON.parse(first.stdout)).toMatchObject([{ new: 40, known: 0 }]);
    expect(JSON.parse((await forwarder.command(...args, '--json')).stdout)).toMatchObject([{ new: 0, known: 40 }]);
    await vi.waitFor(
      () => expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE),
      DEADLINE,
    );
    await daemon.stop();
  });

  it('a variant is kept, listed, and shipped on demand under its old id', async () => {
    mail(3);
    toSyslog();
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(3), DEADLINE);
    const now = simulator.now();
    const [original] = [...simulator.visibleRecords()].slice(-1);
    const date = new Date(now - 10_000).toISOString().replace(/\.\d+Z$/, '+0000');
    simulator.add({ ...original, date }, { ...original, date, actionTriggered: 'user release, none' });
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(4), DEADLINE);
    const listed = await forwarder.command('variants', 'list', '--json', '--config', forwarder.configFile);
    const [variant] = JSON.parse(listed.stdout) as [{ id: number; eventId: string }];
    const shipped = await forwarder.command('variants', 'ship', String(variant.id), '--config', forwarder.configFile);
    expect(shipped.code).toBe(0);
    await vi.waitFor(() => expect(syslog.messages).toHaveLength(5), DEADLINE);
    expect(idsOf(syslog.messages).filter((id) => id === variant.eventId)).toHaveLength(2);
    await daemon.stop();
  });

  it('a record that cannot be read is kept, counted and listed, and stops nothing', async () => {
    mail(30);
    simulator.inject(...parseFaults('malformed-record:first=1'));
    toSyslog();
    const daemon = forwarder.start();
    await vi.waitFor(
      () => expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE),
      DEADLINE,
    );
    const listed = await forwarder.command('rejects', 'list', '--config', forwarder.configFile);
    expect(listed.stdout).toMatch(/^m1 .* could not be read/m);
    const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
    expect(metrics).toContain('mimecast_forwarder_records_total{feed="attachment",outcome="malformed"} 1');
    await daemon.stop();
  });

  it('the demo shows it all, leaves nothing behind and exits 0', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await forwarder.command('demo');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^CEF:0\|Mimecast\|/m);
    expect(stdout).toMatch(/^\{"eventId":"/m);
    expect(stderr).toContain('nothing lost, nothing doubled');
    expect(stderr).toContain('rate_limited');
  });
});

it('an unreadable secret file is told with its path and not its content', async () => {
  toSyslog();
  const secretFile = `${forwarder.folder}/secret`;
  writeFileSync(secretFile, '');
  chmodSync(secretFile, 0o600);
  const config = readFileSync(forwarder.configFile, 'utf8').replace(
    /clientSecret: .*/,
    `clientSecretFile: ${secretFile}`,
  );
  writeFileSync(forwarder.configFile, config);
  const ended = await forwarder.start().ended();
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain(secretFile);
});
