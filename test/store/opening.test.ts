import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../src/store/errors.ts';
import { SCHEMA_VERSION } from '../../src/store/migrations.ts';
import { Store } from '../../src/store/store.ts';
import {
  digestOf,
  numbers,
  openStore,
  openWithConnection,
  readAll,
  rowsOf,
  START,
  StoreProcess,
  someRecords,
  sqlite,
  storePage,
  storePath,
} from './harness.ts';

const HOLDER = { pid: 4711, host: 'collector-1', startedAt: START };

/** What opening the path throws. */
function openingError(path: string): StoreError {
  try {
    Store.open(path).close();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  return expect.fail(`${path} was opened`);
}

/** A closed store of many events, all of it in its one file. */
function closedStore(path: string = storePath()): string {
  const store = openStore(path);
  store.startOutput('siem', 'now');
  storePage(store, someRecords(2000), { progress: { doneUntil: START, walk: null } });
  store.close();
  return path;
}

describe('the file', () => {
  it('is set so that what is committed stays: WAL, synced at every commit, large pages', () => {
    const { connection } = openWithConnection();
    const settings = ['journal_mode', 'synchronous', 'page_size', 'cache_size', 'user_version', 'application_id'];
    expect(settings.map((name) => connection.pragma(name, { simple: true }))).toEqual([
      'wal',
      2, // FULL
      16_384,
      -2048,
      SCHEMA_VERSION,
      0x4d434657,
    ]);
  });

  it('is for its owner alone, with its companions and its folder, whatever the umask', async () => {
    const path = join(dirname(storePath()), 'a', 'b', 'forwarder.db');
    const holder = new StoreProcess('hold', path, { umask: '000' });
    expect(await holder.saidLines(1)).toEqual(['held']);
    const modes = readdirSync(dirname(path)).map((name) => [
      name,
      (statSync(join(dirname(path), name)).mode & 0o777).toString(8),
    ]);
    expect(Object.fromEntries(modes)).toEqual({
      'forwarder.db': '600',
      'forwarder.db-wal': '600',
      'forwarder.db-shm': '600',
      'forwarder.db.lock': '600',
      'forwarder.db.lock-journal': '600',
    });
    expect((statSync(dirname(path)).mode & 0o777).toString(8)).toBe('700');
  });

  it('can be opened while another process makes it', async () => {
    const path = storePath();
    const openers = numbers(3).map(() => new StoreProcess('open', path));
    expect(await Promise.all(openers.map((opener) => opener.saidLines(1)))).toEqual([['open'], ['open'], ['open']]);
  });

  it('may be one that was never written to', () => {
    const path = storePath();
    writeFileSync(path, '');
    const { store, connection } = openWithConnection(path);
    expect(connection.pragma('page_size', { simple: true })).toBe(16_384);
    expect(storePage(store, someRecords(1)).added).toHaveLength(1);
  });

  it('is not made by a command that only looks', () => {
    const path = storePath();
    expect(() => Store.open(path, { mustExist: true })).toThrow(expect.objectContaining({ code: 'STORE_UNREADABLE' }));
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('can be looked at with sqlite3 through the view of events', () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(1));
    expect(rowsOf(path, 'SELECT * FROM events')).toEqual([
      {
        seq: 1,
        id: readAll(store)[0]?.id,
        feed: 'attachment-logs',
        stored: '2026-11-01 00:00:00',
        date: '2026-11-01T00:00:01+0000',
        result: null,
        recipient: 'r1@example.com',
        file: 'a/1.pdf',
        raw: someRecords(1)[0]?.raw.toString(),
      },
    ]);
  });
});

describe('a store that is open already', () => {
  it('can be read and written beside the one who has it open', () => {
    const path = storePath();
    const daemon = openStore(path);
    storePage(daemon, someRecords(3));
    const command = openStore(path);
    expect(readAll(command).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    storePage(command, someRecords(2, 4));
    storePage(daemon, someRecords(6));
    expect(readAll(daemon).map(({ seq }) => seq)).toEqual(numbers(6));
    command.outbox.refresh();
    expect(readAll(command)).toHaveLength(6);
  });

  // Closing any descriptor of a file drops the process's POSIX locks on it. The next sqlite3 (3.40, for one) to close its connection
  // would then take itself for the last one and throw away the write-ahead log that we go on writing to.
  it('keeps its locks when its own process opens it a second time', async () => {
    const path = storePath();
    const store = openStore(path);
    storePage(store, someRecords(3));
    const before = ownLocks(path);
    Store.open(path).close();
    expect(ownLocks(path)).toEqual(before);
    expect(await new StoreProcess('open', path).saidLines(1)).toEqual(['open']);
    storePage(store, someRecords(3, 4));
    expect(await new StoreProcess('add', path, { argument: '2' }).saidLines(1)).toEqual(['add']);
    store.outbox.refresh();
    expect(readAll(openStore(path)).map(({ seq }) => seq)).toEqual(numbers(8));
  });
});

/** The locks that this process has on a store's file, as Linux tells; elsewhere nothing tells. */
function ownLocks(path: string): string[] {
  if (process.platform !== 'linux') return [];
  const inode = statSync(path).ino;
  const lines = readFileSync('/proc/locks', 'utf8').split('\n');
  const own = lines.filter((line) => line.includes(` ${process.pid} `) && new RegExp(`:${inode} `).test(line));
  expect(own).not.toEqual([]);
  return own.map((line) => line.replace(/^\d+: /, ''));
}

describe('the lock', () => {
  it('is refused to a second daemon, who is told which process has it', async () => {
    const path = storePath();
    const holder = new StoreProcess('hold', path);
    await holder.saidLines(1);
    expect(Store.isServed(path)).toBe(true);
    const store = openStore(path);
    expect(() => store.lock(HOLDER)).toThrow(
      expect.objectContaining({
        code: 'STORE_LOCKED',
        retryable: false,
        message: `the store ${path} is in use by process ${holder.child.pid} on tester, since 2026-01-01T00:00:00.000Z`,
        hint: expect.stringContaining('store.path'),
      }),
    );
    // Nor does it keep commands from reading and writing.
    expect(storePage(store, someRecords(1)).added).toHaveLength(1);

    await holder.kill();
    expect(Store.isServed(path)).toBe(false);
    store.lock(HOLDER);
    expect(store.note('holder')).toEqual({ at: START, data: HOLDER });
  });

  it('is let go of when the store is closed', async () => {
    const path = storePath();
    const store = openStore(path);
    store.lock(HOLDER);
    expect(Store.isServed(path)).toBe(true);
    store.close();
    expect(Store.isServed(path)).toBe(false);
    expect(await new StoreProcess('hold', path).saidLines(1)).toEqual(['held']);
  });

  it('is still held after its own process has looked whether it is held', async () => {
    const path = storePath();
    const store = openStore(path);
    store.lock(HOLDER);
    expect(Store.isServed(path)).toBe(true);
    const second = openStore(path);
    expect(() => second.lock(HOLDER)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
    const [said = ''] = await new StoreProcess('hold', path).saidLines(1);
    expect(JSON.parse(said)).toMatchObject({
      name: 'StoreError',
      code: 'STORE_LOCKED',
      message: expect.stringContaining('process 4711 on collector-1'),
    });
  });

  it('is held by nobody where there is no store', () => {
    const path = storePath();
    expect(Store.isServed(path)).toBe(false);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });
});

describe('a file that is no store of ours is refused and left as it is', () => {
  it('when it is no database', () => {
    const path = storePath();
    writeFileSync(path, 'feeds:\n  - name: attachment-logs\n'.repeat(100));
    expectUntouched(path, { code: 'STORE_FOREIGN', hint: /store\.path/ });
  });

  it.each(['delete', 'wal'])("when it is another program's database (journal_mode=%s)", (journal) => {
    const path = storePath();
    const other = new Database(path);
    other.pragma(`journal_mode = ${journal}`);
    other.exec('CREATE TABLE customer (id INTEGER PRIMARY KEY); INSERT INTO customer VALUES (1)');
    other.close();
    expectUntouched(path, { code: 'STORE_FOREIGN', hint: /store\.path/ });
  });

  it('when a newer version wrote it', () => {
    const path = closedStore();
    const db = new Database(path);
    db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    db.close();
    expectUntouched(path, { code: 'STORE_NEWER', hint: /newer/ });
  });

  it.each(['checkpoint', 'cursor', 'note', 'sqlite_sequence'])('when its table %s is damaged', (table) => {
    const path = closedStore();
    damage(path, table);
    expectUntouched(path, { code: 'STORE_DAMAGED', hint: /backup/ });
  });

  it('when half of it is missing', () => {
    const path = closedStore();
    const file = openSync(path, 'r+');
    // From the second page on: the header still looks well.
    writeSync(file, Buffer.alloc(statSync(path).size - 16_384, 0xff), 0, undefined, 16_384);
    closeSync(file);
    expectUntouched(path, { code: 'STORE_DAMAGED', hint: /backup/ });
  });

  function expectUntouched(path: string, expected: { readonly code: string; readonly hint: RegExp }): void {
    const before = digestOf(path);
    const error = openingError(path);
    expect(error).toMatchObject({ code: expected.code, retryable: false, hint: expect.stringMatching(expected.hint) });
    expect(error.message).toContain(path);
    expect(digestOf(path)).toBe(before);
    expect(readdirSync(dirname(path))).toEqual(['forwarder.db']);
  }
});

/** Overwrites the root page of a table. */
function damage(path: string, table: string): void {
  const [row] = rowsOf<{ rootpage: number }>(path, `SELECT rootpage FROM sqlite_schema WHERE name = '${table}'`);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(16_384, 0xa5), 0, undefined, ((row?.rootpage ?? 0) - 1) * 16_384);
  closeSync(file);
}

describe('damage that shows only later', () => {
  it('in the outbox is told as such to who reads', () => {
    const path = closedStore();
    damage(path, 'event');
    const store = openStore(path);
    const reading = (): unknown => store.outbox.read(0, { maxEvents: 10, maxBytes: 1e6 });
    expect(reading).toThrow(
      expect.objectContaining({ name: 'StoreError', code: 'STORE_DAMAGED', hint: expect.stringContaining('backup') }),
    );
    expect(() => store.prune({ now: START, storedBefore: START })).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED' }),
    );
  });

  it('in the identities is told as such to who stores', () => {
    const path = closedStore();
    damage(path, 'seen');
    const store = openStore(path);
    expect(() => storePage(store, someRecords(1))).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', retryable: false }),
    );
  });

  it('in the rejects is told as such to who sends them again', () => {
    const path = closedStore();
    const store = openStore(path);
    const [event] = storePage(store, someRecords(1, 5000)).added;
    if (event) store.settle('siem', event.seq, [{ event, reason: 'no' }], START);
    store.rejects.retry(store.rejects.list().map(({ id }) => id));
    store.close();
    damage(path, 'reject');
    const { rejects } = openStore(path);
    expect(() => rejects.due('siem')).toThrow(expect.objectContaining({ name: 'StoreError', code: 'STORE_DAMAGED' }));
  });
});

