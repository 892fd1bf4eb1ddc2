import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { runProgram } from '../../src/commands/program.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { MINUTE, startSimulator } from '../collect/reading.ts';
import { writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { testShell, type } from './shell.ts';

/** `replay`, typed beside a daemon and without one; Mimecast is the simulator, the SIEMs are files. */

const SOON = { timeout: 10_000, interval: 20 };
const COUNT = 30;

let simulator: Simulator;
let folder: string;
let config: string;
let begin: number;

beforeEach(async () => {
  simulator = await startSimulator();
  folder = temporaryFolder();
  config = configure({ outputs: [file('disk'), file('other')] });
  begin = Math.floor(simulator.now() / MINUTE) * MINUTE - 60 * MINUTE;
  simulator.seed(COUNT, { from: begin, to: begin + 30 * MINUTE });
});

afterEach(async () => {
  await simulator.stop();
});

function configure(more: object): string {
  return writeConfig(folder, simulator, more);
}

function file(name: string, more: object = {}): object {
  return { name, type: 'file', path: join(folder, `${name}.ndjson`), startFrom: 'beginning', ...more };
}

/** The event ids that an output has, in order. */
function idsAt(name: string): string[] {
  const lines = readFileSync(join(folder, `${name}.ndjson`), 'utf8')
    .split('\n')
    .slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { eventId: string }).eventId);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function command(...args: readonly string[]) {
  return type([...args, '--config', config]);
}

function replayArgs(more: readonly string[] = [], output = 'disk', from = begin, to = begin + 60 * MINUTE): string[] {
  return ['replay', '--output', output, '--from', iso(from), '--to', iso(to), ...more, '--config', config];
}

/** A daemon in this process, until the test ends or `stop` is called. */
function startDaemon(): { stop: () => Promise<void>; log: () => string } {
  const { shell, stop, stderr } = testShell();
  const ended = runProgram(shell, ['run', '--config', config]);
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  onTestFinished(end);
  return { stop: end, log: () => stderr.text };
}

function inStore<T>(work: (store: Store) => T): T {
  const store = Store.open(join(folder, 'forwarder.db'));
  try {
    return work(store);
  } finally {
    store.close();
  }
}

