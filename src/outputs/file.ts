import { constants, type Stats } from 'node:fs';
import { access, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../errors.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Rendered } from '../formats/format.ts';
import { size } from '../options.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

const options = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ description: 'The file to append to. A path that is not absolute starts at the working directory.' }),
  rotate: z
    .union([
      z.literal(false),
      z.strictObject({
        maxSize: size('Start a new file before this one grows past this size.', 1).prefault('100MiB'),
        keep: z
          .int()
          .min(1)
          .max(1000)
          .default(10)
          .meta({ description: 'How many old files to keep, `path.1` the newest of them.' }),
      }),
    ])
    .prefault({})
    .meta({
      description: '`false` leaves rotation to logrotate; a file that was moved away is followed by a new one.',
    }),
});
type FileOptions = z.infer<typeof options>;

/** One event on each line of a file. */
export const file = defineOutput({
  type: 'file',
  summary: 'Appends events to a file, one on each line, with rotation.',
  options,
  defaultFormat: 'json',
  accepted: () => 'written to the file and flushed to disk (fsync)',
  lossless: () => true,
  target: ({ path }) => resolve(path),
  claims: ({ path, rotate }) => ({
    option: 'path',
    paths: [resolve(path), ...oldFiles(resolve(path), rotate === false ? 0 : rotate.keep)],
  }),
  create: (options, context) => new FileOutput(options, context),
});

class FileOutput implements Output {
  readonly #path: string;
  readonly #rotate: FileOptions['rotate'];
  readonly #context: OutputContext;
  #handle: FileHandle | undefined;

  constructor({ path, rotate }: FileOptions, context: OutputContext) {
    this.#path = resolve(path);
    this.#rotate = rotate;
    this.#context = context;
  }

  /** Once begun, a write to a disk cannot be called back: the signal counts until then. */
  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const rendered = events.map((event) => this.preview(event));
    const lines = Buffer.from(rendered.map(({ text }) => `${text}\n`).join(''));
    try {
      const handle = await this.#handleFor(lines.length);
      signal.throwIfAborted();
      await this.#append(handle, lines);
    } catch (error) {
      signal.throwIfAborted();
      throw failure(error, this.#path);
    }
    return { rejected: [], shortened: rendered.filter(({ shortened }) => shortened).length };
  }

  preview(event: ForwarderEvent): Rendered {
    return this.#context.format.render(event);
  }

