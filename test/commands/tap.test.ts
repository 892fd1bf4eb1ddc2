import { join } from 'node:path';
import { Writable } from 'node:stream';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { runProgram } from '../../src/commands/program.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { cells } from '../../src/status/text.ts';
import type { Store } from '../../src/store/store.ts';
import { writeConfig } from '../daemon/running.ts';
import { addEvents, numbers, openStore, START, temporaryFolder } from '../deliver/delivering.ts';
import { testShell, type } from './shell.ts';

/** `tap` beside a store that is open elsewhere, as a daemon has it. */

const SOON = { timeout: 10_000, interval: 5 };
const COLUMNS = 80;

let config: string;
let path: string;
let store: Store;

beforeEach(() => {
  const folder = temporaryFolder();
  path = join(folder, 'forwarder.db');
  const credentials = { clientId: 'id', clientSecret: 'secret' } as Simulator['credentials'];
  config = writeConfig(folder, { url: 'http://127.0.0.1:9', credentials });
  store = openStore(path);
});

function tap(args: readonly string[], more: Parameters<typeof type>[1] = {}) {
  return type(['tap', ...args, '--config', config], more);
}

/** A `tap` that goes on; it is told to end with the test at the latest. */
function tapping(args: readonly string[], more: Parameters<typeof testShell>[0] = {}) {
  const parts = testShell(more);
  onTestFinished(() => parts.stop.abort());
  return { ...parts, ended: runProgram(parts.shell, ['tap', ...args, '--config', config]) };
}

/** The numbers that `addEvents` gave to what was shown. */
function shownNumbers(text: string): number[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(/(\d+)$/.exec(line)?.[1]));
}