describe('replay without a daemon', () => {
  beforeEach(async () => {
    expect((await command('run', '--once')).code).toBe(0);
  });

  it('sends the events of the span again itself, to that output only', async () => {
    const first = idsAt('disk');
    const { code, stdout, stderr } = await type(replayArgs());
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Replay 1 to disk is done: 30 delivered.\n' });
    expect(stderr).toContain('a second time, under the same event ids');
    expect(idsAt('disk').slice(COUNT).toSorted()).toEqual(first.toSorted());
    expect(idsAt('other')).toHaveLength(COUNT);
    // The lock is free again, and nothing is left to do.
    expect((await command('run', '--once')).code).toBe(0);
    expect(idsAt('disk')).toHaveLength(2 * COUNT);
  });

  it('only says with --dry-run what would be sent', async () => {
    const to = begin + 10 * MINUTE;
    const times = [...simulator.visibleRecords()].map(({ date }) => Date.parse(String(date).replace('+0000', 'Z')));
    const inSpan = times.filter((time) => time >= begin && time < to).toSorted();
    const said = await type(replayArgs(['--dry-run'], 'disk', begin, to));
    const ends = [inSpan[0], inSpan.at(-1)].map((time) => iso(time ?? 0).replace('.000Z', 'Z'));
    expect(said.stdout).toBe(
      `${inSpan.length} events would be sent to disk again, from ${ends[0]} to ${ends[1]}.\n` +
        'The receiver gets these events a second time, under the same event ids.\n',
    );
    const { stdout } = await type(replayArgs(['--dry-run', '--json'], 'disk', begin, to));
    expect(JSON.parse(stdout)).toMatchObject({ events: inSpan.length, first: ends[0], noLongerStored: 0, waiting: 0 });
    expect(idsAt('disk')).toHaveLength(COUNT);
    inStore((store) => expect(store.replays.list()).toEqual([]));
  });

  it('counts with --dry-run what passes the filter of the output', async () => {
    const routes = [...simulator.visibleRecords()].map(({ route }) => String(route));
    const [route] = routes;
    const passing = routes.filter((other) => other === route).length;
    expect(passing).toBeLessThan(COUNT);
    config = configure({ outputs: [file('disk', { filter: { route: [route] }, batch: { maxEvents: 7 } })] });
    const { stdout } = await type(replayArgs(['--dry-run']));
    expect(stdout).toContain(`${passing} events would be sent to disk again`);
    expect(stdout).toContain(`${COUNT - passing} more would be filtered`);
    const sent = await type(replayArgs(['--json']));
    expect(JSON.parse(sent.stdout)).toMatchObject({
      id: 1,
      delivered: passing,
      filtered: COUNT - passing,
      cancelled: false,
    });
    expect(idsAt('disk')).toHaveLength(COUNT + passing);
  });

  it('tells of events that are no longer stored; read into an empty store they are replayed all the same', async () => {
    inStore((store) => {
      expect(store.prune({ now: Date.now(), storedBefore: Date.now() + MINUTE }).events).toBe(COUNT);
    });
    const gone = await type(replayArgs());
    expect(gone).toMatchObject({ code: 0, stdout: 'Nothing of that span is there to be sent to disk again.\n' });
    expect(gone.stderr).toContain('30 events of that span are no longer stored');
    const span = ['--from', iso(begin), '--to', iso(begin + 60 * MINUTE)];
    expect((await command('backfill', ...span)).stdout).toContain('0 new, 30 known');

    // As docs/operations.md says.
    config = configure({
      store: { path: join(folder, 'scratch.db'), minFreeDisk: '1MiB' },
      outputs: [file('disk', { startFrom: 'now' })],
    });
    expect((await command('backfill', ...span)).stdout).toContain('30 new');
    expect((await type(replayArgs(['--dry-run']))).stdout).toContain('30 events would be sent');
    expect((await type(replayArgs())).stdout).toBe('Replay 1 to disk is done: 30 delivered.\n');
    expect(idsAt('disk').slice(COUNT).toSorted()).toEqual(idsAt('disk').slice(0, COUNT).toSorted());
  });

  it('leaves events that wait for their first delivery to it', async () => {
    inStore((store) => store.cursors.forget('disk'));
    inStore((store) => store.startOutput('disk', 'beginning'));
    const { stdout, stderr } = await type(replayArgs());
    expect(stdout).toContain('Nothing of that span');
    expect(stderr).toContain('30 events of that span wait for the first delivery');
  });

  it('stands after Ctrl-C, and the next run goes on with it', async () => {
    config = configure({
      outputs: [
        {
          name: 'disk',
          type: 'webhook',
          url: 'http://127.0.0.1:9/',
          retry: { initialDelay: '10ms', maxDelay: '20ms' },
        },
        file('other'),
      ],
    });
    const { shell, stop, stderr } = testShell();
    const ended = runProgram(shell, replayArgs());
    await vi.waitFor(() => inStore((store) => expect(store.replays.get(1)?.failure).toContain('127.0.0.1:9')), SOON);
    stop.abort(new DOMException('SIGINT', 'AbortError'));
    expect(await ended).toBe(130);
    expect(stderr.text).toContain(
      'Replay 1 stands at 0 of 30. The next `run` goes on with it; `replay cancel 1` ends it.',
    );
    config = configure({ outputs: [file('disk'), file('other')] });
    expect((await command('run', '--once')).code).toBe(0);
    expect(idsAt('disk')).toHaveLength(2 * COUNT);
    expect((await command('replay', 'list')).stdout).toMatch(/^1 {2}output disk {2}.* is done: 30 delivered of 30\n$/);
  });

  it('of an output that is forgotten is cancelled', async () => {
    const span = { from: begin, to: begin + 60 * MINUTE };
    inStore((store) => store.replays.ask({ output: 'other', span, underWay: 0 }, Date.now()));
    config = configure({ outputs: [file('disk')] });
    expect((await command('outputs', 'forget', 'other')).code).toBe(0);
    inStore((store) => expect(store.replays.get(1)).toMatchObject({ cancelled: true }));
  });
});

