import { visible } from '../status/text.ts';

/** What may stand in a template: text and numbers are escaped, pieces of `html` are taken as they are, null leaves nothing. */
export type Inset = string | number | null | Html | readonly Inset[];

/**
 * Markup. It can only come from the tag `html`, so that a text which was not escaped does not fit where markup is wanted:
 * to forget the escaping is an error of the types.
 */
export class Html {
  readonly #markup: string;

  private constructor(markup: string) {
    this.#markup = markup;
  }

  static of(parts: TemplateStringsArray, insets: readonly Inset[]): Html {
    return new Html(parts.map((part, index) => part + markupOf(insets[index] ?? null)).join(''));
  }

  toString(): string {
    return this.#markup;
  }
}

/**
 * Markup with values in it. A value may stand between tags and inside quoted attributes: every character that could leave
 * either is replaced, and what is drawn with no width or turns the reading direction is shown by name (`U+202E`).
 */
export function html(parts: TemplateStringsArray, ...insets: readonly Inset[]): Html {
  return Html.of(parts, insets);
}

/** Pieces with a text between them. */
export function joined(pieces: readonly Inset[], between: Inset): Html {
  return html`${pieces.flatMap((piece, index) => (index === 0 ? [piece] : [between, piece]))}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function markupOf(inset: Inset): string {
  if (inset === null) return '';
  if (inset instanceof Html) return inset.toString();
  if (typeof inset === 'object') return inset.map(markupOf).join('');
  return visible(String(inset)).replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
}
