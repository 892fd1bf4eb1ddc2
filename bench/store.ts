/**
 * The store alone, through its own class: what storing a page of 500 records costs, and whether it stays the same while a store
 * grows to millions of events; and how long a daemon takes to start on the largest one.
 *
 *   node bench/store.ts [--keys 1000000,5000000] [--pages 200] [--starts 5] [--out FILE]
 *
 * Needs about 0.7 GB of disk for a million. Exit code 1 when a goal was missed.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { RawRecord } from '../src/event.ts';
import { attachment } from '../src/feeds/attachment.ts';
import { eventId } from '../src/store/key.ts';
import type { Candidate } from '../src/store/pages.ts';
import { Store } from '../src/store/store.ts';
import { freePorts } from '../test/ports.ts';
import { daemonCommand, syslogOutput, wholePast } from './daemon.ts';
import { startApi, Workplace } from './measure.ts';
import { Child, SUBJECT_CORE, supervised } from './processes.ts';
import { benchRecord } from './records.ts';
import { circumstances, exitCodeOf, type Goal, goal, goalsTable, markdownTable, publish } from './report.ts';
import { figure, median, quantile } from './statistics.ts';
import { storePast } from './stored-past.ts';

const PAGE = 500;
/** Pages that only make the JIT compiler do its work. */
const WARM_UP = 20;
const DAY_MS = 86_400_000;
const OUTPUT = 'syslog';

/** A store and what has been measured on it, ms for each page. */
interface Measured {
  readonly keys: number;
  readonly file: string;
  readonly store: Store;
  readonly fresh: number[];
  readonly known: number[];
}

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000,5000000' },
    pages: { type: 'string', default: '200' },
    starts: { type: 'string', default: '5' },
    out: { type: 'string' },
  },
});
const feed = attachment.create({ name: 'attachment', key: attachment.defaultKey });

await supervised(async () => {
  const machine = circumstances();
  const workplace = new Workplace();
  const first = Date.now() - DAY_MS;
  const stores = [0, ...options.keys.split(',').map(Number)].map((keys) => openStore(keys, first, workplace));
  warmUp(first, workplace);
  storePages(stores, first, 'fresh');
  storePages(stores, first, 'known');
  for (const { store } of stores) store.close();
  const largest = stores.at(-1);
  const opening = largest === undefined ? [] : timesToOpen(largest);
  const starting = largest === undefined ? [] : await timesToAnswer(largest, workplace);
  const goals = goalsOf(stores, starting);
  const facts =
    `Opening the store of ${largest?.keys} events takes ${figure(median(opening), 1)} ms, ` +
    `a daemon on it answers ${figure(median(starting))} ms after its start (medians of ${options.starts}).`;
  const counts = `${options.pages} pages of ${PAGE} to each store in turn, ms for a page.`;
  publish('store', [`${machine} ${counts}`, pagesTable(stores), facts, goalsTable(goals)].join('\n\n'), options.out);
  return exitCodeOf(goals);
});

function openStore(keys: number, first: number, workplace: Workplace): Measured {
  const file = join(workplace.next(), 'forwarder.db');
  if (keys > 0) {
    console.error(`filling a store with ${keys} events`);
    storePast({ file, keys, events: true, newest: first - DAY_MS });
  }
  const store = Store.open(file);
  store.startOutput(OUTPUT, 'now');
  return { keys, file, store, fresh: [], known: [] };
}

function warmUp(first: number, workplace: Workplace): void {
  const scratch = openStore(0, first, workplace);
  for (let page = 0; page < WARM_UP; page += 1) storePage(scratch.store, candidatesOf(page, first), first);
  scratch.store.close();
}

/** The same pages to every store in turn: what disturbs the machine for a while disturbs all of them. */
function storePages(stores: readonly Measured[], first: number, kind: 'fresh' | 'known'): void {
  for (let page = 0; page < Number(options.pages); page += 1) {
    const candidates = candidatesOf(page, first);
    for (const { store, [kind]: times } of stores) {
      const startedAt = performance.now();
      const added = storePage(store, candidates, first);
      times.push(performance.now() - startedAt);
      if (added !== (kind === 'fresh' ? PAGE : 0)) throw new Error(`a page of ${kind} records added ${added} events`);
    }
  }
  console.error(`${options.pages} pages of ${kind} records are stored`);
}

