import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller } from '../../src/collect/poller.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { StoreError } from '../../src/store/errors.ts';
import type { Store } from '../../src/store/store.ts';
import { ApiServer, json, page } from '../mimecast/api-server.ts';
import {
  Clock,
  contextFor,
  HOUR,
  MINUTE,
  memoryLog,
  metricOf,
  NEVER,
  NOON,
  openStore,
  pagesAsked,
  readAll,
  recordAt,
  SECOND,
  startSimulator,
  storedIds,
  visibleIds,
} from './reading.ts';

const OPTIONS = { overlap: 0, settle: 0, maxWindow: 48 * HOUR, startFrom: { ago: HOUR }, recoverySpan: 48 * HOUR };

let clock: Clock;
let simulator: Simulator;
let store: Store;

beforeEach(async () => {
  clock = new Clock(NOON);
  simulator = await startSimulator({ now: clock.now });
  store = openStore();
});

/** A poller of pages of ten, and what it asks. A new one remembers nothing but the store, as after a crash. */
function reader(more: Partial<WalkContext> = {}): {
  poller: Poller;
  context: WalkContext;
  asked: () => ReturnType<typeof pagesAsked>;
} {
  const context = contextFor(simulator, store, { pageSize: 10, ...more }, clock);
  const fetchPage = vi.spyOn(context.client, 'fetchPage');
  const poller = new Poller(context, OPTIONS, memoryLog().logger);
  return { poller, context, asked: () => pagesAsked(fetchPage) };
}

/** So many records over the last half hour. */
function mail(count: number): void {
  simulator.seed(count, { from: NOON - 30 * MINUTE, to: NOON - MINUTE });
}

function expectAllStoredOnce(): void {
  expect(storedIds(store).sort()).toEqual(visibleIds(simulator).sort());
}

describe('a page that is stored', () => {
  it('notes of each new event whether its text is plain, while it is at hand', async () => {
    simulator.add(recordAt(NOON - 20 * MINUTE, 'calm'));
    simulator.add(recordAt(NOON - 19 * MINUTE, 'sly', { subject: 'CEF:0|' }));
    simulator.add(recordAt(NOON - 18 * MINUTE, 'quiet'));
    simulator.add(recordAt(NOON - 17 * MINUTE, 'odd', { subject: '\u0001' }));
    await readAll(reader().poller);
    const rows = store.outbox.read(0, { maxEvents: 10, maxBytes: 1e6 });
    expect(rows.map(({ isPlain }) => isPlain)).toEqual([true, false, true, false]);
  });
});

describe('the end of a walk', () => {
  it('is the page without a token: all records are stored in order, and the checkpoint moves with the last page', async () => {
    mail(45);
    const { poller, asked } = reader();
    const steps = await readAll(poller);
    expect(steps.map(({ windowDone }) => windowDone)).toEqual([false, false, false, false, true]);
    expect(asked().map(({ token }) => token)).toEqual([false, true, true, true, true]);
    expect(storedIds(store)).toEqual(visibleIds(simulator));
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON, walk: null });
  });

  it('is not one empty page in the middle', async () => {
    mail(45);
    simulator.inject(...parseFaults('empty-with-next:every=3,count=1'));
    const { poller, asked } = reader();
    await readAll(poller);
    expect(asked()).toHaveLength(6);
    expectAllStoredOnce();
  });

  it('is three empty pages in a row, though each leads on', async () => {
    simulator.inject(...parseFaults('empty-with-next'));
    const { poller, asked } = reader();
    const steps = await readAll(poller);
    expect(asked()).toHaveLength(3);
    expect(steps.at(-1)).toMatchObject({ windowDone: true, caughtUp: true });
  });

  it('is not a token that comes back in the middle: the walk goes on from the newest record', async () => {
    mail(45);
    simulator.inject(...parseFaults('repeated-next:count=1'));
    const { poller, asked } = reader();
    await readAll(poller);
    expectAllStoredOnce();
    const [first, , third] = asked();
    expect(third).toMatchObject({ token: false, to: first?.to });
    expect(third?.from).toBeGreaterThan(first?.from ?? 0);
  });

  it('is a token that comes back at the end, once nothing is left behind the newest record', async () => {
    mail(45);
    simulator.inject(...parseFaults('repeated-next:at=end'));
    const { poller, asked } = reader();
    await readAll(poller);
    expectAllStoredOnce();
    // Five pages, and one more to be sure.
    expect(asked()).toHaveLength(6);
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON);
  });

  it('is found though every token comes back, pages overlap and seconds are shuffled', async () => {
    mail(145);
    simulator.inject(...parseFaults('repeated-next:p=0.7,duplicate-pages:p=0.5,shuffle,empty-with-next:p=0.2'));
    await readAll(reader().poller);
    expectAllStoredOnce();
  });
});

