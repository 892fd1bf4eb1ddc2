import type { CertificateValidity } from '../certificates.ts';

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
  /** That connections rest on. Absent in what a version that knew of none has noted. */
  readonly certificates?: readonly HeldCertificate[];
  /** The config that a reload brought and that could not be applied: what runs is not what the file says. */
  readonly refusedConfig: { readonly at: number; readonly message: string; readonly hint?: string | null } | null;
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

/** A stretch of time that was not read: `from` belongs to it, `until` does not. */
export interface Gap {
  readonly from: number;
  readonly until: number;
}

export interface FeedSnapshot {
  readonly name: string;
  readonly type: string;
  /** Where reading began when the feed was new to the store. */
  readonly begunAt: number | null;
  /** Everything up to here has been read. */
  readonly checkpoint: number | null;
  /** Time before the checkpoint that no complete window covers, in order. */
  readonly gaps: readonly Gap[];
  /** When Mimecast last answered it: the end of the last poll, or of the last page while a walk is under way. */
  readonly lastPollAt: number | null;
  /** When a poll last read all that was asked for. */
  readonly lastSuccessAt: number | null;
  readonly lastPollNew: number;
  /** Records that the last poll read, known ones included. */
  readonly lastPollRead: number;
  readonly lastPollDurationMs: number;
  /** Records read since an event was last new, or since the start: all of them known or malformed. */
  readonly readSinceNew: number;
  readonly malformedSinceNew: number;
  /** How long ago its loop last got on, ms, as of `asOf`, by a clock that never steps: a clock that is set back hides no standstill. */
  readonly idleMs: number;
  /** While it is far behind: when it was least so. A lag that only grows is no catching up. */
  readonly leastBehindAt: number | null;
  readonly lastEventAt: number | null;
  readonly lastSweepAt: number | null;
  /** The usual time between two sweeps, ms; null when there are none. */
  readonly sweepInterval: number | null;
  /** Set while the sweep fails, and after it was given up until the next one is good. */
  readonly sweepTrouble: Trouble | null;
  /** The window being read, when a walk is under way. */
  readonly walk: { readonly from: number; readonly to: number; readonly pages: number } | null;
  /** The usual time between two polls, ms, from the schedule. */
  readonly interval: number;
  readonly settle: number;
  /** How far behind the checkpoint each poll reads again, ms. */
  readonly overlap: number;
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
  /** As `FeedSnapshot.idleMs`. */
  readonly idleMs: number;
  /** As `FeedSnapshot.leastBehindAt`, of the backlog. */
  readonly leastBehindAt: number | null;
  /** Events refused for good since one was last accepted, or since the start. */
  readonly refusedInRow: number;
  /** Events that the filter kept back since one last passed, or since the start, and when the first of them was. */
  readonly filteredInRow: number;
  readonly filteredSince: number | null;
  /** Events accepted a minute, over the last five minutes; null when the daemon does not run. */
  readonly ratePerMinute: number | null;
  readonly rejects: number;
  /** When the newest reject was kept, and why. */
  readonly lastRejectAt: number | null;
  readonly lastRejectReason: string | null;
  /** Stored events that are being sent to it again, when somebody asked for it. */
  readonly replay: ReplaySnapshot | null;
  readonly trouble: Trouble | null;
}

/** The replay under way, or next in turn. */
export interface ReplaySnapshot {
  readonly id: number;
  /** The span of event times. */
  readonly from: number;
  readonly to: number;
  /** Events that are done with, filtered ones too, of how many. */
  readonly done: number;
  readonly total: number;
  /** Why the last try failed. */
  readonly failure: string | null;
  /** How many more were asked for and wait for this one. */
  readonly queued: number;
}

export interface StoreSnapshot {
  readonly events: number;
  readonly bytes: number;
  readonly maxSize: number;
  readonly freeDisk: number;
  readonly minFreeDisk: number;
  readonly retention: number;
  readonly oldestEventAt: number | null;
  readonly paused: { readonly reason: 'store_full' | 'disk_full' | 'disk_unwritable'; readonly since: number } | null;
}

export interface ApiSnapshot {
  /** Our clock less Mimecast's, ms; null before the first answer. */
  readonly clockSkewMs: number | null;
  readonly requestsLastMinute: number | null;
  readonly requestsPerMinute: number;
  /** Mimecast's quota is used up: nothing is asked for before then. */
  readonly heldUntil: number | null;
  /** Mean answer time over the last minutes, ms. */
  readonly responseMs: number | null;
}

export interface HeldCertificate extends CertificateValidity {
  /** The output whose connections rest on it; null: those to Mimecast. */
  readonly output: string | null;
}
