import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf, ForwarderError, UsageError } from '../../errors.ts';

/** A file that shall stand beside the config, in whole or not at all, for this user only. */
export interface NewFile {
  readonly name: string;
  readonly text: string;
}

/** Refuses what is there already, before anybody is asked anything. */
export function requireAbsent(path: string, force: boolean): void {
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) throw new UsageError(`${path} is a folder`, 'Name a file in it: --config FILE.');
  if (!force) {
    throw new UsageError(
      `${path} is there already, and is left as it is`,
      'Write another one with --config FILE, or replace it with --force.',
    );
  }
}

/**
 * Writes the config and the files beside it, all or none, each with mode 0600. They are made in a folder of their own beside the config, which
 * nobody else may enter, tried there by `tryOut`, and take their places in one step each: nobody sees half of one, and
 * without `force` the step itself refuses to replace what came in between. Synchronous: no signal leaves something half done.
 */
export function writeBeside(
  config: string,
  files: readonly NewFile[],
  force: boolean,
  tryOut: (staged: string) => void,
): void {
  const folder = dirname(config);
  const placed: string[] = [];
  let madeFolder: string | undefined;
  let staging: string | undefined;
  try {
    madeFolder = mkdirSync(folder, { recursive: true, mode: 0o700 });
    staging = mkdtempSync(join(folder, '.init-'));
    for (const { name, text } of files) writeFileSync(join(staging, name), text, { mode: 0o600 });
    tryOut(join(staging, basename(config)));
    for (const { name } of files) place(join(staging, name), join(folder, name), force, placed);
    rmSync(staging, { recursive: true });
  } catch (error) {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
    for (const path of placed) rmSync(path, { force: true });
    if (madeFolder !== undefined) removeEmpty(folder, madeFolder);
    throw error instanceof ForwarderError ? toldAt(error, staging, folder) : unwritten(error);
  }
}

function place(draft: string, path: string, force: boolean, placed: string[]): void {
  if (force) {
    renameSync(draft, path);
    return;
  }
  linkSync(draft, path);
  placed.push(path);
}

/** Folders that were made for this, from the innermost up to `first`. */
function removeEmpty(folder: string, first: string): void {
  for (let at = folder; at.length >= first.length; at = dirname(at)) rmdirSync(at);
}

/** A mistake is told at the place where the file would have stood. */
function toldAt(error: ForwarderError, staging: string | undefined, folder: string): ForwarderError {
  const message = staging === undefined ? error.message : error.message.replaceAll(staging, folder);
  return new UsageError(message, [error.hint, 'Nothing was written.'].filter(Boolean).join(' '));
}

function unwritten(cause: unknown): ForwarderError {
  const { path, dest } = cause as { readonly path?: string; readonly dest?: string };
  if (codeOf(cause) === 'EEXIST' && dest !== undefined) {
    return new UsageError(`${dest} is there already`, 'Replace it with --force. Nothing was written.');
  }
  return new ForwarderError(`${dest ?? path ?? 'a file'} cannot be written (${codeOf(cause) ?? 'no code'})`, {
    code: 'INIT_UNWRITTEN',
    hint: 'Nothing was written. Let this user write to the folder, or name another file with --config FILE.',
    cause,
  });
}
