import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { readiness } from '../../src/status/readiness.ts';
import type { Snapshot } from '../../src/status/snapshot.ts';
import { exitCodeOf } from '../../src/status/terminal.ts';
import { feed, firstRun, MINUTE, NOW, output, SECOND, snapshot, stopped, trouble } from './snapshots.ts';

const JUST_STARTED = NOW - 20 * SECOND;

function feeds(...changes: Parameters<typeof feed>[0][]): Snapshot {
  return snapshot({ feeds: changes.map((change) => feed(change)) });
}

function outputs(...changes: Parameters<typeof output>[0][]): Snapshot {
  return snapshot({ outputs: changes.map((change) => output(change)) });
}

const UNREADY: readonly [string, Snapshot, string[]][] = [
  ['the daemon is not running', stopped(), ['not_running']],
  ['the first poll is under way', firstRun(), ['starting']],
  [
    'the feed was last read before the start',
    snapshot({ startedAt: JUST_STARTED, feeds: [feed({ lastSuccessAt: JUST_STARTED - SECOND })] }),
    ['starting'],
  ],
  [
    'the feed has not been read since the start, as after every restart',
    snapshot({ startedAt: JUST_STARTED, feeds: [feed({ lastSuccessAt: null })] }),
    ['starting'],
  ],
  ['three polls are missed', feeds({ lastSuccessAt: NOW - 3 * MINUTE - 1 }), ['feed_overdue']],
  ['one of two feeds is overdue', feeds({}, { lastSuccessAt: NOW - 4 * MINUTE }), ['feed_overdue']],
  [
    'a walk has not read a page for three polls',
    feeds({ lastSuccessAt: null, lastPollAt: NOW - 4 * MINUTE, walk: { from: 0, to: 1, pages: 3 } }),
    ['feed_overdue'],
  ],
  [
    'polls have failed three times in a row',
    feeds({ lastSuccessAt: NOW - 4 * MINUTE, trouble: trouble({ since: NOW - 3 * MINUTE }) }),
    ['feed_failing'],
  ],
  ['the sign-in is refused', feeds({ trouble: trouble({ reason: 'auth', retryable: false }) }), ['feed_refused']],
  [
    'an output has been failing for five minutes',
    outputs({ trouble: trouble({ since: NOW - 5 * MINUTE }) }),
    ['output_failing'],
  ],
  ['an output refuses its token', outputs({}, { trouble: trouble({ retryable: false }) }), ['output_refusing']],
  [
    'an output says nothing for ten minutes',
    outputs({ backlog: 3, oldestWaitingAt: NOW - 11 * MINUTE, lastAcceptedAt: NOW - 10 * MINUTE }),
    ['output_silent'],
  ],
  [
    'collecting is paused',
    snapshot({ store: { ...snapshot().store, paused: { reason: 'disk_full', since: NOW } } }),
    ['paused'],
  ],
];

const READY: readonly [string, Snapshot][] = [
  ['all is well', snapshot()],
  ['nothing was ever sent', outputs({ lastAcceptedAt: null })],
  ['a feed was read three polls ago', feeds({ lastSuccessAt: NOW - 3 * MINUTE })],
  ['a feed is retrying', feeds({ lastSuccessAt: NOW - 2 * MINUTE, trouble: trouble() })],
  ['an output is retrying for less than five minutes', outputs({ trouble: trouble({ since: NOW - 5 * MINUTE + 1 }) })],
  ['an output works off a backlog', outputs({ backlog: 9000, oldestWaitingAt: NOW - 60 * MINUTE })],
  ['there are rejects', outputs({ rejects: 3 })],
  ['clocks differ', snapshot({ api: { ...snapshot().api, clockSkewMs: 94_000 } })],
];

describe('readiness', () => {
  it.each(UNREADY)('is not ready when %s', (_, given, reasons) => {
    const answer = readiness(given);
    expect(answer.ready).toBe(false);
    expect(answer.reasons.map(({ reason }) => reason)).toEqual(reasons);
  });

  it.each(READY)('is ready when %s', (_, given) => {
    expect(readiness(given)).toMatchObject({ ready: true, reasons: [] });
  });

  it('names what is not ready and since when, and nothing that a stranger should not read', () => {
    const given = outputs({ trouble: trouble({ since: NOW - 6 * MINUTE, message: 'said something' }) });
    expect(readiness(given).reasons).toEqual([
      { reason: 'output_failing', output: 'splunk', cause: 'timeout', since: '2026-11-23T09:25:42.000Z' },
    ]);
  });

  it.each([...UNREADY, ...READY].map(([name, given]) => [name, given] as const))(
    'agrees with `status`: %s',
    (_, given) => {
      const starting = readiness(given).reasons.every(({ reason }) => reason === 'starting');
      expect(exitCodeOf(assess(given))).toBe(starting ? 0 : 1);
    },
  );
});
