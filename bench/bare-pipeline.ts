/**
 * The least that a program can do and still be durable: the yardstick that the daemon is measured with.
 *
 *   bare-pipeline API-PORT SINK-PORT DATABASE
 *
 * It has no config, no checks, no retries, no metrics and one destination, in one file and in the plain way: a page is fetched,
 * each record hashed, new ones are stored with the page token in one transaction (`synchronous=FULL`), read back, framed as
 * RFC 5424 with octet counting, written to one TCP connection, and the cursor is moved and what is sent is pruned. The next page
 * is on its way meanwhile, which the daemon does not allow itself: it stores a page before it asks for the next.
 */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import Database from 'better-sqlite3';
import { request } from 'undici';

type BareRecord = Readonly<Record<string, string>>;

interface BarePage {
  readonly meta: { readonly pagination: { readonly next?: string } };
  readonly data: readonly { readonly attachmentLogs: readonly BareRecord[] }[];
}

const [apiPort = '', sinkPort = '', database = ''] = process.argv.slice(2);
const db = new Database(database);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -65536');
// AUTOINCREMENT: a table that is pruned empty would number its next rows from 1 again, below the cursor.
db.exec(`CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS position (name TEXT PRIMARY KEY, value) WITHOUT ROWID`);
const remember = db.prepare<[Buffer]>('INSERT OR IGNORE INTO seen (key) VALUES (?)');
const enqueue = db.prepare<[string]>('INSERT INTO outbox (record) VALUES (?)');
const dequeue = db.prepare<[number]>('DELETE FROM outbox WHERE id <= ?');
const readOn = db
  .prepare<[number], [number, string]>('SELECT id, record FROM outbox WHERE id > ? ORDER BY id LIMIT 500')
  .raw();
const place = db.prepare<[string, string | number]>('INSERT OR REPLACE INTO position (name, value) VALUES (?, ?)');
const placeOf = db.prepare<[string], string | number>('SELECT value FROM position WHERE name = ?').pluck();

const storePage = db.transaction((records: readonly BareRecord[], token: string | undefined) => {
  for (const record of records) if (remember.run(keyOf(record)).changes === 1) enqueue.run(JSON.stringify(record));
  if (token !== undefined) place.run('token', token);
});
const settle = db.transaction((id: number) => {
  place.run('cursor', id);
  dequeue.run(id);
});

const socket = connect(Number(sinkPort), '127.0.0.1').setNoDelay(true);
await once(socket, 'connect');
let cursor = Number(placeOf.get('cursor') ?? 0);
let token = placeOf.get('token')?.toString();
let coming = fetchPage(token);
for (;;) {
  const page = await coming;
  token = page.meta.pagination.next;
  if (token !== undefined) coming = fetchPage(token);
  storePage(page.data[0]?.attachmentLogs ?? [], token);
  await send();
  if (token === undefined) break;
}
socket.end();
// It stays until it is stopped, as a daemon would, so that its memory can be read.
setInterval(() => undefined, 60_000);

async function fetchPage(pageToken: string | undefined): Promise<BarePage> {
  const { body } = await request(`http://127.0.0.1:${apiPort}/api/ttp/attachment/get-logs`, {
    method: 'POST',
    headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
    body: JSON.stringify({ meta: { pagination: { pageSize: 500, pageToken } }, data: [{}] }),
  });
  return JSON.parse(await body.text()) as BarePage;
}

async function send(): Promise<void> {
  for (let rows = readOn.all(cursor); rows.length > 0; rows = readOn.all(cursor)) {
    socket.cork();
    for (const [, record] of rows) {
      const message = `<109>1 2026-01-01T00:00:00Z bench bare - attachment - ${record}`;
      socket.write(`${Buffer.byteLength(message)} ${message}`);
    }
    socket.uncork();
    if (socket.writableNeedDrain) await once(socket, 'drain');
    cursor = rows.at(-1)?.[0] ?? cursor;
    settle(cursor);
  }
}

/** Time first, so that new keys are neighbours in the table: 4 bytes of it, then 12 of SHA-256 over the whole record. */
function keyOf(record: BareRecord): Buffer {
  let text = '';
  for (const name of Object.keys(record).sort()) text += `${name}\n${record[name]}\n`;
  const key = Buffer.allocUnsafe(16);
  key.writeUInt32BE(Date.parse(`${record.date?.slice(0, 19)}Z`) / 1000);
  hash('sha256', text, 'buffer').copy(key, 4, 0, 12);
  return key;
}
