import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot, Trouble } from '../../src/status/snapshot.ts';
import {
  at,
  DAY,
  feed,
  firstRun,
  HOUR,
  MINUTE,
  NOW,
  output,
  SECOND,
  snapshot,
  stopped,
  trouble,
  troubled,
} from './snapshots.ts';

const refused = trouble({ since: at('02:10:00'), reason: 'auth', retryable: false });

function withFeed(changes: Partial<FeedSnapshot>): Snapshot {
  return snapshot({ feeds: [feed(changes)] });
}

function withOutput(changes: Partial<OutputSnapshot>): Snapshot {
  return snapshot({ outputs: [output(changes)] });
}

function withStore(changes: Partial<Snapshot['store']>): Snapshot {
  return snapshot({ store: { ...snapshot().store, ...changes } });
}

/** Every headline, in the order in which they win over each other. */
const HEADLINES: readonly [sentence: string, verdict: string, given: Snapshot][] = [
  ['The daemon is not running. What follows is what the store knew at 09:31:42.', 'bad', stopped()],
  [
    'The daemon is not running. What follows is what the store knew at 09:31:42 on 23 Nov.',
    'bad',
    { ...stopped(), now: NOW + 3 * DAY },
  ],
  [
    'Collecting has been paused since 06:40: the store is full. Nothing is lost, Mimecast keeps 30 days.',
    'bad',
    withStore({ paused: { reason: 'store_full', since: at('06:40:09') } }),
  ],
  [
    'Collecting has been paused since 23 Oct 06:40: the disk is full.',
    'bad',
    withStore({ paused: { reason: 'disk_full', since: at('06:40:09', '2026-10-23') } }),
  ],
  [
    'Mimecast has refused our sign-in since 02:10. Nothing is lost until 23 Dec.',
    'bad',
    snapshot({ feeds: [feed({ trouble: refused }), feed({ name: 'url', trouble: { ...refused, since: NOW } })] }),
  ],
  [
    'Mimecast has refused our sign-in since 02:10. Records are being lost: Mimecast keeps 30 days.',
    'bad',
    withFeed({ checkpoint: NOW - 31 * DAY, trouble: refused }),
  ],
  [
    'Mimecast has refused our sign-in since 02:10.',
    'bad',
    withFeed({ checkpoint: null, lastSuccessAt: null, trouble: refused }),
  ],
  [
    'Mimecast has refused feed attachment since 02:10. Nothing is lost until 23 Dec.',
    'bad',
    withFeed({ trouble: { ...refused, reason: 'forbidden' } }),
  ],
  [
    'Feed attachment has not been read since 09:26. Nothing is lost until 23 Dec.',
    'bad',
    withFeed({ trouble: trouble({ since: NOW - 5 * MINUTE }) }),
  ],
  [
    'Feed attachment has not been read since 09:21. Nothing is lost until 23 Dec.',
    'bad',
    withFeed({ lastSuccessAt: NOW - 10 * MINUTE }),
  ],
  [
    'Two feeds have not been read since 09:21. Nothing is lost until 23 Dec.',
    'bad',
    snapshot({
      feeds: [feed({ lastSuccessAt: NOW - 10 * MINUTE }), feed({ name: 'url', lastSuccessAt: NOW - HOUR / 10 })],
    }),
  ],
  ['Output splunk has refused events since 14:02. Nothing is lost: 12,408 wait.', 'bad', troubled()],
  [
    'Output splunk has been failing since 09:26. Nothing is lost: 1 waits.',
    'bad',
    withOutput({ backlog: 1, trouble: trouble({ since: NOW - 5 * MINUTE }) }),
  ],
  [
    'Output splunk has been failing since 09:26. 7 wait.',
    'bad',
    withOutput({ lossless: false, backlog: 7, trouble: trouble({ since: NOW - 5 * MINUTE }) }),
  ],
  [
    'Output splunk has accepted nothing since 09:21. Nothing is lost: 7 wait.',
    'bad',
    withOutput({ backlog: 7, oldestWaitingAt: NOW - 10 * MINUTE, lastAcceptedAt: NOW - HOUR }),
  ],
  [
    'Two outputs have been failing since 02:10. Nothing is lost: 24,100 events wait.',
    'bad',
    snapshot({
      outputs: [
        output({ backlog: 24_000, trouble: refused }),
        output({ name: 'qradar', backlog: 100, trouble: trouble({ since: NOW - HOUR }) }),
        output({ name: 'disk', backlog: 5 }),
      ],
    }),
  ],
  [
    'Two outputs have been failing since 02:10. 24,100 events wait.',
    'bad',
    snapshot({
      outputs: [
        output({ backlog: 24_000, trouble: refused }),
        output({ name: 'udp', lossless: false, backlog: 100, trouble: trouble({ since: NOW - HOUR }) }),
      ],
    }),
  ],
  ['Output splunk refused 1 event for good. It is kept.', 'warn', withOutput({ rejects: 1 })],
  [
    'Two outputs refused 7 events for good. They are kept.',
    'warn',
    snapshot({ outputs: [output({ rejects: 3 }), output({ name: 'elastic', rejects: 4 }), output({ name: 'disk' })] }),
  ],
  ['Feed attachment read 2 records that do not fit. They are kept.', 'warn', withFeed({ malformed: 2 })],
  [
    "This machine's clock is 94 s ahead of Mimecast's. Nothing is missed.",
    'warn',
    snapshot({ api: { ...snapshot().api, clockSkewMs: 94_000 } }),
  ],
  [
    "This machine's clock is 6 s behind Mimecast's. Nothing is missed.",
    'warn',
    snapshot({ api: { ...snapshot().api, clockSkewMs: -6000 } }),
  ],
  ['The store is 92 % full: 9.2 GiB of 10 GiB.', 'warn', withStore({ bytes: Math.ceil(9.2 * 1024 ** 3) })],
  [
    'Output splunk is catching up: 10,220 to go, done about 09:47. Nothing is lost.',
    'at_work',
    withOutput({ backlog: 10_220, oldestWaitingAt: NOW - HOUR, ratePerMinute: 640 }),
  ],
  [
    'Output splunk is catching up: 10,220 to go.',
    'at_work',
    withOutput({ lossless: false, backlog: 10_220, oldestWaitingAt: NOW - HOUR, ratePerMinute: null }),
  ],
  [
    'Feed attachment is catching up: 3 h 20 min to go. Nothing is lost until 23 Dec.',
    'at_work',
    withFeed({ checkpoint: NOW - 3 * HOUR - 20 * MINUTE }),
  ],
  ['Just started. Reading the last 24 hours from Mimecast.', 'at_work', firstRun()],
  [
    'Started at 09:31:40. The first poll is under way.',
    'at_work',
    snapshot({ startedAt: NOW - 2 * SECOND, feeds: [feed({ lastSuccessAt: null })] }),
  ],
  ['All is well. Events up to 09:31:20 are stored, all 4 outputs keep up.', 'ok', snapshot()],
  ['All is well. Events up to 09:31:20 are stored, output splunk keeps up.', 'ok', withOutput({})],
  [
    'All is well. Events up to 09:31:20 are stored, 1 of 2 outputs keep up.',
    'ok',
    snapshot({ outputs: [output(), output({ name: 'qradar', trouble: trouble() })] }),
  ],
];

