import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ReconcileCounts, Reconciler } from '../../src/collect/reconcile.ts';
import { SpanReader } from '../../src/collect/span.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import {
  Clock,
  contextFor,
  HOUR,
  MINUTE,
  NEVER,
  NOON,
  openStore,
  recordAt,
  SECOND,
  startSimulator,
  storedIds,
  storePath,
  visibleIds,
} from './reading.ts';

const FROM = NOON - 3 * HOUR;
const NOTHING: ReconcileCounts = { matching: 0, missing: 0, onlyHere: 0, variants: 0, malformed: 0 };

let store: Store;
const clock = new Clock(NOON);

beforeEach(() => {
  store = openStore();
});

type Asked = Partial<{ from: number; to: number; repair: boolean; pageSize: number; store: Store }>;

async function reconcile(simulator: Simulator, asked: Asked = {}): Promise<Reconciler> {
  const { from = FROM, to = NOON, repair = false, pageSize = 500 } = asked;
  const context = contextFor(simulator, asked.store ?? store, { now: clock.now, pageSize }, clock);
  const reconciler = new Reconciler(context, { from, to }, { repair, maxWindow: 6 * HOUR });
  while (!reconciler.done) await reconciler.readOnce(NEVER);
  return reconciler;
}

/** Reads all that Mimecast shows, as a backfill does. */
async function readInto(its: Store, simulator: Simulator): Promise<void> {
  const reader = new SpanReader(contextFor(simulator, its, {}, clock), { from: FROM, to: NOON }, 6 * HOUR, 'backfill');
  while (!reader.done) await reader.readOnce(NEVER);
}

function mimecast(...records: readonly Record<string, unknown>[]): Promise<Simulator> {
  return startSimulator({ now: clock.now }).then((simulator) => {
    simulator.add(...records);
    return simulator;
  });
}

const kept = recordAt(FROM + MINUTE, 'kept');
const changing = recordAt(FROM + HOUR + MINUTE, 'changing');
const changed = { ...changing, actionTriggered: 'user release, none' };
const removed = recordAt(FROM + 2 * HOUR, 'removed');
const late = recordAt(FROM + 2 * HOUR + MINUTE, 'late');

