/**
 * What the daemon costs in states that nobody wishes for: a backlog of days behind a dead output, pages and records far too large, more rejects and
 * variants than anybody reads, a thousand windows to catch up.
 *
 *   node bench/bounds.ts [--backlog 10GiB] [--seconds 30] [--out FILE]
 *
 * Needs as much disk as the backlog and a fifth more, and takes less where there is less. Exit code 1 when a goal was missed.
 */
import { statfsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import type { Simulator } from '../src/simulate/simulator.ts';
import { Store } from '../src/store/store.ts';
import { Workplace } from './measure.ts';
import { supervised } from './processes.ts';
import { circumstances, exitCodeOf, type Goal, goal, goalsTable, markdownTable, publish } from './report.ts';
import { Scene } from './scene.ts';
import { figure, megabytes } from './statistics.ts';
import { storePast } from './stored-past.ts';

const GIB = 1024 ** 3;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** What an event of `storePast` takes in the file, with its identity, as measured. */
const BYTES_PER_EVENT = 661;
const ROOM = 1.2;
/** Goals for memory, MB: 150 MiB; and where a page alone is megabytes, or a feed works for half a minute without a rest, a bound all the same. */
const USUAL = 157;
const BOUND = 320;
const MANY = { rejects: 10_000, variants: 1_000_000 };

const { values: options } = parseArgs({
  options: {
    backlog: { type: 'string', default: '10GiB' },
    seconds: { type: 'string', default: '30' },
    out: { type: 'string' },
  },
});
const MS = { digits: 0, name: 'ms' };
const MB = { digits: 0, name: 'MB' };

/** What one state has shown. */
interface Shown {
  readonly state: string;
  readonly startMs: number;
  readonly peakBytes: number;
  /** Goal for it, MB. */
  readonly most: number;
  readonly commands: Readonly<Record<string, number>>;
  readonly remark: string;
}

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const seconds = Number(options.seconds);
  const wanted = Number.parseFloat(options.backlog) * GIB;
  const bytes = Math.min(wanted, Math.floor(freeBytes(workplace) / ROOM));
  if (bytes < wanted) console.error(`the disk has room for a backlog of ${figure(bytes / GIB, 1)} GiB only`);
  const empty = await emptyStore(workplace, seconds);
  const { shown: backlog, goals } = await behindADeadOutput(workplace, bytes, seconds);
  const shown = [
    empty,
    backlog,
    await manyRejects(workplace),
    await largePages(workplace),
    await manyWindows(workplace),
  ];
  const grown = (backlog.peakBytes - empty.peakBytes) / 1e6;
  const all = [
    ...shown.map(({ state, peakBytes, most }) => goal(`peak memory: ${state}`, peakBytes / 1e6, { atMost: most }, MB)),
    ...shown.map(({ state, startMs }) => goal(`start: ${state}`, startMs, { atMost: 1000 }, MS)),
    ...goals,
  ];
  const head = ['state', 'start, ms', 'peak MB', 'commands, ms', ''];
  const table = markdownTable(head, shown.map(rowOf));
  const facts = `The backlog is ${figure(bytes / GIB, 1)} GiB; what it costs in memory is ${figure(grown)} MB more than an empty store.`;
  publish('bounds', [`${machine} ${facts}`, table, goalsTable(all)].join('\n\n'), options.out);
  return exitCodeOf(all);
});

function rowOf({ state, startMs, peakBytes, commands, remark }: Shown): string[] {
  const times = Object.entries(commands).map(([name, ms]) => `${name} ${figure(ms)}`);
  return [state, figure(startMs), megabytes(peakBytes), times.join(', '), remark];
}

function freeBytes({ folder }: Workplace): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

async function emptyStore(workplace: Workplace, seconds: number): Promise<Shown> {
  const scene = await Scene.start(workplace, () => undefined);
  const slowest = await scene.slowestLive(seconds);
  const { startMs, peakBytes } = scene;
  const commands = { status: scene.time('status') };
  await scene.stop();
  return {
    state: 'empty store',
    most: USUAL,
    startMs,
    peakBytes,
    commands,
    remark: `new mail delivered within ${figure(slowest)} ms`,
  };
}

