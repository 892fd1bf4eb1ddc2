import { execFileSync } from 'node:child_process';
import { existsSync, statSync, truncateSync } from 'node:fs';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { migrate, SCHEMA_VERSION } from '../../src/store/migrations.ts';
import type { StoredEvent } from '../../src/store/outbox.ts';
import type { Candidate } from '../../src/store/pages.ts';
import type { Store } from '../../src/store/store.ts';
import { candidateOf, numbers, openStore, recordOf, rowsOf, START, storePage, storePath } from './harness.ts';
import { type Given, Model, type ModelEvent, OUTPUTS, type Output } from './model.ts';

/**
 * The store against a model of it in plain arrays, over random histories: pages that overlap, repeat and contradict each other, two
 * outputs, two processes, batches that are confirmed out of order, rejects that are tried again, replays, retention, restarts, migrations,
 * and crashes: between two operations, and in the middle of what one of them writes.
 */

/** The real store, with a second process's connection beside it. */
interface Real {
  path: string;
  store: Store;
  other: Store;
  now: number;
}

type Command = fc.Command<Model, Real>;

const HOUR = 3_600_000;
const IDENTITIES = 26;
/** Before this version a store could hold no replay. */
const REPLAYS_SINCE = 3;

const output = fc.constantFrom(...OUTPUTS);
const maxEvents = fc.integer({ min: 1, max: 8 });
const sometimes = fc.nat(2).map((n) => n === 0);
const given: fc.Arbitrary<Given> = fc.record({
  identity: fc.nat(IDENTITIES - 1),
  content: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
  escaped: fc.boolean(),
});
const records = fc.array(given, { maxLength: 12 });

const commands: readonly { readonly weight: number; readonly of: fc.Arbitrary<Command> }[] = [
  { weight: 6, of: fc.tuple(records, fc.boolean(), sometimes).map((args) => command('page', page, ...args)) },
  { weight: 5, of: fc.tuple(output, maxEvents, sometimes).map((args) => command('deliver', deliver, ...args)) },
  {
    weight: 3,
    of: fc
      .tuple(output, maxEvents, fc.shuffledSubarray([0, 1, 2], { minLength: 1 }))
      .map((args) => command('deliver side by side', deliverSideBySide, ...args)),
  },
  { weight: 2, of: output.map((name) => command('flush', flush, name)) },
  { weight: 3, of: fc.nat(6).map((hours) => command('prune', prune, hours)) },
  { weight: 2, of: fc.tuple(fc.nat(20), fc.boolean()).map((args) => command('retry', retry, ...args)) },
  {
    weight: 3,
    of: fc.tuple(output, fc.nat(IDENTITIES), fc.nat(IDENTITIES)).map((args) => command('ask', ask, ...args)),
  },
  { weight: 3, of: fc.tuple(maxEvents, sometimes).map((args) => command('replay', replay, ...args)) },
  { weight: 1, of: fc.constant(command('restart', restart)) },
  { weight: 1, of: fc.constant(command('crash', crash)) },
  { weight: 1, of: fc.tuple(records, fc.nat(99)).map((args) => command('crash in a page', crashInPage, ...args)) },
  { weight: 1, of: fc.tuple(output, fc.nat(99)).map((args) => command('crash in a settle', crashInSettle, ...args)) },
  { weight: 1, of: fc.integer({ min: 1, max: SCHEMA_VERSION - 1 }).map((from) => command('migrate', upgrade, from)) },
];

it('does over any history what the model does: each record enters once, and is there until every output has had it', () => {
  const histories = fc.commands(
    commands.flatMap(({ weight, of }) => Array.from({ length: weight }, () => of)),
    { maxCommands: 40, size: 'max' },
  );
  fc.assert(
    fc.property(histories, (history) => {
      const real = openReal(storePath());
      for (const name of OUTPUTS) real.store.startOutput(name, 'beginning');
      const model = new Model();
      fc.modelRun(() => ({ model, real }), history);
      finish(model, real);
      real.store.close();
      real.other.close();
    }),
    { numRuns: 20 },
  );
}, 120_000);

