import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { readiness } from '../../src/status/readiness.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from '../../src/status/snapshot.ts';
import { renderTerminal } from '../../src/status/terminal.ts';
import { DAY, feed, HOUR, MINUTE, NOW, output, SECOND, snapshot, stopped, trouble } from './snapshots.ts';

/** Every state that a feed, an output and the daemon can be in, and what tells it from every other. */

const NOTHING_NEW = { lastEventAt: NOW - 26 * HOUR, lastPollNew: 0, lastPollRead: 0 };
const BACKLOG = { backlog: 9000, oldestWaitingAt: NOW - 2 * HOUR };

function withFeed(changes: Partial<FeedSnapshot>): Snapshot {
  return snapshot({ feeds: [feed(changes)] });
}

function withOutput(changes: Partial<OutputSnapshot>): Snapshot {
  return snapshot({ outputs: [output(changes)] });
}

function withApi(changes: Partial<Snapshot['api']>, one: Partial<FeedSnapshot> = {}): Snapshot {
  return { ...withFeed(one), api: { ...snapshot().api, ...changes } };
}

function failing(changes: Parameters<typeof trouble>[0], more: Partial<FeedSnapshot> = {}): Snapshot {
  return withFeed({ trouble: trouble({ since: NOW - 10 * MINUTE, ...changes }), ...more });
}

/** What `/readyz` says: its reasons with their causes, then its notes. */
function readyWords(given: Snapshot): string {
  const { reasons, notes } = readiness(given);
  const words = reasons.map(({ reason, cause }) => (cause === undefined ? reason : `${reason}: ${cause}`));
  return [...words, ...notes.map(({ note }) => `(${note})`)].join(', ');
}