describe('a page token that is refused', () => {
  it('starts the window again, from its beginning', async () => {
    mail(45);
    simulator.inject(...parseFaults('page-token-expiry:every=3,count=1'));
    const { poller, asked } = reader();
    await readAll(poller);
    const [first, ...others] = asked();
    expect(others.map(({ token }) => token)).toEqual([true, true, true, false, true, true, true, true]);
    expect(others[3]).toEqual(first);
    expectAllStoredOnce();
  });

  it('leads on from the newest record from the second time on, so that tokens that die young end no walk', async () => {
    mail(145);
    simulator.inject(...parseFaults('page-token-expiry'));
    const { poller, asked } = reader();
    await readAll(poller);
    expectAllStoredOnce();
    const starts = asked()
      .filter(({ token }) => !token)
      .map(({ from }) => from);
    expect(starts[1]).toBe(starts[0]);
    for (let at = 2; at < starts.length; at += 1) expect(starts[at]).toBeGreaterThan(starts[at - 1] ?? 0);
  });
});

describe('page tokens that are refused for ever', () => {
  it('are told to the caller now and then, and asking goes on', async () => {
    simulator.inject(...parseFaults('page-token-expiry'));
    simulator.add(...Array.from({ length: 25 }, (_, at) => recordAt(NOON - 10 * MINUTE, `same second ${at}`)));
    const { poller } = reader();
    const told: unknown[] = [];
    for (let step = 0; step < 250; step += 1) await poller.pollOnce(NEVER).catch((error: unknown) => told.push(error));
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({ reason: 'bad_request' });
    simulator.clearFaults();
    await readAll(poller);
    expectAllStoredOnce();
  });
});

describe('a page that could not be stored', () => {
  it('is due again: neither the walk nor the checkpoint has moved, and nothing is lost', async () => {
    mail(45);
    const { poller, asked, context } = reader();
    await poller.pollOnce(NEVER);
    const before = store.checkpoints.get('mail');
    const full = new StoreError('STORE_FULL', 'there is no room left', 'Free space.');
    vi.spyOn(store, 'storePage').mockImplementationOnce(() => {
      throw full;
    });
    await expect(poller.pollOnce(NEVER)).rejects.toBe(full);
    expect(store.checkpoints.get('mail')).toEqual(before);
    expect(storedIds(store)).toHaveLength(10);

    await readAll(poller);
    const calls = vi.mocked(context.client.fetchPage).mock.calls.map(([{ pageToken }]) => pageToken);
    expect(calls[2]).toBe(calls[1]);
    expect(asked()).toHaveLength(6);
    expectAllStoredOnce();
  });

  it('is due again when it was the last: the checkpoint waits for it', async () => {
    mail(15);
    const { poller } = reader();
    await poller.pollOnce(NEVER);
    vi.spyOn(store, 'storePage').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    await expect(poller.pollOnce(NEVER)).rejects.toThrow('broken');
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON - HOUR);
    expect(await poller.pollOnce(NEVER)).toMatchObject({ windowDone: true });
    expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON);
    expectAllStoredOnce();
  });

  it('is due again when the API failed, whatever the failure', async () => {
    mail(45);
    simulator.inject(
      ...parseFaults(
        '5xx:p=0.2,cut:p=0.1,reset:p=0.1,html:p=0.1,empty-body:p=0.1,fail-in-200:p=0.1,status-in-200:p=0.1,401:p=0.1',
      ),
    );
    const { poller } = reader();
    let failures = 0;
    for (let caughtUp = false; !caughtUp; ) {
      try {
        caughtUp = (await poller.pollOnce(NEVER)).caughtUp;
      } catch {
        failures += 1;
        expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON - HOUR);
      }
      if (failures > 200) throw new Error('it never gets through');
    }
    expect(failures).toBeGreaterThan(3);
    expectAllStoredOnce();
  });
});

describe('after a crash', () => {
  it('a walk goes on at the saved token: no page is read twice', async () => {
    mail(45);
    const before = reader();
    await before.poller.pollOnce(NEVER);
    await before.poller.pollOnce(NEVER);
    const after = reader();
    await readAll(after.poller);
    expect(after.asked()[0]).toMatchObject({ token: true, to: before.asked()[0]?.to });
    expect([...before.asked(), ...after.asked()].filter(({ to }) => to === NOON)).toHaveLength(5 + 1);
    expectAllStoredOnce();
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON, walk: null });
  });

  it('a walk whose token has expired meanwhile starts its own window again', async () => {
    mail(45);
    const before = reader();
    await before.poller.pollOnce(NEVER);
    // Longer than a page token lives; its window stays what it was.
    clock.ms += 31 * MINUTE;
    const after = reader();
    await readAll(after.poller);
    const [first, second] = after.asked();
    expect(first).toMatchObject({ token: true, to: before.asked()[0]?.to });
    expect(second).toEqual(before.asked()[0]);
    expectAllStoredOnce();
    expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON + 31 * MINUTE, walk: null });
  });

  it('a walk that had left its first records behind goes on there', async () => {
    mail(45);
    simulator.inject(...parseFaults('repeated-next:count=1'));
    const before = reader();
    await before.poller.pollOnce(NEVER);
    await before.poller.pollOnce(NEVER);
    const after = reader();
    await readAll(after.poller);
    expect(after.asked()[0]?.from).toBeGreaterThan(before.asked()[0]?.from ?? 0);
    expect(after.asked()[0]).toMatchObject({ token: false, to: NOON });
    expectAllStoredOnce();
  });
});

