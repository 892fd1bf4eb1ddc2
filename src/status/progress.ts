import type { OutputReport, Report } from './assess.ts';
import { outputCondition } from './condition.ts';
import type { OutputTimeline } from './view.ts';

/** How far an output that catches up has come. */
export interface Progress {
  /** Part of the backlog that is gone, 0 to 1. */
  readonly done: number;
  /** ms; null while nothing moves, or when it would be a guess. */
  readonly leftMs: number | null;
}

const MINUTE = 60_000;
const LONGEST_FORECAST = 2 * 24 * 60 * MINUTE;

/** Measured against the highest backlog since it began to wait; null when the output does not catch up. */
export function progressOf(output: OutputReport, report: Report, timeline: OutputTimeline): Progress | null {
  if (outputCondition(output, report).is !== 'catching_up') return null;
  const highest = Math.max(output.backlog, ...sinceItWaits(timeline));
  const rate = output.ratePerMinute ?? 0;
  // In whole minutes: seconds would be a precision that no forecast has.
  const leftMs = rate <= 0 ? null : Math.ceil(output.backlog / rate) * MINUTE;
  return {
    done: highest === 0 ? 0 : (highest - output.backlog) / highest,
    leftMs: leftMs === null || leftMs > LONGEST_FORECAST ? null : leftMs,
  };
}

/** The backlog at the end of each step, from the newest back to when none was there. */
function sinceItWaits({ steps }: OutputTimeline): number[] {
  const waiting: number[] = [];
  for (const step of steps.toReversed()) {
    if (step.waiting === 0) break;
    if (step.waiting !== null) waiting.push(step.waiting);
  }
  return waiting;
}
