import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Mark } from '../status/condition.ts';
import { iconOf } from './marks.ts';

/** A file of the page. The build puts its text into the bundle (`scripts/build.ts`). */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** In the order of the cascade. */
const CSS = [
  readFileSync(new URL('./browser/css/colours.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/frame.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/head.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/to-do.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/rows.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/timeline.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/events.css', import.meta.url), 'utf8'),
  readFileSync(new URL('./browser/css/phone.css', import.meta.url), 'utf8'),
].join('\n');
const PAGE = readFileSync(new URL('./browser/page.js', import.meta.url), 'utf8');
const PATCH = readFileSync(new URL('./browser/patch.js', import.meta.url), 'utf8');

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';
const MARKS: readonly Mark[] = ['ok', 'at_work', 'warn', 'bad', 'idle'];

const FILES: Readonly<Record<string, Asset>> = {
  'page.css': { type: 'text/css; charset=utf-8', body: CSS },
  'page.js': { type: SCRIPT_TYPE, body: PAGE },
  'patch.js': { type: SCRIPT_TYPE, body: PATCH },
  ...Object.fromEntries(MARKS.map((mark) => [`${mark}.svg`, { type: 'image/svg+xml', body: iconOf(mark) }])),
};

/**
 * A folder named after what is in it: the browser may keep its files for ever, and those of one version never mix with another's.
 * Relative, so that the page also works behind a proxy's path.
 */
const FOLDER = `assets/${createHash('sha256').update(JSON.stringify(FILES)).digest('hex').slice(0, 12)}`;

/** Every file by the path that it is served at. */
export const assets: ReadonlyMap<string, Asset> = new Map(
  Object.entries(FILES).map(([name, asset]) => [`/${FOLDER}/${name}`, asset]),
);

export const stylesheet = `${FOLDER}/page.css`;
export const script = `${FOLDER}/page.js`;

/** The browser's tab carries the verdict. */
export function icon(mark: Mark): string {
  return `${FOLDER}/${mark}.svg`;
}
