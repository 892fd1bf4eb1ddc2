import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** The project's folder. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** A page of documentation, taken apart. */
export interface Page {
  /** From the project's folder: `docs/operations.md`. */
  readonly path: string;
  readonly text: string;
  /** Fenced blocks. */
  readonly blocks: readonly { readonly language: string; readonly code: string }[];
  /** What stands in backticks outside of blocks. */
  readonly spans: readonly string[];
  /** Where its links lead that stay inside the project. */
  readonly links: readonly { readonly file: string; readonly anchor: string | undefined }[];
  /** What a `#` of a link may name, as GitHub makes it of headings. */
  readonly anchors: ReadonlySet<string>;
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** Every page that is written by hand, and the generated ones. */
export function pages(): Page[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'bench/README.md', ...docs.sort()].map(pageAt);
}

export function pageAt(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const prose = text.replace(FENCE, '');
  return {
    path,
    text,
    blocks: [...text.matchAll(FENCE)].map(([, language = '', code = '']) => ({ language, code })),
    spans: [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span),
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => linkTo(path, target)),
    anchors: new Set([...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading))),
  };
}

function linkTo(from: string, target: string): Page['links'] {
  if (/^[a-z]+:/.test(target)) return [];
  const [file = '', anchor] = target.split('#', 2);
  return [{ file: file === '' ? from : relative(ROOT, join(ROOT, dirname(from), file)), anchor }];
}

function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
