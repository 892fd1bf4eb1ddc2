import type { Database } from 'better-sqlite3';
import { StoreError } from './errors.ts';

/** `PRAGMA application_id`: tells our file from any other SQLite file. The letters MCFW. */
export const APPLICATION_ID = 0x4d434657;

/**
 * The numbered migrations. Entry n brings a store from version n to n + 1 (`PRAGMA user_version`), inside one transaction.
 * An entry that has been released is never edited: a store somewhere has already run it.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- The outbox. AUTOINCREMENT, so that a number is never given twice: an outbox pruned empty would otherwise start again
  -- at 1, below the cursors, and its events would never be sent.
  CREATE TABLE event (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    feed      TEXT    NOT NULL,
    stored_at INTEGER NOT NULL,          -- ms since 1970
    key       BLOB    NOT NULL,          -- the event id, see seen.key
    raw       TEXT    NOT NULL           -- the record as Mimecast sent it, on one line
  );
  -- Every identity that was ever stored, longer than Mimecast keeps its rows. The key starts with the time, so new keys go to
  -- the end of the tree and a page touches a few leaves only: the cost does not grow with the table.
  CREATE TABLE seen (
    key     BLOB PRIMARY KEY,            -- 4 bytes time (s, big-endian), 12 bytes of sha256(type, identity)
    seq     INTEGER NOT NULL,            -- where the event is, or was, in the outbox
    content INTEGER                      -- set when the event is pruned: 48 bits of sha256 of its canonical JSON
  ) WITHOUT ROWID;
  CREATE TABLE checkpoint (
    feed       TEXT PRIMARY KEY,
    type       TEXT NOT NULL,
    begun_at   INTEGER,                  -- ms since 1970: nothing before it was ever wanted
    done_until INTEGER,                  -- ms since 1970: all before it has been read
    walk       TEXT,                     -- JSON: the window being read, with its page token
    swept_at   INTEGER,
    last_event INTEGER                   -- date of the newest event, ms since 1970
  ) WITHOUT ROWID;
  CREATE TABLE cursor (
    output TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL              -- all up to it is accepted, rejected or filtered
  ) WITHOUT ROWID;
  CREATE TABLE reject (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    output TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    key    BLOB    NOT NULL,
    feed   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    raw    TEXT    NOT NULL,             -- a copy: retention cannot take it
    retry  INTEGER NOT NULL DEFAULT 0    -- 1: to be sent again
  );
  CREATE TABLE variant (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    feed     TEXT    NOT NULL,
    key      BLOB    NOT NULL,
    content  INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    shipped  INTEGER,                    -- seq of the event made of it
    raw      TEXT    NOT NULL,
    UNIQUE (key, content)
  );
  CREATE TABLE malformed (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    feed     TEXT    NOT NULL,
    found_at INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    digest   BLOB    NOT NULL UNIQUE,    -- sha256 of raw: a re-read adds no row
    raw      TEXT    NOT NULL
  );
  -- One row a day: the newest seq of that day. Tells how old a seq is after its event row has gone.
  CREATE TABLE tidemark (
    day INTEGER PRIMARY KEY,             -- days since 1970
    seq INTEGER NOT NULL
  );
  -- What the daemon last knew of itself, for status.
  CREATE TABLE note (
    subject TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    data    TEXT    NOT NULL             -- JSON
  ) WITHOUT ROWID;
  -- For people with sqlite3.
  CREATE VIEW events AS
    SELECT seq, lower(hex(key)) AS id, feed, datetime(stored_at / 1000, 'unixepoch') AS stored,
           raw ->> '$.date' AS date, raw ->> '$.result' AS result, raw ->> '$.recipientAddress' AS recipient,
           raw ->> '$.fileName' AS file, raw
    FROM event;
  `,
  `
  -- The coverage ledger: every window that was asked for, and what came of it. What no complete window covers is a gap.
  CREATE TABLE coverage (
    id       INTEGER PRIMARY KEY,
    feed     TEXT    NOT NULL,
    from_at  INTEGER NOT NULL,           -- ms since 1970, whole seconds, both ends inclusive
    to_at    INTEGER NOT NULL,
    purpose  TEXT    NOT NULL,           -- poll, sweep, backfill, reconcile, start, earlier
    result   TEXT    NOT NULL,           -- complete, expired, missing, open, or why it failed
    windows  INTEGER NOT NULL,           -- windows that touch share a row
    pages    INTEGER NOT NULL,
    records  INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER                     -- null: not read to its end
  );
  CREATE INDEX coverage_by_time ON coverage (feed, from_at);
  -- Until now the checkpoint alone has told what was read, and it was right.
  INSERT INTO coverage (feed, from_at, to_at, purpose, result, windows, pages, records, began_at, ended_at)
    SELECT feed, begun_at, done_until, 'earlier', 'complete', 0, 0, 0, begun_at, done_until
    FROM checkpoint WHERE done_until >= begun_at;
  `,
  `
  -- Stored events that somebody asked to send to one output again.
  CREATE TABLE replay (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    output    TEXT    NOT NULL,
    from_key  BLOB    NOT NULL,          -- event ids: from this one on
    to_key    BLOB    NOT NULL,          -- and before this one
    from_seq  INTEGER NOT NULL,          -- the oldest of them: retention leaves it, and what was stored after it
    to_seq    INTEGER NOT NULL,          -- nothing that was stored later: it is delivered by the usual path
    total     INTEGER NOT NULL,          -- how many they are
    at_key    BLOB    NOT NULL,          -- the last one that is done with; a variant shares its identity
    at_seq    INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    rejected  INTEGER NOT NULL DEFAULT 0,
    filtered  INTEGER NOT NULL DEFAULT 0,
    failure   TEXT,                      -- why the last try failed
    asked_at  INTEGER NOT NULL,          -- ms since 1970
    ended_at  INTEGER,
    cancelled INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX replay_open ON replay (output, id) WHERE ended_at IS NULL;
  -- A replay asks of every event whether the output had refused it.
  CREATE INDEX reject_by_event ON reject (output, seq);
  `,
  `
  -- What each feed and output did, minute by minute: the timelines of the status page. A minute without a row had no daemon.
  CREATE TABLE minute (
    subject TEXT    NOT NULL,            -- 'feed NAME' or 'output NAME'
    minute  INTEGER NOT NULL,            -- minutes since 1970
    count   INTEGER NOT NULL,            -- new records that were stored, or events that were accepted
    waiting INTEGER,                     -- events that waited for the output when the minute ended
    PRIMARY KEY (subject, minute)
  ) WITHOUT ROWID;
  -- The stretches of time in which each of them failed.
  CREATE TABLE failure (
    subject  TEXT    NOT NULL,
    from_at  INTEGER NOT NULL,           -- ms since 1970
    until_at INTEGER,                    -- null: it lasts
    reason   TEXT    NOT NULL,           -- of the closed set that labels the metric
    message  TEXT    NOT NULL,
    PRIMARY KEY (subject, from_at)
  ) WITHOUT ROWID;
  -- The cursor that each output began with: what lies before it, it was never to get.
  CREATE TABLE beginning (
    output TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL
  ) WITHOUT ROWID;
  -- How many rows there are, so that a status that is asked for every few seconds need not count a million of them.
  CREATE TABLE tally (
    of    TEXT NOT NULL,                 -- the table
    owner TEXT NOT NULL,                 -- feed or output
    rows  INTEGER NOT NULL,
    PRIMARY KEY (of, owner)
  ) WITHOUT ROWID;
  INSERT INTO tally SELECT 'reject', output, count(*) FROM reject GROUP BY output;
  INSERT INTO tally SELECT 'variant', feed, count(*) FROM variant GROUP BY feed;
  INSERT INTO tally SELECT 'malformed', feed, count(*) FROM malformed GROUP BY feed;
  CREATE TRIGGER reject_added AFTER INSERT ON reject BEGIN
    INSERT INTO tally VALUES ('reject', NEW.output, 1) ON CONFLICT (of, owner) DO UPDATE SET rows = rows + 1;
  END;
  CREATE TRIGGER reject_removed AFTER DELETE ON reject BEGIN
    UPDATE tally SET rows = rows - 1 WHERE of = 'reject' AND owner = OLD.output;
  END;
  CREATE TRIGGER variant_added AFTER INSERT ON variant BEGIN
    INSERT INTO tally VALUES ('variant', NEW.feed, 1) ON CONFLICT (of, owner) DO UPDATE SET rows = rows + 1;
  END;
  CREATE TRIGGER variant_removed AFTER DELETE ON variant BEGIN
    UPDATE tally SET rows = rows - 1 WHERE of = 'variant' AND owner = OLD.feed;
  END;
  CREATE TRIGGER malformed_added AFTER INSERT ON malformed BEGIN
    INSERT INTO tally VALUES ('malformed', NEW.feed, 1) ON CONFLICT (of, owner) DO UPDATE SET rows = rows + 1;
  END;
  CREATE TRIGGER malformed_removed AFTER DELETE ON malformed BEGIN
    UPDATE tally SET rows = rows - 1 WHERE of = 'malformed' AND owner = OLD.feed;
  END;
  -- The newest reject of an output, and the oldest that is to be sent again: without them both are looked for row by row.
  CREATE INDEX reject_by_output ON reject (output);
  CREATE INDEX reject_due ON reject (output) WHERE retry = 1;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Throws `STORE_NEWER` or `STORE_FOREIGN` for a file that this program may not write to. Only reads. */
export function refuseForeign(db: Database, path: string): void {
  // Tables first: another process may be making the store just now, and makes them and the mark in one transaction.
  if (db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0) return;
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
    throw new StoreError(
      'STORE_FOREIGN',
      `${path} is a database of another program`,
      'Check store.path. Nothing was changed in the file.',
    );
  }
  const version = versionOf(db);
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      'STORE_NEWER',
      `the store ${path} was written by a newer version (its schema is ${version}, this program knows ${SCHEMA_VERSION})`,
      'Run the version that wrote it, or a newer one. To go back, restore the backup made before the upgrade.',
    );
  }
}

/** Brings the store to this program's version; to an older one, `upTo`, to make a store as that version had it. */
export function migrate(db: Database, upTo = SCHEMA_VERSION): void {
  if (versionOf(db) >= upTo) return;
  db.transaction(() => {
    // Another process may have migrated it while this one waited for the lock.
    for (let at = versionOf(db); at < upTo; at += 1) {
      db.exec(MIGRATIONS[at] ?? '');
    }
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${upTo}`);
  }).immediate();
}

function versionOf(db: Database): number {
  return db.pragma('user_version', { simple: true }) as number;
}