/** As the poller does it: events, identities, the walk's progress and the cursor of an output that keeps up. */
function storePage(store: Store, candidates: readonly Candidate[], first: number): number {
  const walk = { from: first, to: first + DAY_MS, token: 'the token of the next page', pages: 1 };
  const progress = { doneUntil: first, walk };
  const page = {
    feed: feed.name,
    type: feed.type,
    candidates,
    variants: 'suppress',
    now: Date.now(),
    progress,
  } as const;
  const { added } = store.storePage(page);
  const last = added.at(-1);
  if (last) store.settle(OUTPUT, last.seq, [], Date.now());
  return added.length;
}

function candidatesOf(page: number, first: number): Candidate[] {
  return Array.from({ length: PAGE }, (_, index) => {
    const record: RawRecord = benchRecord(page * PAGE + index, first);
    const identity = feed.identify(record);
    if ('malformed' in identity) throw new Error(`a record of the benchmark is malformed: ${identity.malformed}`);
    const { time, parts } = identity;
    return { raw: Buffer.from(JSON.stringify(record)), value: { id: eventId(feed.type, time, parts), time } };
  });
}

function timesToOpen({ file }: Measured): number[] {
  return Array.from({ length: Number(options.starts) }, () => {
    const startedAt = performance.now();
    const store = Store.open(file);
    const time = performance.now() - startedAt;
    store.close();
    return time;
  });
}

/** From the start of the process until `/healthz` answers, ms. */
async function timesToAnswer({ file }: Measured, workplace: Workplace): Promise<number[]> {
  const api = await startApi(0, [0], workplace);
  const [apiPort = 0] = api.ports;
  const times: number[] = [];
  for (let start = 0; start < Number(options.starts); start += 1) {
    const folder = workplace.next();
    const [httpPort = 0, sinkPort = 0] = await freePorts(2);
    const outputs = [syslogOutput(sinkPort)];
    const parts = {
      folder,
      api: { port: apiPort },
      feed: wholePast(Date.now() - DAY_MS),
      outputs,
      store: file,
      httpPort,
    };
    const log = join(folder, 'daemon.log');
    const daemon = await Child.start(daemonCommand(parts), { core: SUBJECT_CORE, log, quiet: true });
    times.push(await timeToAnswer(daemon, httpPort));
    await daemon.stop();
  }
  await api.child.stop();
  return times;
}

async function timeToAnswer(daemon: Child, httpPort: number): Promise<number> {
  while (daemon.isRunning) {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/healthz`).catch(() => undefined);
    if (answer?.ok) return Date.now() - daemon.startedAt;
    await sleep(5);
  }
  throw new Error('the daemon ended before it answered');
}

function pagesTable(stores: readonly Measured[]): string {
  const rows = stores.map(({ keys, fresh, known }) => [
    String(keys),
    figure(median(fresh), 2),
    figure(quantile(fresh, 0.99), 1),
    figure(median(fresh) / median(stores[0]?.fresh ?? []), 2),
    figure(median(known), 2),
    figure(quantile(known, 0.99), 1),
  ]);
  const head = ['events before', 'new, median', 'new, p99', '× empty', 'known, median', 'known, p99'];
  return markdownTable(head, rows);
}

function goalsOf([empty, ...full]: readonly Measured[], starting: readonly number[]): Goal[] {
  const flat = full.map(({ keys, fresh }) =>
    goal(`median page at ${keys} events, to an empty store`, median(fresh) / median(empty?.fresh ?? []), {
      atMost: 1.25,
    }),
  );
  const ms = { digits: 0, name: 'ms' };
  return [...flat, goal('daemon start to first HTTP answer', median(starting), { atMost: 1000 }, ms)];
}
