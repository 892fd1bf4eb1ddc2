import { addressOf, between } from './addresses.ts';
import { escapeHtml } from './code.ts';
import type { Heading } from './markdown.ts';
import { type Entry, readingOrder, type Section } from './navigation.ts';

/** What stands round the text of every page. */
export interface Frame {
  /** `0.1.0`. */
  readonly version: string;
  readonly sections: readonly Section[];
}

export interface Page {
  /** In the repository. */
  readonly path: string;
  /** In the site. */
  readonly address: string;
  readonly title: string;
  readonly html: string;
  readonly headings: readonly Heading[];
}

/** More headings of the third level than that are left out of the contents. */
const MOST_SUBHEADINGS = 40;

/** The whole HTML document. The contents come after the text: on a phone they stand below it, a link at the top leads there. */
export function documentOf(page: Page, { version, sections }: Frame): string {
  const to = (address: string) => escapeHtml(between(page.address, address));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(page.title === 'mimecast-forwarder' ? page.title : `${page.title} – mimecast-forwarder`)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${to('site.css')}">
<script src="${to('site.js')}" defer></script>
</head>
<body>
<a class="skip" href="#text">To the text</a>
<header>
<a class="name" href="${to('index.html')}">mimecast-forwarder</a>
<search hidden><input type="search" placeholder="Search" aria-label="Search" autocomplete="off" spellcheck="false"><ol></ol></search>
<a class="to-contents" href="#contents">Contents</a>
</header>
<main id="text">
${page.html}
${neighbours(page, sections)}
</main>
<nav id="contents" aria-label="Contents">
${sections.map((section) => contentsOf(section, page)).join('\n')}
</nav>
<footer>mimecast-forwarder ${escapeHtml(version)}, Apache-2.0. Not affiliated with Mimecast.</footer>
</body>
</html>
`;
}

function contentsOf({ title, entries }: Section, page: Page): string {
  const items = entries.map((entry) => {
    const href = escapeHtml(between(page.address, addressOf(entry.path)));
    const isHere = entry.path === page.path;
    const link = `<a href="${href}"${isHere ? ' aria-current="page"' : ''}>${escapeHtml(entry.label)}</a>`;
    return `<li>${link}${isHere ? outline(page.headings) : ''}</li>`;
  });
  return `<h2>${escapeHtml(title)}</h2>\n<ul>\n${items.join('\n')}\n</ul>`;
}

/** The headings of the page that is read. */
function outline(headings: readonly Heading[]): string {
  const isLong = headings.filter(({ depth }) => depth === 3).length > MOST_SUBHEADINGS;
  const shown = headings.filter(({ depth }) => depth === 2 || (depth === 3 && !isLong));
  if (shown.length < 2) return '';
  const items = shown.map(
    ({ depth, anchor, text }) => `<li class="level-${depth}"><a href="#${anchor}">${escapeHtml(text)}</a></li>`,
  );
  return `\n<ul class="outline">\n${items.join('\n')}\n</ul>`;
}

function neighbours(page: Page, sections: readonly Section[]): string {
  const order = readingOrder(sections);
  const here = order.findIndex(({ path }) => path === page.path);
  const link = (entry: Entry | undefined, word: string, rel: string) =>
    entry === undefined
      ? ''
      : `<a rel="${rel}" href="${escapeHtml(between(page.address, addressOf(entry.path)))}"><span>${word}</span> ${escapeHtml(entry.label)}</a>`;
  if (here === -1 && page.path !== 'docs/README.md') return '';
  const before = here > 0 ? order[here - 1] : undefined;
  return `<p class="neighbours">${link(before, 'Before', 'prev')}${link(order[here + 1], 'Next', 'next')}</p>`;
}
