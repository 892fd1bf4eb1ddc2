import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { StoreError, storeErrorFrom } from './errors.ts';
import { createPrivate } from './lock.ts';
import { migrate, refuseForeign } from './migrations.ts';

/**
 * Opens a store's file, makes it when there is none and `mustExist` is not set, brings it to this version, and hands it to `build`.
 * Throws a `StoreError`, with the file closed again.
 */
export function openDatabase<T>(
  path: string,
  options: { readonly mustExist?: boolean },
  build: (db: Database.Database) => T,
): T {
  let db: Database.Database | undefined;
  try {
    if (options.mustExist && !existsSync(path)) throw noStoreYet(path);
    makePrivate(path);
    db = new Database(path, { timeout: 5000 });
    // Before anything is set: WAL mode alone would change another program's file.
    refuseForeign(db, path);
    configure(db);
    migrate(db);
    checkSmallTables(db, path);
    return build(db);
  } catch (error) {
    db?.close();
    throw openingErrorFrom(error, path);
  }
}

/**
 * Opens a store's file for looking only, whoever else writes to it, and hands it to `build`. Changes nothing in it, not even its
 * version: what is asked of it has to be in stores of all versions. Throws a `StoreError`, with the file closed again.
 */
export function openReadOnly<T>(path: string, build: (db: Database.Database) => T): T {
  let db: Database.Database | undefined;
  try {
    if (!existsSync(path)) throw noStoreYet(path);
    db = new Database(path, { readonly: true, timeout: 5000 });
    refuseForeign(db, path);
    if (db.pragma('user_version', { simple: true }) === 0) throw noStoreYet(path);
    return build(db);
  } catch (error) {
    db?.close();
    throw openingErrorFrom(error, path);
  }
}

function noStoreYet(path: string): StoreError {
  return new StoreError(
    'STORE_UNREADABLE',
    `there is no store at ${path} yet`,
    'The daemon makes it at its first start (`run`). Check store.path and the folder you are in.',
  );
}

/** The records hold names and addresses: for our user's eyes only. SQLite gives its -wal and -shm files the same mode. */
function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  createPrivate(path);
}

function configure(db: Database.Database): void {
  // Before the first table: it cannot change later. In a prototype 16 KiB was 1.2 times as fast as 4 KiB.
  db.pragma('page_size = 16384');
  db.pragma('journal_mode = WAL');
  // NORMAL would lose the newest transactions in a power cut, and with them events whose checkpoint a receiver has seen pass.
  db.pragma('synchronous = FULL');
  // 2 MiB. Time-first keys stay local: neither 4 nor 16 MiB made a page faster, also with 5,000,000 events, and 16 cost 13 MB of memory.
  db.pragma('cache_size = -2048');
  db.pragma('temp_store = MEMORY');
}

/** A whole check reads every page; the tables that decide what is asked for and sent are small and are checked at each start. */
function checkSmallTables(db: Database.Database, path: string): void {
  for (const table of ['checkpoint', 'coverage', 'cursor', 'note', 'replay']) {
    const answer = db.pragma(`quick_check(${table})`, { simple: true });
    if (answer !== 'ok') {
      const cause = Object.assign(new Error(String(answer)), { code: 'SQLITE_CORRUPT' });
      throw storeErrorFrom(cause, path);
    }
  }
}

function openingErrorFrom(error: unknown, path: string): unknown {
  const known = storeErrorFrom(error, path);
  // What a running daemon waits for is here a file or a folder that this user may not write to, most often.
  if (known instanceof StoreError && known.code !== 'STORE_UNWRITABLE') return known;
  return new StoreError(
    'STORE_UNREADABLE',
    `the store ${path} cannot be opened`,
    'Check that the folder exists and that this user may write to it, to the file, and to its -wal and -shm files.',
    error,
  );
}
