import { sleep } from '../retry.ts';
import type { Report } from '../status/assess.ts';
import { type Change, changesBetween } from '../status/changes.ts';
import type { Timelines } from '../status/spark-line.ts';
import { exitCodeOf, type TerminalOptions } from '../status/terminal.ts';
import { visible } from '../status/text.ts';
import { renderWatchPage } from '../status/watch-page.ts';
import type { ExitCode, Shell, TerminalStream } from './command.ts';
import { harmlessJson } from './session.ts';

/** One look at the store. */
export interface Picture {
  readonly report: Report;
  readonly timelines: Timelines;
}

const EVERY_MS = 2000;
/** What the loop remembers; the screen shows the newest of them. */
const CHANGES_KEPT = 100;

/** ECMA-48 and xterm: the alternate screen, so that the picture goes and what was there before comes back. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const END_OF_LINE = '\u001b[K';
const END_OF_SCREEN = '\u001b[J';

/**
 * `status --watch`: looks again and again until it is ended. On a terminal the page is drawn in place; on a pipe a line is printed
 * for each change, or a JSON object.
 */
export async function watchStatus(
  shell: Shell,
  look: () => Picture | null,
  { style, json }: { readonly style: () => TerminalOptions; readonly json: boolean },
): Promise<ExitCode> {
  const ending = new AbortController();
  const signal = AbortSignal.any([shell.signal, ending.signal]);
  const isScreen = shell.stdout.isTTY === true && !json;
  const stage: Stage = isScreen ? new Screen(shell, style, () => ending.abort()) : new Lines(shell, json);
  let last: Report | null = null;
  const changes: Change[] = [];
  try {
    while (!signal.aborted) {
      const seen = look();
      const fresh = seen === null || last === null ? [] : changesBetween(last, seen.report);
      changes.unshift(...fresh.toReversed());
      changes.length = Math.min(changes.length, CHANGES_KEPT);
      stage.show(seen, { before: last, changes, fresh });
      last = seen?.report ?? last;
      await sleep(EVERY_MS, signal).catch(() => undefined);
    }
  } finally {
    stage.leave();
  }
  return last === null ? 0 : exitCodeOf(last);
}

interface Shown {
  readonly before: Report | null;
  /** Newest first. */
  readonly changes: readonly Change[];
  /** Those since the last look, oldest first. */
  readonly fresh: readonly Change[];
}

/** Where it is shown. */
interface Stage {
  show(look: Picture | null, shown: Shown): void;
  leave(): void;
}

export const NEVER_RUN = 'The daemon has not run on this store yet. Start it with `mimecast-forwarder run`.';

/** The alternate screen of a terminal: the picture is drawn in place, and what was there before comes back at the end. */
class Screen implements Stage {
  readonly #stdout: TerminalStream;
  readonly #style: () => TerminalOptions;
  readonly #forgetKeys: () => void;
  #page = '';

  constructor(shell: Shell, style: () => TerminalOptions, quit: () => void) {
    this.#stdout = shell.stdout;
    this.#style = style;
    this.#stdout.write(ENTER);
    // In raw mode Ctrl-C is a key like any other.
    this.#forgetKeys = shell.onKey((key) => {
      if (key === 'q' || key === 'Q' || key === CTRL_C) quit();
    });
  }

  show(look: Picture | null, { before, changes }: Shown): void {
    const past = { ...(look && { timelines: look.timelines }), ...(before && { before }) };
    this.#page = look
      ? renderWatchPage(look.report, this.#style(), { past, changes, everyMs: EVERY_MS })
      : `${NEVER_RUN}\n`;
    const lines = fitted(this.#page, this.#stdout.rows).map((line) => `${line}${END_OF_LINE}`);
    this.#stdout.write(HOME + lines.join('\r\n') + END_OF_SCREEN);
  }

  /** The last picture stays in the scrollback. */
  leave(): void {
    this.#forgetKeys();
    this.#stdout.write(LEAVE + this.#page);
  }
}

/** What does not fit is left out below, and said. */
function fitted(page: string, rows = 24): string[] {
  const all = page.trimEnd().split('\n');
  if (all.length <= rows) return all;
  const left = all.length - rows + 1;
  return [...all.slice(0, rows - 1), `and ${left} more ${left === 1 ? 'line' : 'lines'}: make the terminal higher`];
}

const CTRL_C = '\u0003';

/** A line a change, with no escape code. The first tells how things stand. */
class Lines implements Stage {
  readonly #stdout: TerminalStream;
  readonly #json: boolean;

  constructor(shell: Shell, json: boolean) {
    this.#stdout = shell.stdout;
    this.#json = json;
  }

  show(look: Picture | null, { before, fresh }: Shown): void {
    if (look === null) return;
    const { now, verdict, headline } = look.report;
    if (before === null) this.#write({ at: now, text: headline }, { verdict, headline, change: null });
    for (const change of fresh) this.#write(change, { verdict, headline, change: change.text });
  }

  leave(): void {}

  #write({ at, text }: Change, facts: object): void {
    const time = new Date(at).toISOString();
    const line = this.#json ? harmlessJson({ at: time, ...facts }) : `${time} ${visible(text)}`;
    this.#stdout.write(`${line}\n`);
  }
}