describe('the headline', () => {
  it.each(HEADLINES)('%s', (sentence, verdict, given) => {
    const report = assess(given);
    expect(report.headline).toBe(sentence);
    expect(report.verdict).toBe(verdict);
  });

  it('is the worst of several, and the problems stand in the same order', () => {
    const report = assess({
      ...troubled(),
      store: { ...snapshot().store, bytes: 9.5 * 1024 ** 3, paused: null },
      feeds: [feed({ malformed: 1, trouble: refused })],
    });
    expect(report.headline).toMatch(/^Mimecast has refused our sign-in/);
    expect(report.problems.map(({ severity, what }) => `${severity} ${what}`)).toEqual([
      'bad Mimecast refuses our sign-in',
      'bad Output splunk refuses every event',
      'warn Output elastic refused 3 events for good',
      'warn Feed attachment read 1 record that does not fit',
      "warn This machine's clock is 94 s ahead of Mimecast's",
      'warn The store is 95 % full: 9.5 GiB of 10 GiB',
    ]);
  });
});

describe('rows', () => {
  const feedRow = (changes: Partial<FeedSnapshot>) => assess(withFeed(changes)).feeds[0];
  const outputRow = (changes: Partial<OutputSnapshot>) => assess(withOutput(changes)).outputs[0];

  it.each<[string, string, Partial<FeedSnapshot>]>([
    ['ok', 'Reading', {}],
    ['warn', 'Reading, 2 malformed', { malformed: 2 }],
    ['at_work', 'Retrying since 09:30', { trouble: trouble() }],
    ['bad', 'Refused since 02:10', { trouble: refused }],
    ['bad', 'Failing since 09:25', { trouble: trouble({ since: NOW - 6 * MINUTE }) }],
    ['bad', 'No poll since 09:27', { lastSuccessAt: NOW - 4 * MINUTE }],
    ['at_work', 'Catching up', { checkpoint: NOW - HOUR }],
    [
      'at_work',
      'First window',
      { checkpoint: null, lastSuccessAt: null, lastPollAt: NOW, walk: { from: 0, to: 1, pages: 0 } },
    ],
  ])('a feed is marked %s: %s', (mark, state, changes) => {
    expect(feedRow(changes)).toMatchObject({ mark, state });
  });

  it.each<[string, string, Partial<OutputSnapshot>]>([
    ['ok', 'Accepting', {}],
    ['warn', 'Accepting, 3 rejects', { rejects: 3 }],
    ['idle', 'Nothing sent since start', { lastAcceptedAt: null }],
    ['at_work', 'Retrying since 09:30', { trouble: trouble() }],
    ['at_work', 'Catching up', { backlog: 9, oldestWaitingAt: NOW - HOUR }],
    ['bad', 'Refusing since 02:10', { trouble: refused }],
    ['bad', 'Failing since 09:25', { trouble: trouble({ since: NOW - 6 * MINUTE }) }],
  ])('an output is marked %s: %s', (mark, state, changes) => {
    expect(outputRow(changes)).toMatchObject({ mark, state });
  });

  it('a feed that is read once an hour is neither late nor behind between two polls', () => {
    const hourly = { interval: HOUR, checkpoint: NOW - HOUR, lastSuccessAt: NOW - HOUR };
    expect(feedRow(hourly)).toMatchObject({ mark: 'ok', lagMs: HOUR });
  });
});

