import type { Database } from 'better-sqlite3';
import type { Guard } from './errors.ts';
import { type Span, uncovered, union } from './spans.ts';

/** What a window was asked for. */
export type Purpose = 'poll' | 'sweep' | 'backfill' | 'reconcile';

/** A window of one feed. Whole seconds, ms since 1970, both ends inclusive. */
export interface AskedWindow {
  readonly feed: string;
  readonly purpose: Purpose;
  readonly from: number;
  readonly to: number;
}

/** What a page did to its window. */
export interface CoveredPage extends AskedWindow {
  /** Records of the page, the known ones too. */
  readonly records: number;
  /** After the last page: has the store all that the window gave? Null while pages are to come. */
  readonly end: 'complete' | 'missing' | null;
  /** Mimecast keeps nothing from before, ms since 1970: what a window asks for of that time counts as read for a backfill only. */
  readonly keptSince: number;
  /** Seconds of the window that cannot be read, ms since 1970, in order. Who asks by hand, with a backfill, accepts that too. */
  readonly unread?: readonly number[] | undefined;
}

/**
 * A row of the ledger. Windows of one day, purpose and result that touch each other share a row: a poll a minute would else make half
 * a million rows a year.
 */
export interface CoverageRow {
  readonly feed: string;
  readonly from: number;
  readonly to: number;
  /** `start`: what Mimecast no longer had when the feed began. `earlier`: rows of long ago, or of a store that had no ledger. */
  readonly purpose: Purpose | 'start' | 'earlier';
  /** `complete`, `expired`, `missing`; of a window that is not at its end `open`, or why it failed last. */
  readonly result: string;
  /** How many windows the row stands for. */
  readonly windows: number;
  readonly pages: number;
  readonly records: number;
  readonly beganAt: number;
  /** Null while the window is not at its end. */
  readonly endedAt: number | null;
}

type Row = CoverageRow & { readonly id: number };

/** Of a row that shares its window with another one, which has them. */
const NO_COUNTS = { windows: 0, pages: 0, records: 0 };

const SECOND = 1000;
const DAY = 86_400_000;
/** How long a row says by itself when it was asked for. Older ones are joined, so that no gap is ever forgotten. */
const LEDGER_DAYS = 90;
const COLUMNS =
  'id, feed, from_at AS "from", to_at AS "to", purpose, result, windows, pages, records, began_at AS beganAt, ended_at AS endedAt';

/**
 * The coverage ledger: every window that was asked for, and what came of it. What lies between the begin of a feed and its checkpoint,
 * and no complete window covers, is a gap.
 */
export class Coverage {
  readonly #db: Database;
  readonly #guard: Guard;
  readonly #unended;
  readonly #neighbour;
  readonly #insert;
  readonly #update;
  readonly #delete;
  readonly #supersede;
  readonly #complete;
  readonly #unaccepted;
  readonly #bounds;

