import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { addressOf, between, isMarkdown, isPicture } from './addresses.ts';
import { escapeHtml, highlighted } from './code.ts';
import { type Rendered, render } from './markdown.ts';
import { navigation } from './navigation.ts';
import { documentOf, type Page } from './template.ts';

/** What is always in the site; the rest is there because a page links to it. */
const BESIDE_DOCS = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'bench/README.md'];
const ASSETS = ['site.css', 'site.js'];

type Source = Rendered & Page;

/**
 * Writes the site from the pages of a repository.
 *
 * @param root the repository's folder
 * @param target the site's folder, made anew
 * @returns the addresses of all pages
 * @throws Error naming every link, with its page, that leads to nothing or out of the repository
 */
export function buildSite(root: string, target: string): string[] {
  const { sources, pictures } = gather(root);
  const pages = sources.filter(({ path }) => isMarkdown(path));
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const sections = navigation(index, new Map(pages.map(({ path, title }) => [path, title])));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

  rmSync(target, { recursive: true, force: true });
  const place = (address: string): string => {
    mkdirSync(dirname(join(target, address)), { recursive: true });
    return join(target, address);
  };
  for (const source of sources) writeFileSync(place(source.address), documentOf(source, { version, sections }));
  writeFileSync(place('search-index.js'), searchIndex(pages));
  for (const path of pictures) copyFileSync(join(root, path), place(addressOf(path)));
  for (const name of ASSETS) copyFileSync(join(import.meta.dirname, name), place(name));
  return sources.map(({ address }) => address);
}

/** Every page of the site, begun with those that are always in it and followed along their links. */
function gather(root: string): { sources: Source[]; pictures: Set<string> } {
  const sources = new Map<string, Source>();
  const pictures = new Set<string>();
  const links: Links = { found: [...pagesOf(root, 'docs'), ...BESIDE_DOCS], broken: [] };
  for (const path of links.found) {
    if (isPicture(path)) pictures.add(path);
    else if (!sources.has(path)) sources.set(path, sourceOf(root, path, links));
  }
  if (links.broken.length > 0) throw new Error(`Links that lead to nothing:\n${links.broken.join('\n')}`);
  return { sources: [...sources.values()], pictures };
}

interface Links {
  /** Paths that are linked to; what is found last is looked at last. */
  readonly found: string[];
  /** `docs/page.md: gone.md`. */
  readonly broken: string[];
}

/** A page, a folder that is listed, or a file that is shown as it is. What it links to is added to `links`. */
function sourceOf(root: string, path: string, links: Links): Source {
  const isFolder = statSync(join(root, path)).isDirectory();
  const address = addressOf(path, isFolder ? 'folder' : 'file');
  const linkTo = (href: string): string => {
    if (/^[a-z][a-z+.-]*:/i.test(href)) return href;
    const [file = '', anchor] = href.split('#', 2);
    const hash = anchor === undefined ? '' : `#${anchor}`;
    if (file === '') return hash;
    const linked = posix.normalize(posix.join(isFolder ? path : posix.dirname(path), file)).replace(/\/$/, '');
    if (linked.startsWith('..') || !existsSync(join(root, linked))) {
      links.broken.push(`${path}: ${href}`);
      return href;
    }
    links.found.push(linked);
    return between(address, addressOf(linked, statSync(join(root, linked)).isDirectory() ? 'folder' : 'file')) + hash;
  };
  if (isFolder) return { path, address, ...render(listing(root, path), linkTo) };
  const text = readFileSync(join(root, path), 'utf8');
  return { path, address, ...(isMarkdown(path) ? render(text, linkTo) : asCode(path, text)) };
}

function listing(root: string, path: string): string {
  const names = readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  return `# ${path}\n\n${names.map((name) => `- [${name}](${name})`).join('\n')}\n`;
}

function asCode(path: string, text: string): Rendered {
  const language = path.slice(path.lastIndexOf('.') + 1);
  const html = `<h1>${escapeHtml(path)}</h1>\n<pre tabindex="0"><code>${highlighted(text, language)}</code></pre>`;
  return { title: path, html, headings: [], sections: [] };
}

/** A script, since a page that was opened as a file may not fetch one. Each row: address, title, heading, text. */
function searchIndex(sources: readonly Source[]): string {
  const rows = sources.flatMap(({ address, title, sections }) =>
    sections.map(({ anchor, heading, text }) => [`${address}#${anchor}`, title, heading, text]),
  );
  return `globalThis.searchIndex = ${JSON.stringify(rows)};\n`;
}

function pagesOf(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => isMarkdown(path) || isPicture(path))
    .sort();
}
