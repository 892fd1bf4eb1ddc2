import { ForwarderError } from '../errors.ts';
import { isMap, type Path, type Tree, valueAt } from './traverse.ts';

/** Something wrong at one place of the config file. Lines and columns count from 1. */
export interface Mistake {
  readonly line: number;
  readonly column: number;
  /** `outputs[1](qradar).port`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, what is expected. Holds no secret and no value from the environment. */
  readonly message: string;
}

/** The config cannot be used. Carries every mistake, in the order of the file; empty when the file itself is the trouble. */
export class ConfigError extends ForwarderError {
  readonly mistakes: readonly Mistake[];

  constructor(message: string, options: { mistakes?: readonly Mistake[]; hint?: string; cause?: unknown } = {}) {
    super(message, { code: 'CONFIG', hint: options.hint, cause: options.cause });
    this.mistakes = options.mistakes ?? [];
  }

  static ofMistakes(file: string, mistakes: readonly Mistake[]): ConfigError {
    const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : 1));
    return new ConfigError(sorted.map((mistake) => formatMistake(file, mistake)).join('\n'), { mistakes: sorted });
  }
}

/** `FILE:LINE:COLUMN path.to.key: message`, the shape that editors and terminals turn into a link. */
export function formatMistake(file: string, mistake: Mistake): string {
  const place = `${file}:${mistake.line}:${mistake.column}`;
  const told = mistake.path === '' ? `: ${mistake.message}` : ` ${mistake.path}: ${mistake.message}`;
  return place + visible(told);
}

/** A key may hold any character, and a mistake is one line on a terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A path in the operator's words; an entry of a list also shows its name, because nobody counts outputs. */
export function formatPath(path: Path, tree: unknown): string {
  return path
    .map((key, index) => {
      if (typeof key === 'string') return index === 0 ? key : `.${key}`;
      const entry = valueAt(tree, path.slice(0, index + 1));
      return `[${key}]${nameOf(entry)}`;
    })
    .join('');
}

/** The candidate that a misspelt word probably stands for; undefined when none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const allowed = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = allowed + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function nameOf(entry: unknown): string {
  const name = isMap(entry) ? (entry as Tree).name : undefined;
  return typeof name === 'string' && /^[\w.-]{1,64}$/.test(name) ? `(${name})` : '';
}

/** Insertions, deletions, substitutions and swaps of neighbours (Damerau–Levenshtein, optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = cell(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(cell(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, cell(rows, i - 2, j - 2) + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return cell(rows, a.length, b.length);
}

function cell(rows: readonly (readonly number[])[], row: number, column: number): number {
  return rows[row]?.[column] ?? 0;
}
