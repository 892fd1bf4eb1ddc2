import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { commands } from '../../src/commands/index.ts';
import { runProgram } from '../../src/commands/program.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { MINUTE, startSimulator } from '../collect/reading.ts';
import { writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { testShell, type } from './shell.ts';

const SOON = { timeout: 10_000, interval: 5 };
const VERBS = Object.keys(commands);

describe('the help', () => {
  it.each(VERBS)('of %s says what it does, shows an example, and fits 100 columns', async (verb) => {
    const { code, stdout, stderr } = await type([verb, '--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`^Usage: mimecast-forwarder ${verb} `));
    expect(stdout).toMatch(new RegExp(`^Examples?:\\n  mimecast-forwarder ${verb}`, 'm'));
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  it('lists every verb, with what to do first', async () => {
    const { code, stdout } = await type(['--help']);
    expect(code).toBe(0);
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    expect(stdout).toContain('mimecast-forwarder demo');
    expect(stdout).toContain('Not affiliated with Mimecast');
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  it('is what nothing at all gets, as a mistake', async () => {
    const { code, stdout } = await type([]);
    expect(code).toBe(2);
    expect(stdout).toContain('Usage:');
  });

  it('is not the version', async () => {
    expect(await type(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });
});

describe('the exit code', () => {
  it.each([
    ['an unknown verb', ['fly']],
    ['an unknown option', ['check', '--fast']],
    ['an argument too many', ['status', 'now']],
    ['a missing argument', ['outputs']],
    ['a choice that there is not', ['format', '--as', 'poem']],
    ['a config that is not there', ['check', '--config', 'nowhere.yaml']],
    ['no config anywhere', ['check']],
  ])('is 2 for %s', async (_, args) => {
    const { code, stdout, stderr } = await type(args, { cwd: temporaryFolder() });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('    at ');
  });

  describe('with a config', () => {
    let folder: string;
    let config: string;

    beforeEach(() => {
      folder = temporaryFolder();
      const credentials = { clientId: 'id', clientSecret: 'hush-hush-secret' } as Simulator['credentials'];
      config = writeConfig(folder, { url: 'http://127.0.0.1:9', credentials });
    });

    it('is 0 when it is good, and its secret is shown nowhere', async () => {
      expect(await type(['check', '--config', config])).toMatchObject({ code: 0, stderr: '' });
      const printed = await type(['config', 'print', '--config', config]);
      expect(printed.code).toBe(0);
      expect(printed.stdout).not.toContain('hush-hush');
    });

    it('is 3 without a store, with one that is no store, and with one that is in use', async () => {
      const none = await type(['status', '--config', config]);
      expect(none).toMatchObject({ code: 3, stdout: '' });
      expect(none.stderr).toContain('there is no store at');

      const store = Store.open(join(folder, 'forwarder.db'));
      store.lock({ pid: 123, host: 'elsewhere', startedAt: 0 });
      const used = await type(['run', '--once', '--config', config]);
      expect(used.code).toBe(3);
      expect(used.stderr).toContain('process 123 on elsewhere');
      store.close();
    });

    it('is 1 when Mimecast does not answer', async () => {
      const { code, stdout } = await type(['check', '--online', '--config', config]);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^FAIL {2}mimecast: /m);
      expect(stdout).not.toContain('hush-hush');
    });

    it.each([
      [['backfill', '--from', '2026-11-22', '--to', '2026-11-21'], '--from must be before --to'],
      [['backfill', '--from', 'yesterday', '--to', '2026-11-21'], 'is not a time'],
      [['backfill', '--from', '2026-11-20', '--to', '2026-11-21', '--feed', 'x'], 'there is no feed x'],
      [['backfill', '--from', '2026-11-20'], '--to'],
    ])('is 2 for %j', async (args, reason) => {
      const { code, stderr } = await type([...args, '--config', config]);
      expect(code).toBe(2);
      expect(stderr).toContain(reason);
    });
  });
});

describe('run', () => {
  let simulator: Simulator;
  let folder: string;
  let config: string;

  beforeEach(async () => {
    simulator = await startSimulator();
    const now = simulator.now();
    simulator.seed(5, { from: now - 30 * MINUTE, to: now - MINUTE });
    folder = temporaryFolder();
    config = writeConfig(folder, simulator);
  });

  it('--once that is stopped before it begins asks nothing and exits 0', async () => {
    const { shell, stop } = testShell();
    stop.abort();
    expect(await runProgram(shell, ['run', '--once', '--config', config])).toBe(0);
    expect(simulator.stats.requests).toBe(0);
    expect(Store.isServed(join(folder, 'forwarder.db'))).toBe(false);
  });

  it('keeps the old config when the new one is good but cannot be applied, and says why', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { shell, stderr, stop, hangUp } = testShell();
    const ended = runProgram(shell, ['run', '--config', config]);
    try {
      const started = () => stderr.entries.filter(({ msg }) => msg === 'started').length;
      await vi.waitFor(() => expect(started()).toBe(1), SOON);
      writeConfig(folder, simulator, { http: { listen: `127.0.0.1:${port}` } });
      hangUp();
      const refused = () => stderr.entries.find(({ msg }) => String(msg).includes('the old one stays in force'));
      await vi.waitFor(() => expect(JSON.stringify(refused())).toContain(String(port)), SOON);
      expect(refused()).toMatchObject({ level: 'error' });
      expect(Store.isServed(join(folder, 'forwarder.db'))).toBe(true);

      // Mended, it is applied; its log level too.
      const path = join(folder, 'second.ndjson');
      writeConfig(folder, simulator, {
        outputs: [{ name: 'second', type: 'file', path, startFrom: 'beginning' }],
        log: { level: 'error', format: 'json' },
      });
      hangUp();
      await vi.waitFor(() => expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(6), SOON);
    } finally {
      stop.abort();
      expect(await ended).toBe(0);
      await new Promise((resolve) => taken.close(resolve));
    }
    expect(stderr.text).not.toContain('"stopped"');
  });

  it('ends with the error when the first config cannot be applied', async () => {
    const store = Store.open(join(folder, 'forwarder.db'));
    store.lock({ pid: 123, host: 'elsewhere', startedAt: 0 });
    expect((await type(['run', '--config', config])).code).toBe(3);
    store.close();
  });
});
