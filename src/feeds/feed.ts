import type { EventSource } from '../event.ts';

/** A span of time asked for. Both ends are read as inclusive: whole seconds, ms since 1970. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** A record's time and name, or why it has none. */
export type Identity =
  | {
      readonly time: number;
      /**
       * What makes the record one and the same, in a fixed order. Two records with equal parts are the same event.
       * Never contains the feed's name: renaming a feed must not send its events again.
       */
      readonly parts: readonly string[];
    }
  | { readonly malformed: string };

/**
 * WHAT is read. A feed says how one Mimecast log type is asked for and how its records are understood.
 *
 * Feeds are pure: no I/O, no clock, no state. They know nothing of windows kept on disk, pages in flight or outputs.
 */
export interface Feed extends EventSource {
  /** Path of the endpoint, `/api/ttp/attachment/get-logs`. Signed by API 1.0, so it has no query. */
  readonly path: string;
  /** The key inside `data[]` that holds the records: `attachmentLogs`. */
  readonly recordsKey: string;
  /** The permission and product that the endpoint wants, as the Mimecast console names them; for hints. */
  readonly permission: string;
  /** `data[0]` of the request body for a window. The same window gives the same object: the filter is frozen for a whole walk. */
  filter(window: TimeWindow): Readonly<Record<string, unknown>>;
  /**
   * The members that `identify` and `severityOf` look at in a record of which all members are text and these are not blank. Absent: they
   * need whole records.
   */
  readonly looksAt?: ReadonlySet<string> | undefined;
  /** Time and identity of a record. Never throws: what does not fit is `malformed`, with a reason for people. */
  identify(record: unknown): Identity;
}

/** A member of the rack: a log type that can be configured. */
export interface FeedType {
  readonly type: string;
  /** One line for the reference. */
  readonly summary: string;
  /** Identity when the config names none, in order. */
  readonly defaultKey: readonly string[];
  /** Keys of a record that may be named in `dedupe.key`. */
  readonly keys: readonly string[];
  create(options: { readonly name: string; readonly key: readonly string[] }): Feed;
}
