import type { Shell, TerminalStream } from './command.ts';

/** What a stream can show. */
export interface Look {
  /** Colours are written. */
  readonly color: boolean;
  /** Not ASCII alone. */
  readonly unicode: boolean;
  /** Columns; undefined where nobody looks, and nothing has to be cut. */
  readonly width: number | undefined;
}

/** What `stdout` or `stderr` of the shell can show. What is no terminal is read later and by programs, as UTF-8. */
export function lookOf(shell: Shell, stream: TerminalStream, options: { readonly color?: unknown } = {}): Look {
  if (stream.isTTY !== true) return { color: false, unicode: true, width: undefined };
  const { LC_ALL, LC_CTYPE, LANG, NO_COLOR, TERM } = shell.env;
  return {
    // https://no-color.org: set and not empty.
    color: options.color !== false && !NO_COLOR && TERM !== 'dumb',
    unicode: /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || ''),
    // A pseudo-terminal that nobody has given a size says 0.
    width: stream.columns || 80,
  };
}
