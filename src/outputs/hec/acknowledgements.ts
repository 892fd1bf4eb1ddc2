import { randomUUID } from 'node:crypto';
import { formatDuration } from '../../options.ts';
import { sleep } from '../../retry.ts';
import { OutputError } from '../output.ts';

export interface AcknowledgementOptions {
  /** How long an acknowledgement may take, ms. */
  readonly timeout: number;
  /** How long to wait before each question, ms. */
  readonly pollInterval: number;
}

/** Asks which of the ids of a channel are indexed. Rejects with an `OutputError`; the question is asked again, whatever it says. */
export type AskForAcks = (channel: string, ids: readonly number[], signal: AbortSignal) => Promise<readonly number[]>;

/** What a request was sent with. */
export interface Ticket {
  readonly channel: Channel;
  /** The highest id that was known on the channel before: the request must be given a higher one. */
  readonly after: number;
}

interface Channel {
  /** A random GUID: Splunk tells clients apart by it, and counts ids on each from 0. */
  readonly id: string;
  readonly waiting: Map<number, Waiting>;
  highest: number;
  /** Why nothing that was sent on it will be confirmed any more. */
  lost?: { readonly error: unknown };
}

interface Waiting {
  readonly deadline: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Splunk's indexer acknowledgement: a request that was taken is given an id, and the indexer is asked for it until it says that
 * the events are stored.
 *
 * It says `true` once and forgets the id; "not yet", "never" and "unknown" are all `false`. So one question at a time is asked for
 * all ids together, nothing is kept over a restart, and a channel on which one id is overdue is given up with all that waits on it:
 * the indexer may have restarted, or a load balancer may have turned to another one, and neither knows the channel.
 */
export class Acknowledgements {
  readonly #options: AcknowledgementOptions;
  readonly #ask: AskForAcks;
  readonly #target: string;
  readonly #lifetime = new AbortController();
  #channel: Channel = openChannel();
  #polling = false;

  /** `target` is what messages call the receiver. */
  constructor(options: AcknowledgementOptions, target: string, ask: AskForAcks) {
    this.#options = options;
    this.#target = target;
    this.#ask = ask;
  }

  /** To be called before each request, which goes out on the ticket's channel. */
  begin(): Ticket {
    const channel = this.#channel;
    // Splunk drops a channel that was idle for `maxIdleTime` (10 minutes) and counts from 0 again. With nothing under way, that
    // confuses nobody.
    if (channel.waiting.size === 0) channel.highest = -1;
    return { channel, after: channel.highest };
  }

  /**
   * Resolves when the indexer has what was given this id. Rejects with an `OutputError`, `unconfirmed` when the time is over or the
   * channel was lost; with the signal's reason when aborted.
   */
  async confirmed({ channel, after }: Ticket, ackId: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // An id that was given before is a second count: a restarted indexer, or two that a load balancer mixes. Its `true` could
    // mean either batch, so it is believed for none.
    if (ackId <= after || channel.waiting.has(ackId)) this.#giveUp(channel, countedAgain(this.#target));
    if (channel.lost) throw channel.lost.error;
    channel.highest = Math.max(channel.highest, ackId);

    const { promise, resolve, reject } = Promise.withResolvers<void>();
    channel.waiting.set(ackId, { deadline: performance.now() + this.#options.timeout, resolve, reject });
    const onAbort = () => {
      channel.waiting.delete(ackId);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    void this.#poll();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  close(): void {
    this.#lifetime.abort();
  }

  /** One loop for all who wait; it ends with the last of them. Never rejects. */
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    const { signal } = this.#lifetime;
    try {
      while (this.#channel.waiting.size > 0) {
        await sleep(this.#options.pollInterval, signal);
        await this.#askOnce(this.#channel, signal);
      }
    } catch (error) {
      this.#giveUp(this.#channel, error);
    } finally {
      this.#polling = false;
    }
  }

  async #askOnce(channel: Channel, signal: AbortSignal): Promise<void> {
    const ids = [...channel.waiting.keys()];
    if (ids.length === 0) return;
    let trouble: OutputError | undefined;
    try {
      for (const id of await this.#ask(channel.id, ids, signal)) {
        channel.waiting.get(id)?.resolve();
        channel.waiting.delete(id);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OutputError)) return this.#giveUp(channel, error);
      // The batches are there, and only the question failed: sending them again now would double them for nothing. Not even a 403 or
      // a 404 is final, for a web firewall or a load balancer says so once in a while. A token that is revoked refuses the next batch.
      trouble = error;
    }
    const now = performance.now();
    const overdue = [...channel.waiting.values()].some(({ deadline }) => deadline <= now);
    if (overdue) this.#giveUp(channel, notConfirmed(this.#target, this.#options.timeout, trouble));
  }

  #giveUp(channel: Channel, error: unknown): void {
    channel.lost ??= { error };
    if (this.#channel === channel) this.#channel = openChannel();
    for (const { reject } of channel.waiting.values()) reject(error);
    channel.waiting.clear();
  }
}

function openChannel(): Channel {
  return { id: randomUUID(), waiting: new Map(), highest: -1 };
}

const STICKY =
  'behind a load balancer, events and questions of one channel must reach the same node (stickiness by source address or by the X-Splunk-Request-Channel header)';

function notConfirmed(target: string, timeout: number, trouble: OutputError | undefined): OutputError {
  const why = trouble ? `; the last question failed: ${trouble.message}` : '';
  return new OutputError(`${target} has not acknowledged what it took within ${formatDuration(timeout)}${why}`, {
    reason: 'unconfirmed',
    // What halts a question would double these batches with every try.
    disposition: trouble?.disposition === 'halt' ? 'halt' : 'retry',
    hint:
      trouble?.hint ??
      `Check the queues of the indexers; ${STICKY}. A slow Splunk needs a longer acknowledgement.timeout.`,
  });
}

function countedAgain(target: string): OutputError {
  return new OutputError(
    `${target} has begun to count acknowledgements again, so none of the open ones can be trusted`,
    {
      reason: 'unconfirmed',
      disposition: 'retry',
      hint: `Splunk was restarted; if not, ${STICKY}.`,
    },
  );
}
