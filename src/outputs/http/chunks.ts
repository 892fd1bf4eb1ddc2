import type { ForwarderEvent } from '../../event.ts';
import { OutputError, type Sent } from '../output.ts';

/** One event as it stands in the body of a request. */
export interface Item<Text extends string | Uint8Array = string> {
  readonly event: ForwarderEvent;
  /** Bytes, for receivers that do not take text. */
  readonly text: Text;
  readonly shortened: boolean;
}

/** What a receiver takes in one request. */
export interface RequestLimits {
  readonly maxItems: number;
  /** Of the whole body before compression, in bytes. */
  readonly maxBytes: number;
  /** Bytes that the body has besides its items: brackets. Default 0. */
  readonly frameBytes?: number;
  /** Bytes that each item costs besides its text: a comma, a line end. Default 1. */
  readonly itemBytes?: number;
}

/** What became of the events of one request; all of them were taken, but for these. */
export type RequestOutcome = Pick<Sent, 'rejected' | 'unsettled'>;

/** Items in as few requests as the limits allow, in their order. An item that is too long by itself stands alone. */
export function chunksOf<I extends Item<string | Uint8Array>>(items: readonly I[], limits: RequestLimits): I[][] {
  const { maxItems, maxBytes, frameBytes = 0, itemBytes = 1 } = limits;
  const chunks: I[][] = [];
  let chunk: I[] = [];
  let bytes = frameBytes;
  for (const item of items) {
    const size = Buffer.byteLength(item.text) + itemBytes;
    if (chunk.length > 0 && (chunk.length >= maxItems || bytes + size > maxBytes)) {
      chunks.push(chunk);
      chunk = [];
      bytes = frameBytes;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

/**
 * Sends a batch in as many requests as its receiver's limits make of it, one after the other. The first that fails ends it: what
 * was taken before is told as taken, and the rest as unsettled, with the reason.
 *
 * `post` rejects with an `OutputError` when nothing of its request may be counted.
 */
export async function sendInChunks<I extends Item<string | Uint8Array>>(
  items: readonly I[],
  limits: RequestLimits,
  post: (chunk: readonly I[]) => Promise<RequestOutcome>,
): Promise<Sent> {
  const rejected: Sent['rejected'][number][] = [];
  let shortened = 0;
  let settled = 0;
  for (const chunk of chunksOf(items, limits)) {
    try {
      const outcome = await post(chunk);
      rejected.push(...outcome.rejected);
      const open = new Set(outcome.unsettled?.events);
      const refused = new Set(outcome.rejected.map(({ event }) => event));
      shortened += chunk.filter((item) => item.shortened && !open.has(item.event) && !refused.has(item.event)).length;
      settled += chunk.length;
      if (outcome.unsettled) {
        const events = [...outcome.unsettled.events, ...eventsFrom(items, settled)];
        return { rejected, shortened, unsettled: { ...outcome.unsettled, events } };
      }
    } catch (error) {
      if (settled === 0 || !(error instanceof OutputError)) throw error;
      return { rejected, shortened, unsettled: { events: eventsFrom(items, settled), error } };
    }
  }
  return { rejected, shortened };
}

function eventsFrom(items: readonly Item<string | Uint8Array>[], at: number): ForwarderEvent[] {
  return items.slice(at).map(({ event }) => event);
}
