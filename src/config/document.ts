import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type Environment, interpolate, plainValue } from './environment.ts';
import { ConfigError, formatPath, type Mistake } from './mistakes.ts';
import type { Path } from './traverse.ts';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A mistake whose place is known by path, before it is turned into a line and a column. */
export interface Finding {
  readonly path: Path;
  /** `key` points at the key itself, for a key that should not be there; `value`, the default, at what stands behind it. */
  readonly at?: 'key' | 'value';
  /** Where to point when `path` stands nowhere in the file. Default: `path`, or the nearest parent that is there. */
  readonly place?: Path;
  readonly message: string;
}

/** A parsed config file: its plain values, and where in the file each of them stands. */
export class ConfigDocument {
  /** Plain values after `${NAME}` was replaced. Scalars from the environment are texts; see `plainValueAt`. */
  readonly tree: unknown;
  /** References to the environment that could not be resolved. */
  readonly findings: readonly Finding[];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #fromEnvironment: ReadonlySet<Node>;

  /** Throws a `ConfigError` with every syntax mistake; nothing further can be said about such a file. */
  constructor(file: string, text: string, env: Environment) {
    this.#lines = new LineCounter();
    // Messages of the library quote the source, and the source may be a secret: only codes and places are used.
    this.#document = parseDocument(text, {
      ...{ version: '1.2', merge: true, lineCounter: this.#lines },
      ...{ prettyErrors: false, logLevel: 'error' },
    });
    const errors = [...this.#document.errors, ...this.#document.warnings];
    if (errors.length > 0) throw ConfigError.ofMistakes(file, this.#syntaxMistakes(errors, text));
    const { fromEnvironment, mistakes } = interpolate(this.#document, env);
    this.#fromEnvironment = fromEnvironment;
    this.tree = this.#toTree(file);
    const paths = pathsOf(this.#document.contents);
    this.findings = mistakes.map(({ node, message }) => ({ path: paths.get(node) ?? [], message }));
  }

  mistake(finding: Finding): Mistake {
    const { line, column } = this.position(finding.place ?? finding.path, finding.at ?? 'value');
    return { line, column, path: formatPath(finding.path, this.tree), message: finding.message };
  }

  /** Where a value stands; for a map or list, its key; for what is not in the file, the nearest parent that is. */
  position(path: Path, at: 'key' | 'value'): Position {
    const { key, value } = this.#find(path) ?? {};
    const pointed = at === 'value' && isScalar(value) ? value : (key ?? value);
    const offset = pointed?.range?.[0];
    if (offset === undefined) {
      return path.length === 0 ? { line: 1, column: 1 } : this.position(path.slice(0, -1), at);
    }
    return this.#positionOf(offset);
  }

  isFromEnvironment(path: Path): boolean {
    const node = this.#find(path)?.value;
    return node !== undefined && this.#fromEnvironment.has(node);
  }

  /** The value at a path as YAML would have read it, had the environment's text stood in the file. */
  plainValueAt(path: Path, text: string): string | number | boolean {
    return plainValue(this.#find(path)?.value, text);
  }

  /** Refuses the two ways in which a small file becomes an endless tree: an alias inside what it names, and aliases of aliases. */
  #toTree(file: string): unknown {
    const mistakes: Mistake[] = [];
    visit(this.#document, {
      Alias: (_key, alias, ancestors) => {
        const target = alias.resolve(this.#document);
        if (target !== undefined && !ancestors.includes(target)) return;
        const position = this.#positionOf(alias.range?.[0] ?? 0);
        const place = target === undefined ? `&${alias.source} further up` : 'it outside of what it names';
        mistakes.push({
          ...position,
          path: '',
          message: `the alias *${alias.source} leads nowhere, expected ${place}`,
        });
      },
    });
    if (mistakes.length > 0) throw ConfigError.ofMistakes(file, mistakes);
    try {
      return this.#document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      throw new ConfigError(`${file}: aliases multiply each other, expected at most 100 copies of an anchor`, {
        cause,
      });
    }
  }

  #positionOf(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #syntaxMistakes(errors: readonly YAMLError[], text: string): Mistake[] {
    const byLine = new Map<number, Mistake>();
    for (const error of errors) {
      const position = this.#positionOf(error.pos[0]);
      // One slip often makes the parser stumble several times in a line; the first is the one to mend.
      if (!byLine.has(position.line)) {
        byLine.set(position.line, { ...position, path: '', message: syntaxMessage(error, text) });
      }
    }
    return [...byLine.values()];
  }

