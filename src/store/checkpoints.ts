import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';

/** A window being read: what is needed to go on with it after a crash. Times are ms since 1970, whole seconds. */
export interface Walk {
  readonly from: number;
  readonly to: number;
  /** Mimecast's token of the next page; an optimisation only, a refused one starts the window again. */
  readonly token: string | null;
  /** What the token was given for; absent in stores of before it was kept. */
  readonly pageSize?: number | undefined;
  /** Pages stored so far. */
  readonly pages: number;
  /** Where the window that was asked for begins, when `from` has moved on since. */
  readonly askedFrom?: number | undefined;
  /** Seconds that were passed over, because a record in them is too large to be read. */
  readonly unread?: readonly number[] | undefined;
}

export interface Checkpoint {
  readonly feed: string;
  readonly type: string;
  /** Where reading began when the feed was new to the store. */
  readonly begunAt: number | null;
  /** All up to here has been read. */
  readonly doneUntil: number | null;
  readonly walk: Walk | null;
  readonly sweptAt: number | null;
  readonly lastEvent: number | null;
}

interface Row {
  feed: string;
  type: string;
  begun_at: number | null;
  done_until: number | null;
  walk: string | null;
  swept_at: number | null;
  last_event: number | null;
}

/** How far each feed has been read. */
export class Checkpoints {
  readonly #guard: Guard;
  readonly #get;
  readonly #all;
  readonly #save;
  readonly #sweep;

  constructor(db: Database, guard: Guard) {
    this.#guard = guard;
    this.#get = db.prepare<[string], Row>('SELECT * FROM checkpoint WHERE feed = ?');
    this.#all = db.prepare<[], Row>('SELECT * FROM checkpoint ORDER BY feed');
    this.#save = db.prepare<[string, string, number | null, number | null, string | null, number | null]>(
      `INSERT INTO checkpoint (feed, type, begun_at, done_until, walk, last_event) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (feed) DO UPDATE SET type = excluded.type, done_until = excluded.done_until, walk = excluded.walk,
         last_event = max(coalesce(last_event, 0), coalesce(excluded.last_event, last_event, 0))`,
    );
    this.#sweep = db.prepare<[number, string]>('UPDATE checkpoint SET swept_at = ? WHERE feed = ?');
  }

  get(feed: string): Checkpoint | undefined {
    const row = this.#guard(() => this.#get.get(feed));
    return row && checkpointOf(row);
  }

  all(): Checkpoint[] {
    return this.#all.all().map(checkpointOf);
  }

  save(feed: string, type: string, doneUntil: number | null, walk: Walk | null, lastEvent: number | null): void {
    this.#guard(() => this.#save.run(feed, type, doneUntil, doneUntil, walk && JSON.stringify(walk), lastEvent));
  }

  swept(feed: string, at: number): void {
    this.#guard(() => this.#sweep.run(at, feed));
  }
}

function checkpointOf(row: Row): Checkpoint {
  return {
    feed: row.feed,
    type: row.type,
    begunAt: row.begun_at,
    doneUntil: row.done_until,
    walk: row.walk === null ? null : walkOf(row.walk),
    sweptAt: row.swept_at,
    lastEvent: row.last_event === 0 ? null : row.last_event,
  };
}

/**
 * What SQLite does not notice of a damaged file shows here. A walk is only where a window was left: without one it is read from its start, and
 * what is known is not stored twice.
 */
function walkOf(text: string): Walk | null {
  const walk = parsedObject(text);
  const { from, to, token, pages, pageSize, askedFrom, unread = [] } = walk;
  if (!isSecond(from) || !isSecond(to) || from > to) return null;
  if (token !== null && typeof token !== 'string') return null;
  if (!isCount(pages) || !(askedFrom === undefined || (isSecond(askedFrom) && askedFrom <= from))) return null;
  if (!Array.isArray(unread) || !unread.every(isSecond)) return null;
  if (!(pageSize === undefined || isCount(pageSize))) return null;
  return {
    ...{ from, to, token, pages },
    ...(pageSize !== undefined && { pageSize }),
    ...(askedFrom !== undefined && { askedFrom }),
    ...(unread.length > 0 && { unread }),
  };
}

function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** The last time that a Date can hold. */
const END_OF_TIME = 8.64e15;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isSecond(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) % 1000 === 0 && Math.abs(Number(value)) <= END_OF_TIME;
}
