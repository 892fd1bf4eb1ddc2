import { posix } from 'node:path';

/**
 * Where a file of the repository stands in the site. `docs/` is the site's root; whatever else a page links to keeps its path
 * below `project/`, so that two files never get one address.
 */

const PICTURE = /\.(?:avif|gif|jpe?g|png|svg|webp)$/i;

export const isPicture = (path: string): boolean => PICTURE.test(path);
export const isMarkdown = (path: string): boolean => path.endsWith('.md');

/** `docs/outputs/syslog.md` → `outputs/syslog.html`; `config/container.yaml` → `project/config/container.yaml.html`. */
export function addressOf(path: string, kind: 'file' | 'folder' = 'file'): string {
  if (path === 'docs/README.md') return 'index.html';
  const inDocs = path.startsWith('docs/') && (kind === 'folder' || isMarkdown(path) || isPicture(path));
  const place = inDocs ? path.slice('docs/'.length) : `project/${path}`;
  if (kind === 'folder') return `${place}/index.html`;
  if (isMarkdown(path)) return place.replace(/\.md$/, '.html');
  return isPicture(path) ? place : `${place}.html`;
}

/** From one address to another as a link says it: `outputs/syslog.html`, `index.html` → `../index.html`. */
export function between(from: string, to: string): string {
  return posix.relative(posix.dirname(from), to) || posix.basename(to);
}
