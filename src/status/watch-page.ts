import type { Report } from './assess.ts';
import type { Change } from './changes.ts';
import { type Past, renderTerminal, type TerminalOptions } from './terminal.ts';
import { cutMiddle, folded, padded, visible } from './text.ts';
import { clock, dateTime } from './words.ts';

/** How many changes stay on the screen. */
const CHANGES_SHOWN = 8;
const TIME_CELLS = 14;
const WIDEST = 80;
const LONGEST_CHANGE = 300;

/** What `status --watch` draws: the page of `status`, with a line above and the latest changes, newest first, below. */
export function renderWatchPage(
  report: Report,
  options: TerminalOptions,
  { past, changes, everyMs }: { readonly past: Past; readonly changes: readonly Change[]; readonly everyMs: number },
): string {
  const width = Math.min(WIDEST, options.width);
  const title = `status --watch, every ${everyMs / 1000} s, q quits`;
  const now = dateTime(report.now);
  const head = title.length + now.length < width ? padded(title, width - now.length) + now : title;
  return `${[head, renderTerminal(report, options, past).trimEnd(), changeLines(changes, options)].filter((block) => block !== '').join('\n\n')}\n`;
}

function changeLines(changes: readonly Change[], { unicode, width }: TerminalOptions): string {
  if (changes.length === 0) return '';
  const room = Math.max(20, Math.min(WIDEST, width) - TIME_CELLS);
  const lines = changes.slice(0, CHANGES_SHOWN).flatMap(({ at, text }) =>
    // What others wrote stands in it, so it is made visible and kept short.
    folded(cutMiddle(visible(text, unicode), LONGEST_CHANGE, unicode ? '…' : '..'), room).map(
      (line, index) => padded(index === 0 ? clock(at) : '', TIME_CELLS) + line,
    ),
  );
  return ['CHANGES', ...lines].join('\n');
}
