import { codeOf, ForwarderError } from '../errors.ts';

/**
 * Why the store cannot be used. `STORE_FULL`, `STORE_BUSY` and `STORE_UNWRITABLE` pass: a daemon that runs waits for that. At a start, and
 * with all others, exit code 3.
 *
 * `STORE_LOCKED` another daemon holds it · `STORE_DAMAGED` SQLite says the file is corrupt · `STORE_NEWER` written by a newer
 * version · `STORE_FOREIGN` a SQLite file of another program, or no SQLite file · `STORE_UNREADABLE` cannot be opened ·
 * `STORE_FULL` no room on the disk · `STORE_BUSY` another process is writing · `STORE_UNWRITABLE` the disk has stopped to take writes ·
 * `STORE_IO` the disk failed.
 */
export type StoreErrorCode =
  | 'STORE_LOCKED'
  | 'STORE_DAMAGED'
  | 'STORE_NEWER'
  | 'STORE_FOREIGN'
  | 'STORE_UNREADABLE'
  | 'STORE_FULL'
  | 'STORE_BUSY'
  | 'STORE_UNWRITABLE'
  | 'STORE_IO';

export class StoreError extends ForwarderError {
  declare readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, { code, hint, cause, retryable: PASSING.has(code) });
  }
}

const PASSING: ReadonlySet<StoreErrorCode> = new Set(['STORE_FULL', 'STORE_BUSY', 'STORE_UNWRITABLE']);

/**
 * A write or a sync that the kernel refused: a file system that turned read-only after an error of its own (EROFS, EIO), a quota, a limit
 * of the file's size. What was committed before stays readable, and nothing of the refused transaction counts: SQLite takes it back, writes
 * the same frames of the log again the next time and syncs them then, so going on after a failed sync trusts nothing that was not synced.
 */
const REFUSED_WRITE = /^SQLITE_(READONLY$|IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|SHMSIZE)$)/;

/** Does work on the database, and throws a `StoreError` in place of what SQLite threw. */
export type Guard = <T>(work: () => T) => T;

export function guardOf(path: string): Guard {
  return (work) => {
    try {
      return work();
    } catch (error) {
      throw storeErrorFrom(error, path);
    }
  };
}

/** Turns what SQLite threw into a `StoreError`; anything else comes back as it is. */
export function storeErrorFrom(error: unknown, path: string): unknown {
  if (error instanceof ForwarderError) return error;
  const code = codeOf(error) ?? '';
  if (code.startsWith('SQLITE_CORRUPT')) {
    return new StoreError(
      'STORE_DAMAGED',
      `the store ${path} is damaged`,
      'Stop the daemon, keep the file, and restore the newest backup; or move the file away and start with an empty store, ' +
        'which reads again what Mimecast still keeps (feeds[].startFrom: 30d). `sqlite3 FILE .recover` may save undelivered events.',
      error,
    );
  }
  if (code === 'SQLITE_NOTADB') {
    return new StoreError(
      'STORE_FOREIGN',
      `${path} is not a store of mimecast-forwarder`,
      'Check store.path: the file there is no SQLite database.',
      error,
    );
  }
  if (code === 'SQLITE_FULL') {
    return new StoreError(
      'STORE_FULL',
      `there is no room left for the store ${path}`,
      'Free space on its disk. Nothing is lost: collecting goes on by itself.',
      error,
    );
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new StoreError(
      'STORE_BUSY',
      `another process is writing to the store ${path}`,
      'It is tried again. If it lasts, look for a sqlite3 shell or a backup that holds a transaction open.',
      error,
    );
  }
  if (REFUSED_WRITE.test(code)) {
    return new StoreError(
      'STORE_UNWRITABLE',
      `the disk under the store ${path} does not take writes (${code})`,
      'Look at the kernel log and at `mount`: a file system that met an error is read-only until it is checked and mounted again. Nothing is lost: collecting and delivering go on by themselves.',
      error,
    );
  }
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_PERM')) {
    return new StoreError(
      'STORE_UNREADABLE',
      `the store ${path} cannot be opened for writing`,
      'Check that the folder exists and that this user may write to it, to the file, and to its -wal and -shm files.',
      error,
    );
  }
  if (code.startsWith('SQLITE_IOERR')) {
    return new StoreError(
      'STORE_IO',
      `the disk under the store ${path} failed`,
      "Look at the kernel's log for I/O errors; if the disk is well, restart the daemon.",
      error,
    );
  }
  return error;
}
