import type { FeedReport, OutputReport, Report, Step } from './assess.ts';
import { LIMITS, type Mark } from './condition.ts';
import type { Note, Problem } from './finding.ts';
import { skewWords } from './problems.ts';
import { replayWords } from './replay-words.ts';
import { cutMiddle, folded, foldedCommand, padded, visible } from './text.ts';
import {
  answerTime,
  bytes,
  count,
  counted,
  dateTime,
  duration,
  exactMoment,
  shortCount,
  shortMoment,
} from './words.ts';

export interface TerminalOptions {
  /** Whether colours and weights are written; the words say all of it without. */
  readonly color: boolean;
  /** False where the terminal does not speak UTF-8: only ASCII is written then. */
  readonly unicode: boolean;
  /** Columns of the terminal. More than 80 are not used, fewer than 48 not obeyed. */
  readonly width: number;
}

/** Name, figure, figure, figure, state in words. */
const COLUMNS = [14, 12, 12, 18, 24] as const;
const NAME_CELLS = 11;
const WIDEST = 80;
const NARROWEST = 48;
/** What others wrote is shortened to this before it is folded, so that one message cannot fill the screen. */
const LONGEST_MESSAGE = 300;

const MARKS: Readonly<Record<Mark, { unicode: string; ascii: string; style: Style }>> = {
  ok: { unicode: '✓', ascii: 'ok', style: 'green' },
  at_work: { unicode: '…', ascii: '..', style: 'cyan' },
  warn: { unicode: '!', ascii: '!', style: 'yellow' },
  bad: { unicode: '✗', ascii: 'x', style: 'red' },
  idle: { unicode: '·', ascii: '-', style: 'dim' },
  paused: { unicode: '✗', ascii: 'x', style: 'red' },
};

/** Escape codes of the 16-colour set (ECMA-48 SGR), so that the terminal's own theme decides how they look. */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
type Style = keyof typeof STYLES;

/** What `status` prints: a pure function of the report, in UTC, with a line feed at the end. No line is wider than asked for. */
export function renderTerminal(report: Report, options: TerminalOptions): string {
  return new TerminalPage(options).render(report);
}

/** 0 when all is well, at work, or only warns; 1 when something is bad: what `status` exits with. */
export function exitCodeOf(report: Report): 0 | 1 {
  return report.verdict === 'bad' ? 1 : 0;
}

