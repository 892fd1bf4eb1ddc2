import { stripVTControlCharacters } from 'node:util';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { runProgram } from '../../src/commands/program.ts';
import { SNAPSHOT_NOTE } from '../../src/daemon/snapshot.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import type { Snapshot } from '../../src/status/snapshot.ts';
import { Store } from '../../src/store/store.ts';
import { writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { feed, output, snapshot, trouble } from '../status/snapshots.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';
import { testShell, type } from './shell.ts';

/** `status` on a store beside which a daemon runs: this process holds the lock, and writes the notes. */

const STARTED = Date.now() - 5000;

let config: string;
let store: Store;

beforeEach(() => {
  const folder = temporaryFolder();
  const credentials = { clientId: 'id', clientSecret: 'hush-hush-secret' } as Simulator['credentials'];
  config = writeConfig(folder, { url: 'http://127.0.0.1:9', credentials });
  store = Store.open(`${folder}/forwarder.db`);
  store.lock({ pid: 1, host: 'test-host', startedAt: Date.now() });
  return () => store.close();
});

function note(changes: Partial<Snapshot> = {}): void {
  const now = Date.now();
  const feeds = [feed({ checkpoint: now, lastPollAt: now, lastSuccessAt: now, begunAt: now - 1000 })];
  store.writeNote(SNAPSHOT_NOTE, snapshot({ now, asOf: now, startedAt: STARTED, feeds, ...changes }), now);
}

const failing = (): Partial<Snapshot> => ({
  outputs: [output({ trouble: trouble({ since: Date.now(), at: Date.now(), message: 'splunk:8088 refuses' }) })],
});

/** Types `status --watch` and lets it run until `stop`. */
function watch({ isTTY, keys = [] }: { isTTY: boolean; keys?: ((key: string) => void)[] }, ...args: string[]) {
  const { shell, stop } = testShell();
  const stdout = Object.assign(new MemoryStream({ isTTY }), { columns: 80, rows: 24 });
  const onKey = (listener: (key: string) => void): (() => void) => {
    keys.push(listener);
    return () => void keys.splice(0);
  };
  const argv = ['status', '--watch', ...args, '--config', config];
  const ended = runProgram({ ...shell, stdout, onKey, env: { LANG: 'C.UTF-8' } }, argv);
  return { stdout, stop, ended };
}

describe('status', () => {
  it('draws the last 24 hours, or the last week', async () => {
    note();
    const day = await type(['status', '--config', config]);
    expect(day.stdout).toMatch(/^OUTPUTS {7}WAITING {5}LAG {9}RATE {14}\d\d:00 {6}\d\d:00 {5}now$/m);
    const week = await type(['status', '--span', '7d', '--config', config]);
    expect(week.stdout).toMatch(/RATE {14}\d{1,2} \w{3} +\d{1,2} \w{3} +now$/m);
    const wrong = await type(['status', '--span', '9d', '--config', config]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('24h, 7d') });
  });

  it('--json is what /api/status answers', async () => {
    note();
    const { stdout } = await type(['status', '--json', '--config', config]);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'ok', running: true, feeds: [{ mark: 'ok' }] });
    expect(JSON.parse(stdout)).not.toHaveProperty('report');
  });
});

describe('status --watch', () => {
  it('on a pipe prints how things stand, then a line for each change, and nothing that a terminal obeys', async () => {
    note();
    const { stdout, stop, ended } = watch({ isTTY: false });
    await vi.waitFor(() => expect(stdout.lines).toHaveLength(1), 5000);
    note(failing());
    await vi.waitFor(() => expect(stdout.lines).toHaveLength(2), 5000);
    stop.abort();
    expect(await ended).toBe(0);
    expect(stdout.lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z All is well\./);
    expect(stdout.lines[1]).toMatch(/Z splunk takes no events: splunk:8088 refuses$/);
    expect(stripVTControlCharacters(stdout.text)).toBe(stdout.text);
  });

  it('--json prints an object a line', async () => {
    note();
    const { stdout, stop, ended } = watch({ isTTY: true }, '--json');
    await vi.waitFor(() => expect(stdout.lines).toHaveLength(1), 5000);
    stop.abort();
    await ended;
    expect(stdout.entries).toMatchObject([{ verdict: 'ok', change: null }]);
  });

  it('on a terminal draws in place, until q, and leaves the last picture behind', async () => {
    note();
    const keys: ((key: string) => void)[] = [];
    const { stdout, ended } = watch({ isTTY: true, keys });
    await vi.waitFor(() => expect(stdout.text).toContain('q quits'), 5000);
    keys[0]?.('x');
    keys[0]?.('q');
    expect(await ended).toBe(0);
    expect(keys, 'the keys are given back').toEqual([]);
    expect(stdout.text.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
    const [, last = ''] = stdout.text.split('\u001b[?25h\u001b[?1049l');
    expect(stripVTControlCharacters(last)).toMatch(/^status --watch, every 2 s, q quits[\s\S]*All is well\.[\s\S]*\n$/);
  });

  it('never draws more lines than the screen has', async () => {
    const outputs = Array.from({ length: 40 }, (_, index) => output({ name: `o${index}` }));
    note({ outputs });
    const { stdout, stop, ended } = watch({ isTTY: true });
    await vi.waitFor(() => expect(stdout.text).toContain('q quits'), 5000);
    const drawn = stdout.text.split('\u001b[J')[0] ?? '';
    expect(drawn.split('\r\n')).toHaveLength(24);
    expect(stripVTControlCharacters(drawn)).toMatch(/and \d+ more lines: make the terminal higher$/);
    stop.abort();
    await ended;
  });

  it('waits for a daemon that has not run yet, and exits 1 when the last word was bad', async () => {
    const { stdout, stop, ended } = watch({ isTTY: false });
    const old = Date.now() - 3_600_000;
    const message = 'token disabled';
    note({ outputs: [output({ trouble: trouble({ since: old, at: old, retryable: false, message }) })] });
    await vi.waitFor(() => expect(stdout.text).toContain('Output splunk has been failing since'), 5000);
    stop.abort();
    expect(await ended).toBe(1);
  });
});