describe('a place that cannot be used', () => {
  it.each([
    ['a folder that is a file', () => join(closedStore(), 'forwarder.db')],
    ['a path that is a folder', () => dirname(storePath())],
  ])('is told: %s', (_, pathOf) => {
    expect(openingError(pathOf())).toMatchObject({ code: 'STORE_UNREADABLE', hint: expect.stringMatching(/folder/) });
  });

  // Root may write everywhere, so another user tries.
  const NOBODY = process.getuid?.() === 0 ? '65534' : '';

  it('is told: a folder that is not ours to write to', async () => {
    const folder = join(dirname(storePath()), 'readable');
    mkdirSync(folder);
    chmodSync(dirname(folder), 0o755);
    chmodSync(folder, 0o555);
    const [said = ''] = await new StoreProcess('open', join(folder, 'forwarder.db'), { argument: NOBODY }).saidLines(1);
    expect(JSON.parse(said)).toMatchObject({
      name: 'StoreError',
      code: 'STORE_UNREADABLE',
      hint: expect.stringMatching(/may write/),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is told: a file that is not ours to write to', async () => {
    const path = closedStore();
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o444);
    const before = digestOf(path);
    const [said = ''] = await new StoreProcess('open', path, { argument: NOBODY }).saidLines(1);
    expect(JSON.parse(said)).toMatchObject({
      name: 'StoreError',
      code: 'STORE_UNREADABLE',
      hint: expect.stringMatching(/may write/),
    });
    expect(digestOf(path)).toBe(before);
  });
});

describe('the probe of a store', () => {
  it('passes when it can be written to, and changes nothing', () => {
    const path = storePath();
    const store = openStore(path);
    const version = sqlite(path).pragma('data_version', { simple: true });
    store.probe();
    expect(sqlite(path).pragma('data_version', { simple: true })).toBe(version);
  });
});
