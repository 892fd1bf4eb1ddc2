/**
 * What is known of the daemon at one moment: the input of every verdict (`status`, `/readyz`, `/api/status`, alerts).
 * All of it can be read from the store, so that it can also be told while the daemon does not run.
 * Times are ms since 1970; `null` = never or not known.
 */
export interface Snapshot {
  readonly now: number;
  readonly host: string;
  readonly version: string;
  /** False when no daemon holds the store; the rest is then what the store knew at `asOf`. */
  readonly running: boolean;
  readonly asOf: number;
  readonly startedAt: number | null;
  readonly feeds: readonly FeedSnapshot[];
  readonly outputs: readonly OutputSnapshot[];
  readonly store: StoreSnapshot;
  readonly api: ApiSnapshot;
}

/** Something that goes wrong now, or last went wrong. */
export interface Trouble {
  /** When the unbroken row of failures began. */
  readonly since: number;
  /** When it last happened. */
  readonly at: number;
  readonly count: number;
  /** The closed set that labels the metric: `auth`, `network`, `refused` … */
  readonly reason: string;
  readonly message: string;
  readonly hint: string | null;
  /** False when waiting will not cure it: trouble at once, without the five minutes of grace. */
  readonly retryable: boolean;
  /** When the next try is due. */
  readonly nextTryAt: number | null;
}

export interface FeedSnapshot {
  readonly name: string;
  readonly type: string;
  /** Everything up to here has been read. */
  readonly checkpoint: number | null;
  /** When Mimecast last answered it: the end of the last poll, or of the last page while a walk is under way. */
  readonly lastPollAt: number | null;
  /** When a poll last read all that was asked for. */
  readonly lastSuccessAt: number | null;
  readonly lastPollNew: number;
  readonly lastPollDurationMs: number;
  readonly lastEventAt: number | null;
  readonly lastSweepAt: number | null;
  /** The window being read, when a walk is under way. */
  readonly walk: { readonly from: number; readonly to: number; readonly pages: number } | null;
  /** The usual time between two polls, ms, from the schedule. */
  readonly interval: number;
  readonly settle: number;
  readonly malformed: number;
  readonly variants: number;
  /** Set while it fails; null when the last poll was good. */
  readonly trouble: Trouble | null;
}

export interface OutputSnapshot {
  readonly name: string;
  readonly type: string;
  /** `tls://qradar.example:6514`. */
  readonly target: string;
  /** What "accepted" means here. */
  readonly accepted: string;
  readonly lossless: boolean;
  readonly cursor: number;
  readonly backlog: number;
  /** When the oldest waiting event was stored. */
  readonly oldestWaitingAt: number | null;
  readonly lastAcceptedAt: number | null;
  /** Events accepted a minute, over the last five minutes; null when the daemon does not run. */
  readonly ratePerMinute: number | null;
  readonly rejects: number;
  /** When the newest reject was kept, and why. */
  readonly lastRejectAt: number | null;
  readonly lastRejectReason: string | null;
  readonly trouble: Trouble | null;
}

export interface StoreSnapshot {
  readonly events: number;
  readonly bytes: number;
  readonly maxSize: number;
  readonly freeDisk: number;
  readonly minFreeDisk: number;
  readonly retention: number;
  readonly oldestEventAt: number | null;
  readonly paused: { readonly reason: 'store_full' | 'disk_full'; readonly since: number } | null;
}

export interface ApiSnapshot {
  /** Our clock less Mimecast's, ms; null before the first answer. */
  readonly clockSkewMs: number | null;
  readonly requestsLastMinute: number | null;
  readonly requestsPerMinute: number;
  /** Mean answer time over the last minutes, ms. */
  readonly responseMs: number | null;
}
