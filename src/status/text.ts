/**
 * Text in the cells of a terminal. What others wrote (configured names, words of the other side) is made visible first, so
 * that it can neither move the cursor, colour the screen, turn the reading direction nor begin a line of its own.
 */

/** Controls, and what is drawn with no width or turns the direction: Unicode categories Cc, Cf, Zl, Zp, and lone surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Drawn two cells wide (Unicode annex 11, "W" and "F"), as far as names and messages are likely to hold them. */
const WIDE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{a960}-\u{a97f}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Drawn on top of the letter before. */
const COMBINING = /\p{M}/u;

/** Every invisible character as its name, `U+202E`; other space as a plain space. Without Unicode, `?` for what is not ASCII. */
export function visible(text: string, unicode = true): string {
  const plain = text
    .replace(/[\t\n\r]+/g, ' ')
    .replace(INVISIBLE, (char) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
  return unicode ? plain : plain.replace(/[^\x20-\x7e]/gu, '?');
}

/** How many cells a text takes on the screen. */
export function cells(text: string): number {
  let width = 0;
  for (const char of text) width += cellsOf(char);
  return width;
}

/** Cut in the middle to at most `width` cells, both ends kept, as what tells names apart is often their end: `siem-…-eu-2`. */
export function cutMiddle(text: string, width: number, mark = '…'): string {
  if (cells(text) <= width) return text;
  const room = Math.max(0, width - cells(mark));
  const chars = [...text];
  const tail = takeCells(chars.toReversed(), Math.floor(room / 2)).toReversed();
  return takeCells(chars, room - Math.floor(room / 2)).join('') + mark + tail.join('');
}

/** Filled with spaces on the right to `width` cells. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cells(text)));
}

/** Folded at spaces into lines of at most `width` cells; a word longer than that is broken. Never empty. */
export function folded(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/).flatMap((long) => broken(long, width))) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (cells(longer) <= width) {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** A shell command folded before its options, each line but the last ending in a backslash, so that it can be pasted. */
export function foldedCommand(command: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of command.split(/ (?=--)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length + 3 <= width) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(last === undefined ? part : `  ${part}`);
  }
  return lines.map((line, index) => (index < lines.length - 1 ? `${line} \\` : line));
}

function broken(word: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = [...word];
  while (cells(rest.join('')) > width) {
    const piece = takeCells(rest, width);
    pieces.push(piece.join(''));
    rest = rest.slice(Math.max(1, piece.length));
  }
  return [...pieces, rest.join('')];
}

function takeCells(chars: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let used = 0;
  for (const char of chars) {
    used += cellsOf(char);
    if (used > width) break;
    taken.push(char);
  }
  return taken;
}

function cellsOf(char: string): number {
  if (COMBINING.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}
