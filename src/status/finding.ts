import type { FeedSnapshot, OutputSnapshot, Trouble } from './snapshot.ts';
import { clock, count } from './words.ts';

/** Something that an operator has to do something about. */
export interface Problem {
  readonly severity: 'warn' | 'bad';
  /** A sentence without a full stop, about us. */
  readonly what: string;
  /** What the other side said, or the figures. */
  readonly detail: string | null;
  /** ms since 1970; null when it is not known. */
  readonly since: number | null;
  /** `tried 31 times, next try 15:51:18` */
  readonly sinceDetail: string | null;
  readonly do: { readonly sentence: string; readonly command: string | null };
}

/** Something that may be all right, told so that it is not taken for well by itself. It alarms nobody. */
export interface Note extends Omit<Problem, 'severity'> {
  readonly severity: 'note';
}

/** A problem, what the headline says when it is the first, and what it is about, so that several alike make one headline. */
export interface Finding {
  readonly problem: Problem;
  readonly headline: string;
  readonly about: Subject | null;
}

export type Subject =
  | { readonly kind: 'feed_failure'; readonly feed: FeedSnapshot }
  | { readonly kind: 'output_failure'; readonly output: OutputSnapshot }
  | { readonly kind: 'rejects'; readonly output: OutputSnapshot };

export const CHECK_ONLINE = 'mimecast-forwarder check --online';

/** How often it was tried, and when it is tried next. */
export function tries(trouble: Trouble, now: number): string {
  const tried = trouble.count === 1 ? 'tried once' : `tried ${count(trouble.count)} times`;
  return trouble.nextTryAt === null || trouble.nextTryAt <= now
    ? tried
    : `${tried}, next try ${clock(trouble.nextTryAt)}`;
}