describe('records that come with a failure', () => {
  it('are stored without moving on, and the same page is asked for again', async () => {
    const server = await ApiServer.start();
    try {
      const records = [recordAt(NOON - 3 * SECOND, 'a'), recordAt(NOON - 2 * SECOND, 'b')];
      const failing = { ...page(records, 'next'), fail: [{ errors: [{ code: 'err_internal', retryable: true }] }] };
      server.onPage = (_, response) =>
        json(response, 200, server.pages.length === 1 ? failing : page(records), {
          date: new Date(NOON).toUTCString(),
        });
      server.onToken = (_, response) =>
        json(response, 200, { access_token: 'token', expires_in: 1799 }, { date: new Date(NOON).toUTCString() });
      const { credentials } = simulator;
      const { poller, context } = reader({
        client: contextFor({ url: server.origin, credentials } as Simulator, store).client,
      });
      await expect(poller.pollOnce(NEVER)).rejects.toMatchObject({ reason: expect.any(String), retryable: true });
      expect(storedIds(store)).toHaveLength(2);
      expect(store.checkpoints.get('mail')).toMatchObject({ doneUntil: NOON - HOUR, walk: { token: null, pages: 0 } });

      expect(await poller.pollOnce(NEVER)).toMatchObject({ duplicates: 2, added: [], windowDone: true });
      expect(server.pages[1]?.body).toBe(server.pages[0]?.body);
      expect(store.checkpoints.get('mail')?.doneUntil).toBe(NOON);
      expect(await metricOf(context.metrics, 'records_total', { outcome: 'new' })).toBe(2);
    } finally {
      await server.close();
    }
  });
});

describe('a record that does not fit', () => {
  it('is kept raw and counted once, and stops nothing', async () => {
    mail(45);
    simulator.inject(...parseFaults('malformed-record'));
    const { poller, context } = reader();
    await readAll(poller);
    clock.ms += MINUTE;
    // Everything is read again; what is kept already is not kept a second time.
    store.checkpoints.save('mail', 'attachment', NOON - HOUR, null, null);
    await readAll(reader({ metrics: context.metrics }).poller);
    expectAllStoredOnce();
    const kept = store.malformed.list().map(({ raw }) => raw);
    expect(new Set(kept)).toEqual(simulator.served.malformed);
    expect(kept).toHaveLength(simulator.served.malformed.size);
    expect(kept.length).toBeGreaterThan(2);
    expect(await metricOf(context.metrics, 'records_total', { outcome: 'malformed' })).toBe(kept.length);
  });
});

describe('a record with a known key and other content', () => {
  const known = recordAt(NOON - MINUTE, 'a');
  const changed = { ...known, actionTriggered: 'user release, none' };

  it('is kept and not shipped with variants: suppress', async () => {
    simulator.add(known, changed);
    const { poller, context } = reader();
    await readAll(poller);
    expect(storedIds(store)).toHaveLength(1);
    expect(store.variants.list()).toMatchObject([{ shipped: null, raw: JSON.stringify(changed) }]);
    expect(await metricOf(context.metrics, 'records_total', { outcome: 'variant' })).toBe(1);
  });

  it('is shipped once, under the id that is known and a mark of its own, with variants: ship', async () => {
    simulator.add(known, changed);
    await readAll(reader({ variants: 'ship' }).poller);
    store.checkpoints.save('mail', 'attachment', NOON - HOUR, null, null);
    await readAll(reader({ variants: 'ship' }).poller);
    const [first, second, ...more] = storedIds(store);
    expect(second).toMatch(new RegExp(`^${first}-[0-9a-f]{12}$`));
    expect(more).toEqual([]);
  });
});

describe('metrics of reading', () => {
  it('count each record by what became of it, and observe how late the new ones surfaced', async () => {
    mail(20);
    const metrics = contextFor(simulator, store).metrics;
    await readAll(reader({ metrics, now: () => NOON }).poller);
    store.checkpoints.save('mail', 'attachment', NOON - HOUR, null, null);
    await readAll(reader({ metrics, now: () => NOON }).poller);
    expect(await metricOf(metrics, 'records_total', { feed: 'mail', outcome: 'new' })).toBe(20);
    expect(await metricOf(metrics, 'records_total', { feed: 'mail', outcome: 'duplicate' })).toBe(20);
    const text = await metrics.registry.metrics();
    expect(text).toContain('feed_lateness_seconds_count{feed="mail"} 20');
    expect(text).toContain('feed_lateness_seconds_bucket{le="30",feed="mail"} 0');
    expect(text).toContain('feed_lateness_seconds_bucket{le="1800",feed="mail"} 20');
  });
});
