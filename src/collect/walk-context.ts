import type { Logger } from 'pino';
import type { Feed } from '../feeds/feed.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import type { Walk as SavedWalk } from '../store/checkpoints.ts';
import type { Purpose } from '../store/coverage.ts';
import type { Candidate, PageToStore } from '../store/pages.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** What reading a window needs. */
export interface WalkContext {
  readonly client: MimecastClient;
  readonly store: Store;
  readonly feed: Feed;
  readonly metrics: Metrics;
  readonly pageSize: number;
  readonly variants: 'suppress' | 'ship';
  readonly logger?: Pick<Logger, 'warn' | 'error'> | undefined;
  /** ms since 1970, our clock. */
  readonly now: () => number;
}

export interface WalkOptions {
  /** What the ledger says that the window was asked for. Default `poll`. */
  readonly purpose?: Purpose;
  /** A walk that was cut short by a crash or a failure, to go on with. */
  readonly resume?: SavedWalk | undefined;
  /** Sweeps and backfills let live polling go first. */
  readonly background?: boolean;
  /**
   * What to make durable with a page. Absent: the walk moves no checkpoint (sweep, backfill). `next` is null after the last page.
   */
  readonly progress?: (next: SavedWalk | null) => PageToStore['progress'];
  /** Which records of a page are to be stored. Absent: all. */
  readonly select?: (candidates: readonly Candidate[]) => readonly Candidate[];
  /** Asked after the last page: does the store have all that the window gave? Absent: it has, since all was stored. */
  readonly isWhole?: () => boolean;
}
