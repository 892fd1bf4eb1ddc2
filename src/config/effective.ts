import { stringify } from 'yaml';
import { formatDuration, formatSize } from '../options.ts';
import { Secret } from '../secret.ts';
import { keyOf } from './prepare.ts';
import type { CheckedConfig } from './schema.ts';
import {
  isMap,
  isSecret,
  type MapPlace,
  metaOf,
  type Path,
  rebuild,
  type Schema,
  type Tree,
  twinOf,
} from './traverse.ts';
import { maskUrl } from './words.ts';

const MASK = '***';

/**
 * The config as an operator would have to write it to say everything: defaults filled in, durations and sizes in their units,
 * secrets masked. A secret that came from a file shows the file, because that is no secret and is what one looks for.
 */
export function effectiveConfig(
  schema: Schema,
  checked: CheckedConfig,
  secretFiles: ReadonlyMap<string, string>,
): Tree {
  return wholeConfig(schema, checked, secretFiles, ({ shown }) => shown);
}

/** One scalar of the config: as it is, and as it may be told. */
export interface Scalar {
  readonly path: Path;
  readonly value: unknown;
  readonly shown: unknown;
}

/** The tree of the effective config, with what `leafOf` gives in place of each scalar. */
export function wholeConfig(
  schema: Schema,
  checked: CheckedConfig,
  secretFiles: ReadonlyMap<string, string>,
  leafOf: (scalar: Scalar) => unknown,
): Tree {
  const shownFiles = new Set<string>();

  function map({ value, path }: MapPlace): Tree {
    const { name, type, profile, ...rest } = value;
    // What an entry is called comes before all else.
    const entries = Object.entries({ name, type, profile, ...rest })
      .filter(([, child]) => child !== undefined)
      .map(([key, child]) => {
        if (isOutput(path) && key === 'format') return [key, shortFormat(child)];
        const file = secretFiles.get(keyOf([...path, key]));
        if (file === undefined) return [key, child];
        shownFiles.add(keyOf([...path, twinOf(key)]));
        return [twinOf(key), file];
      });
    return Object.fromEntries(entries);
  }

  const tree = rebuild(schema, checked, {
    map,
    leaf: ({ schema: at, value, path }) =>
      leafOf({ path, value, shown: shownFiles.has(keyOf(path)) ? value : printable(at, value) }),
  });
  return isMap(tree) ? tree : {};
}

/** YAML for people, JSON for tools; both end with a line break. */
export function printConfig(effective: Tree, as: 'yaml' | 'json'): string {
  return as === 'json' ? `${JSON.stringify(effective, undefined, 2)}\n` : stringify(effective, { lineWidth: 0 });
}

function isOutput(path: Path): boolean {
  return path.length === 2 && path[0] === 'outputs';
}

/** `json` for a format that has no options of its own: the map would say no more. */
function shortFormat(format: unknown): unknown {
  return isMap(format) && Object.keys(format).length === 1 ? format.type : format;
}

function printable(schema: Schema | undefined, value: unknown): unknown {
  if (value instanceof Secret || isSecret(schema)) return MASK;
  if (typeof value === 'string') return maskUrl(value);
  if (typeof value !== 'number' || schema === undefined) return value;
  const { unit } = metaOf(schema);
  if (unit === 'ms') return formatDuration(value);
  // A size that is no whole number of KiB stays a number, as it would be written.
  return unit === 'bytes' && formatSize(value) !== String(value) ? formatSize(value) : value;
}