class TerminalPage {
  readonly #options: TerminalOptions;
  readonly #width: number;
  /** A mark and the space after it. */
  readonly #indent: number;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#width = Math.min(WIDEST, Math.max(NARROWEST, options.width));
    this.#indent = options.unicode ? 2 : 3;
  }

  render(report: Report): string {
    const blocks = [
      this.#head(report),
      ...[...report.problems, ...report.notes].map((problem) => this.#problem(problem, report.now)),
      this.#steps(report.steps),
      this.#table(
        ['FEEDS', 'READ UP TO', 'LAG', 'LAST POLL', 'STATE'],
        report.feeds.map((feed) => this.#row(feed, feedCells(feed, report.now))),
      ),
      this.#table(
        ['OUTPUTS', 'WAITING', 'LAG', 'RATE', 'STATE'],
        report.outputs.map((output) => this.#row(output, outputCells(output))),
      ),
      this.#closing(report),
    ];
    const lines = blocks.filter((block) => block.length > 0).map((block) => block.join('\n'));
    return `${lines.join('\n\n')}\n`;
  }

  #head(report: Report): string[] {
    const up =
      report.running && report.startedAt !== null ? `up ${duration(report.now - report.startedAt)}` : 'not running';
    const host = `${report.host}, ${dateTime(report.now)}, ${up}, version ${report.version}`;
    return [...this.#marked(report.verdict, report.headline, 'bold'), ...this.#hanging(host, this.#indent, '')];
  }

  #problem(problem: Problem | Note, now: number): string[] {
    const what = problem.detail === null ? problem.what : `${problem.what}: ${problem.detail}`;
    const lines = this.#marked(problem.severity === 'note' ? 'idle' : problem.severity, what);
    if (problem.since !== null) {
      const ago = `${exactMoment(problem.since, now)}, ${duration(now - problem.since)} ago`;
      lines.push(...this.#labelled('since', problem.sinceDetail === null ? ago : `${ago}, ${problem.sinceDetail}`));
    }
    lines.push(...this.#labelled('do', problem.do.sentence));
    if (problem.do.command !== null) {
      const margin = ' '.repeat(this.#indent + LABEL_CELLS);
      lines.push(...foldedCommand(problem.do.command, this.#width - margin.length).map((line) => margin + line));
    }
    return lines;
  }

  #steps(steps: readonly Step[]): string[] {
    if (steps.length === 0) return [];
    return [
      ...steps.flatMap(({ mark, what, detail }) => this.#marked(mark, detail === null ? what : `${what}: ${detail}`)),
      ...this.#hanging('Still here after two minutes? mimecast-forwarder check --online', this.#indent, ''),
    ];
  }

  /** What does not fit goes from the right: first the state, then the last figure. */
  #shown(): number {
    let used = 0;
    return COLUMNS.filter((cells) => {
      used += cells;
      return used <= this.#width;
    }).length;
  }

  #table(titles: readonly string[], rows: readonly string[]): string[] {
    if (rows.length === 0) return [];
    const head = titles.slice(0, this.#shown()).map((title, column) => padded(title, COLUMNS[column] ?? 0));
    return [this.#style('dim', head.join('').trimEnd()), ...rows];
  }

  #row(
    subject: { readonly name: string; readonly mark: Mark; readonly state: string },
    figures: readonly string[],
  ): string {
    const name =
      this.#mark(subject.mark) +
      padded(this.#cut(subject.name, Math.min(NAME_CELLS, COLUMNS[0] - this.#indent - 1)), COLUMNS[0] - this.#indent);
    const cells = figures
      .slice(0, this.#shown() - 1)
      .map((figure, index) => this.#figure(figure, COLUMNS[index + 1] ?? 0));
    const state = this.#cut(subject.state, COLUMNS[4]);
    const last = this.#shown() === COLUMNS.length ? this.#style(MARKS[subject.mark].style, state) : '';
    return (name + cells.join('') + last).trimEnd();
  }

  /** A figure never touches the next column. */
  #figure(text: string, width: number): string {
    return padded(this.#cut(text, width - 1), width);
  }

  #closing(report: Report): string[] {
    const lines = [...replayWords(report), mimecastWords(report), storeWords(report)].filter((line) => line !== '');
    return lines.flatMap((line) => this.#hanging(line, 0, ''));
  }

  #labelled(label: string, text: string): string[] {
    return this.#hanging(
      text,
      this.#indent + LABEL_CELLS,
      ' '.repeat(this.#indent) + this.#style('dim', label.padEnd(LABEL_CELLS)),
    );
  }

  #marked(mark: Mark, text: string, style?: Style): string[] {
    return this.#hanging(text, this.#indent, this.#mark(mark), style);
  }

  /** A text folded beside its first cells. */
  #hanging(text: string, margin: number, first: string, style?: Style): string[] {
    const room = this.#width - margin;
    const lines = folded(this.#cut(text, LONGEST_MESSAGE), room);
    return lines.map((line, index) => {
      const begin = index === 0 && first !== '' ? first : ' '.repeat(margin);
      return begin + (style ? this.#style(style, line) : line);
    });
  }

  #mark(mark: Mark): string {
    const { unicode, ascii, style } = MARKS[mark];
    const symbol = this.#options.unicode ? unicode : ascii;
    return this.#style(style, symbol) + ' '.repeat(this.#indent - symbol.length);
  }

  /** Made visible and cut in the middle. */
  #cut(text: string, width: number): string {
    const { unicode } = this.#options;
    return cutMiddle(visible(text, unicode), width, unicode ? '…' : '..');
  }

  #style(style: Style, text: string): string {
    return this.#options.color && text !== '' ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }
}

const LABEL_CELLS = 7;

function feedCells(feed: FeedReport, now: number): string[] {
  return [
    feed.checkpoint === null ? '-' : shortMoment(feed.checkpoint, now),
    feed.lagMs === null ? '-' : duration(feed.lagMs),
    feed.lastPollAt === null ? '-' : `${shortMoment(feed.lastPollAt, now)}  ${shortCount(feed.lastPollNew)} new`,
  ];
}

function outputCells(output: OutputReport): string[] {
  return [
    count(output.backlog),
    output.lagMs === null ? 'none' : duration(output.lagMs),
    output.ratePerMinute === null ? '-' : `${count(output.ratePerMinute)}/min`,
  ];
}

function mimecastWords({ api }: Report): string {
  const parts: string[] = [];
  if (api.responseMs !== null) parts.push(`Mimecast answers in ${answerTime(api.responseMs)}`);
  if (api.requestsLastMinute !== null) {
    parts.push(`${count(api.requestsLastMinute)} of ${count(api.requestsPerMinute)} requests a minute`);
  }
  if (api.clockSkewMs !== null) {
    const agree = Math.abs(api.clockSkewMs) <= LIMITS.clockSkew;
    parts.push(agree ? 'clocks agree' : `clocks ${skewWords(api.clockSkewMs)} apart`);
  }
  return parts.join(', ');
}

function storeWords({ feeds, outputs, store }: Report): string {
  const rejects = outputs.reduce((sum, output) => sum + output.rejects, 0);
  const variants = feeds.reduce((sum, feed) => sum + feed.variants, 0);
  const kept = `${counted(rejects, 'reject')}, ${counted(variants, 'variant')}`;
  const size = `Store ${bytes(store.bytes)} of ${bytes(store.maxSize)}, kept ${duration(store.retention)}`;
  return `${kept.charAt(0).toUpperCase()}${kept.slice(1)}. ${size}`;
}
