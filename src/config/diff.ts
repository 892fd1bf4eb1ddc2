import { Leaf } from './comparable.ts';
import { isMap, type Tree } from './traverse.ts';

/** One key whose value differs. */
export interface Change {
  /** Below its entry or section: `tls.caFile`. */
  readonly key: string;
  /** As `config print` shows them; undefined where the key is not there. */
  readonly before: unknown;
  readonly after: unknown;
  /** What cannot be seen in the values: a secret is another, a file has another content. */
  readonly hidden?: 'secret' | 'content' | undefined;
}

/** The entries of a list, by name. */
export interface EntriesDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: ReadonlyMap<string, readonly Change[]>;
}

const SECTIONS = ['mimecast', 'store', 'http', 'log'] as const;
export type Section = (typeof SECTIONS)[number];

/** What another config would change. */
export interface ConfigDiff {
  readonly outputs: EntriesDiff;
  readonly feeds: EntriesDiff;
  /** Only sections in which something changes. */
  readonly sections: ReadonlyMap<Section, readonly Change[]>;
}

/** Compares two configs as `comparableConfig` gives them. Pure. The order of entries, comments and the way of writing are no change. */
export function diffConfigs(before: Tree, after: Tree): ConfigDiff {
  const sections = SECTIONS.map((name) => [name, changesOf(before[name], after[name])] as const);
  return {
    outputs: diffEntries(before.outputs, after.outputs),
    feeds: diffEntries(before.feeds, after.feeds),
    sections: new Map(sections.filter(([, changes]) => changes.length > 0)),
  };
}

export function isEmpty({ outputs, feeds, sections }: ConfigDiff): boolean {
  const entries = [outputs, feeds].flatMap(({ added, removed, changed }) => [...added, ...removed, ...changed.keys()]);
  return entries.length === 0 && sections.size === 0;
}

/** What a line of the log says of a change. */
export interface DiffLine {
  /** `output siem changes` */
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The diff for the log: a line for each entry that comes or goes, and for each key that changes. */
export function linesOf({ outputs, feeds, sections }: ConfigDiff): DiffLine[] {
  const lines = ([kind, entries]: readonly ['output' | 'feed', EntriesDiff]): DiffLine[] => [
    ...entries.removed.map((name) => ({ text: `${kind} ${name} is removed`, fields: { [kind]: name } })),
    ...[...entries.changed].flatMap(([name, changes]) =>
      changes.map((change) => ({ text: `${kind} ${name} changes`, fields: { [kind]: name, ...fieldsOf(change) } })),
    ),
    ...entries.added.map((name) => ({ text: `${kind} ${name} is added`, fields: { [kind]: name } })),
  ];
  return [
    ...[...sections].flatMap(([section, changes]) =>
      changes.map((change) => ({ text: `${section} changes`, fields: { section, ...fieldsOf(change) } })),
    ),
    ...lines(['feed', feeds]),
    ...lines(['output', outputs]),
  ];
}

function fieldsOf({ key, before, after, hidden }: Change): Record<string, unknown> {
  // A section may be no map: `http: false`.
  const at = key === '' ? {} : { key };
  if (hidden === 'secret') return { ...at, value: 'changed' };
  if (hidden === 'content') return { ...at, file: after, content: 'changed' };
  return { ...at, before: before ?? null, after: after ?? null };
}

function diffEntries(before: unknown, after: unknown): EntriesDiff {
  const [old, next] = [byName(before), byName(after)];
  const kept = [...next].flatMap(([name, entry]) => {
    const earlier = old.get(name);
    return earlier === undefined ? [] : ([[name, changesOf(earlier, entry)]] as const);
  });
  return {
    added: [...next.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !next.has(name)),
    changed: new Map(kept.filter(([, changes]) => changes.length > 0)),
  };
}

function byName(entries: unknown): Map<string, Tree> {
  const list = Array.isArray(entries) ? entries.filter(isMap) : [];
  return new Map(list.map((entry) => [String(shownOf(entry.name)), entry]));
}

/** Walks down as long as both sides are maps. */
function changesOf(before: unknown, after: unknown, key = ''): Change[] {
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((name) => changesOf(before[name], after[name], key === '' ? name : `${key}.${name}`));
  }
  if (printOf(before) === printOf(after)) return [];
  const change = { key, before: shownOf(before), after: shownOf(after) };
  if (JSON.stringify(change.before) !== JSON.stringify(change.after)) return [change];
  return [{ ...change, hidden: after instanceof Leaf && after.file !== undefined ? 'content' : 'secret' }];
}

/** What tells two values apart. */
function printOf(tree: unknown): string {
  return JSON.stringify(mapLeaves(tree, ({ fingerprint }) => fingerprint)) ?? '';
}

function shownOf(tree: unknown): unknown {
  return mapLeaves(tree, ({ shown }) => shown);
}

function mapLeaves(tree: unknown, of: (leaf: Leaf) => unknown): unknown {
  if (tree instanceof Leaf) return of(tree);
  if (Array.isArray(tree)) return tree.map((child) => mapLeaves(child, of));
  if (!isMap(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, mapLeaves(child, of)]));
}
