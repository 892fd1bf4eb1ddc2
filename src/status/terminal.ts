import type { FeedReport, OutputReport, Report, Step } from './assess.ts';
import { mimecastWords, storeWords } from './closing-words.ts';
import type { Mark } from './condition.ts';
import type { Note, Problem } from './finding.ts';
import { type Progress, progressOf } from './progress.ts';
import { replayWords } from './replay-words.ts';
import { BLOCKS, sparkAxis, sparkLine, type Timelines } from './spark-line.ts';
import { cutMiddle, folded, foldedCommand, padded, visible } from './text.ts';
import type { FeedTimeline, OutputTimeline } from './view.ts';
import { count, counted, dateTime, duration, exactMoment, shortCount, shortMoment } from './words.ts';

export interface TerminalOptions {
  /** Whether colours and weights are written; the words say all of it without. */
  readonly color: boolean;
  /** False where the terminal does not speak UTF-8: only ASCII is written then. */
  readonly unicode: boolean;
  /** Columns of the terminal. More than 84 are not used, fewer than 48 not obeyed. */
  readonly width: number;
}

/** What is known besides the present. */
export interface Past {
  /** Default: the last column tells the state in words. */
  readonly timelines?: Timelines;
  /** The report that was shown last: figures that have changed are bold. */
  readonly before?: Report;
}

/** Name, figure, figure, figure. What is left is the spark line's, or, where nothing is known of the past, the state's in words. */
const COLUMNS = [14, 12, 12, 18] as const;
const FIGURES_CELLS = 56;
const LAST_CELLS = 24;
/** Of seven days: four a day, where the terminal is wide enough. */
const WEEK_CELLS = 28;
const NAME_CELLS = 11;
const WIDEST = 80;
const NARROWEST = 48;
const BAR_CELLS = 32;
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

/**
 * What `status` prints: a pure function of the report, in UTC, with a line feed at the end. No line is wider than asked for.
 */
export function renderTerminal(report: Report, options: TerminalOptions, past: Past = {}): string {
  return new TerminalPage(options, past).render(report);
}

/** 0 when all is well, at work, or only warns; 1 when something is bad: what `status` exits with. */
export function exitCodeOf(report: Report): 0 | 1 {
  return report.verdict === 'bad' ? 1 : 0;
}

type Subject = Pick<FeedReport | OutputReport, 'name' | 'mark' | 'state'>;

/** The others are well, or stand among the problems. */
const TOLD_BELOW: ReadonlySet<Mark> = new Set<Mark>(['at_work', 'idle']);

class TerminalPage {
  readonly #options: TerminalOptions;
  readonly #timelines: Timelines | null;
  readonly #before: Report | null;
  readonly #width: number;
  /** A mark and the space after it. */
  readonly #indent: number;
  /** Of the last column; 0 where there is no room for it. */
  readonly #lastCells: number;

  constructor(options: TerminalOptions, { timelines, before }: Past) {
    this.#options = options;
    this.#timelines = timelines ?? null;
    this.#before = before ?? null;
    const wanted = timelines?.span === '7d' && options.width >= FIGURES_CELLS + WEEK_CELLS ? WEEK_CELLS : LAST_CELLS;
    this.#width = Math.min(Math.max(WIDEST, FIGURES_CELLS + wanted), Math.max(NARROWEST, options.width));
    this.#lastCells = this.#width >= FIGURES_CELLS + wanted ? wanted : 0;
    this.#indent = options.unicode ? 2 : 3;
  }

