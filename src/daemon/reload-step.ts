import type { Config, OutputConfig } from '../config/config.ts';
import type { ConfigDiff } from '../config/diff.ts';
import { Secret } from '../secret.ts';

/** What a reload is judged by: the two configs, and what the store knows. */

/** Two configs and what lies between them. */
export interface Step {
  readonly before: Config;
  readonly after: Config;
  readonly diff: ConfigDiff;
  readonly facts: StoreFacts;
  /** ms since 1970. */
  readonly now: number;
}

/** What the store knows. */
export interface StoreFacts {
  /** How many events wait for each output that has a cursor, configured or not. */
  readonly waiting: ReadonlyMap<string, number>;
  readonly feeds: ReadonlyMap<string, FeedFacts>;
}

/** Times are ms since 1970; null: not yet. */
export interface FeedFacts {
  readonly begunAt: number | null;
  /** All between `begunAt` and here was read: the checkpoint, or the begin of the first gap. */
  readonly readUntil: number | null;
}

/** What a change is about. */
export type Subject =
  | { readonly output: string }
  | { readonly feed: string }
  | { readonly section: 'store' | 'log' | 'mimecast' };

/**
 * Where an output's events go, to be compared and never told: its type, its destination, and what tells two places behind one address
 * apart. A token is none of it, since tokens are rotated.
 */
export function targetOf({ type, options }: OutputConfig): string {
  const { url, index } = options as { readonly url?: unknown; readonly index?: unknown };
  return JSON.stringify([type.type, type.target(options), url instanceof Secret ? url.read() : url, index]);
}

export function byName<T extends { readonly name: string }>(entries: readonly T[], name: string): T | undefined {
  return entries.find((entry) => entry.name === name);
}

/** `1,200 events wait` */
export function waits(count: number): string {
  if (count === 0) return 'no event waits';
  return count === 1 ? '1 event waits' : `${count.toLocaleString('en-US')} events wait`;
}