function withConnection<T>(work: (db: Database.Database) => T): T {
  const db = new Database(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

describe('what is shown', () => {
  it('is what is stored from now on, until --count, with exit code 0', async () => {
    addEvents(store, 3);
    const { ended, stdout, stderr } = tapping(['--count', '5']);
    await vi.waitFor(() => expect(stderr.text).toContain('No daemon serves this store'), SOON);
    addEvents(store, 4, 4);
    await vi.waitFor(() => expect(shownNumbers(stdout.text)).toEqual(numbers(4, 4)), SOON);
    addEvents(store, 4, 8);
    expect(await ended).toBe(0);
    expect(shownNumbers(stdout.text)).toEqual(numbers(5, 4));
  });

  it('is all of it, in order, at 1,000 records a second', async () => {
    store.lock({ pid: 1, host: 'here', startedAt: 0 });
    const { ended, stdout, stderr } = tapping(['--count', '2000', '--from', '2026-11-23']);
    addEvents(store, 1);
    for (let first = 2; first <= 2000; first += 100) {
      addEvents(store, 100, first);
      await vi.waitFor(() => undefined);
    }
    expect(await ended).toBe(0);
    expect(shownNumbers(stdout.text)).toEqual(numbers(2000));
    expect(stderr.text).toBe('');
  });

  it('is the last ones that pass the filter, oldest first, with --last', async () => {
    addEvents(store, 700, 1, { result: 'malicious' });
    addEvents(store, 900, 701, { result: 'safe' });
    const { code, stdout } = await tap(['--last', '3', '--no-follow', '--filter', 'result=malicious,unsafe']);
    expect(code).toBe(0);
    expect(shownNumbers(stdout)).toEqual([698, 699, 700]);
  });

  it('is what has that time of its own or a later one, with --from', async () => {
    addEvents(store, 10);
    addEvents(store, 2, 20);
    const from = new Date(START + 8000).toISOString();
    expect(shownNumbers((await tap(['--from', from, '--no-follow'])).stdout)).toEqual([8, 9, 10, 20, 21]);
    expect((await tap(['--from', '2027-01-01', '--no-follow'])).stdout).toBe('');
  });

  it('is what passes every filter', async () => {
    addEvents(store, 2, 1, { result: 'malicious', route: 'inbound' });
    addEvents(store, 2, 3, { result: 'malicious', route: 'outbound' });
    addEvents(store, 2, 5, { result: 'unsafe', route: 'inbound' });
    const filters = ['--filter', 'result=malicious,unsafe', '--filter', 'route=inbound'];
    const { stdout, stderr } = await tap(['--last', '9', '--no-follow', ...filters]);
    expect(shownNumbers(stdout)).toEqual([1, 2, 5, 6]);
    expect(stderr).toBe('');
  });

  it('is in the words of a format, as an output would send it', async () => {
    addEvents(store, 1, 1, { result: 'malicious' });
    const cef = await tap(['--last', '1', '--no-follow', '--format', 'cef']);
    expect(cef.stdout).toMatch(/^CEF:0\|.*externalId=[0-9a-f]{32}/);
    const leef = await tap(['--last', '1', '--no-follow', '--format', 'leef', '--option', 'version=2.0']);
    expect(leef.stdout).toMatch(/^LEEF:2\.0\|/);
  });

  it('is an object a line with --json, harmless to a terminal', async () => {
    addEvents(store, 2, 1, { result: 'malicious', senderAddress: 'a\u202eb\u001b[31m@x.example' });
    const { stdout } = await tap(['--last', '2', '--no-follow', '--json']);
    const lines = stdout.split('\n').slice(0, -1);
    expect(stdout).not.toMatch(/[\u001b\u202e]/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      seq: 1,
      eventId: expect.stringMatching(/^[0-9a-f]{32}$/),
      feed: 'mail',
      time: '2026-11-23T12:00:01Z',
      result: 'malicious',
      route: '-',
      from: 'a\u202eb\u001b[31m@x.example',
      to: 'private-1@example.net',
      file: '1',
    });
    expect(lines).toHaveLength(2);
  });
});

describe('a line', () => {
  const hostile = {
    result: 'malicious\nsafe',
    route: 'inbound',
    senderAddress: `${'long-'.repeat(20)}\u202eend@bad.example`,
    recipientAddress: 'alice@corp.example',
    fileName: 'a\u001b]0;title\u0007\u200bb \u65e5\u672c\u8a9e.docm',
    date: new Date(START).toISOString(),
  };
  const args = ['--last', '1', '--no-follow'];

  beforeEach(() => {
    addEvents(store, 1, 1, hostile);
  });

  it.each([
    ['UTF-8', { LANG: 'C.UTF-8' }, / → .*…/],
    ['ASCII', { LANG: 'C' }, / -> .*\.\.\./],
  ])('fits 80 columns of a terminal that speaks %s, and shows nothing that it obeys', async (_, env, expected) => {
    const { stdout } = await tap(args, { isTTY: true, env: { ...env, NO_COLOR: '1' } });
    expect(stdout.endsWith('\n')).toBe(true);
    const line = stdout.slice(0, -1);
    expect(cells(line)).toBeLessThanOrEqual(COLUMNS);
    expect(line).toMatch(expected);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    if (env.LANG === 'C') expect(line).toMatch(/^[\x20-\x7e]*$/);
  });

  it('is coloured by severity, and not with NO_COLOR or --no-color', async () => {
    addEvents(store, 1, 2, { result: 'malicious' });
    const colored = await tap(args, { isTTY: true });
    expect(colored.stdout).toMatch(/\u001b\[31mmalicious\u001b\[0m/);
    expect((await tap(args, { isTTY: true, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b');
    expect((await tap([...args, '--no-color'], { isTTY: true })).stdout).not.toContain('\u001b');
  });

  it('is whole in a pipe', async () => {
    const { stdout } = await tap(args);
    expect(stdout).toContain(`${'long-'.repeat(20)}U+202Eend@bad.example → alice@corp.example`);
    expect(stdout).toContain('aU+001B]0;titleU+0007U+200Bb 日本語.docm');
    expect(stdout.split('\n')).toHaveLength(2);
  });

  it('tells neither who nor what with --mask', async () => {
    const { stdout } = await tap([...args, '--mask']);
    expect(stdout).toMatch(/ l•••@bad\.example → a•••@corp\.example {2}\.docm$/m);
    const json = JSON.parse((await tap([...args, '--mask', '--json'])).stdout);
    expect(json).toMatchObject({ from: 'l•••@bad.example', to: 'a•••@corp.example', file: '.docm' });
    expect(stdout + JSON.stringify(json)).not.toMatch(/long|alice|title/);
    addEvents(store, 1, 2, {
      fileName: 'report for Alice',
      fileType: 'application/pdf',
      senderAddress: '@odd.example',
    });
    expect((await tap([...args, '--mask'])).stdout).toMatch(/ •••@odd\.example → .* {2}application\/pdf$/m);
  });

  it('of a format shows nothing on a terminal that it obeys, either', async () => {
    addEvents(store, 1, 2, { subject: 'a\u202eb\u009b31m' });
    const screen = await tap([...args, '--format', 'json'], { isTTY: true });
    expect(screen.stdout).not.toMatch(/[\u202e\u009b]/);
    expect((await tap([...args, '--format', 'json'])).stdout).toMatch(/\u202e/);
  });
});

describe('a mistake', () => {
  it.each([
    [['--filter', 'result'], 'result: is no FIELD=VALUE'],
    [['--filter', 'result='], 'result: is an empty list, expected at least 1 in the list'],
    [['--count', '0'], '--count 0 is not a whole number'],
    [['--last', 'x'], '--last x is not a whole number'],
    [['--last', '5', '--from', '2026-11-23'], 'cannot be used with'],
    [['--from', 'noon'], 'is not a time'],
    [['--format', 'poem'], 'Allowed choices'],
    [['--format', 'cef', '--mask'], 'cannot be used with'],
    [['--option', 'version=2.0'], '--option is for a --format'],
    [['--format', 'leef', '--option', 'verson=2.0'], 'did you mean version?'],
  ])('as in %j is told, with exit code 2', async (args, reason) => {
    const { code, stdout, stderr } = await tap(args);
    expect(stderr).toContain(reason);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('in the name of a field is doubted: nothing would ever pass', async () => {
    const { code, stderr } = await tap(['--no-follow', '--filter', 'resutl=malicious']);
    expect(code).toBe(0);
    expect(stderr).toContain('did you mean result?');
  });

  it('in store.path is told, and makes no store; so is a store of a newer version', async () => {
    withConnection((db) => db.pragma('user_version = 999'));
    expect(await tap(['--no-follow'])).toMatchObject({ code: 3, stderr: expect.stringContaining('newer version') });
    const folder = temporaryFolder();
    const credentials = { clientId: 'id', clientSecret: 'secret' } as Simulator['credentials'];
    const empty = writeConfig(folder, { url: 'http://127.0.0.1:9', credentials });
    const { code, stderr } = await type(['tap', '--config', empty]);
    expect(code).toBe(3);
    expect(stderr).toContain('there is no store at');
    expect(() => withConnection(() => new Database(join(folder, 'forwarder.db'), { fileMustExist: true }))).toThrow();
  });
});

describe('the end', () => {
  it('is quiet on Ctrl-C', async () => {
    store.lock({ pid: 1, host: 'here', startedAt: 0 });
    const { ended, stderr, stop, stdout } = tapping(['--last', '1']);
    addEvents(store, 1);
    await vi.waitFor(() => expect(stdout.text).not.toBe(''), SOON);
    stop.abort(new DOMException('SIGINT', 'AbortError'));
    expect(await ended).toBe(0);
    expect(stderr.text).toBe('');
  });

  it('is quiet when the reader has gone away', async () => {
    store.lock({ pid: 1, host: 'here', startedAt: 0 });
    addEvents(store, 1);
    const { shell, stderr } = testShell();
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    expect(await runProgram({ ...shell, stdout }, ['tap', '--last', '1', '--config', config])).toBe(0);
    expect(stderr.text).toBe('');
  });

  it('is told when standard output fails otherwise, as on a full disk', async () => {
    addEvents(store, 1);
    const { shell, stderr } = testShell();
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space left'), { code: 'ENOSPC' })),
    });
    expect(await runProgram({ ...shell, stdout }, ['tap', '--last', '1', '--config', config])).toBe(1);
    expect(stderr.text).toContain('standard output cannot be written: no space left');
  });
});

describe('whoever else works on the store', () => {
  it('is not held up by a tap whose reader has stopped reading', async () => {
    addEvents(store, 1000);
    const { shell, stop } = testShell();
    let pending: (() => void) | undefined;
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        pending = done;
      },
    });
    const ended = runProgram({ ...shell, stdout }, ['tap', '--from', '2026-11-23', '--config', config]);
    await vi.waitFor(() => expect(pending).toBeDefined(), SOON);

    // The write-ahead log is emptied, and retention lets go of what tap has yet to show.
    addEvents(store, 10, 1001);
    withConnection((db) => {
      db.pragma('busy_timeout = 0');
      expect(db.pragma('wal_checkpoint(TRUNCATE)')).toEqual([expect.objectContaining({ busy: 0 })]);
    });
    store.settle('siem', 1010, [], START);
    expect(store.prune({ now: START + 1, storedBefore: START + 1 }).events).toBeGreaterThan(0);
    expect([...store.cursors.all().keys()]).toEqual(['siem']);
    stop.abort();
    pending?.();
    expect(await ended).toBe(0);
  });

  it('finds the file as it was', async () => {
    addEvents(store, 5);
    const versionOf = () =>
      withConnection((db) => [db.pragma('user_version'), db.prepare('SELECT * FROM cursor').all()]);
    const before = versionOf();
    store.close();
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    try {
      expect(shownNumbers((await tap(['--last', '5', '--no-follow'])).stdout)).toEqual(numbers(5));
      expect(pragma.mock.contexts.length).toBeGreaterThan(0);
      for (const connection of pragma.mock.contexts) expect(connection).toMatchObject({ readonly: true });
    } finally {
      pragma.mockRestore();
    }
    expect(versionOf()).toEqual(before);
  });
});
