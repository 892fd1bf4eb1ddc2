import type { Timelines } from '../../src/status/spark-line.ts';
import type { FeedTimeline, OutputTimeline, TimelineStep } from '../../src/status/view.ts';
import { DAY, HOUR } from './snapshots.ts';

const STEPS = 288;

/** 24 hours that end at `until`, with the rate of each hour. */
export function stepsOf(hourly: readonly (number | null)[], waiting: number | null = 0): TimelineStep[] {
  return Array.from({ length: STEPS }, (_, step) => {
    const perMinute = hourly[Math.floor((step * hourly.length) / STEPS)] ?? null;
    return { perMinute, waiting: perMinute === null ? null : waiting };
  });
}

/** A working day and a night, as an office sends mail. */
export const OFFICE = [97, 120, 110, 96, 90, 60, 40, 20, 9, 8, 6, 5, 4, 4, 3, 3, 4, 5, 8, 18, 34, 60, 90, 122];

export function feedTimeline(changes: Partial<FeedTimeline> = {}): FeedTimeline {
  return { steps: stepsOf(OFFICE, null), peakPerMinute: 139, total: 77_436, read: [], unread: [], ...changes };
}

export function outputTimeline(changes: Partial<OutputTimeline> = {}): OutputTimeline {
  return { steps: stepsOf(OFFICE), peakPerMinute: 139, total: 77_436, failures: [], lastOver: null, ...changes };
}

/** For the feeds and outputs of the fixtures in `snapshots.ts`. */
export function timelines(until: number, changes: Partial<Timelines> = {}): Timelines {
  return {
    span: '24h',
    from: until - DAY,
    until,
    feeds: new Map(['attachment', 'url'].map((name) => [name, feedTimeline()])),
    outputs: new Map(['splunk', 'qradar', 'elastic', 'disk'].map((name) => [name, outputTimeline()])),
    ...changes,
  };
}

export function hoursBefore(until: number, hours: number): number {
  return until - hours * HOUR;
}