/** What it is, how bad, what `/readyz` says, and the state or problem by which `status` tells it. */
const STATES: readonly [what: string, verdict: string, readyz: string, words: string, given: Snapshot][] = [
  ['reads new events', 'ok', '', 'Reading', withFeed({})],
  ['is quiet for a night', 'ok', '', 'Reading', withFeed({ ...NOTHING_NEW, lastEventAt: NOW - 12 * HOUR })],
  [
    'gets empty pages for a day',
    'ok',
    '(feed_empty)',
    'has brought no record since 22 Nov 07:31',
    withFeed(NOTHING_NEW),
  ],
  [
    'never brought anything',
    'ok',
    '(feed_empty)',
    'has brought no record in all that was read, from 21 Nov 09:31',
    withFeed({ ...NOTHING_NEW, lastEventAt: null, begunAt: NOW - 2 * DAY }),
  ],
  [
    'gets only known records for a day',
    'ok',
    '(feed_known)',
    'only known records since 22 Nov 07:31: the last poll read 12, all known, 300 records read since',
    withFeed({ ...NOTHING_NEW, lastPollRead: 12, readSinceNew: 300 }),
  ],
  [
    'gets only malformed records for a day',
    'warn',
    '(feed_malformed)',
    'no record that fits since 22 Nov 07:31',
    withFeed({ ...NOTHING_NEW, lastPollRead: 12, readSinceNew: 300, malformedSinceNew: 20, malformed: 20 }),
  ],
  ['read a malformed record', 'warn', '', 'Reading, 1 malformed', withFeed({ malformed: 1 })],
  [
    'has its sign-in refused',
    'bad',
    'feed_refused: auth',
    'refuses our sign-in',
    failing({ reason: 'auth', retryable: false }),
  ],
  ['has each new token refused', 'bad', 'feed_refused: auth', 'refuses our sign-in', failing({ reason: 'auth' })],
  [
    'lacks the permission',
    'bad',
    'feed_refused: forbidden',
    'Mimecast refuses feed',
    failing({ reason: 'forbidden', retryable: false }),
  ],
  [
    'asks what is not understood',
    'bad',
    'feed_refused: bad_request',
    'Mimecast refuses feed',
    failing({ reason: 'bad_request', retryable: false }),
  ],
  [
    'meets a proxy that wants a password',
    'bad',
    'feed_failing: network',
    'cannot be read',
    failing({ reason: 'network', retryable: false }),
  ],
  [
    'meets a fault of ours',
    'bad',
    'feed_failing: internal',
    'cannot be read',
    failing({ reason: 'internal', retryable: false }),
  ],
  ['meets a dead Mimecast', 'bad', 'feed_failing: server', 'cannot be read', failing({ reason: 'server' })],
  ['cannot write the store', 'bad', 'feed_failing: store', 'cannot be read', failing({ reason: 'store' })],
  [
    'gets 429 for long',
    'bad',
    'feed_rate_limited: rate_limited',
    'Mimecast limits our requests',
    failing({ reason: 'rate_limited' }),
  ],
  [
    'waits for the quota without a failure',
    'bad',
    'feed_rate_limited',
    'It goes on by itself at 09:40:42',
    withApi({ heldUntil: NOW + 9 * MINUTE }, { lastSuccessAt: NOW - 6 * MINUTE }),
  ],
  ['fails for a minute', 'ok', '', 'Retrying since', failing({ since: NOW - MINUTE })],
  ['is not polled', 'bad', 'feed_overdue', 'is not being polled', withFeed({ lastSuccessAt: NOW - 4 * MINUTE })],
  [
    'hangs in a page',
    'bad',
    'feed_overdue',
    'is not being polled: page 4 of the window 08:31 to 09:31',
    withFeed({
      lastSuccessAt: NOW - HOUR,
      lastPollAt: NOW - 4 * MINUTE,
      walk: { from: NOW - HOUR, to: NOW, pages: 3 },
    }),
  ],
  [
    'stands still while the clock was set back',
    'bad',
    'feed_overdue',
    'is not being polled',
    withFeed({ lastSuccessAt: NOW + HOUR, lastPollAt: NOW + HOUR, idleMs: 4 * MINUTE }),
  ],
  [
    'fails since before the clock was set back',
    'bad',
    'feed_failing: timeout',
    'cannot be read',
    failing({ since: NOW + HOUR }),
  ],
  ['catches up', 'at_work', '', 'Catching up', withFeed({ checkpoint: NOW - 3 * HOUR, leastBehindAt: NOW - MINUTE })],
  [
    'falls behind, or reads a window without end',
    'bad',
    'feed_falling_behind',
    'falls ever further behind: 3 h behind, page 7,001 of the window 06:31 to 09:31',
    withFeed({
      checkpoint: NOW - 3 * HOUR,
      lastPollAt: NOW,
      leastBehindAt: NOW - HOUR,
      walk: { from: NOW - 3 * HOUR, to: NOW, pages: 7000 },
    }),
  ],
  [
    'fails to sweep',
    'warn',
    '(feed_sweep_missed)',
    'The sweep of feed attachment fails',
    withFeed({ sweepTrouble: trouble({ nextTryAt: null }) }),
  ],
  [
    'was not swept for days',
    'warn',
    '(feed_sweep_missed)',
    'The sweep of feed attachment has not been done',
    withFeed({ lastSweepAt: NOW - 3 * DAY - 1 }),
  ],
  ['has a sweep that is tried again', 'ok', '', 'Reading', withFeed({ sweepTrouble: trouble() })],
  ['is never swept, as configured', 'ok', '', 'Reading', withFeed({ lastSweepAt: null, sweepInterval: null })],
  [
    'is paused: store full',
    'bad',
    'paused: store_full',
    'the store is full',
    snapshot({ store: { ...snapshot().store, paused: { reason: 'store_full', since: NOW } } }),
  ],
  [
    'is paused: disk full',
    'bad',
    'paused: disk_full',
    'the disk is full',
    snapshot({ store: { ...snapshot().store, paused: { reason: 'disk_full', since: NOW } } }),
  ],
  [
    'is paused: disk unwritable',
    'bad',
    'paused: disk_unwritable',
    'takes no writes',
    snapshot({ store: { ...snapshot().store, paused: { reason: 'disk_unwritable', since: NOW } } }),
  ],
  ['accepts', 'ok', '', 'Accepting', withOutput({})],
  ['has had nothing to send', 'ok', '', 'Nothing sent since start', withOutput({ lastAcceptedAt: null })],
  ['works off a backlog', 'at_work', '', 'Catching up', withOutput({ ...BACKLOG, leastBehindAt: NOW - MINUTE })],
  [
    'is slower than events come',
    'warn',
    '(output_falling_behind)',
    'accepts events more slowly than they come: 9,000 wait, the oldest for 2 h',
    withOutput({ ...BACKLOG, leastBehindAt: NOW - HOUR }),
  ],
  [
    'cannot be reached',
    'bad',
    'output_failing: connect',
    'Output splunk fails',
    withOutput({ trouble: trouble({ since: NOW - HOUR, reason: 'connect' }) }),
  ],
  [
    'says no',
    'bad',
    'output_refusing: auth',
    'refuses every event',
    withOutput({ trouble: trouble({ reason: 'auth', retryable: false }) }),
  ],
  [
    'hangs with events',
    'bad',
    'output_silent',
    'accepts nothing',
    withOutput({ ...BACKLOG, lastAcceptedAt: NOW - HOUR }),
  ],
  ['hangs in the midst of a reject', 'bad', 'output_silent', 'accepts nothing', withOutput({ idleMs: 10 * MINUTE })],
  [
    'hangs while the clock was set back',
    'bad',
    'output_silent',
    'accepts nothing',
    withOutput({ backlog: 3, oldestWaitingAt: NOW + HOUR, lastAcceptedAt: NOW + HOUR, idleMs: 11 * MINUTE }),
  ],
  [
    'refuses each event for good',
    'bad',
    'output_rejecting',
    'refuses each event for good: the last 20 events, and accepted none: no such index',
    withOutput({ rejects: 40, refusedInRow: 20, lastRejectReason: 'no such index', lastRejectAt: NOW }),
  ],
  ['refused some events', 'warn', '', 'refused 3 events for good', withOutput({ rejects: 3, refusedInRow: 3 })],
  [
    'has a filter that lets nothing pass',
    'ok',
    '(output_filter_closed)',
    'The filter of output splunk has let nothing pass since 22 Nov 07:31: 500 events kept back',
    withOutput({ filteredInRow: 500, filteredSince: NOW - 26 * HOUR }),
  ],
  ['has kept some events back', 'ok', '', 'Accepting', withOutput({ filteredInRow: 5, filteredSince: NOW - HOUR })],
  [
    'rests on a certificate that ends soon',
    'warn',
    '(certificate_ends)',
    "Output splunk's receiver certificate ends in 9 d: good until 2 Dec 2026 09:31:42 UTC",
    snapshot({
      certificates: [{ output: 'splunk', certificate: 'receiver', notBefore: NOW - 81 * DAY, notAfter: NOW + 9 * DAY }],
    }),
  ],
  [
    'differs from the clock of Mimecast',
    'warn',
    '(clock_skewed)',
    'clock is 94 s ahead',
    withApi({ clockSkewMs: 94_000 }),
  ],
  [
    'is far ahead of the clock of Mimecast, and reads all there is',
    'warn',
    '(clock_skewed)',
    'Reading',
    withApi({ clockSkewMs: HOUR }, { checkpoint: NOW - HOUR - 20 * SECOND }),
  ],
  [
    'is far behind the clock of Mimecast, and so is reading',
    'warn',
    '(clock_skewed)',
    'Catching up',
    withApi({ clockSkewMs: -HOUR }, { checkpoint: NOW }),
  ],
  [
    'runs with another config than the file says',
    'warn',
    '(config_refused)',
    'the old one is in force: forwarder.yaml:3:5 no such key',
    snapshot({ refusedConfig: { at: NOW - HOUR, message: 'forwarder.yaml:3:5 no such key' } }),
  ],
  [
    'has a store that is nearly full',
    'warn',
    '',
    'The store is 95 % full',
    snapshot({ store: { ...snapshot().store, bytes: 9.5 * 1024 ** 3 } }),
  ],
  ['is not running', 'bad', 'not_running', 'The daemon is not running', stopped()],
];

