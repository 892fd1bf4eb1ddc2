import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { compileFilter } from '../../src/deliver/filter.ts';
import type { RawRecord } from '../../src/event.ts';
import { attachment } from '../../src/feeds/attachment.ts';
import { assess } from '../../src/status/assess.ts';
import { observeFeed, observeOutput, observeStore } from '../../src/status/observe.ts';
import type { OutputSnapshot } from '../../src/status/snapshot.ts';
import type { SpanName, View } from '../../src/status/view.ts';
import { viewOf } from '../../src/status/view-of.ts';
import type { Store } from '../../src/store/store.ts';
import {
  candidateOf,
  FEED,
  openStore,
  recordOf,
  START,
  someRecords,
  sqlite,
  storePage,
  storePath,
} from '../store/harness.ts';
import { DAY, feed, HOUR, MINUTE, output, snapshot, trouble } from './snapshots.ts';

const NOW = START + HOUR;
const source = attachment.create({ name: FEED, key: attachment.defaultKey });

interface Looking {
  readonly outputs?: readonly (Partial<OutputSnapshot> & { readonly name: string })[];
  readonly filters?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly span?: SpanName;
}

function look(store: Store, { outputs = [], filters = {}, span = '24h' }: Looking = {}): View {
  const facts = outputs.map((one) => output({ ...observeOutput(store, one.name), lastAcceptedAt: NOW, ...one }));
  const report = assess(
    snapshot({
      now: NOW,
      asOf: NOW,
      startedAt: NOW - DAY,
      feeds: [feed({ name: FEED, ...observeFeed(store, FEED), lastSuccessAt: NOW, checkpoint: NOW - MINUTE })],
      outputs: facts,
      store: { ...snapshot().store, ...observeStore(store) },
    }),
  );
  const compiled = Object.entries(filters).map(
    ([name, rules]) => [name, compileFilter(rules) ?? expect.fail()] as const,
  );
  return viewOf(store, report, { span, sourceOf: () => source, filters: new Map(compiled) });
}

function withResult(n: number, result: string, changes: RawRecord = {}) {
  return candidateOf(recordOf(n, { result, ...changes }));
}

/** Outputs that are served up to such a number; `refused`: with those as rejects. */
function serve(store: Store, cursors: Readonly<Record<string, number>>, refused: readonly number[] = []): void {
  for (const [name, cursor] of Object.entries(cursors)) {
    if (store.cursors.get(name) === undefined) store.startOutput(name, 'beginning');
    const rejected = store.outbox
      .read(0, { maxEvents: 100, maxBytes: 1e9 })
      .filter(({ seq }) => refused.includes(seq) && seq <= cursor)
      .map((event) => ({ event, reason: 'mapper_parsing_exception' }));
    store.settle(name, cursor, rejected, START);
  }
}

