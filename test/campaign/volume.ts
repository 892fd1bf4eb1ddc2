import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { codeOf } from '../../src/errors.ts';

/** Room for a store of a long run, and small enough to be filled in no time. */
const SIZE = '192m';
const CHUNK = Buffer.alloc(256 * 1024);
/** Layout of SQLite's write-ahead log (https://sqlite.org/fileformat2.html, 4.1) and of its index (https://sqlite.org/walformat.html, 2.2). */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;
const BACKFILL_ATTEMPTED_AT = 128;
const READ_TABLES = ['event', 'seen', 'checkpoint', 'cursor', 'coverage'];

/** The store's disk: a small file system of its own where this process may mount one, else a plain folder. */
export class Volume {
  readonly folder: string;
  readonly storeFile: string;
  /** Undefined where it may be filled and made read-only, else why not. */
  readonly limit: string | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.storeFile = join(folder, 'forwarder.db');
    mkdirSync(folder, { recursive: true });
    this.limit = mounted(folder);
  }

  /** Takes all room but for `left` bytes, or a little more: the daemon may write at the same time. */
  fill(left: number): void {
    if (this.limit !== undefined) return;
    const file = openSync(this.#ballast, 'a');
    try {
      for (let room = this.#free() - left; room > 0; room = this.#free() - left) {
        writeSync(file, CHUNK, 0, Math.min(room, CHUNK.length));
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  setReadOnly(readOnly: boolean): void {
    execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, this.folder]);
  }

  /** A copy of a store that nobody has open and that was closed in good order. */
  backUp(copy: string): void {
    copyFileSync(this.storeFile, copy);
  }

  /** As docs/operations.md has it: the old store, its -wal and -shm go away together. */
  putBack(copy: string): void {
    for (const ending of ['', '-wal', '-shm']) rmSync(`${this.storeFile}${ending}`, { force: true });
    copyFileSync(copy, this.storeFile);
  }

  /**
   * Takes the end of the write-ahead log away, as a power cut does on a disk that lied about its last syncs. Not what a checkpoint has
   * begun to move into the store itself: a disk that had forgotten that would be a broken one. False when there was nothing to take.
   */
  cutLog(share: number): boolean {
    const log = `${this.storeFile}-wal`;
    const size = existsSync(log) ? statSync(log).size : 0;
    if (size <= LOG_HEADER) return false;
    const pageSize = readFileSync(log).readUInt32BE(8);
    const kept =
      LOG_HEADER +
      readFileSync(`${this.storeFile}-shm`).readUInt32LE(BACKFILL_ATTEMPTED_AT) * (FRAME_HEADER + pageSize);
    if (size <= kept) return false;
    truncateSync(log, Math.floor(size - (size - kept) * share));
    return true;
  }

  /**
   * Overwrites the first page of one of the tables that a daemon always reads, which `share` chooses: SQLite notices as soon as it reads
   * that page, and can take nothing of it for data. To be done to a store that nobody has open and that has no log.
   */
  damagePage(share: number): void {
    const db = new Database(this.storeFile);
    const names = `SELECT rootpage FROM sqlite_schema WHERE name IN (${READ_TABLES.map((name) => `'${name}'`).join()})`;
    const roots = db.prepare<[], number>(names).pluck().all();
    const pageSize = db.pragma('page_size', { simple: true }) as number;
    db.close();
    const page = roots[Math.floor(roots.length * share)] ?? 1;
    const file = openSync(this.storeFile, 'r+');
    writeSync(file, Buffer.alloc(pageSize, 0xa5), 0, pageSize, (page - 1) * pageSize);
    closeSync(file);
  }

  /** Is there a write-ahead log, so that the store's newest part is not in the store itself? */
  get hasLog(): boolean {
    return existsSync(`${this.storeFile}-wal`);
  }

  remove(): void {
    if (this.limit === undefined) execFileSync('umount', ['--lazy', this.folder]);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }
}

function mounted(folder: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=700`, 'campaign', folder], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'this user may not mount a tmpfs: no disk is filled or made read-only';
  }
}