describe('a feed, an output or the daemon that', () => {
  it.each(STATES)('%s: %s, "%s"', (_, verdict, readyz, words, given) => {
    const report = assess(given);
    expect(report.verdict).toBe(verdict);
    expect(readyWords(given)).toBe(readyz);
    expect(everyWord(given)).toContain(words);
  });

  it('is in one state, looks like none of the others', () => {
    const looks = STATES.map(([what, , , , given]) => [what, everyWord(given).replaceAll(/[\d:]+/g, '#')] as const);
    const healthy = new Set(['reads new events', 'is quiet for a night', 'accepts', 'has kept some events back']);
    for (const [what, look] of looks.filter(([what]) => !healthy.has(what) && !ALIKE.has(what))) {
      const same = looks.filter(([other, otherLook]) => other !== what && !ALIKE.has(other) && otherLook === look);
      expect(
        same.map(([other]) => other),
        what,
      ).toEqual([]);
    }
  });

  it('is not well by the headline while a note is open, though nothing alarms', () => {
    const { headline, problems, notes } = assess(withFeed(NOTHING_NEW));
    expect(headline).toBe('Nothing fails, but: Feed attachment has brought no record since 22 Nov 07:31.');
    expect(problems).toEqual([]);
    expect(notes).toHaveLength(1);
  });

  it('is silent, names the causes in order and what tells them apart', () => {
    const page = renderTerminal(assess(withFeed(NOTHING_NEW)), { color: false, unicode: true, width: 80 });
    const text = page.replaceAll(/\s+/g, ' ');
    const causes = ['really quiet', 'lacks the product', 'the permission', 'another region', 'check --online'];
    const places = causes.map((cause) => text.indexOf(cause));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(page).toContain('· attachment');
    expect(page).toContain('Empty since 22 Nov 07:31');
  });
});

/** Pairs that differ in their cause only by the message of the failure, which the table leaves the same. */
const ALIKE: ReadonlySet<string> = new Set([
  'has each new token refused',
  'asks what is not understood',
  'meets a fault of ours',
  'meets a proxy that wants a password',
  'meets a dead Mimecast',
  'cannot write the store',
  'fails since before the clock was set back',
  'has a sweep that is tried again',
  'is never swept, as configured',
  'stands still while the clock was set back',
  'hangs in the midst of a reject',
  'hangs while the clock was set back',
]);

/** All that `status` and `/readyz` say, on one line. */
function everyWord(given: Snapshot): string {
  const { headline, problems, notes, feeds, outputs } = assess(given);
  const told = [...problems, ...notes].map(({ what, detail, do: cure }) => `${what}: ${detail} ${cure.sentence}`);
  const states = [...feeds, ...outputs].map(({ state }) => state);
  return [headline, ...told, ...states, readyWords(given)].join(' | ');
}
