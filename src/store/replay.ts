import { timeOfId } from './key.ts';
import type { StoredEvent } from './outbox.ts';

/** Events by their own time, ms since 1970: `from` inclusive, `to` not. */
export interface EventSpan {
  readonly from: number;
  readonly to: number;
}

/** Stored events to be sent to one output again, in the order of their time. */
export interface Replay extends EventSpan {
  readonly id: number;
  readonly output: string;
  /** How many events it is about, and what became of those that are done with. */
  readonly total: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly filtered: number;
  /** Why the last try failed; null when it did not. */
  readonly failure: string | null;
  readonly askedAt: number;
  readonly endedAt: number | null;
  readonly cancelled: boolean;
  /** Outbox numbers of the events: the oldest, and the last that was stored when the replay was asked for. */
  readonly fromSeq: number;
  readonly toSeq: number;
  /** The last event that is done with; `seq` too, since variants that were shipped share the event's identity. */
  readonly at: { readonly id: string; readonly seq: number };
}

/** What the store knows of a span, for one output. */
export interface ReplaySurvey {
  /** Events that a replay would be about. */
  readonly events: number;
  /** Events that retention has let go of. */
  readonly pruned: number;
  /** Events that the output has yet to get by the usual path: a replay leaves them to it. */
  readonly waiting: number;
  /** Time of the first and the last of `events`. */
  readonly first: number | null;
  readonly last: number | null;
}

/** What became of a batch of a replay. */
export interface ReplayedBatch {
  /** The last event of it, filtered ones too. */
  readonly last: { readonly id: string; readonly seq: number };
  /** Seqs of what was accepted. */
  readonly delivered: readonly number[];
  readonly rejected: readonly { readonly event: StoredEvent; readonly reason: string }[];
  readonly filtered: number;
}

export interface ReplayRequest {
  readonly output: string;
  readonly span: EventSpan;
  /**
   * How many events past the durable cursor may have reached the output already: what a running daemon has under way. Those are part
   * of the replay; all after them are not, or the output would get them twice.
   */
  readonly underWay: number;
}

/** A row of the table `replay`. */
export interface ReplayRow {
  id: number;
  output: string;
  from_key: Buffer;
  to_key: Buffer;
  from_seq: number;
  to_seq: number;
  total: number;
  at_key: Buffer;
  at_seq: number;
  delivered: number;
  rejected: number;
  filtered: number;
  failure: string | null;
  asked_at: number;
  ended_at: number | null;
  cancelled: number;
}

export function replayOf(row: ReplayRow): Replay {
  const { id, output, total, delivered, rejected, filtered, failure } = row;
  return {
    ...{ id, output, total, delivered, rejected, filtered, failure },
    from: timeOfId(row.from_key.toString('hex')),
    to: timeOfId(row.to_key.toString('hex')),
    askedAt: row.asked_at,
    endedAt: row.ended_at,
    cancelled: row.cancelled === 1,
    fromSeq: row.from_seq,
    toSeq: row.to_seq,
    at: { id: row.at_key.toString('hex'), seq: row.at_seq },
  };
}