describe('the newest events', () => {
  it('are eight, newest first, in the words of their feed', () => {
    const store = openStore();
    const record = { result: 'malicious', senderAddress: 'a@b.example', route: 'inbound', subject: 'private' };
    storePage(store, [...someRecords(11), candidateOf(recordOf(12, record))]);
    const { events } = look(store).recent;
    expect(events.map(({ file }) => file)).toEqual([12, 11, 10, 9, 8, 7, 6, 5].map((n) => `a/${n}.pdf`));
    expect(events[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      at: START + 12_000,
      result: 'malicious',
      file: 'a/12.pdf',
      sender: 'a@b.example',
      recipient: 'r12@example.com',
      route: 'inbound',
      acceptedBy: [],
      pending: [],
    });
    expect(events[1]).toMatchObject({ result: '', sender: '', route: '' });
  });

  it('tell which outputs have accepted each, and why the others have not', () => {
    const store = openStore();
    const records = [withResult(1, 'safe'), withResult(2, 'malicious'), withResult(3, 'malicious')];
    storePage(store, records, { now: NOW });
    serve(store, { siem: 3, disk: 2, down: 1 });
    serve(store, { picky: 3, fussy: 3 }, [2]);
    const outputs = [
      { name: 'siem' },
      { name: 'disk' },
      { name: 'down', trouble: trouble({ since: NOW - HOUR }) },
      { name: 'picky' },
      { name: 'fussy' },
    ];
    const { events } = look(store, { outputs, filters: { picky: { result: ['malicious'] } } }).recent;
    expect(events.map(({ acceptedBy, pending }) => [acceptedBy, pending])).toEqual([
      [
        ['siem', 'picky', 'fussy'],
        [
          { output: 'disk', why: 'next' },
          { output: 'down', why: 'waits' },
        ],
      ],
      [
        ['siem', 'disk'],
        [
          { output: 'down', why: 'waits' },
          { output: 'picky', why: 'rejected' },
          { output: 'fussy', why: 'rejected' },
        ],
      ],
      [['siem', 'disk', 'down', 'fussy'], [{ output: 'picky', why: 'filtered' }]],
    ]);
  });

  it('that an output will filter wait for nothing, and what lies behind others in its backlog waits', () => {
    const store = openStore();
    storePage(store, [withResult(1, 'safe'), withResult(2, 'malicious')], { now: NOW - HOUR });
    serve(store, { behind: 0 });
    const { events } = look(store, {
      outputs: [{ name: 'behind' }],
      filters: { behind: { result: ['malicious'] } },
    }).recent;
    expect(events.map(({ pending }) => pending[0]?.why)).toEqual(['waits', 'filtered']);
  });

  it('were never promised to an output that began after them', () => {
    const store = openStore();
    storePage(store, someRecords(2));
    store.startOutput('late', 'now');
    storePage(store, someRecords(1, 3));
    serve(store, { late: 3 });
    const { events } = look(store, { outputs: [{ name: 'late' }] }).recent;
    expect(events.map(({ acceptedBy, pending }) => [acceptedBy, pending])).toEqual([
      [['late'], []],
      [[], []],
      [[], []],
    ]);
  });

  it('with a record of 5 MB are told of without it, and nothing is made up about its filter', () => {
    const store = openStore();
    storePage(store, [withResult(1, 'malicious', { details: 'x'.repeat(5_000_000) })]);
    serve(store, { siem: 1, picky: 1 });
    const parse = vi.spyOn(JSON, 'parse');
    const { events } = look(store, {
      outputs: [{ name: 'siem' }, { name: 'picky' }],
      filters: { picky: { result: ['malicious'] } },
    }).recent;
    expect(events).toMatchObject([{ result: '', file: '', at: START + 1000, acceptedBy: ['siem'], pending: [] }]);
    expect(parse.mock.calls.filter(([text]) => text.length > 10_000)).toEqual([]);
    parse.mockRestore();
  });
});

describe('rejects and variants', () => {
  it('are counted over all outputs, and the newest five are told', () => {
    const store = openStore();
    storePage(store, someRecords(7));
    serve(store, { siem: 7, gone: 1 }, [1, 2, 3, 4, 5, 6, 7]);
    const { rejects } = look(store, { outputs: [{ name: 'siem' }] }).recent;
    expect(rejects.count).toBe(8);
    expect(rejects.newest.map((reject) => reject.output)).toEqual(['gone', 'siem', 'siem', 'siem', 'siem']);
    expect(rejects.newest[0]).toMatchObject({ reason: 'mapper_parsing_exception', at: START });
  });

  it('show what changed, but for the subject and what nobody has named', () => {
    const store = openStore();
    storePage(store, [withResult(1, 'safe', { subject: 'private', more: 1, details: 'y'.repeat(2000) })]);
    const changed = { subject: 'secret', more: 2, fileName: 'x'.repeat(2000), actionTriggered: 'block' };
    storePage(store, [withResult(1, 'malicious', changed)], { variants: 'ship' });
    storePage(store, [withResult(1, 'safe', { subject: 'other', details: 'y'.repeat(2000) })]);
    const { count, newest } = look(store).recent.variants;
    expect([count, newest.map(({ shipped }) => shipped)]).toEqual([2, [false, true]]);
    expect(newest.map(({ changes }) => changes)).toEqual([
      [],
      [
        { field: 'result', was: 'safe', became: 'malicious' },
        { field: 'action', was: '', became: 'block' },
        { field: 'details', was: 'y'.repeat(500), became: '' },
        { field: 'fileName', was: 'a/1.pdf', became: 'x'.repeat(500) },
      ],
    ]);
    expect(JSON.stringify(look(store).recent)).not.toMatch(/private|secret|other/);
  });

  it('show no changes of an event that retention has let go of', () => {
    const store = openStore();
    storePage(store, [withResult(1, 'safe')]);
    storePage(store, [withResult(1, 'malicious')]);
    store.prune({ now: START, storedBefore: START + 1 });
    expect(look(store).recent.variants.newest).toMatchObject([{ changes: [], at: START }]);
  });
});

