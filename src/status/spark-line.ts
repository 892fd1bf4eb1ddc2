import { LIMITS } from './condition.ts';
import type { FeedTimeline, OutputTimeline, Stretch, TimelineStep, View } from './view.ts';
import { dayOf } from './words.ts';

/** The timelines of a `View`, as far as the terminal draws them. */
export type Timelines = Omit<View, 'report' | 'recent'>;

/** What a cell of a spark line is drawn with. */
export interface Blocks {
  /** From the lowest rate to the highest. */
  readonly levels: readonly string[];
  /** Something was not read, or not accepted. */
  readonly crossed: string;
  /** No daemon ran. */
  readonly unknown: string;
}

export const BLOCKS: Readonly<Record<'unicode' | 'ascii', Blocks>> = {
  unicode: { levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], crossed: '×', unknown: ' ' },
  ascii: { levels: ['.', ':', '-', '=', '#'], crossed: 'X', unknown: ' ' },
};

const HOUR = 3_600_000;

/**
 * The rate over the span, a character for each of `cells` equal parts, on a scale of its own; crossed where something failed. A failure
 * that was over within the grace leaves no cross: ten bad seconds must not look like a bad hour.
 */
export function sparkLine(
  timeline: FeedTimeline | OutputTimeline,
  { from, until }: Pick<View, 'from' | 'until'>,
  cells: number,
  blocks: Blocks,
): string {
  const size = (until - from) / cells;
  const crossed = 'unread' in timeline ? timeline.unread : timeline.failures.filter((one) => isLasting(one, until));
  const rates = Array.from({ length: cells }, (_, cell) => meanRate(stepsOf(timeline.steps, cell, cells)));
  const highest = Math.max(0, ...rates.map((rate) => rate ?? 0));
  return rates
    .map((rate, cell) => {
      const begin = from + cell * size;
      if (crossed.some((one) => one.from < begin + size && (one.until ?? until) > begin)) return blocks.crossed;
      if (rate === null) return blocks.unknown;
      const level = highest === 0 ? 0 : Math.ceil((rate / highest) * blocks.levels.length) - 1;
      return blocks.levels[Math.max(0, level)] ?? '';
    })
    .join('');
}

/** What stands above spark lines: when they begin, their middle, and `now`. */
export function sparkAxis({ span, from, until }: Pick<View, 'span' | 'from' | 'until'>, cells: number): string {
  const label = span === '24h' ? nearestHour : dayOf;
  const first = label(from);
  const middle = label((from + until) / 2);
  const last = 'now';
  return first.padEnd(Math.floor((cells - 1) / 2)) + middle.padEnd(Math.ceil((cells + 1) / 2) - last.length) + last;
}

function isLasting({ from, until }: Stretch, now: number): boolean {
  return (until ?? now) - from >= LIMITS.grace;
}

function stepsOf(steps: readonly TimelineStep[], cell: number, cells: number): readonly TimelineStep[] {
  return steps.slice(
    Math.round((cell * steps.length) / cells),
    Math.max(Math.round(((cell + 1) * steps.length) / cells), 1),
  );
}

function meanRate(steps: readonly TimelineStep[]): number | null {
  const known = steps.flatMap(({ perMinute }) => perMinute ?? []);
  return known.length === 0 ? null : known.reduce((sum, rate) => sum + rate, 0) / known.length;
}

function nearestHour(at: number): string {
  return new Date(Math.round(at / HOUR) * HOUR).toISOString().slice(11, 16);
}
