import { posix } from 'node:path';
import { isMarkdown } from './addresses.ts';
import { linksOf } from './markdown.ts';

/** A heading of the index with the pages below it. */
export interface Section {
  readonly title: string;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly label: string;
  /** In the repository. */
  readonly path: string;
}

/**
 * The order of the site is that of `docs/README.md`: its headings are the sections, its links to pages the entries, so that there is
 * one index to keep. A page that it does not name yet stands in a section of its own at the end, under its title.
 *
 * @param pages path → title, of all pages of the site
 */
export function navigation(index: string, pages: ReadonlyMap<string, string>): Section[] {
  const sections = new Map<string, Map<string, string>>();
  const named = new Set<string>(['docs/README.md']);
  for (const { heading, text, href } of linksOf(index)) {
    const path = posix.join('docs', href.split('#', 1)[0] ?? '');
    if (heading === '' || !isMarkdown(path) || !pages.has(path) || named.has(path)) continue;
    named.add(path);
    const entries = sections.get(heading) ?? new Map<string, string>();
    sections.set(heading, entries.set(path, text));
  }
  const rest = [...pages].filter(([path]) => path.startsWith('docs/') && !named.has(path));
  if (rest.length > 0) sections.set('Also here', new Map(rest));
  return [...sections].map(([title, entries]) => ({
    title,
    entries: [...entries].map(([path, label]) => ({ path, label })),
  }));
}

/** The entries in the order in which they are read. */
export function readingOrder(sections: readonly Section[]): Entry[] {
  return sections.flatMap(({ entries }) => entries);
}
