import { cells, cutMiddle, visible } from '../status/text.ts';
import { count, duration } from '../status/words.ts';
import type { Look } from './look.ts';

/** How far a piece of work is, in words and as a bar. Pure. */
export interface ProgressFigures {
  /** What is at work: a feed, an output. */
  readonly label: string;
  /** From 0 to 1. */
  readonly part: number;
  /** `3 h of 24 h`, `1,200 of 6,800 events` */
  readonly amount: string;
  /** `4,210 records`, where `amount` does not count them. */
  readonly counted: string | undefined;
  readonly perSecond: number | undefined;
  /** ms that it will still take at this pace. */
  readonly left: number | undefined;
}

type Word = 'percent' | 'amount' | 'counted' | 'rate' | 'left';

/** What a narrow terminal does without, the first first. */
const DISPENSABLE: readonly Word[] = ['counted', 'rate', 'amount', 'left'];
const LONGEST_LABEL = 16;
const SHORTEST_BAR = 8;
const BAR_PART = 0.16;
const CYAN = 36;

/** `attachment ██████░░░░  62 %  14 h 52 min of 24 h  350/s  1 min 20 s left`, one column less than the terminal is wide at most. */
export function progressLine(figures: ProgressFigures, look: Look): string {
  const label = cutMiddle(visible(figures.label, look.unicode), LONGEST_LABEL, look.unicode ? '…' : '...');
  // The last column stays free: some terminals begin a new line as soon as it is written.
  const width = (look.width ?? 80) - 1;
  // As long as the terminal is, whatever the words: a bar that changed its length with them would flicker.
  const size = Math.max(SHORTEST_BAR, Math.floor(width * BAR_PART));
  const words = wordsOf(figures, 5);
  const room = (): number => width - cells([label, ...Object.values(words)].join('  '));
  for (const word of DISPENSABLE) if (room() < size + 1) delete words[word];
  const head = room() < size + 1 ? label : `${label} ${bar(figures.part, size, look)}`;
  return [head, ...Object.values(words)].join('  ');
}

/** The same for a log: `attachment: 62 %, 14 h 52 min of 24 h, 4,210 records, 350/s, 1 min 20 s left`. */
export function plainProgress(figures: ProgressFigures): string {
  return `${visible(figures.label)}: ${Object.values(wordsOf(figures)).join(', ')}`;
}

function wordsOf(figures: ProgressFigures, percentWidth = 0): Partial<Record<Word, string>> {
  const { part, amount, counted, perSecond, left } = figures;
  return {
    // Rounded down: 100 % is the end and nothing else.
    percent: `${Math.floor(part * 100)} %`.padStart(percentWidth),
    amount,
    ...(counted !== undefined && { counted }),
    ...(perSecond !== undefined && { rate: `${perSecond < 9.95 ? perSecond.toFixed(1) : count(perSecond)}/s` }),
    ...(left !== undefined && { left: `${duration(left)} left` }),
  };
}

function bar(part: number, size: number, { unicode, color }: Look): string {
  const full = Math.floor(part * size);
  const [done, open] = unicode ? ['█', '░'] : ['#', '-'];
  const text = done.repeat(full) + open.repeat(size - full);
  return color ? `\u001b[${CYAN}m${text}\u001b[0m` : text;
}

/** How fast a number grows, as it was over the last seconds: the pace of the first page says little about the last. */
export class Pace {
  readonly #samples: { readonly at: number; readonly value: number }[] = [];

  /** `at` in ms, on any clock that only goes forward. */
  add(at: number, value: number): void {
    this.#samples.push({ at, value });
    while ((this.#samples[1]?.at ?? at) < at - PACE_SPAN) this.#samples.shift();
  }

  /** Per second; falls when nothing comes for longer than usual. Undefined as long as there is too little to tell. */
  perSecond(now: number): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || now - first.at < PACE_LEAST) return undefined;
    // Between two pages nothing is late yet: the time that is left would swell and fall with each of them.
    const usual = (last.at - first.at) / Math.max(1, this.#samples.length - 1);
    const until = Math.max(last.at, now - usual);
    return until > first.at ? ((last.value - first.value) / (until - first.at)) * 1000 : undefined;
  }
}

/** What a pace is measured over, ms. */
const PACE_SPAN = 15_000;
const PACE_LEAST = 1000;