function command<Args extends readonly unknown[]>(
  name: string,
  run: (model: Model, real: Real, ...args: Args) => void,
  ...args: Args
): Command {
  return {
    check: () => true,
    run: (model, real) => {
      const before = model.state;
      real.now += HOUR;
      run(model, real, ...args);
      compare(model, real);
      // Whatever the model says: a cursor on the disk never moves back, and what retention takes every output has had.
      for (const output of OUTPUTS) {
        expect(model.state.durable[output]).toBeGreaterThanOrEqual(before.durable[output]);
        expect(model.state.pruned).toBeLessThanOrEqual(Math.max(before.cursors[output], before.pruned));
      }
    },
    toString: () => `${name} ${JSON.stringify(args)}`,
  };
}

/** However the history went, all is delivered in the end, and all of it can be sent again. */
function finish(model: Model, real: Real): void {
  const all = { most: 8, from: 0, to: IDENTITIES };
  for (const name of OUTPUTS) {
    while (model.after(model.state.cursors[name]).length > 0)
      command('deliver', deliver, name, all.most, true).run(model, real);
    command('flush', flush, name).run(model, real);
  }
  for (let refuses = false; model.state.replay; refuses = !refuses)
    command('replay', replay, all.most, refuses).run(model, real);
  for (const name of OUTPUTS) {
    command('ask', ask, name, all.from, all.to).run(model, real);
    for (let refuses = true; model.state.replay; refuses = !refuses)
      command('replay', replay, all.most, refuses).run(model, real);
  }
}

function page(model: Model, real: Real, given: readonly Given[], ship: boolean, isForeign: boolean): void {
  const variants = ship ? 'ship' : 'suppress';
  storePage(isForeign ? real.other : real.store, given.map(candidateFor), { variants, now: real.now });
  model.page(given.map(withRaw), ship, real.now);
  if (isForeign) real.store.outbox.refresh();
  else model.written(OUTPUTS);
}

/** As a dispatcher does: the cursor of the batch before is durable first. */
function deliver(model: Model, real: Real, name: Output, most: number, refuses: boolean): void {
  flush(model, real, name);
  const batch = nextBatch(model, real, model.state.cursors[name], most);
  const [first] = batch;
  const last = batch.at(-1);
  if (first && last) settle(model, real, name, last, refuses ? [first] : []);
}

/** Batches that are under way together, confirmed in this order: the cursor follows the first that is not. */
function deliverSideBySide(model: Model, real: Real, name: Output, maxEvents: number, order: readonly number[]): void {
  flush(model, real, name);
  const batches: StoredEvent[][] = [];
  for (let after = model.state.cursors[name]; batches.length < 3; after = batches.at(-1)?.at(-1)?.seq ?? after)
    batches.push(nextBatch(model, real, after, maxEvents));
  const confirmed = new Set<number>();
  for (const at of order) {
    confirmed.add(at);
    const open = batches.findIndex((_, index) => !confirmed.has(index));
    const last = batches
      .slice(0, open < 0 ? batches.length : open)
      .findLast((batch) => batch.length > 0)
      ?.at(-1);
    if (last && last.seq > model.state.cursors[name]) settle(model, real, name, last, []);
  }
}

function settle(model: Model, { store, now }: Real, name: Output, last: StoredEvent, refused: StoredEvent[]): void {
  store.settle(
    name,
    last.seq,
    refused.map((event) => ({ event, reason: 'refused' })),
    now,
  );
  model.settle(name, last.seq, seqsOf(refused));
}

function flush(model: Model, { store }: Real, name: Output): void {
  store.flush(name);
  model.written([name]);
}

function prune(model: Model, { store, now }: Real, hours: number): void {
  const storedBefore = now - hours * HOUR;
  store.prune({ now, storedBefore });
  model.prune(storedBefore);
}

