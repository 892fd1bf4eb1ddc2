import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeedReport, OutputReport, Report } from '../../src/status/assess.ts';
import { assess } from '../../src/status/assess.ts';
import type { FeedSnapshot, OutputSnapshot } from '../../src/status/snapshot.ts';
import { type Axis, axisOf, feedTimeline, outputTimeline } from '../../src/status/timelines.ts';
import type { FailedStretch, MinuteCount } from '../../src/store/activity.ts';
import { uncovered, union } from '../../src/store/spans.ts';
import { feed, NOW, output, snapshot, trouble } from './snapshots.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AXES = [axisOf('24h', NOW), axisOf('7d', NOW)] as const;
const [AXIS] = AXES;

function feedOf(changes: Partial<FeedSnapshot> = {}): { report: Report; feed: FeedReport } {
  const report = assess(snapshot({ feeds: [feed(changes)] }));
  return { report, feed: report.feeds[0] ?? expect.fail('no feed') };
}

function outputOf(changes: Partial<OutputSnapshot> = {}): { report: Report; output: OutputReport } {
  const report = assess(snapshot({ outputs: [output(changes)] }));
  return { report, output: report.outputs[0] ?? expect.fail('no output') };
}

function drawOutput(facts: Partial<Parameters<typeof outputTimeline>[2]>, changes: Partial<OutputSnapshot> = {}) {
  const { report, output: one } = outputOf(changes);
  return outputTimeline(one, report, { minutes: [], failures: [], lastOver: undefined, ...facts }, AXIS);
}

function drawFeed(facts: Partial<Parameters<typeof feedTimeline>[2]>, changes: Partial<FeedSnapshot> = {}) {
  const { report, feed: one } = feedOf(changes);
  return feedTimeline(one, report, { minutes: [], covered: [], ...facts }, AXIS);
}

/** Minutes in order, some of them missing, around an axis. */
function minutesAround({ from, until }: Axis): fc.Arbitrary<MinuteCount[]> {
  const minute = fc.record({
    minute: fc.integer({ min: from / MINUTE - 90, max: until / MINUTE + 90 }),
    count: fc.nat(50_000),
    waiting: fc.option(fc.nat(1000)),
  });
  return fc
    .uniqueArray(minute, { selector: (row) => row.minute, maxLength: 300 })
    .map((rows) => rows.toSorted((a, b) => a.minute - b.minute));
}

describe('the axis', () => {
  it('has steps of five minutes over a day and of thirty over a week, on the clock', () => {
    const now = Date.UTC(2026, 10, 23, 15, 47, 8);
    expect(axisOf('24h', now)).toEqual({
      from: Date.UTC(2026, 10, 22, 15, 50),
      until: Date.UTC(2026, 10, 23, 15, 50),
      step: 5 * MINUTE,
    });
    expect(axisOf('7d', now)).toEqual({
      from: Date.UTC(2026, 10, 16, 16),
      until: Date.UTC(2026, 10, 23, 16),
      step: 30 * MINUTE,
    });
    expect(axisOf('24h', Date.UTC(2026, 10, 23, 15, 50)).until).toBe(Date.UTC(2026, 10, 23, 15, 50));
  });

  it('always holds now, and moves by whole steps', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 41), fc.nat(DAY), (now, later) => {
        const [before, after] = [axisOf('24h', now), axisOf('24h', now + later)];
        expect(now).toBeLessThanOrEqual(before.until);
        expect(before.until - now).toBeLessThan(before.step);
        expect(before.from).toBe(before.until - DAY);
        expect((after.until - before.until) % before.step).toBe(0);
      }),
    );
  });
});

describe('steps', () => {
  it('have the rate of the minutes in which a daemon ran, and what waited at their end', () => {
    const first = AXIS.from / MINUTE;
    const minutes = [
      { minute: first, count: 10, waiting: 4 },
      { minute: first + 1, count: 20, waiting: 7 },
      { minute: first + 10, count: 0, waiting: 0 },
    ];
    const { steps, peakPerMinute, total } = drawOutput({ minutes });
    expect(steps.slice(0, 4)).toEqual([
      { perMinute: 15, waiting: 7 },
      { perMinute: null, waiting: null },
      { perMinute: 0, waiting: 0 },
      { perMinute: null, waiting: null },
    ]);
    expect([steps.length, peakPerMinute, total]).toEqual([288, 20, 30]);
  });

  it('have nothing where nothing is known', () => {
    const { steps, peakPerMinute, total } = drawFeed({});
    expect([new Set(steps.map(({ perMinute }) => perMinute)), peakPerMinute, total]).toEqual([
      new Set([null]),
      null,
      0,
    ]);
  });

  it.each(AXES)('keep every count of the span, and none of another ($step ms)', (axis) => {
    const { report, output: one } = outputOf();
    fc.assert(
      fc.property(minutesAround(axis), (minutes) => {
        const drawn = outputTimeline(one, report, { minutes, failures: [], lastOver: undefined }, axis);
        const inside = minutes.filter(({ minute }) => minute * MINUTE >= axis.from && minute * MINUTE < axis.until);
        const sum = inside.reduce((total, { count }) => total + count, 0);
        expect(drawn.total).toBe(sum);
        expect(drawn.peakPerMinute).toBe(inside.length === 0 ? null : Math.max(...inside.map(({ count }) => count)));
        expect(drawn.steps).toHaveLength((axis.until - axis.from) / axis.step);
        const drawnSum = drawn.steps.reduce((total, { perMinute }, at) => {
          const begin = axis.from + at * axis.step;
          const known = inside.filter(({ minute }) => minute * MINUTE >= begin && minute * MINUTE < begin + axis.step);
          expect(perMinute === null).toBe(known.length === 0);
          expect(drawn.steps[at]?.waiting ?? null).toBe(known.at(-1)?.waiting ?? null);
          return total + (perMinute ?? 0) * known.length;
        }, 0);
        expect(drawnSum).toBeCloseTo(sum, 3);
      }),
      { numRuns: 50 },
    );
  });
});

