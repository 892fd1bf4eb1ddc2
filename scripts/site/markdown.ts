import { Marked, type Token, type Tokens } from 'marked';
import { escapeHtml, highlighted } from './code.ts';

/** A page of Markdown as HTML, with what the rest of the site needs to know of it. */
export interface Rendered {
  /** The text of its first heading. */
  readonly title: string;
  readonly html: string;
  readonly headings: readonly Heading[];
  /** What can be searched, heading by heading. */
  readonly sections: readonly { readonly anchor: string; readonly heading: string; readonly text: string }[];
}

export interface Heading {
  readonly depth: number;
  /** As GitHub makes it, so that one link works in the repository and in the site. */
  readonly anchor: string;
  readonly text: string;
}

/** @param linkTo what a link that is written so leads to in the site */
export function render(markdown: string, linkTo: (href: string) => string): Rendered {
  const headings: Heading[] = [];
  const anchors = new Anchors();
  const marked = new Marked({ gfm: true });
  marked.use({
    renderer: {
      heading({ depth, tokens }) {
        const text = plainText(tokens);
        const anchor = anchors.take(text);
        headings.push({ depth, anchor, text });
        const self = depth === 1 ? '' : ` <a class="self" href="#${anchor}" aria-label="Link to this section">#</a>`;
        return `<h${depth} id="${anchor}">${this.parser.parseInline(tokens)}${self}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        return `<a href="${escapeHtml(linkTo(href))}">${this.parser.parseInline(tokens)}</a>`;
      },
      image({ href, text }) {
        return `<img src="${escapeHtml(linkTo(href))}" alt="${escapeHtml(text)}">`;
      },
      code({ text, lang }) {
        return `<pre tabindex="0"><code>${highlighted(text, lang ?? '')}</code></pre>\n`;
      },
      // Wide tables scroll by themselves, not the page.
      table(token) {
        const header = `<tr>${token.header.map((cell) => this.tablecell(cell)).join('')}</tr>`;
        const rows = token.rows.map((row) => `<tr>${row.map((cell) => this.tablecell(cell)).join('')}</tr>`);
        const isNamed = token.header.some(({ tokens }) => plainText(tokens) !== '');
        const head = isNamed ? `<thead>${header}</thead>` : '';
        return `<div class="table" tabindex="0"><table>${head}<tbody>${rows.join('\n')}</tbody></table></div>\n`;
      },
      // The bench reports are between comments. Other HTML would be an accident, such as a placeholder without backticks.
      html({ text }) {
        return text.trimStart().startsWith('<!--') ? '' : escapeHtml(text);
      },
    },
  });
  const tokens = marked.lexer(markdown);
  const html = marked.parser(tokens);
  return { title: headings[0]?.text ?? '', html, headings, sections: sectionsOf(tokens, headings) };
}

/** The links of a text in their order, each with the second-level heading above it. */
export function linksOf(markdown: string): { heading: string; text: string; href: string }[] {
  const marked = new Marked({ gfm: true });
  const links: { heading: string; text: string; href: string }[] = [];
  let heading = '';
  for (const token of marked.lexer(markdown)) {
    if (token.type === 'heading' && token.depth === 2) heading = plainText(token.tokens ?? []);
    marked.walkTokens([token], (inner) => {
      if (isLink(inner)) links.push({ heading, text: plainText(inner.tokens), href: inner.href });
    });
  }
  return links;
}

const isLink = (token: Token): token is Tokens.Link => token.type === 'link';

/** Gives each heading of a page its own anchor. */
class Anchors {
  readonly #taken = new Map<string, number>();

  take(heading: string): string {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = this.#taken.get(slug) ?? 0;
    this.#taken.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  }
}

function sectionsOf(tokens: readonly Token[], headings: readonly Heading[]): Rendered['sections'] {
  const sections: { anchor: string; heading: string; text: string }[] = [];
  for (const token of tokens) {
    const heading = headings[sections.length];
    if (token.type === 'heading' && heading !== undefined) {
      sections.push({ anchor: heading.anchor, heading: heading.text, text: '' });
    } else {
      const section = sections.at(-1);
      if (section !== undefined) section.text = `${section.text} ${plainText([token])}`.replace(/\s+/g, ' ').trim();
    }
  }
  return sections;
}

/** What a reader sees of these tokens, without marks. */
function plainText(tokens: readonly Token[]): string {
  return tokens.map(textOf).join('');
}

function textOf(token: Token): string {
  if (token.type === 'table') {
    const cells = [token.header, ...token.rows].flat();
    return cells.map((cell: Tokens.TableCell) => plainText(cell.tokens)).join(' ');
  }
  if (token.type === 'list') return token.items.map((item: Tokens.ListItem) => plainText(item.tokens)).join(' ');
  if (token.type === 'html') return '';
  if ('tokens' in token && token.tokens !== undefined) return plainText(token.tokens);
  return 'text' in token && typeof token.text === 'string' ? token.text : ' ';
}