/** Somebody asks for one of the rejects; the next dispatcher sends it again, and it is taken or refused again. */
function retry(model: Model, { store, now }: Real, which: number, isTaken: boolean): void {
  const { rejects } = model.state;
  const asked = rejects[which % Math.max(1, rejects.length)];
  if (!asked) return;
  expect(store.rejects.retry([asked.id])).toBe(1);
  model.retry(asked.id, 1);
  const due = store.rejects.due(asked.output);
  expect(due && { id: due.id, seq: due.event.seq }).toEqual({ id: asked.id, seq: asked.seq });
  if (isTaken) {
    store.rejects.remove([asked.id]);
    model.dropReject(asked.id);
  } else {
    store.rejects.refusedAgain(asked.id, 'refused again', now);
    model.retry(asked.id, 0);
  }
}

function ask(model: Model, { store, now }: Real, name: Output, one: number, other: number): void {
  if (model.state.replay) return;
  const [from, to] = one < other ? [one, other] : [other, one];
  const span = { from: timeOf(from), to: timeOf(to) };
  const expected = model.survey(name, from, to);
  const { survey, replay } = store.replays.ask({ output: name, span, underWay: 0 }, now);
  const { events, waiting, pruned } = survey;
  expect({ events, waiting, pruned }).toEqual({ ...expected, events: expected.events.length });
  expect(replay === undefined).toBe(events === 0);
  if (replay) model.ask(name, expected.events);
}

/** The next batch of the replay that is open; with none left, it is ended. */
function replay(model: Model, { store, now }: Real, maxEvents: number, refuses: boolean): void {
  const { replay: expected } = model.state;
  if (!expected) return;
  const due = store.replays.due(expected.output);
  if (!due) expect.fail('the store has forgotten a replay');
  const batch = store.replays.read(due, { maxEvents, maxBytes: 1e9 });
  expect(batch.map(known)).toEqual(expected.events.slice(expected.done, expected.done + maxEvents).map(unlabelled));
  const last = batch.at(-1);
  if (!last) {
    store.replays.end(due.id, now);
    model.endReplay();
    return;
  }
  // What was refused before is refused again: it is kept once.
  const isRefused = ({ seq }: StoredEvent) =>
    seq === batch[0]?.seq || model.state.rejects.some((reject) => reject.seq === seq);
  const refused = refuses ? batch.filter(isRefused) : [];
  const delivered = seqsOf(batch.filter((event) => !refused.includes(event)));
  const rejected = refused.map((event) => ({ event, reason: 'refused' }));
  store.replays.settle(due, { last, delivered, rejected, filtered: 0 }, now);
  model.replayed(batch.length, seqsOf(refused));
}

function restart(model: Model, real: Real): void {
  model.written(OUTPUTS);
  reopen(real, real.path);
}

/** Between two operations: from what was on the disk, copied while everything is open. */
function crash(model: Model, real: Real): void {
  model.crash();
  reopen(real, copyOf(real.path));
}

/** All of a page is there or nothing of it, however much of what it wrote had reached the disk. */
function crashInPage(model: Model, real: Real, given: readonly Given[], percent: number): void {
  crashIn(model, real, percent, () => storePage(real.store, given.map(candidateFor), { now: real.now }));
}

/** A reject and the cursor behind it: both, or none. */
function crashInSettle(model: Model, real: Real, name: Output, percent: number): void {
  flush(model, real, name);
  const [event] = nextBatch(model, real, model.state.cursors[name], 1);
  if (!event) return;
  const rejected = [{ event, reason: 'refused' }];
  crashIn(model, real, percent, () => real.store.settle(name, event.seq, rejected, real.now));
}

/** The log, which holds nothing else, is cut in the middle of what one transaction writes. */
function crashIn(model: Model, real: Real, percent: number, operation: () => unknown): void {
  const db = new Database(real.path);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  operation();
  const path = copyOf(real.path);
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 0) truncateSync(`${path}-wal`, Math.floor((size * percent) / 100));
  model.crash();
  reopen(real, path);
}

