import type { Database } from 'better-sqlite3';

/** What a store holds, in figures: for somebody who has to help and must not see any mail. */
export interface Inventory {
  readonly schemaVersion: number;
  readonly pageSize: number;
  readonly pages: number;
  readonly freePages: number;
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>;
  /** `ok`, or the first thing that SQLite found wrong with the small tables. */
  readonly check: string;
  /** Why outputs have refused events, and how many for each reason. The reasons are our words. */
  readonly rejectReasons: readonly { readonly output: string; readonly reason: string; readonly count: number }[];
}

/** Reads every table once; on a store with millions of events that takes a second or so. */
export function takeInventory(db: Database): Inventory {
  const pragma = (name: string) => db.pragma(name, { simple: true }) as number;
  const tables = db
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
    .pluck()
    .all();
  const rows = tables.map((table): [string, number] => [
    table,
    db.prepare<[], number>(`SELECT count(*) FROM "${table}"`).pluck().get() ?? 0,
  ]);
  const small = ['checkpoint', 'cursor', 'note', 'reject', 'variant', 'malformed'];
  const answers = small.map((table) => String(db.pragma(`quick_check(${table})`, { simple: true })));
  return {
    schemaVersion: pragma('user_version'),
    pageSize: pragma('page_size'),
    pages: pragma('page_count'),
    freePages: pragma('freelist_count'),
    rows: Object.fromEntries(rows),
    check: answers.find((answer) => answer !== 'ok') ?? 'ok',
    rejectReasons: db
      .prepare<[], { output: string; reason: string; count: number }>(
        'SELECT output, reason, count(*) AS count FROM reject GROUP BY output, reason ORDER BY count DESC LIMIT 50',
      )
      .all(),
  };
}