describe('a view', () => {
  it('has the timelines of each feed and output, on one axis', () => {
    const store = openStore();
    const window = { purpose: 'poll' as const, from: NOW - HOUR, to: NOW - MINUTE, records: 0 };
    store.checkpoints.save(FEED, 'attachment', NOW - 2 * HOUR, null, null);
    storePage(store, [], {
      progress: { doneUntil: NOW - MINUTE, walk: null },
      coverage: { ...window, end: 'complete', keptSince: 0 },
    });
    serve(store, { siem: 0 });
    const minute = NOW / MINUTE - 10;
    store.activity.write(
      [
        { subject: `feed ${FEED}`, minute, count: 10, waiting: null },
        { subject: 'output siem', minute, count: 8, waiting: 2 },
      ],
      [{ subject: 'output siem', from: NOW - 2 * DAY, until: NOW - DAY - HOUR, reason: 'auth', message: 'no' }],
    );
    const day = look(store, { outputs: [{ name: 'siem' }] });
    expect([day.span, day.from, day.until]).toEqual(['24h', NOW - DAY, NOW]);
    expect(day.feeds.get(FEED)).toMatchObject({
      total: 10,
      peakPerMinute: 10,
      read: [{ from: NOW - HOUR, until: NOW - MINUTE + 1000 }],
      unread: [{ kind: 'gap', from: NOW - 2 * HOUR, until: NOW - HOUR }],
    });
    expect(day.outputs.get('siem')).toMatchObject({ total: 8, failures: [], lastOver: { message: 'no' } });
    expect(day.outputs.get('siem')?.steps.at(-2)).toEqual({ perMinute: 8, waiting: 2 });
    const week = look(store, { outputs: [{ name: 'siem' }], span: '7d' });
    expect(week.outputs.get('siem')?.steps).toHaveLength(336);
    expect(week.outputs.get('siem')?.failures).toMatchObject([{ from: NOW - 2 * DAY, reason: 'auth' }]);
  });

  it('asks for nothing that grows with the store', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, [...someRecords(3), withResult(1, 'malicious')]);
    serve(store, { siem: 3 }, [1]);
    const asked = statementsOf(() => look(store, { outputs: [{ name: 'siem' }] }));
    expect(asked.size).toBeGreaterThan(15);
    const db = sqlite(path);
    const scans = [...asked].flatMap((sql) => {
      const plan = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
      const nothing = Array(sql.split('?').length - 1).fill(null);
      return plan
        .all(...nothing)
        .filter(({ detail }) => !isBounded(sql, detail))
        .map(({ detail }) => `${detail}: ${sql}`);
    });
    expect(scans).toEqual([]);
  });
});

/** The tables that have some rows a feed or output; and one that a window of a day and a result share a row of. */
const SMALL = /^SCAN (sqlite_sequence|tally|cursor|checkpoint|failure)\b/;

/** Along an index, or along a whole table in its own order and to a limit, with nothing left out on the way. */
function isBounded(sql: string, detail: string): boolean {
  if (/^(SEARCH|LIST|SCALAR)/.test(detail) || SMALL.test(detail)) return true;
  return (
    /^SCAN (event|reject|variant|seen)( USING INTEGER PRIMARY KEY)?$/.test(detail) &&
    /LIMIT/.test(sql) &&
    !/WHERE/.test(sql)
  );
}

/** The statements that are run meanwhile. */
function statementsOf(work: () => void): Set<string> {
  const memory = new Database(':memory:');
  const prototype = Object.getPrototypeOf(memory.prepare('SELECT 1')) as Database.Statement;
  memory.close();
  const spies = (['get', 'all', 'iterate'] as const).map((method) => vi.spyOn(prototype, method));
  try {
    work();
    return new Set(
      spies.flatMap(({ mock }) => mock.contexts.map((statement) => (statement as Database.Statement).source)),
    );
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