  render(report: Report): string {
    const blocks = [
      this.#head(report),
      ...[...report.problems, ...report.notes].map((problem) => this.#problem(problem, report.now)),
      this.#steps(report.steps),
      this.#table(
        ['FEEDS', 'READ UP TO', 'LAG', 'LAST POLL'],
        report.feeds.flatMap((feed) => this.#feed(feed, report)),
      ),
      this.#table(
        ['OUTPUTS', 'WAITING', 'LAG', 'RATE'],
        report.outputs.flatMap((output) => this.#output(output, report)),
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
    const { what: told, detail } = problem;
    // What begins with a capital is a sentence of its own.
    const what = detail === null ? told : `${told}${/^[A-Z][a-z]+ /.test(detail) ? '.' : ':'} ${detail}`;
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

  #feed(feed: FeedReport, report: Report): string[] {
    const was = this.#before?.feeds.find(({ name }) => name === feed.name);
    const figures = this.#figures(feedCells(feed, report.now), was && feedCells(was, this.#before?.now ?? 0));
    return [this.#row(feed, figures, this.#timelines?.feeds.get(feed.name)), ...this.#below(feed, null)];
  }

  #output(output: OutputReport, report: Report): string[] {
    const timeline = this.#timelines?.outputs.get(output.name);
    const was = this.#before?.outputs.find(({ name }) => name === output.name);
    const withRejects = this.#timelines !== null;
    const figures = this.#figures(outputCells(output, withRejects), was && outputCells(was, withRejects));
    return [
      this.#row(output, figures, timeline),
      ...this.#below(output, timeline === undefined ? null : progressOf(output, report, timeline)),
    ];
  }

  /** What does not fit goes from the right: first the last column, then the figures. */
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
    return [this.#style('dim', (head.join('') + this.#lastTitle()).trimEnd()), ...rows];
  }

  #lastTitle(): string {
    if (this.#lastCells === 0) return '';
    return this.#timelines === null ? 'STATE' : sparkAxis(this.#timelines, this.#lastCells);
  }

  #row(subject: Subject, figures: readonly string[], timeline: FeedTimeline | OutputTimeline | undefined): string {
    const name =
      this.#mark(subject.mark) +
      padded(this.#cut(subject.name, Math.min(NAME_CELLS, COLUMNS[0] - this.#indent - 1)), COLUMNS[0] - this.#indent);
    return (name + figures.join('') + this.#last(subject, timeline)).trimEnd();
  }

  #last(subject: Subject, timeline: FeedTimeline | OutputTimeline | undefined): string {
    if (this.#lastCells === 0) return '';
    if (this.#timelines === null)
      return this.#style(MARKS[subject.mark].style, this.#cut(subject.state, this.#lastCells));
    if (timeline === undefined) return '';
    const blocks = BLOCKS[this.#options.unicode ? 'unicode' : 'ascii'];
    return sparkLine(timeline, this.#timelines, this.#lastCells, blocks);
  }

  /** The state of a row that is neither well nor told of among the problems; as a bar where it is known how much is done. */
  #below(subject: Subject, progress: Progress | null): string[] {
    if (this.#timelines === null || !TOLD_BELOW.has(subject.mark)) return [];
    const state = this.#style(MARKS[subject.mark].style, this.#cut(subject.state, this.#width - COLUMNS[0]));
    const margin = ' '.repeat(COLUMNS[0]);
    if (progress === null) return [margin + state];
    const [full, empty] = this.#options.unicode ? ['█', '░'] : ['#', '.'];
    const done = Math.floor(progress.done * BAR_CELLS);
    const left = progress.leftMs === null ? '' : `, ${duration(progress.leftMs)} left`;
    const bar = full.repeat(done) + empty.repeat(BAR_CELLS - done);
    const words = `${Math.floor(progress.done * 100)} %${left}`;
    return [margin + this.#style('cyan', this.#width < FIGURES_CELLS + LAST_CELLS ? words : `${bar}  ${words}`)];
  }

  /** In their columns, those that have changed bold. A figure never touches the next column. */
  #figures(figures: readonly string[], before: readonly string[] | undefined): string[] {
    return figures.slice(0, this.#shown() - 1).map((figure, index) => {
      const width = COLUMNS[index + 1] ?? 0;
      const text = this.#cut(figure, width - 1);
      const shown = before === undefined || before[index] === figure ? text : this.#style('bold', text);
      return padded(shown, width + shown.length - text.length);
    });
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

function outputCells(output: OutputReport, withRejects: boolean): string[] {
  const rate = output.ratePerMinute === null ? '-' : `${count(output.ratePerMinute)}/min`;
  return [
    count(output.backlog),
    output.lagMs === null ? 'none' : duration(output.lagMs),
    withRejects && output.rejects > 0 ? `${rate}  ${counted(output.rejects, 'reject')}` : rate,
  ];
}
