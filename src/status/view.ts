import type { Report } from './assess.ts';

/** How far back the timelines go. */
export type SpanName = '24h' | '7d';

/** All that is shown of the daemon at one moment: the verdict, what led to it in time, and the newest that passed. */
export interface View {
  readonly report: Report;
  readonly span: SpanName;
  /** Where all timelines begin and end, ms since 1970: one axis for every row. */
  readonly from: number;
  readonly until: number;
  /** By name. */
  readonly feeds: ReadonlyMap<string, FeedTimeline>;
  readonly outputs: ReadonlyMap<string, OutputTimeline>;
  readonly recent: Recent;
}

/** One step of a timeline. Steps are of equal length, the first begins at `View.from`, the last ends at `View.until`. */
export interface TimelineStep {
  /** New records stored by a feed, or events accepted by an output, a minute; null where no daemon ran. */
  readonly perMinute: number | null;
  /** Events that waited for an output at the end of the step; null for a feed and where no daemon ran. */
  readonly waiting: number | null;
}

/** A stretch of time in which something was not as it should be; both are its true ends, also where the span cuts it. */
export interface Stretch {
  readonly from: number;
  /** Null: it lasts. */
  readonly until: number | null;
}

export interface FeedTimeline {
  readonly steps: readonly TimelineStep[];
  /** Highest `perMinute` of any whole minute of the span; null when nothing is known. */
  readonly peakPerMinute: number | null;
  /** New records in the span. */
  readonly total: number;
  /** Time that was read, by the ledger, in order, not touching each other; the newest `settle` is not drawn. */
  readonly read: readonly { readonly from: number; readonly until: number }[];
  /** Gaps that intersect the span, and time that is overdue now because reading fails. */
  readonly unread: readonly (Stretch & { readonly kind: 'gap' | 'failing' })[];
}

export interface OutputTimeline {
  readonly steps: readonly TimelineStep[];
  readonly peakPerMinute: number | null;
  /** Events accepted in the span. */
  readonly total: number;
  /** When it failed, in order. */
  readonly failures: readonly (Stretch & { readonly reason: string })[];
  /** The last failure that is over, also one of before the span, kept 30 days. */
  readonly lastOver: { readonly from: number; readonly until: number; readonly message: string } | null;
}

/** The newest that passed. Text of mails as it came: whoever shows it makes it harmless. */
export interface Recent {
  /** Newest first. */
  readonly events: readonly RecentEvent[];
  readonly rejects: { readonly count: number; readonly newest: readonly RecentReject[] };
  readonly variants: { readonly count: number; readonly newest: readonly RecentVariant[] };
}

/** A field that the record lacks is ''; all are, when it is too long to look into. */
export interface RecentEvent {
  /** Event id, hexadecimal. */
  readonly id: string;
  /** The record's own time, ms since 1970. */
  readonly at: number;
  readonly result: string;
  readonly file: string;
  readonly sender: string;
  readonly recipient: string;
  readonly route: string;
  /**
   * By which outputs, and why not by the others: an event is `next` in the batch under way, or `waits` behind a failing or late one. An
   * output that began after the event stands in neither list, as nobody has promised it; nor one that may have filtered a record too long to look into.
   */
  readonly acceptedBy: readonly string[];
  readonly pending: readonly { readonly output: string; readonly why: 'next' | 'waits' | 'filtered' | 'rejected' }[];
}

export interface RecentReject {
  readonly output: string;
  readonly reason: string;
  readonly id: string;
  readonly at: number;
}

export interface RecentVariant {
  /** The fields of `shown-fields.ts` that differ, with what they were and became, cut at 500 characters; none when the event it varies is gone. */
  readonly changes: readonly { readonly field: string; readonly was: string; readonly became: string }[];
  readonly id: string;
  readonly at: number;
  readonly shipped: boolean;
}