describe('what a feed has read', () => {
  it('is cut at the ends of the span, and is what no gap is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.integer({ min: -DAY, max: DAY }), length: fc.nat(4 * HOUR) }), { maxLength: 20 }),
        (spans) => {
          const covered = union(
            spans.map(({ at, length }) => ({ from: AXIS.from + at, until: AXIS.from + at + length })),
          );
          const gaps = uncovered({ from: AXIS.from - HOUR, until: NOW }, covered);
          const { read, unread } = drawFeed({ covered }, { gaps });
          for (const { from, until } of read) {
            expect([AXIS.from <= from, from < until, until <= AXIS.until]).toEqual([true, true, true]);
          }
          expect(union(read)).toEqual(read);
          // Together they are the whole span up to now, and each gap has its own ends.
          const whole = { from: AXIS.from, until: NOW };
          expect(
            uncovered(whole, [...read, ...unread.map(({ from, until }) => ({ from, until: until ?? NOW }))]),
          ).toEqual([]);
          expect(unread).toEqual(gaps.filter(({ until }) => until > AXIS.from).map((gap) => ({ ...gap, kind: 'gap' })));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('lacks what is overdue while reading fails, from the checkpoint on', () => {
    const checkpoint = NOW - HOUR;
    const unreadOf = (retryable: boolean, minutes: number) =>
      drawFeed({}, { checkpoint, trouble: trouble({ since: NOW - minutes * MINUTE, retryable, reason: 'network' }) })
        .unread;
    expect(unreadOf(false, 1)).toEqual([{ kind: 'failing', from: checkpoint, until: null }]);
    expect(unreadOf(true, 30)).toEqual([{ kind: 'failing', from: checkpoint, until: null }]);
    // A failure of seconds is not drawn.
    expect(unreadOf(true, 1)).toEqual([]);
    expect(drawFeed({}, { checkpoint: NOW - MINUTE }).unread).toEqual([]);
  });
});

describe('the failures of an output', () => {
  const failed = (from: number, until: number | null): FailedStretch => ({
    ...{ from: NOW - from * MINUTE, until: until === null ? null : NOW - until * MINUTE },
    ...{ reason: 'timeout', message: 'no answer' },
  });
  const fails = (since: number) => ({ trouble: trouble({ since: NOW - since * MINUTE, reason: 'auth' }) });

  function stretches(facts: readonly FailedStretch[], changes: Partial<OutputSnapshot> = {}) {
    return drawOutput({ failures: facts }, changes).failures.map(({ from, until, reason }) => [
      (NOW - from) / MINUTE,
      until === null ? null : (NOW - until) / MINUTE,
      reason,
    ]);
  }

  it('have their true ends, also where the span cuts them', () => {
    expect(stretches([failed(3000, 2000), failed(2000, 1000), failed(500, 400)])).toEqual([
      [2000, 1000, 'timeout'],
      [500, 400, 'timeout'],
    ]);
  });

  it('are those of now, though the store knows those of the last heartbeat', () => {
    expect(stretches([failed(60, null)], fails(60))).toEqual([[60, null, 'timeout']]);
    // Over since the heartbeat, and begun since the heartbeat.
    expect(stretches([failed(60, null)])).toEqual([[60, 0, 'timeout']]);
    expect(stretches([failed(60, 30)], fails(0.05))).toEqual([
      [60, 30, 'timeout'],
      [0.05, null, 'auth'],
    ]);
    // What was never closed ends where the next begins.
    expect(stretches([failed(60, null), failed(20, 10)])).toEqual([
      [60, 20, 'timeout'],
      [20, 10, 'timeout'],
    ]);
    expect(stretches([failed(60, null), failed(20, null)], fails(20))).toEqual([
      [60, 20, 'timeout'],
      [20, null, 'timeout'],
    ]);
  });

  it('have a last one that is over, also of before the span', () => {
    const lastOver = failed(3000, 2900);
    expect(drawOutput({ lastOver }).lastOver).toEqual({
      ...{ from: lastOver.from, until: lastOver.until, message: 'no answer' },
    });
    expect(drawOutput({}).lastOver).toBeNull();
  });
});
