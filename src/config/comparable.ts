import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Secret } from '../secret.ts';
import { type Scalar, wholeConfig } from './effective.ts';
import type { CheckedConfig } from './schema.ts';
import { isMap, type Path, type Schema, type Tree } from './traverse.ts';

/** A scalar of the config that can be compared with another, also where it may not be told. */
export class Leaf {
  /** As `config print` shows it. */
  readonly shown: unknown;
  /** Two that are equal stand for the same value; tells nothing of a secret. */
  readonly fingerprint: string;
  /** The file that it names. */
  readonly file: string | undefined;

  constructor({ path, value, shown }: Scalar) {
    this.shown = shown;
    this.file = namesFile(path) && typeof value === 'string' ? value : undefined;
    this.fingerprint = this.file === undefined ? fingerprintOf(value) : `${this.file} ${contentOf(this.file)}`;
  }
}

/**
 * The effective config with a `Leaf` for each scalar. A file that it names counts with what is in it: a certificate that was renewed
 * under its old name is a change, which nobody would see in the YAML.
 */
export function comparableConfig(
  schema: Schema,
  checked: CheckedConfig,
  secretFiles: ReadonlyMap<string, string>,
): Tree {
  return wholeConfig(schema, checked, secretFiles, (scalar) => new Leaf(scalar));
}

/** The files that a comparable config names. */
export function filesIn(tree: unknown): string[] {
  if (tree instanceof Leaf) return tree.file === undefined ? [] : [tree.file];
  if (Array.isArray(tree)) return tree.flatMap(filesIn);
  return isMap(tree) ? Object.values(tree).flatMap(filesIn) : [];
}

function namesFile(path: Path): boolean {
  return String(path.at(-1)).endsWith('File');
}

function fingerprintOf(value: unknown): string {
  return value instanceof Secret ? digest(value.read()) : JSON.stringify(value);
}

/** Whether it can be read is the business of who uses it. */
function contentOf(file: string): string {
  try {
    return digest(readFileSync(file));
  } catch {
    return 'unreadable';
  }
}

function digest(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