  #find(path: Path): Entry | undefined {
    let at: Entry | undefined = { value: this.#document.contents ?? undefined };
    for (const key of path) {
      const holder = this.#resolve(at.value);
      if (isSeq(holder)) at = { value: holder.items[Number(key)] as Node | undefined };
      else at = isMap(holder) ? this.#entry(holder, key) : undefined;
      if (at?.value === undefined && at?.key === undefined) return undefined;
    }
    return { ...at, value: this.#resolve(at.value) };
  }

  #entry(map: YAMLMap, key: string | number): Entry | undefined {
    const own = map.items.find((pair) => keyText(pair) === String(key));
    if (own) return { key: own.key as Node, value: (own.value ?? undefined) as Node | undefined };
    for (const merge of map.items.filter((pair) => keyText(pair) === '<<')) {
      const source = this.#resolve(merge.value as Node | undefined);
      for (const item of isSeq(source) ? source.items : [source]) {
        const merged = this.#resolve(item as Node | undefined);
        const entry = isMap(merged) ? this.#entry(merged, key) : undefined;
        if (entry) return entry;
      }
    }
    return undefined;
  }

  #resolve(node: Node | undefined): Node | undefined {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }
}

interface Entry {
  readonly key?: Node | undefined;
  readonly value?: Node | undefined;
}

/** The key as it stands in the file; the parser makes a symbol of the merge key `<<`. */
function keyText(pair: Pair): string {
  if (!isScalar(pair.key)) return String(pair.key);
  return typeof pair.key.value === 'symbol' ? '<<' : String(pair.key.value);
}

/** The path of every scalar below a node. */
function pathsOf(node: unknown, path: Path = [], paths = new Map<unknown, Path>()): Map<unknown, Path> {
  if (isScalar(node)) paths.set(node, path);
  else if (isMap(node) || isSeq(node)) {
    node.items.forEach((item, index) => {
      if (isPair(item)) pathsOf(item.value, [...path, keyText(item)], paths);
      else pathsOf(item, [...path, index], paths);
    });
  }
  return paths;
}

const SYNTAX: Partial<Record<YAMLError['code'], string>> = {
  BAD_ALIAS: 'the alias has no anchor before it, expected `&name` further up',
  BAD_DQ_ESCAPE: 'unknown escape in a double-quoted text, expected single quotes round a text with backslashes',
  BAD_INDENT:
    'the indentation does not fit the lines around it, expected the same number of spaces for keys of one map',
  BAD_SCALAR_START: 'a value cannot start with this character, expected quotes round it',
  BLOCK_AS_IMPLICIT_KEY:
    'a map cannot start here, expected one `key: value` a line, and quotes round a value with `: ` in it',
  MISSING_CHAR:
    'the structure breaks off here or above, expected even indentation, closed quotes and brackets, and a `:` after each key',
  MULTILINE_IMPLICIT_KEY: 'a line without `key:`, expected `key: value`',
  MULTIPLE_DOCS: 'a second document starts here, expected one without `---` in between',
  TAB_AS_INDENT: 'a tab is used as indentation, expected spaces',
  TAG_RESOLVE_FAILED: 'unknown tag, expected a plain value; quote a text that starts with `!`',
};

function syntaxMessage(error: YAMLError, text: string): string {
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^["']?([\w.-]{1,64})/.exec(text.slice(error.pos[0]))?.[1] ?? '';
    return `the key ${key} is given twice in one map, expected once`.replace('  ', ' ');
  }
  const line = text.slice(text.lastIndexOf('\n', error.pos[0] - 1) + 1).split('\n', 1)[0] ?? '';
  if (/[{[].*: \$\{/.test(line))
    return `the braces do not match, expected quotes round a reference inside { } or [ ]: "\${NAME}"`;
  // The parser gives both the same code.
  const unclosed = /^Flow .* must be sufficiently indented and end with a ([}\]])/.exec(error.message)?.[1];
  if (unclosed !== undefined) {
    const opened = unclosed === '}' ? '{' : '[';
    return `a ${opened} further up is not closed, expected its ${unclosed} above, or indented deeper than its key`;
  }
  return SYNTAX[error.code] ?? 'this is no valid YAML, expected `key: value` lines indented by spaces';
}