describe('replay, mistyped', () => {
  beforeEach(() => inStore(() => undefined));

  it.each([
    [[], '--output is missing'],
    [['--output', 'nobody'], 'there is no output nobody'],
    [['--output', 'disk'], '--from is missing'],
    [['--output', 'disk', '--from', '2026-11-23', '--to', 'noon'], '--to noon is not a time'],
    [['--output', 'disk', '--from', '2026-11-23', '--to', '2026-11-22'], '--from must be before --to'],
    [['again'], 'replay again is unknown'],
    [['cancel'], 'replay cancel needs a number'],
    [['cancel', 'one'], 'one is not the number of a replay'],
  ])('%j is a mistake of usage', async (args, reason) => {
    const { code, stdout, stderr } = await command('replay', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(reason);
  });
});

describe('replay beside the daemon', () => {
  it('is done by the daemon, and shown until it is done; the other output feels nothing', async () => {
    const daemon = startDaemon();
    await vi.waitFor(() => expect([idsAt('disk'), idsAt('other')].flat()).toHaveLength(2 * COUNT), SOON);
    const { code, stdout } = await type(replayArgs());
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Replay 1 to disk is done: 30 delivered.\n' });
    expect(idsAt('disk')).toHaveLength(2 * COUNT);
    expect(new Set(idsAt('disk')).size).toBe(COUNT);
    expect(idsAt('other')).toHaveLength(COUNT);
    await daemon.stop();
    expect(daemon.log()).toContain('a replay is done');
  });

  it('stands after Ctrl-C, is told by status and list, and ends when it is cancelled', async () => {
    const hook = { name: 'hook', type: 'webhook', url: 'http://127.0.0.1:9/', startFrom: 'now' };
    config = configure({ outputs: [file('disk'), { ...hook, retry: { initialDelay: '10ms', maxDelay: '20ms' } }] });
    expect((await command('backfill', '--from', iso(begin), '--to', iso(begin + 60 * MINUTE))).code).toBe(0);
    const daemon = startDaemon();
    await vi.waitFor(() => expect(idsAt('disk')).toHaveLength(COUNT), SOON);
    const { shell, stop, stderr } = testShell();
    const ended = runProgram(shell, replayArgs([], 'hook'));
    await vi.waitFor(() => expect(stderr.text).toMatch(/127\.0\.0\.1:9.*; it is tried again/), SOON);
    stop.abort(new DOMException('SIGINT', 'AbortError'));
    expect(await ended).toBe(130);
    expect(stderr.text).toContain('The daemon goes on with it; `replay cancel 1` ends it.');

    const { stdout } = await command('status');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('Replay 1 to hook: 0 of 30 events of ');
    const { outputs } = JSON.parse((await command('status', '--json')).stdout) as { outputs: unknown[] };
    expect(outputs).toMatchObject([
      { name: 'disk', replay: null },
      { name: 'hook', backlog: 0, replay: { id: 1, from: begin, done: 0, total: COUNT, queued: 0 } },
    ]);
    expect((await command('replay', 'list')).stdout).toMatch(
      /^1 {2}output hook .* stands: 0 delivered of 30\n {4}.*127/,
    );
    expect(await command('replay', 'cancel', '1')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^1 cancelled/),
    });
    expect(await command('replay', 'cancel', '1')).toMatchObject({
      code: 1,
      stderr: 'There is no replay 1 under way.\n',
    });
    expect((await command('replay', 'list')).stdout).toContain('was cancelled');
    await daemon.stop();
  });

  it('of an output that the daemon does not know yet is refused', async () => {
    const daemon = startDaemon();
    await vi.waitFor(() => expect(idsAt('disk')).toHaveLength(COUNT), SOON);
    config = configure({ outputs: [file('disk'), file('other'), file('new')] });
    const { code, stderr } = await type(replayArgs([], 'new'));
    expect(code).toBe(2);
    expect(stderr).toContain('the running daemon does not know output new yet');
    await daemon.stop();
  });
});
