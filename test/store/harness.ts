import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { onTestFinished, vi } from 'vitest';
import type { RawRecord } from '../../src/event.ts';
import { eventId } from '../../src/store/key.ts';
import type { StoredEvent } from '../../src/store/outbox.ts';
import type { Candidate, Identified, PageOutcome, PageToStore } from '../../src/store/pages.ts';
import { Store } from '../../src/store/store.ts';

/** Real SQLite files, real second connections and real processes for the store's tests. */

export const FEED = 'attachment-logs';
export const TYPE = 'attachment';
/** When the first of `someRecords` happened, ms since 1970. */
export const START = Date.UTC(2026, 10, 1);
export const DAY = 86_400_000;

type Parsed = Candidate & { readonly value: Identified; readonly record: RawRecord };

/** A path for a store in a folder of its own, which goes with the test. */
export function storePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'forwarder.db');
}

/** Opens a store that is closed with the test. */
export function openStore(path: string = storePath()): Store {
  const store = Store.open(path);
  onTestFinished(() => store.close());
  return store;
}

/** Opens a store and hands over its own connection too, for settings that only hold for one connection. */
export function openWithConnection(path: string = storePath()): { store: Store; connection: Database.Database } {
  const pragma = vi.spyOn(Database.prototype, 'pragma');
  try {
    const store = openStore(path);
    return { store, connection: pragma.mock.contexts[0] as Database.Database };
  } finally {
    pragma.mockRestore();
  }
}

/** A second connection to a store's file, as an operator's sqlite3 would have. */
export function sqlite(path: string): Database.Database {
  const db = new Database(path);
  onTestFinished(() => {
    db.close();
  });
  return db;
}

export function rowsOf<T>(path: string, sql: string): T[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare<[], T>(sql).all();
  } finally {
    db.close();
  }
}

/** Rows of a store's tables, by name. */
export function tableSizes(path: string): Record<string, number> {
  const tables = ['event', 'seen', 'checkpoint', 'cursor', 'reject', 'variant', 'malformed'];
  return Object.fromEntries(
    tables.map((table) => [table, rowsOf<{ n: number }>(path, `SELECT count(*) AS n FROM ${table}`)[0]?.n ?? 0]),
  );
}

/**
 * Makes every INSERT into a table fail from now on, through a trigger that a second connection adds. Returns what mends it.
 */
export function failAt(path: string, table: string, when = '1'): () => void {
  const db = sqlite(path);
  db.exec(`CREATE TRIGGER broken BEFORE INSERT ON ${table} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'broken'); END`);
  return () => db.exec('DROP TRIGGER broken');
}

/** Makes the COMMIT of every transaction that inserts events fail, through a foreign key that is checked only then. */
export function failAtCommit(path: string): () => void {
  const db = sqlite(path);
  db.exec(`CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER broken AFTER INSERT ON event BEGIN INSERT INTO child VALUES (1); END`);
  return () => db.exec('DROP TRIGGER broken');
}

/** The n-th record, a second after the one before, with changes. */
export function recordOf(n: number, changes: RawRecord = {}): RawRecord {
  const date = new Date(START + n * 1000).toISOString().replace('.000Z', '+0000');
  return { date, fileHash: `hash-${n}`, recipientAddress: `r${n}@example.com`, fileName: `a/${n}.pdf`, ...changes };
}

/** A record as a feed would hand it over; `raw` when the text is not what `JSON.stringify` writes. */
export function candidateOf(record: RawRecord, raw: string = JSON.stringify(record)): Parsed {
  const parts = [record.fileHash, record.date, record.recipientAddress].map(String);
  const time = Date.parse(String(record.date).replace('+0000', 'Z'));
  return { raw: Buffer.from(raw), record, value: { id: eventId(TYPE, time, parts), time } };
}

export function someRecords(count: number, first = 1): Parsed[] {
  return Array.from({ length: count }, (_, index) => candidateOf(recordOf(first + index)));
}

export function storePage(
  store: Store,
  candidates: readonly Candidate[],
  page: Partial<PageToStore> = {},
): PageOutcome {
  return store.storePage({ feed: FEED, type: TYPE, candidates, variants: 'suppress', now: START, ...page });
}

/** Every event after `seq`, read in batches. */
export function readAll(store: Store, seq = 0, maxEvents = 64): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (;;) {
    const batch = store.outbox.read(events.at(-1)?.seq ?? seq, { maxEvents, maxBytes: 1e9 });
    if (batch.length === 0) return events;
    events.push(...batch);
  }
}

export function rawsOf(events: readonly { readonly raw: Buffer }[]): string[] {
  return events.map(({ raw }) => raw.toString());
}

/** 1, 2, … */
export function numbers(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/**
 * The digest of a file. Not to be asked while this process has a connection to it: closing any descriptor of a file drops all POSIX
 * locks that the process holds on it, SQLite's too.
 */
export function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

export type Role = 'hold' | 'open' | 'add' | 'write' | 'deliver';

/** A process of its own that works on a store; see `store-process.ts`. It is killed with the test. */
export class StoreProcess {
  readonly child: ChildProcess;
  /** The lines that it has written so far. */
  readonly lines: string[] = [];
  readonly ended: Promise<NodeJS.Signals | number | null>;

  constructor(role: Role, path: string, options: { readonly argument?: string; readonly umask?: string } = {}) {
    const script = join(import.meta.dirname, 'store-process.ts');
    const command = `umask ${options.umask ?? '022'}; exec "$0" "$@"`;
    this.child = spawn('sh', ['-c', command, process.execPath, script, role, path, options.argument ?? ''], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.child;
    if (!stdout) throw new Error('the process has no standard output');
    const read = createInterface(stdout).on('line', (line) => this.lines.push(line));
    const closed = new Promise((resolve) => read.once('close', resolve));
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => closed.then(() => resolve(signal ?? code)));
    });
    onTestFinished(() => {
      this.child.kill('SIGKILL');
    });
  }

  /** Waits until it has written so many lines, and returns them. */
  async saidLines(count: number): Promise<string[]> {
    await vi.waitFor(
      () => {
        if (this.lines.length < count)
          throw new Error(`the process has written ${this.lines.length} of ${count} lines`);
      },
      { timeout: 10_000, interval: 5 },
    );
    return this.lines;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