  constructor(db: Database, guard: Guard) {
    this.#db = db;
    this.#guard = guard;
    this.#unended = db.prepare<[string, string, number, number], Row>(
      `SELECT ${COLUMNS} FROM coverage WHERE feed = ? AND purpose = ? AND from_at = ? AND to_at = ? AND ended_at IS NULL`,
    );
    this.#neighbour = db.prepare<[string, string, string, number, number, number], Row>(
      `SELECT ${COLUMNS} FROM coverage WHERE feed = ? AND purpose = ? AND result = ? AND from_at <= ? AND to_at >= ?
         AND began_at / ${DAY} = ? AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1`,
    );
    this.#insert = db.prepare<CoverageRow>(
      `INSERT INTO coverage (feed, from_at, to_at, purpose, result, windows, pages, records, began_at, ended_at)
       VALUES (@feed, @from, @to, @purpose, @result, @windows, @pages, @records, @beganAt, @endedAt)`,
    );
    this.#update = db.prepare<Row>(
      `UPDATE coverage SET from_at = @from, to_at = @to, result = @result, windows = @windows, pages = @pages,
         records = @records, ended_at = @endedAt WHERE id = @id`,
    );
    this.#delete = db.prepare<[number]>('DELETE FROM coverage WHERE id = ?');
    this.#supersede = db.prepare<[string, number, number, string]>(
      `DELETE FROM coverage WHERE feed = ? AND from_at >= ? AND to_at <= ? AND result <> 'complete'
         AND (purpose = ? OR result = 'expired')`,
    );
    this.#complete = db.prepare<[string], { from: number; until: number }>(
      `SELECT from_at AS "from", to_at + ${SECOND} AS "until" FROM coverage
       WHERE feed = ? AND result = 'complete'`,
    );
    this.#unaccepted = db.prepare<[string, number, number], Row>(
      `SELECT ${COLUMNS} FROM coverage WHERE feed = ? AND from_at <= ? AND to_at >= ? AND result = 'complete' AND purpose <> 'backfill'`,
    );
    this.#bounds = db.prepare<[string], { from: number | null; until: number | null }>(
      'SELECT begun_at AS "from", done_until AS "until" FROM checkpoint WHERE feed = ?',
    );
  }

  /** Inside the transaction that stores the page, so that ledger and events cannot disagree. */
  page(page: CoveredPage, now: number): void {
    const { feed, purpose, from, to } = page;
    const before = this.#unended.get(feed, purpose, from, to);
    const pages = (before?.pages ?? 0) + 1;
    const records = (before?.records ?? 0) + page.records;
    const row = { feed, purpose, from, to, windows: 1, pages, records, beganAt: before?.beganAt ?? now };
    if (page.end === null) {
      this.#put({ ...row, result: 'open', endedAt: null }, before?.id);
      return;
    }
    if (before) this.#delete.run(before.id);
    this.#supersede.run(feed, from, to, purpose);
    // Who asks for a past window by hand has Mimecast's answer, and accepts it, also when it is that nothing is left.
    const readFrom = purpose === 'backfill' ? from : Math.max(from, wholeSecondAfter(page.keptSince));
    const goneTo = Math.min(to, readFrom - SECOND);
    const isLeft = readFrom <= to;
    if (from <= goneTo) {
      this.#join({ ...row, ...(isLeft && NO_COUNTS), to: goneTo, result: 'expired', endedAt: now });
    }
    if (!isLeft) return;
    const unread = purpose === 'backfill' ? [] : (page.unread ?? []).filter((second) => second >= readFrom);
    const ended = { ...row, endedAt: now };
    for (const second of unread) {
      this.#uncover(feed, second);
      this.#join({ ...ended, ...NO_COUNTS, from: second, to: second, result: 'missing' });
    }
    const parts = uncovered({ from: readFrom, until: to + SECOND }, unread.map(secondAt));
    for (const [at, part] of parts.entries()) {
      this.#join({ ...ended, ...(at > 0 && NO_COUNTS), from: part.from, to: part.until - SECOND, result: page.end });
    }
  }

  /** Notes that a window was asked for and not answered; `reason` is of the closed set that labels `api_errors_total`. */
  failed({ feed, purpose, from, to }: AskedWindow, reason: string, now: number): void {
    this.#guard(() => {
      const before = this.#unended.get(feed, purpose, from, to);
      if (before?.result === reason) return;
      const empty = { feed, purpose, from, to, windows: 1, pages: 0, records: 0, beganAt: now, endedAt: null };
      this.#put({ ...(before ?? empty), result: reason }, before?.id);
    });
  }

  /** Takes a span as read that Mimecast no longer had when the feed began: nobody has missed it. */
  began(feed: string, span: { readonly from: number; readonly to: number }, now: number): void {
    const asked = { feed, purpose: 'start' as const, ...span, windows: 0, pages: 0, records: 0 };
    this.#guard(() => this.#join({ ...asked, result: 'complete', beganAt: now, endedAt: now }));
  }

  /** What was read of the time after `time` was read by a clock that was wrong: it is not covered. */
  forgetAfter(feed: string, time: number): void {
    this.#guard(() =>
      this.#db
        .transaction(() => {
          this.#db.prepare('DELETE FROM coverage WHERE feed = ? AND from_at > ?').run(feed, time);
          this.#db.prepare('UPDATE coverage SET to_at = ? WHERE feed = ? AND to_at > ?').run(time, feed, time);
        })
        .immediate(),
    );
  }

  /** The time that complete windows cover, in order. */
  covered(feed: string): Span[] {
    return union(this.#complete.all(feed));
  }

  /** What lies between the feed's begin and its checkpoint and was not read, in order. */
  gaps(feed: string): Span[] {
    const bounds = this.#bounds.get(feed);
    if (!bounds || bounds.from === null || bounds.until === null) return [];
    return uncovered({ from: bounds.from, until: bounds.until }, this.covered(feed));
  }

  /** The rows of a feed, by time. */
  list(feed: string): CoverageRow[] {
    return this.#db
      .prepare<[string], CoverageRow>(`SELECT ${COLUMNS} FROM coverage WHERE feed = ? ORDER BY from_at, id`)
      .all(feed);
  }

  /** Joins the rows of long ago. Cheap when there is nothing to do. */
  contract(now: number): void {
    const before = now - LEDGER_DAYS * DAY;
    const feeds = this.#db
      .prepare<[number], string>("SELECT DISTINCT feed FROM coverage WHERE to_at < ? AND purpose <> 'earlier'")
      .pluck()
      .all(before);
    if (feeds.length === 0) return;
    const contractAll = (): void => {
      for (const feed of feeds) this.#contractFeed(feed, before);
    };
    this.#db.transaction(contractAll).immediate();
  }

  #contractFeed(feed: string, before: number): void {
    const rows = this.list(feed).filter(({ to }) => to < before);
    this.#db.prepare('DELETE FROM coverage WHERE feed = ? AND to_at < ?').run(feed, before);
    const complete = rows.filter(({ result }) => result === 'complete');
    for (const span of union(complete.map(({ from, to }) => ({ from, until: to + SECOND })))) {
      const inside = complete.filter(({ from }) => from >= span.from && from < span.until);
      const sum = (of: 'windows' | 'pages' | 'records') => inside.reduce((total, row) => total + row[of], 0);
      this.#insert.run({
        ...{ feed, from: span.from, to: span.until - SECOND, purpose: 'earlier', result: 'complete' },
        ...{ windows: sum('windows'), pages: sum('pages'), records: sum('records') },
        beganAt: Math.min(...inside.map(({ beganAt }) => beganAt)),
        endedAt: Math.max(...inside.map(({ endedAt }) => endedAt ?? 0)),
      });
    }
  }

  #put(row: CoverageRow, id: number | undefined): void {
    if (id === undefined) this.#insert.run(row);
    else this.#update.run({ ...row, id });
  }

  /** A record that cannot be read has come up in a second that counts as read: it does no longer, unless a backfill has accepted it. */
  #uncover(feed: string, second: number): void {
    for (const row of this.#unaccepted.all(feed, second, second)) {
      this.#delete.run(row.id);
      const parts = uncovered({ from: row.from, until: row.to + SECOND }, [secondAt(second)]);
      for (const [at, part] of parts.entries()) {
        this.#insert.run({ ...row, ...(at > 0 && NO_COUNTS), from: part.from, to: part.until - SECOND });
      }
    }
  }

  /** Adds an ended window to the row of that day that it touches, or as a row of its own. */
  #join(row: CoverageRow): void {
    const day = Math.floor(row.beganAt / DAY);
    const { feed, purpose, result } = row;
    const other = this.#neighbour.get(feed, purpose, result, row.to + SECOND, row.from - SECOND, day);
    if (!other) {
      this.#insert.run(row);
      return;
    }
    this.#update.run({
      ...other,
      from: Math.min(other.from, row.from),
      to: Math.max(other.to, row.to),
      windows: other.windows + row.windows,
      pages: other.pages + row.pages,
      records: other.records + row.records,
      endedAt: row.endedAt,
    });
  }
}

function secondAt(from: number): Span {
  return { from, until: from + SECOND };
}

function wholeSecondAfter(ms: number): number {
  return Math.ceil(ms / SECOND) * SECOND;
}
