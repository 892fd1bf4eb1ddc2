import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { codeOf } from '../errors.ts';

/**
 * Makes a file that only its owner can read, when there is none.
 *
 * A file that is there is never opened: SQLite's locks are POSIX locks, and a process loses all of those that it has on a file when
 * it closes any descriptor of it (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
export function createPrivate(path: string): void {
  if (existsSync(path)) return;
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

/** `isHeld` holds the lock for an instant itself; a daemon that starts in that instant waits it out. ms. */
const LOOK_PATIENCE = 500;

/**
 * The lock of the one daemon that may serve a store: a write transaction held open on a file of its own beside the store.
 *
 * The kernel lets go of it when the process ends, however it ends, so a kill leaves no stale lock behind; and it is not on the
 * store itself, so commands can read and write that meanwhile. Like SQLite itself it wants a local file system.
 */
export class StoreLock {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Undefined when another process holds it. */
  static acquire(storePath: string, patience = LOOK_PATIENCE): StoreLock | undefined {
    const path = `${storePath}.lock`;
    createPrivate(path);
    const db = new Database(path, { timeout: patience });
    try {
      db.exec('BEGIN IMMEDIATE');
      return new StoreLock(db);
    } catch (error) {
      db.close();
      if (codeOf(error)?.startsWith('SQLITE_BUSY')) return undefined;
      throw error;
    }
  }

  /** Is it held, by whoever? */
  static isHeld(storePath: string): boolean {
    const lock = StoreLock.acquire(storePath, 0);
    lock?.release();
    return lock === undefined;
  }

  release(): void {
    if (this.#db.open) this.#db.close();
  }
}