/** The same rows in a store of an older version, which this one then brings up to date. */
function upgrade(model: Model, real: Real, from: number): void {
  if (model.state.replay && from < REPLAYS_SINCE) return;
  model.written(OUTPUTS);
  real.store.close();
  real.other.close();
  const path = storePath();
  const db = new Database(path);
  migrate(db, from);
  db.prepare('ATTACH ? AS newer').run(real.path);
  const tables = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'").pluck().all() as string[];
  for (const table of tables) {
    const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).pluck().all().join(', ');
    db.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM newer.${table}`);
  }
  db.close();
  reopen(real, path);
}

function compare({ state }: Model, { path, store }: Real): void {
  expect(rowsOf(path, 'SELECT seq, raw, stored_at AS storedAt FROM event ORDER BY seq')).toEqual(
    state.events.slice(state.pruned).map(unlabelled),
  );
  const cursors = rowsOf<{ output: string; seq: number }>(path, 'SELECT output, seq FROM cursor ORDER BY output');
  expect(cursors).toEqual(OUTPUTS.map((output) => ({ output, seq: state.durable[output] })));
  for (const output of OUTPUTS) expect(store.cursors.get(output)).toBe(state.cursors[output]);
  expect(rowsOf(path, 'SELECT id, output, seq, retry FROM reject ORDER BY id')).toEqual(state.rejects);
  expect(rowsOf(path, 'SELECT count(*) AS variants FROM variant')).toEqual([{ variants: state.variants.size }]);
  expect(rowsOf(path, 'SELECT count(*) AS identities FROM seen')).toEqual([{ identities: state.firstOf.size }]);
  expect(seqsOf(state.events)).toEqual(numbers(state.events.length));
}

/** The next events, as many as the store gives at once: it may stop where memory ends and the disk begins. */
function nextBatch(model: Model, { store }: Real, after: number, maxEvents: number): StoredEvent[] {
  const batch = store.outbox.read(after, { maxEvents, maxBytes: 1e9 });
  const waiting = model.after(after);
  expect(batch.map(known)).toEqual(waiting.slice(0, batch.length).map(unlabelled));
  expect(batch.length === 0).toBe(waiting.length === 0);
  expect(batch.length).toBeLessThanOrEqual(maxEvents);
  return batch;
}

function openReal(path: string): Real {
  return { path, store: openStore(path), other: openStore(path), now: START };
}

function reopen(real: Real, path: string): void {
  real.store.close();
  real.other.close();
  Object.assign(real, { ...openReal(path), now: real.now });
}

/** By a process of its own: closing a file in this one would drop the locks that SQLite has on it. */
function copyOf(path: string): string {
  const copy = storePath();
  for (const ending of ['', '-wal']) if (existsSync(path + ending)) execFileSync('cp', [path + ending, copy + ending]);
  return copy;
}

function candidateFor(given: Given): Candidate {
  return candidateOf(recordOf(given.identity, { fileName: `a/${given.content}.pdf` }), withRaw(given).raw);
}

function withRaw(given: Given): Given & { readonly raw: string } {
  const raw = JSON.stringify(recordOf(given.identity, { fileName: `a/${given.content}.pdf` }));
  return { ...given, raw: given.escaped ? raw.replaceAll('/', '\\/') : raw };
}

/** ms since 1970 of the records of an identity: see `recordOf`. */
function timeOf(identity: number): number {
  return START + identity * 1000;
}

function known({ seq, raw, storedAt }: StoredEvent) {
  return { seq, raw: raw.toString(), storedAt };
}

function unlabelled({ seq, raw, storedAt }: ModelEvent) {
  return { seq, raw, storedAt };
}

function seqsOf(events: readonly { readonly seq: number }[]): number[] {
  return events.map(({ seq }) => seq);
}
