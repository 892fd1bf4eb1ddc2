import type { RawRecord } from '../event.ts';
import { type Answer, failure, json } from './answer.ts';
import type { Archive, Entry, Slice } from './archive.ts';
import { Draws } from './draws.ts';
import type { FaultInjector } from './fault-injector.ts';
import { type Bookmark, filterKey, type PageTokens } from './page-token.ts';
import { type LogsFilter, type LogsRequest, refuseFuture, refusePageToken } from './request.ts';

export interface LogsEndpointOptions {
  readonly archive: Archive;
  readonly faults: FaultInjector;
  readonly pageTokens: PageTokens;
  readonly seed: string;
  /** The most records of a page, whatever is asked for. */
  readonly maxPageSize: number;
  /** ms. */
  readonly pageTokenLifetime: number;
}

/** An answer with records, and what it will have served once it has gone out whole. */
export interface Page {
  readonly answer: Answer;
  readonly serials: readonly number[];
  /** JSON texts of the malformed records in it. */
  readonly malformed: readonly string[];
  readonly hasNext: boolean;
}

/** `POST /api/ttp/attachment/get-logs`, once the caller is known and the body has been read. */
export class LogsEndpoint {
  readonly #options: LogsEndpointOptions;
  readonly #shuffles: Draws;

  constructor(options: LogsEndpointOptions) {
    this.#options = options;
    this.#shuffles = new Draws(`shuffle:${options.seed}`);
  }

  /** `now` in ms, by the clock of the API. */
  answer(request: LogsRequest, now: number): Page | Answer {
    const { faults } = this.#options;
    const bookmark = this.#open(request, now);
    if ('status' in bookmark) return bookmark;
    if (bookmark.to * 1000 > now && faults.strike('refuse-future')) return refuseFuture();
    if (faults.strike('fail-in-200')) return failInside200();
    if (faults.strike('status-in-200')) return statusInside200();
    return this.#page(request, bookmark, now);
  }

  /** Where the walk stands: at its beginning, or where the page token says. */
  #open({ pageToken, filter }: LogsRequest, now: number): Bookmark | Answer {
    const key = filterKey(filter);
    if (pageToken === undefined) {
      const midnight = Math.floor(now / 86_400_000) * 86_400;
      const to = filter.to ?? Math.floor(now / 1000);
      return { filter: key, from: filter.from ?? midnight, to, after: undefined, issuedAt: now };
    }
    if (this.#options.faults.strike('page-token-expiry')) return refusePageToken('the page token has expired');
    const bookmark = this.#options.pageTokens.read(pageToken);
    if (!bookmark) return refusePageToken('the page token is not known');
    if (bookmark.filter !== key) return refusePageToken('the page token belongs to another filter');
    if (now - bookmark.issuedAt > this.#options.pageTokenLifetime) return refusePageToken('the page token has expired');
    return bookmark;
  }

  #page(request: LogsRequest, bookmark: Bookmark, now: number): Page {
    const { archive, faults, pageTokens, maxPageSize } = this.#options;
    const { pageToken, filter } = request;
    const { from, to } = bookmark;
    const limit = Math.min(request.pageSize, maxPageSize);
    const slice = archive.slice({
      ...bookmark,
      oldestFirst: filter.oldestFirst,
      limit,
      at: now,
      matches: matcher(filter),
    });
    const nextFrom = (after: Bookmark['after']): string => pageTokens.issue({ ...bookmark, after, issuedAt: now });

    if (faults.strike('empty-with-next', { atEnd: !slice.more && slice.entries.length === 0 })) {
      return envelope({ records: [], serials: [], malformed: [], next: nextFrom(bookmark.after) });
    }
    let next = this.#next(slice, nextFrom);
    if (pageToken !== undefined && faults.strike('repeated-next', { atEnd: !slice.more })) next = pageToken;
    const entries = faults.strike('shuffle') ? this.#shuffle(slice.entries) : slice.entries;
    const malformed = this.#malformed(entries);
    return envelope({
      records: [...malformed, ...entries.map((entry) => entry.record)],
      serials: entries.map((entry) => entry.position.serial),
      malformed,
      next,
      // With a filter on fields the count would mean reading all rows; the key is not in the vendor's list, so it is left out.
      totalCount: matcher(filter) === undefined ? archive.count(from, to, now) : undefined,
    });
  }

