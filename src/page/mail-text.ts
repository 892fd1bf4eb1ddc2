import { cells } from '../status/text.ts';
import { type Html, html } from './html.ts';

/**
 * Text of mails. Attackers choose file names and addresses: a name that turns the reading direction shows `exe.fdp` as `pdf.exe`, one of
 * zero width looks like another. So what cannot be seen becomes a chip that names it, and each text is set apart from its neighbours (`bdi`).
 */

/**
 * Controls, formats, lone surrogates, separators, and letters that are drawn as nothing: fillers, variation selectors, an empty Braille
 * cell. All spaces but the plain one are here too: they make two names look alike.
 */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/u;

/** Characters to draw, or a run of one that cannot be seen. */
interface Piece {
  readonly text: string;
  readonly isChip: boolean;
  readonly width: number;
}

/** A text of a mail in at most `width` cells, cut in the middle: both ends tell names apart. Chips count with their names. */
export function mailText(text: string, width: number): Html {
  const pieces = piecesOf(text);
  const whole = widthOf(pieces);
  if (whole <= width) return html`<bdi>${drawn(pieces)}</bdi>`;
  const tailRoom = Math.floor((width - 1) / 2);
  const head = taken(pieces, width - 1 - tailRoom);
  const tail = taken(pieces.slice(head.length).toReversed(), tailRoom).toReversed();
  return html`<bdi>${drawn(head)}…${drawn(tail)}</bdi>`;
}

/** `billing@portline.example`, the domain set back; the last `@` divides. */
export function address(text: string, width: number): Html {
  const at = text.lastIndexOf('@');
  if (at < 0) return mailText(text, width);
  const domain = text.slice(at);
  const domainWidth = Math.min(widthOf(piecesOf(domain)), Math.ceil(width * 0.75));
  return html`<bdi>${mailText(text.slice(0, at), width - domainWidth)}<span class="domain">${mailText(domain, domainWidth)}</span></bdi>`;
}

/** `b•••@portline.example`: the first letter, as it tells people of one domain apart, and where it came from. */
export function maskedAddress(text: string, width: number): Html {
  const at = text.lastIndexOf('@');
  const [first = ''] = at < 0 ? text : text.slice(0, at);
  const initial = /^[\p{L}\p{N}]$/u.test(first) ? first : '';
  return html`<bdi>${initial}•••${at < 0 ? '' : mailText(text.slice(at), width - 4)}</bdi>`;
}

/** `•••.xlsm`: the type only, and not even that where it is none. */
export function maskedFile(name: string): string {
  return `•••${/\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? ''}`;
}

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let run = 0;
  const chars = [...text];
  for (const [index, char] of chars.entries()) {
    if (!UNSEEN.test(char)) {
      pieces.push({ text: char, isChip: false, width: cells(char) });
      continue;
    }
    run += 1;
    if (chars[index + 1] === char) continue;
    const name = nameOf(char) + (run > 1 ? ` ×${run}` : '');
    pieces.push({ text: name, isChip: true, width: name.length + 1 });
    run = 0;
  }
  return pieces;
}

function nameOf(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Neighbours of a kind are one text node; a chip is an element of its own. */
function drawn(pieces: readonly Piece[]): Html {
  const out: (string | Html)[] = [];
  let plain = '';
  for (const { text, isChip } of pieces) {
    if (!isChip) {
      plain += text;
      continue;
    }
    out.push(plain, html`<span class="chip">${text}</span>`);
    plain = '';
  }
  return html`${[...out, plain]}`;
}

/** As many from the front as fit, and no more than four times as many as cells: marks that pile up on a letter have no width. */
function taken(pieces: readonly Piece[], room: number): Piece[] {
  let used = 0;
  const fitting = pieces.slice(0, 4 * room).findIndex(({ width }) => {
    used += width;
    return used > room;
  });
  return pieces.slice(0, fitting < 0 ? 4 * room : fitting);
}

function widthOf(pieces: readonly Piece[]): number {
  const width = pieces.reduce((sum, piece) => sum + piece.width, 0);
  return Math.max(width, pieces.length / 4);
}
