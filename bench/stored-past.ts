import Database from 'better-sqlite3';
import { Store } from '../src/store/store.ts';
import { benchRecord } from './records.ts';

export interface StoredPast {
  readonly file: string;
  readonly keys: number;
  /** Keep the events too, as before their retention is over; else only their identities, as after it. */
  readonly events: boolean;
  /** The time of the newest, ms since 1970. */
  readonly newest: number;
}

const CHUNK = 100_000;
/** The density of `benchRecord`. Five million reach back two weeks, less than any retention. */
const STEP_MS = 250;

/**
 * Makes a store as a daemon leaves it that has run for long: so many identities, and events if wanted, all delivered.
 *
 * The store's own class makes the file; the rows come from SQL, which is some ten times as fast. They are like real ones in what
 * matters here: size, and keys that begin with the time and go on at random.
 */
export function storePast({ file, keys, events, newest }: StoredPast): void {
  Store.open(file).close();
  const db = new Database(file);
  db.pragma('synchronous = OFF');
  db.pragma('cache_size = -262144');
  const [head = '', tail = ''] = rawAround('HASH');
  const oldest = newest - keys * STEP_MS;
  const numbers = `WITH RECURSIVE number (n) AS (SELECT @from UNION ALL SELECT n + 1 FROM number WHERE n < @to)`;
  const time = `(${oldest} + n * ${STEP_MS})`;
  const key = `unhex(printf('%08x', ${time} / 1000) || hex(randomblob(12)))`;
  const raw = '@head || lower(hex(randomblob(32))) || @tail';
  const addEvents = db.prepare(
    `${numbers} INSERT INTO event (seq, feed, stored_at, key, raw) SELECT n, 'attachment', ${time}, ${key}, ${raw} FROM number`,
  );
  const addTheirKeys = db.prepare(
    'INSERT INTO seen (key, seq) SELECT key, seq FROM event WHERE seq BETWEEN @from AND @to ORDER BY key',
  );
  const addKeys = db.prepare(`${numbers} INSERT INTO seen (key, seq) SELECT ${key}, n FROM number ORDER BY 1`);
  for (let from = 1; from <= keys; from += CHUNK) {
    const range = { from, to: Math.min(keys, from + CHUNK - 1) };
    db.transaction(() => {
      if (events) {
        addEvents.run({ ...range, head, tail });
        addTheirKeys.run(range);
      } else addKeys.run(range);
    })();
  }
  if (!events) db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?)").run(keys);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

/** The text of a record before and after its file hash. */
function rawAround(hash: string): string[] {
  return JSON.stringify({ ...benchRecord(1, 0), fileHash: hash }).split(hash);
}