  /** Creates nothing: `check` may be run by another user than the daemon, and a file of that user would shut the daemon out. */
  async probe(): Promise<string> {
    try {
      const existing = await nearestExisting(this.#path);
      if (existing === this.#path) mustBeFile(await stat(existing));
      await access(existing, constants.W_OK);
      return existing === this.#path ? `${this.#path} can be written` : `${this.#path} can be created`;
    } catch (error) {
      throw failure(error, this.#path);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** The open file, with room for `bytes` more unless it is empty. */
  async #handleFor(bytes: number): Promise<FileHandle> {
    let handle = await this.#current();
    const { size } = await handle.stat();
    if (this.#rotate && size > 0 && size + bytes > this.#rotate.maxSize) {
      await this.close();
      await shift(this.#path, this.#rotate.keep);
      handle = await this.#current();
    }
    return handle;
  }

  /** Opens the file, or opens it again when `path` has come to mean another file or none: logrotate moved ours away. */
  async #current(): Promise<FileHandle> {
    if (this.#handle && !(await isAt(this.#handle, this.#path))) await this.close();
    this.#handle ??= await openForAppending(this.#path);
    return this.#handle;
  }

  /**
   * All of the lines or none. What a full disk has taken of them is cut off again, or the next attempt would double it; after
   * a failed fsync nobody knows what the disk has, and a second fsync would not tell (https://lwn.net/Articles/752063/).
   */
  async #append(handle: FileHandle, lines: Buffer): Promise<void> {
    const { size } = await handle.stat();
    try {
      await handle.writeFile(lines);
      await handle.sync();
    } catch (error) {
      // A cut that fails leaves whole lines, which come twice then, and half a line, which goes when the file is next opened.
      await handle.truncate(size).catch(() => {});
      await this.close().catch(() => {});
      throw error;
    }
  }
}

/** What rotation calls them, the newest first. */
function oldFiles(path: string, keep: number): string[] {
  return Array.from({ length: keep }, (_, index) => `${path}.${index + 1}`);
}

async function openForAppending(path: string): Promise<FileHandle> {
  await makeDirectory(dirname(path));
  // Readable as well, to find the end of the last whole line; O_NONBLOCK, or opening a pipe that nobody reads never returns.
  // Not for others to read: it is about people's mail.
  const { O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
  try {
    const stats = await handle.stat();
    mustBeFile(stats);
    if (stats.size === 0) await syncDirectory(dirname(path));
    else await cutHalfLine(handle, stats.size);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A pipe or a device knows neither size nor fsync. */
function mustBeFile(stats: Stats): void {
  if (!stats.isFile())
    throw Object.assign(new Error('not a regular file'), { code: stats.isDirectory() ? 'EISDIR' : 'ENOTREG' });
}

/**
 * Cuts off what stands behind the last line end. It is the rest of a write that a crash ended, was never confirmed, and will be
 * sent again; left there, the next line would be glued to it.
 */
async function cutHalfLine(handle: FileHandle, size: number): Promise<void> {
  const block = Buffer.alloc(64 * 1024);
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    const lineEnd = block.subarray(0, bytesRead).lastIndexOf('\n');
    if (lineEnd >= 0) {
      end = start + lineEnd + 1;
      break;
    }
    end = start;
  }
  if (end < size) await handle.truncate(end);
}

/** `path` becomes `path.1`, `path.1` becomes `path.2` …, and the one that would be `path.<keep + 1>` goes. */
async function shift(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, { force: true });
  for (let index = keep - 1; index >= 0; index -= 1) {
    const from = index === 0 ? path : `${path}.${index}`;
    await rename(from, `${path}.${index + 1}`).catch(unlessMissing);
  }
  await syncDirectory(dirname(path));
}

async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const [ours, there] = await Promise.all([handle.stat(), stat(path).catch(unlessMissing)]);
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

/** Also makes the new names last: a file whose directory is forgotten in a power cut is a lost file, however well it was flushed. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function nearestExisting(path: string): Promise<string> {
  const found = await stat(path).catch(unlessMissing);
  return found || path === dirname(path) ? path : nearestExisting(dirname(path));
}

function unlessMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

const FULL = { halt: false, hint: 'Free some space; the events wait in the store and are written then.' };
const FORBIDDEN = { halt: true, hint: 'Give the user of this process write permission to the file and its directory.' };
const FILE_ON_THE_WAY = { halt: true, hint: 'A part of the path is a file where a directory should be.' };
const NO_FILE = { halt: true, hint: 'The path is a pipe or a device: use the output type stdout, or name a file.' };

/** By the code of the system; what is not here may pass by itself. */
const FAULTS: Readonly<Record<string, { readonly halt: boolean; readonly hint: string }>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: {
    halt: true,
    hint: 'The file may not grow any more: lower rotate.maxSize, or raise `ulimit -f` of this process.',
  },
  EMFILE: { halt: false, hint: 'Too many files are open: raise `ulimit -n` of this process.' },
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: { halt: true, hint: 'The file system is read-only: mount it writable, or choose another path.' },
  EISDIR: { halt: true, hint: 'The path is a directory: name a file in it.' },
  EEXIST: FILE_ON_THE_WAY,
  ENOTDIR: FILE_ON_THE_WAY,
  ENOTREG: NO_FILE,
  ENXIO: NO_FILE,
  ELOOP: { halt: true, hint: 'The path leads in a circle of symbolic links.' },
  ENAMETOOLONG: { halt: true, hint: 'Choose a shorter path.' },
};

function failure(error: unknown, path: string): OutputError {
  const code = codeOf(error) ?? 'no code';
  const fault = FAULTS[code];
  return new OutputError(`${path} cannot be written (${code})`, {
    reason: 'io',
    disposition: fault?.halt ? 'halt' : 'retry',
    hint: fault?.hint ?? 'Look into the log of the system for faults of the disk.',
    cause: error,
  });
}