describe('any snapshot', () => {
  const time = fc.option(fc.integer({ min: NOW - 40 * DAY, max: NOW }), { nil: null });
  const anyTrouble: fc.Arbitrary<Trouble | null> = fc.option(
    fc
      .record({
        since: fc.integer({ min: NOW - DAY, max: NOW }),
        retryable: fc.boolean(),
        reason: fc.constantFrom('auth', 'timeout', 'refused', 'connect'),
      })
      .map((changes) => trouble(changes)),
    { nil: null },
  );
  const anyFeed = fc
    .record({ checkpoint: time, lastSuccessAt: time, lastPollAt: time, malformed: fc.nat(2), trouble: anyTrouble })
    .map(feed);
  const anyOutput = fc
    .record({
      lossless: fc.boolean(),
      backlog: fc.nat(5000),
      oldestWaitingAt: time,
      lastAcceptedAt: time,
      rejects: fc.nat(2),
      trouble: anyTrouble,
    })
    .map(output);
  const anySnapshot = fc
    .record({
      running: fc.boolean(),
      feeds: fc.array(anyFeed, { maxLength: 3 }),
      outputs: fc.array(anyOutput, { maxLength: 3 }),
      startedAt: time,
    })
    .map(snapshot);

  it('is never called well beside an open problem or a row that is bad', () => {
    fc.assert(
      fc.property(anySnapshot, (given) => {
        const report = assess(given);
        const bad = [...report.feeds, ...report.outputs].some(({ mark }) => mark === 'bad');
        expect(report.verdict === 'bad').toBe(report.problems.some(({ severity }) => severity === 'bad'));
        if (bad) expect(report.verdict).toBe('bad');
        if (report.headline.startsWith('All is well')) {
          expect(report.verdict).toBe('ok');
          expect(report.problems).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('says that nothing is lost only where the outputs in trouble prove it', () => {
    fc.assert(
      fc.property(anyOutput, (one) => {
        const { headline } = assess(snapshot({ outputs: [one] }));
        if (headline.includes('Nothing is lost') && headline.startsWith('Output')) expect(one.lossless).toBe(true);
      }),
    );
  });

  it('is not changed by being judged, and the report is plain JSON', () => {
    fc.assert(
      fc.property(anySnapshot, (given) => {
        const before = structuredClone(given);
        const report = assess(given);
        expect(given).toEqual(before);
        expect(JSON.parse(JSON.stringify(report))).toEqual(report);
      }),
    );
  });
});
