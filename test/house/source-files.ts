import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A place in a source file, from line 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Import extends Place {
  /** What stands after `from`. */
  readonly specifier: string;
  /** The file under src/ that a relative import means; undefined for a package. */
  readonly target: string | undefined;
  /** The statement's text. */
  readonly text: string;
}

export interface SourceFile {
  /** Under src/, with forward slashes: `store/outbox.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked out, line by line in its place. */
  readonly uncommented: string;
  /** The same with the texts of strings and templates blanked out too. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const SOURCE = join(import.meta.dirname, '..', '..', 'src');

/** Every TypeScript file under src/. */
export function sourceFiles(): SourceFile[] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => sourceFile(path, readFileSync(join(SOURCE, path), 'utf8')));
}

export function sourceFile(path: string, text: string): SourceFile {
  const uncommented = blank(text, { strings: false });
  return { path, text, uncommented, code: blank(text, { strings: true }), imports: importsOf(path, uncommented) };
}

/** Where a pattern is found; the pattern is global. */
export function placesOf(pattern: RegExp, file: SourceFile, text: string): Place[] {
  return [...text.matchAll(pattern)].map(({ index }) => ({ file: file.path, line: lineAt(text, index) }));
}

/** Static imports, re-exports and `import()`, also as a type. */
const IMPORT = /^(?:import|export)\b[^;']*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    const target = specifier.startsWith('.') ? join(dirname(file), specifier).replaceAll('\\', '/') : undefined;
    return { file, line: lineAt(text, match.index), specifier, target, text: match[0] };
  });
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/**
 * One token that may hide others: a comment, a quoted text, a piece of a template (from ` or } to ` or ${), or a regular
 * expression, which stands where a value is expected. The last alternative is any other character.
 */
const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*.*?\*\/)|(?<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<regex>(?<=(?:[(,=:[!&|?;{}>]|return|^)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/)|./sy;
const TEMPLATE = /(?:\\.|(?!\$\{)[^`\\])*(?:`|\$\{)/sy;

/** Puts spaces in place of what is not code, so that every line and column stays. */
function blank(text: string, what: { readonly strings: boolean }): string {
  let result = '';
  let at = 0;
  // The braces that are open inside each `${` that is open.
  const depths: number[] = [];
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    at += match?.[0].length ?? 0;
    return match;
  };
  const template = (): void => {
    const piece = take(TEMPLATE)?.[0] ?? '';
    result += what.strings ? spaces(piece) : piece;
    if (piece.endsWith('${')) depths.push(0);
  };
  while (at < text.length) {
    const match = take(TOKEN);
    const [token = ''] = match ?? [];
    const { comment, string, regex } = match?.groups ?? {};
    result += comment || ((string || regex) && what.strings) ? spaces(token) : token;
    const depth = depths.at(-1);
    if (token === '`') template();
    else if (token === '{' && depth !== undefined) depths[depths.length - 1] = depth + 1;
    else if (token === '}' && depth === 0) {
      depths.pop();
      template();
    } else if (token === '}' && depth !== undefined) depths[depths.length - 1] = depth - 1;
  }
  return result;
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