async function behindADeadOutput(
  workplace: Workplace,
  bytes: number,
  seconds: number,
): Promise<{ shown: Shown; goals: Goal[] }> {
  const events = Math.floor(bytes / BYTES_PER_EVENT);
  let size = 0;
  const fill = (file: string): void => {
    console.error(`filling a store with ${events} events`);
    storePast({ file, keys: events, events: true, newest: Date.now() - DAY_MS });
    size = statSync(file).size;
  };
  const scene = await Scene.start(workplace, fill);
  const { startMs } = scene;
  const whileDead = await scene.slowestLive(seconds);
  const commands = { status: scene.time('status'), scrape: await scene.scrapeMs() };
  const peakWhileDead = scene.peakBytes;
  const revivedAt = Date.now();
  await scene.revive();
  const whileCatchingUp = await scene.slowestLive(seconds);
  const rate = scene.delivered / ((Date.now() - revivedAt) / 1000);
  const { peakBytes } = scene;
  await scene.stop();
  const remark = `${events} events, ${figure(size / GIB, 1)} GiB in the file; revived, ${figure(rate)} events/s; new mail within ${figure(whileDead)} ms, meanwhile within ${figure(whileCatchingUp)} ms`;
  const goals = [
    goal('peak memory: the backlog is caught up', peakBytes / 1e6, { atMost: USUAL }, MB),
    goal('new mail at the other output while the backlog is caught up', whileCatchingUp, { atMost: 5000 }, MS),
    goal('`status` beside it', commands.status, { atMost: 1000 }, MS),
  ];
  return {
    shown: { state: 'backlog behind a dead output', most: USUAL, startMs, peakBytes: peakWhileDead, commands, remark },
    goals,
  };
}

async function manyRejects(workplace: Workplace): Promise<Shown> {
  const fill = (file: string): void => {
    storePast({ file, keys: 1000, events: true, newest: Date.now() - DAY_MS });
    const db = new Database(file);
    const numbers = 'WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)';
    db.transaction(() => {
      const reject = `${numbers} INSERT INTO reject (output, seq, key, feed, at, reason, raw)
        SELECT 'dead', event.seq, key, feed, stored_at, 'no such index', raw FROM number JOIN event ON seq = 1 + n % 1000`;
      db.prepare(reject).run(MANY.rejects);
      const variant = `${numbers} INSERT INTO variant (feed, key, content, found_at, raw)
        SELECT feed, randomblob(16), n, stored_at, raw FROM number JOIN event ON seq = 1 + n % 1000`;
      db.prepare(variant).run(MANY.variants);
    })();
    db.close();
  };
  const scene = await Scene.start(workplace, fill);
  await scene.slowestLive(5);
  const commands = {
    status: scene.time('status'),
    'rejects list': scene.time('rejects', 'list'),
    'variants list': scene.time('variants', 'list'),
    scrape: await scene.scrapeMs(),
  };
  const { startMs, peakBytes } = scene;
  await scene.stop();
  return { state: '10,000 rejects, 1,000,000 variants', most: USUAL, startMs, peakBytes, commands, remark: '' };
}

async function largePages(workplace: Workplace): Promise<Shown> {
  const at = Date.now() - 30 * MINUTE_MS;
  const record = (number: number, bytes: number) => ({
    date: `${new Date(at + number * 1000).toISOString().slice(0, 19)}+0000`,
    ...{
      senderAddress: 'a@example.com',
      recipientAddress: 'b@example.net',
      fileHash: `hash-${number}`,
      result: 'safe',
    },
    ...{
      fileName: 'f',
      fileType: 'application/pdf',
      actionTriggered: 'none',
      route: 'inbound',
      subject: 'x'.repeat(bytes),
    },
  });
  const mail = (simulator: Simulator): void => {
    simulator.add(...Array.from({ length: 50 }, (_, number) => record(number, number === 25 ? 5_000_000 : 1_000_000)));
  };
  const scene = await Scene.start(workplace, () => undefined, { feed: { startFrom: '1h' }, mail });
  await scene.revive();
  await arrived(scene, 50);
  const { startMs, peakBytes } = scene;
  const commands = { status: scene.time('status') };
  const remark = `${scene.live.identities.size} of 50 records delivered`;
  await scene.stop();
  return { state: 'a page of 54 MB with a record of 5 MB', most: BOUND, startMs, peakBytes, commands, remark };
}

async function arrived(scene: Scene, count: number): Promise<void> {
  for (const deadline = Date.now() + MINUTE_MS; scene.live.identities.size < count && Date.now() < deadline; )
    await sleep(50);
}

async function manyWindows(workplace: Workplace): Promise<Shown> {
  let file = '';
  const now = Date.now();
  const mail = (simulator: Simulator): void => simulator.seed(5000, { from: now - 10 * DAY_MS, to: now - MINUTE_MS });
  const scene = await Scene.start(
    workplace,
    (store) => {
      file = store;
    },
    {
      feed: { startFrom: '11d', maxWindow: '15m' },
      mail,
    },
  );
  const startedAt = Date.now();
  await arrived(scene, 5000);
  const took = (Date.now() - startedAt) / 1000;
  const commands = { status: scene.time('status') };
  const { startMs, peakBytes } = scene;
  await scene.stop();
  const store = Store.open(file);
  const rows = store.coverage.list('attachment');
  store.close();
  const windows = rows.reduce((sum, row) => sum + row.windows, 0);
  const remark = `${windows} windows in ${figure(took)} s, ${rows.length} row(s) in the ledger, ${scene.live.identities.size} of 5000 records delivered`;
  return { state: 'a thousand windows to catch up', most: BOUND, startMs, peakBytes, commands, remark };
}