  #next({ entries, more }: Slice, nextFrom: (after: Bookmark['after']) => string): string | undefined {
    const last = entries.at(-1);
    if (!more || !last) return undefined;
    const overlap = Math.floor(entries.length / 2);
    const repeats = overlap > 0 && this.#options.faults.strike('duplicate-pages') !== undefined;
    return nextFrom(repeats ? entries.at(-1 - overlap)?.position : last.position);
  }

  /** Gives the records of each second a new order; seconds stay in theirs. */
  #shuffle(entries: readonly Entry[]): readonly Entry[] {
    const keyed = entries.map((entry) => ({ entry, key: this.#shuffles.next() }));
    const places = new Map<number, number>();
    for (const { position } of entries) if (!places.has(position.second)) places.set(position.second, places.size);
    const placeOf = (entry: Entry): number => places.get(entry.position.second) ?? 0;
    keyed.sort((a, b) => placeOf(a.entry) - placeOf(b.entry) || a.key - b.key);
    return keyed.map(({ entry }) => entry);
  }

  /**
   * What does not fit comes first and on top of the page, so that no true record is lost. It is made from the page's first record: the
   * same page read again brings the same text, and a client that keeps each one once is not fooled.
   */
  #malformed(entries: readonly Entry[]): unknown[] {
    const [first] = entries;
    if (!first || !this.#options.faults.strike('malformed-record')) return [];
    const { date: _, ...undated } = first.record;
    const kinds = [undated, first.position.second, null, { ...first.record, date: 'last Tuesday' }];
    return [kinds[Math.floor(first.position.serial / 2) % kinds.length]];
  }
}

interface EnvelopeContent {
  readonly records: readonly unknown[];
  readonly serials: readonly number[];
  readonly malformed: readonly unknown[];
  readonly next?: string | undefined;
  readonly totalCount?: number | undefined;
}

function envelope({ records, serials, malformed, next, totalCount }: EnvelopeContent): Page {
  // JSON.stringify leaves out what is undefined: `next` is absent on the last page, as in captured answers.
  const pagination = { pageSize: records.length, totalCount, next };
  const data = records.length === 0 ? [] : [{ attachmentLogs: records }];
  const answer = json(200, { meta: { pagination, status: 200 }, data, fail: [] });
  return { answer, serials, malformed: malformed.map((item) => JSON.stringify(item)), hasNext: next !== undefined };
}

/** Undefined when every record matches. */
function matcher({ route, result }: LogsFilter): ((record: RawRecord) => boolean) | undefined {
  if (route === 'all' && result === 'all') return undefined;
  return (record) => (route === 'all' || record.route === route) && (result === 'all' || record.result === result);
}

function failInside200(): Answer {
  const error = { code: 'err_internal_error', message: 'The log could not be read', retryable: true };
  const key = { oldestFirst: true };
  return { ...json(200, { meta: { status: 200 }, data: [], fail: [{ key, errors: [error] }] }), refusal: error.code };
}

function statusInside200(): Answer {
  const content = { meta: { status: 500, pagination: { pageSize: 0 } }, data: [], fail: [] };
  return { ...json(200, content), refusal: 'meta.status 500' };
}

/** How an endpoint that is not there, or not there for this method, answers. */
export function unknownEndpoint(status: 404 | 405): Answer {
  const message = status === 404 ? 'Endpoint cannot be found' : 'Method not allowed';
  return failure(status, [{ code: 'endpoint_evaluation_failed_1', message, retryable: false }]);
}