describe('comparing', () => {
  it('tells what matches, is missing here, is only here, and says something else', async () => {
    await readInto(store, await mimecast(kept, changing, removed));
    const now = await mimecast(kept, changed, late);
    const { counts, examples } = await reconcile(now);
    expect(counts).toEqual({ matching: 1, missing: 1, onlyHere: 1, variants: 1, malformed: 0 });
    expect(examples).toEqual({
      missing: [{ id: visibleIds(now)[2], time: FROM + 2 * HOUR + MINUTE }],
      onlyHere: [{ id: storedIds(store)[2], time: FROM + 2 * HOUR }],
      variants: [{ id: storedIds(store)[1], time: FROM + HOUR + MINUTE }],
    });
  });

  it('stores nothing, and the ledger says that something is missing', async () => {
    await readInto(store, await mimecast(kept));
    await reconcile(await mimecast(kept, late));
    expect(storedIds(store)).toHaveLength(1);
    const rows = store.coverage.list('mail').filter(({ purpose }) => purpose === 'reconcile');
    expect(rows.map(({ from, to, result }) => [from, to, result])).toEqual([
      [FROM, FROM + 2 * HOUR, 'complete'],
      [FROM + 2 * HOUR, NOON, 'missing'],
    ]);
  });

  it('counts a record on the border of two windows, and on both ends, once', async () => {
    const simulator = await mimecast(
      ...[FROM, FROM + HOUR - SECOND, FROM + HOUR, FROM + HOUR + SECOND, NOON].map((at) => recordAt(at, String(at))),
      recordAt(FROM - SECOND, 'before'),
      recordAt(NOON + SECOND, 'after'),
    );
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, missing: 5 });
    expect((await reconcile(simulator, { repair: true })).counts).toEqual({ ...NOTHING, missing: 5 });
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, matching: 5 });
    const empty = await mimecast();
    expect((await reconcile(empty)).counts).toEqual({ ...NOTHING, onlyHere: 5 });
  });

  it.each(['page-token-expiry:every=3', 'duplicate-pages:every=2', 'shuffle', 'repeated-next:at=end'])(
    'counts each record once where pages are odd: %s',
    async (faults) => {
      const simulator = await mimecast();
      simulator.seed(120, { from: FROM, to: NOON });
      await readInto(store, simulator);
      const other = await startSimulator({ now: clock.now, faults: parseFaults(faults) });
      other.seed(120, { from: FROM, to: NOON });
      other.add(late);
      expect((await reconcile(other, { pageSize: 15 })).counts).toEqual({ ...NOTHING, matching: 120, missing: 1 });
    },
  );

  it('counts records that nobody can read apart: they have no id to compare', async () => {
    const simulator = await startSimulator({ now: clock.now, faults: parseFaults('malformed-record:first=1') });
    simulator.add(kept);
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, missing: 1, malformed: 1 });
  });

  it('knows events that the store no longer keeps', async () => {
    const simulator = await mimecast(kept, changing);
    await readInto(store, simulator);
    store.startOutput('siem', 'now');
    store.prune({ now: Date.now(), storedBefore: Number.MAX_SAFE_INTEGER });
    expect(store.eventCount()).toBe(0);
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, matching: 2 });
    expect((await reconcile(await mimecast(kept, changed))).counts).toEqual({ ...NOTHING, matching: 1, variants: 1 });
    expect((await reconcile(await mimecast(kept))).counts).toEqual({ ...NOTHING, matching: 1, onlyHere: 1 });
  });

  it('does not count what another feed type has at that time', async () => {
    const simulator = await mimecast(kept);
    await readInto(store, simulator);
    store.checkpoints.save('mail', 'attachment', NOON, null, null);
    store.checkpoints.save('links', 'url', NOON, null, null);
    const value = { id: `${(FROM / 1000).toString(16)}${'ab'.repeat(12)}`, time: FROM };
    store.storePage({
      ...{ feed: 'links', type: 'url', variants: 'suppress', now: NOON },
      candidates: [{ raw: Buffer.from('{}'), value }],
    });
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, matching: 1 });
  });

  it('does not take for "only here" what is stored beside it meanwhile', async () => {
    const path = storePath();
    const ours = openStore(path);
    const simulator = await mimecast(kept);
    const context = contextFor(simulator, ours, { now: clock.now }, clock);
    const reconciler = new Reconciler(context, { from: FROM, to: FROM + HOUR }, { repair: false, maxWindow: HOUR });
    const daemon = Store.open(path);
    const answered = reconciler.readOnce(NEVER);
    await readInto(daemon, await mimecast(recordAt(FROM + 2 * MINUTE, 'of the daemon')));
    daemon.close();
    await answered;
    expect(reconciler.counts).toEqual({ ...NOTHING, missing: 1 });
  });

  it('agrees with the two sets, whatever they are', async () => {
    const anyPart = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 12 });
    const recordOf = (at: number) => recordAt(FROM + at * 6 * MINUTE, `n${at}`);
    await fc.assert(
      fc.asyncProperty(anyPart, anyPart, async (here, there) => {
        const its = openStore();
        await readInto(its, await mimecast(...here.map(recordOf)));
        const { counts } = await reconcile(await mimecast(...there.map(recordOf)), { store: its });
        const matching = here.filter((at) => there.includes(at)).length;
        expect(counts).toEqual({
          ...NOTHING,
          matching,
          missing: there.length - matching,
          onlyHere: here.length - matching,
        });
      }),
      { numRuns: 8 },
    );
  });
});

describe('repairing', () => {
  it('stores what is missing by the usual path, and the time is covered', async () => {
    store.checkpoints.save('mail', 'attachment', FROM, null, null);
    store.checkpoints.save('mail', 'attachment', NOON, null, null);
    const simulator = await mimecast(kept, late);
    expect(store.coverage.gaps('mail')).toEqual([{ from: FROM, until: NOON }]);
    const { counts } = await reconcile(simulator, { repair: true });
    expect(counts).toEqual({ ...NOTHING, missing: 2 });
    expect(storedIds(store).toSorted()).toEqual(visibleIds(simulator).toSorted());
    expect(store.coverage.gaps('mail')).toEqual([]);
    expect((await reconcile(simulator)).counts).toEqual({ ...NOTHING, matching: 2 });
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON);
  });

  it('keeps a variant as a variant', async () => {
    await readInto(store, await mimecast(changing));
    const { counts } = await reconcile(await mimecast(changed), { repair: true });
    expect(counts).toEqual({ ...NOTHING, variants: 1 });
    expect(store.variants.list()).toHaveLength(1);
    expect(storedIds(store)).toHaveLength(1);
  });
});
