import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { ConfigDocument, Finding } from './document.ts';
import { closest } from './mistakes.ts';
import {
  holdsSecrets,
  isSecret,
  knownKeys,
  type MapPlace,
  type Path,
  rebuild,
  type Schema,
  secretKeys,
  type Tree,
  twinOf,
} from './traverse.ts';
import { unknownKey } from './words.ts';

/** A document's tree made ready for its schema, and what could be seen to be wrong on the way. */
export interface Prepared {
  readonly tree: unknown;
  readonly findings: readonly Finding[];
  /** Places about which the finding is already made: what the schema says about them would be an echo. */
  readonly settled: readonly Path[];
  /** The files that secrets were read from, by the path of the secret. */
  readonly secretFiles: ReadonlyMap<string, string>;
  /** Secrets that stand in the config file itself. */
  readonly literalSecrets: readonly Path[];
}

/**
 * Does with a document's tree, profiles applied, what the schema cannot do by itself: reads each `xFile` into the secret `x`, refuses unknown keys with the one that was
 * meant, gives scalars from the environment the type that the schema wants, and makes `…File` paths relative to the config file.
 */
export function prepare(schema: Schema, tree: unknown, document: ConfigDocument, file: string): Prepared {
  const findings: Finding[] = [];
  const settled: Path[] = [];
  const secretFiles = new Map<string, string>();
  const literalSecrets: Path[] = [];

  function map({ schema: at, value, path }: MapPlace): Tree {
    const entries = new Map(Object.entries(value));
    for (const key of twinnedKeys(at, value)) takeFile(entries, key, path);
    if (at instanceof z.ZodObject && (at.def.catchall ?? z.never()) instanceof z.ZodNever) {
      for (const key of entries.keys()) {
        if (Object.hasOwn(at.shape, key)) continue;
        entries.delete(key);
        const known = knownKeys(at);
        const meant = closest(key, known);
        // The key that was meant is not missing as well.
        const field = known.find((name) => meant === name || meant === twinOf(name));
        if (field !== undefined && !entries.has(field)) settled.push([...path, field]);
        findings.push(unknownKey([...path, key], known, meant));
      }
    }
    return Object.fromEntries(entries);
  }

  /** Puts the secret of `keyFile` in place of it. */
  function takeFile(entries: Map<string, unknown>, key: string, path: Path): void {
    const twin = twinOf(key);
    const name = entries.get(twin);
    entries.delete(twin);
    const place = [...path, twin];
    if (entries.has(key)) {
      findings.push({ path: place, at: 'key', message: `stands beside ${key}, expected one of the two` });
      return;
    }
    // Whatever is wrong with the file, the secret itself was given: it must not be called missing as well.
    entries.set(key, Secret.of('unread'));
    if (document.findings.some((finding) => samePath(finding.path, place))) {
      settled.push([...path, key]);
    } else if (typeof name !== 'string' || name === '') {
      settled.push([...path, key]);
      findings.push({ path: place, message: 'is no path, expected the path of a file that holds the secret' });
    } else {
      const secretFile = resolve(dirname(file), name);
      try {
        entries.set(key, Secret.fromFile(secretFile));
        secretFiles.set(keyOf([...path, key]), secretFile);
      } catch (error) {
        settled.push([...path, key]);
        const reason = error instanceof Error ? codeOf(error.cause) : undefined;
        const problem = reason === undefined ? 'is empty' : `cannot be read (${reason})`;
        findings.push({ path: place, message: `${secretFile} ${problem}, expected a file with the secret in it` });
      }
    }
  }

  function leaf({ schema: at, value, path }: { schema: Schema | undefined; value: unknown; path: Path }): unknown {
    if (typeof value !== 'string') return value;
    const fromEnvironment = document.isFromEnvironment(path);
    if (isSecret(at)) {
      if (!fromEnvironment) literalSecrets.push(path);
      return value;
    }
    if (at && fromEnvironment && !z.safeParse(at, value).success) return document.plainValueAt(path, value);
    return isFilePath(path) ? resolve(dirname(file), value) : value;
  }

  return { tree: rebuild(schema, tree, { map, leaf }), findings, settled, secretFiles, literalSecrets };
}

/** A path as the key of a map. */
export function keyOf(path: Path): string {
  return JSON.stringify(path);
}

export function samePath(a: Path, b: Path): boolean {
  return keyOf(a) === keyOf(b);
}

/** Secrets of this map that are given by file. A record of secrets, such as headers, has a twin for any key of it. */
function twinnedKeys(schema: MapPlace['schema'], value: Tree): string[] {
  if (schema instanceof z.ZodObject) return secretKeys(schema).filter((key) => Object.hasOwn(value, twinOf(key)));
  if (!holdsSecrets(schema)) return [];
  return Object.keys(value).flatMap((key) => /^(.*[A-Za-z0-9])File$/.exec(key)?.[1] ?? []);
}

/** `caFile`, `certFile`, `keyFile`: like the files of secrets, they belong to the config and are found beside it. */
function isFilePath(path: Path): boolean {
  const key = path.at(-1);
  return typeof key === 'string' && key.endsWith('File');
}
