import type { Logger } from 'pino';
import { ForwarderError, messageOf } from '../errors.ts';
import { type EventSource, ForwarderEvent } from '../event.ts';
import { type Output, OutputError, type Sent } from '../outputs/output.ts';
import { Backoff, type BackoffOptions, sleep } from '../retry.ts';
import { StoreError } from '../store/errors.ts';
import type { ReadLimits, StoredEvent } from '../store/outbox.ts';
import type { Store } from '../store/store.ts';
import type { Episode } from '../telemetry/episodes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { compileFilter, type FilterRules } from './filter.ts';

export interface DispatcherOptions {
  /** The output's configured name. */
  readonly name: string;
  readonly filter?: FilterRules | undefined;
  readonly batch: ReadLimits;
  readonly retry: BackoffOptions;
}

export interface DispatcherSignals {
  /** Begin nothing new; finish the batch in hand. */
  readonly stopping: AbortSignal;
  /** Let go of the batch in hand too. */
  readonly abort: AbortSignal;
}

/** How waiting grows after a failure that waiting alone will not cure. */
const LASTING = { initialDelay: 30_000, maxDelay: 300_000 };
/** How long an output that has caught up waits for the next page to carry its cursor before it is written alone. */
const CURSOR_PATIENCE = 100;
/** How often an idle output looks for what other processes left: events of a backfill, rejects to be sent again. */
const IDLE_PATIENCE = 2000;

/**
 * Serves one output from the outbox, in order, and is the only one that waits and repeats for it. Each output has its own, so that
 * a slow or dead one holds back only itself.
 */
export class Dispatcher {
  readonly name: string;
  readonly output: Output;
  readonly episode: Episode;
  readonly #store: Store;
  readonly #options: DispatcherOptions;
  readonly #sourceOf: (feed: string) => EventSource;
  readonly #passes: ((event: ForwarderEvent) => boolean) | undefined;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #now: () => number;
  #lastAcceptedAt: number | null = null;
  #accepted = 0;

  constructor(parts: {
    readonly output: Output;
    readonly options: DispatcherOptions;
    readonly store: Store;
    /** The feed of a name, to describe its records; also of a feed that is no longer configured. */
    readonly sourceOf: (feed: string) => EventSource;
    readonly metrics: Metrics;
    readonly episode: Episode;
    readonly logger: Logger;
    readonly now: () => number;
  }) {
    this.name = parts.options.name;
    this.output = parts.output;
    this.episode = parts.episode;
    this.#store = parts.store;
    this.#options = parts.options;
    this.#sourceOf = parts.sourceOf;
    this.#passes = compileFilter(parts.options.filter);
    this.#metrics = parts.metrics;
    this.#logger = parts.logger.child({ output: parts.options.name });
    this.#now = parts.now;
  }

  get cursor(): number {
    return this.#store.cursors.get(this.name) ?? 0;
  }

  get lastAcceptedAt(): number | null {
    return this.#lastAcceptedAt;
  }

  /** Events accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /**
   * Sends the next batch after the cursor and moves the cursor over what became of it. False when there was nothing to send.
   *
   * Rejects with what the output threw, with the cursor where the output's acceptance ends; or with a `StoreError`, in which case
   * nothing more may be sent until the cursor can be written.
   */
  async deliverOnce(signal: AbortSignal): Promise<boolean> {
    const rows = this.#store.outbox.read(this.cursor, this.#options.batch);
    const last = rows.at(-1);
    if (last === undefined) return false;
    // The cursor of the batch before must be durable before another batch leaves: a crash then repeats one batch at most. Most
    // often the page that brought these events has carried it already.
    this.#store.flush(this.name);
    const events = rows.map((row) => this.#eventOf(row));
    const wanted = this.#passes ? events.filter(this.#passes) : events;
    if (wanted.length > 0) await this.#sendOrSplit(wanted, signal);
    this.#store.settle(this.name, last.seq, [], this.#now());
    if (wanted.length < events.length) this.#count('filtered', events.length - wanted.length);
    return true;
  }

  /** Sends one reject again that somebody has asked for. False when there is none. */
  async retryReject(signal: AbortSignal): Promise<boolean> {
    const reject = this.#store.rejects.due(this.name);
    if (!reject) return false;
    // It counts as a batch: see `deliverOnce`.
    this.#store.flush(this.name);
    const event = this.#eventOf(reject.event);
    try {
      const { rejected } = await this.#send([event], signal);
      const [refused] = rejected;
      if (refused) this.#store.rejects.refusedAgain(reject.id, refused.reason, this.#now());
      else this.#store.rejects.remove([reject.id]);
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'split') throw error;
      this.#store.rejects.refusedAgain(reject.id, messageOf(error), this.#now());
    }
    return true;
  }

  /** Delivers until stopped, waiting out failures. Rejects only for a store that cannot be used any more. */
  async run(signals: DispatcherSignals): Promise<void> {
    const passing = new Backoff(this.#options.retry);
    const lasting = new Backoff({
      initialDelay: Math.min(LASTING.initialDelay, this.#options.retry.maxDelay),
      maxDelay: Math.min(LASTING.maxDelay, this.#options.retry.maxDelay),
    });
    while (!signals.stopping.aborted) {
      try {
        const busy = (await this.deliverOnce(signals.abort)) || (await this.retryReject(signals.abort));
        if (!busy) await this.#rest(signals.stopping);
        passing.reset();
        lasting.reset();
        // Also when nothing was sent: a store that was full has room again, a reject that failed was discarded.
        this.episode.succeeded();
      } catch (error) {
        if (signals.abort.aborted) return;
        if (error instanceof StoreError && !error.retryable) throw error;
        const passes = error instanceof ForwarderError && error.retryable;
        const delay = (passes ? passing : lasting).next(retryAfterOf(error));
        this.#tell(error, passes, delay);
        await sleep(delay, signals.stopping).catch(() => undefined);
      }
    }
  }

  /**
   * For `run --once`: delivers all that is outstanding now. `tries` failures in a row end it with the last of them.
   */
  async drain(signals: DispatcherSignals, tries: number): Promise<void> {
    const backoff = new Backoff(this.#options.retry);
    while (!signals.stopping.aborted) {
      try {
        const busy = (await this.deliverOnce(signals.abort)) || (await this.retryReject(signals.abort));
        backoff.reset();
        if (busy) continue;
        this.#store.flush(this.name);
        return;
      } catch (error) {
        if (signals.abort.aborted) return;
        const passes = error instanceof ForwarderError && error.retryable;
        const delay = backoff.next(retryAfterOf(error));
        this.#tell(error, passes, delay);
        if (!passes || backoff.failures >= tries) throw error;
        await sleep(delay, signals.stopping).catch(() => undefined);
      }
    }
  }

  /**
   * Sends events, halving them as long as the output refuses them for their content, until the one bad event is alone: that is kept
   * as a reject and the rest goes on. The cursor follows each part, so a failure in between repeats none that was accepted.
   */
  async #sendOrSplit(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<void> {
    try {
      const { rejected } = await this.#send(events, signal);
      if (rejected.length > 0) this.#reject(rejected);
      this.#settleUpTo(events, rejected);
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'split') throw error;
      const [only] = events;
      if (events.length === 1 && only) {
        const rejected = [{ event: only, reason: messageOf(error) }];
        this.#reject(rejected);
        this.#settleUpTo(events, rejected);
        return;
      }
      const half = Math.ceil(events.length / 2);
      await this.#sendOrSplit(events.slice(0, half), signal);
      this.#store.flush(this.name);
      await this.#sendOrSplit(events.slice(half), signal);
    }
  }

  async #send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    const startedAt = performance.now();
    let sent: Sent;
    try {
      sent = await this.output.send(events, signal);
    } catch (error) {
      if (error instanceof OutputError) {
        this.#metrics.outputErrors.inc({ output: this.name, reason: error.reason });
        if (error.disposition !== 'split') this.#metrics.outputUp.set({ output: this.name }, 0);
      }
      throw error;
    }
    this.#metrics.outputSendDuration.observe({ output: this.name }, (performance.now() - startedAt) / 1000);
    this.#metrics.outputUp.set({ output: this.name }, 1);
    this.#acceptedNow(events, sent);
    return sent;
  }

  #acceptedNow(events: readonly ForwarderEvent[], sent: Sent): void {
    const now = this.#now();
    const latency = this.#metrics.deliveryLatency.labels(this.name);
    for (const event of events) latency.observe(Math.max(0, now - event.time) / 1000);
    const count = events.length - sent.rejected.length;
    this.#count('delivered', count);
    if (sent.shortened > 0) this.#metrics.outputShortened.inc({ output: this.name }, sent.shortened);
    this.#accepted += count;
    this.#lastAcceptedAt = now;
    this.episode.succeeded();
  }

  #settleUpTo(events: readonly ForwarderEvent[], rejected: Sent['rejected']): void {
    const last = events.at(-1);
    if (!last) return;
    const kept = rejected.map(({ event, reason }) => ({ event: storedFormOf(event, this.#now()), reason }));
    this.#store.settle(this.name, last.seq, kept, this.#now());
  }

  #reject(rejected: Sent['rejected']): void {
    this.#count('rejected', rejected.length);
    for (const { event, reason } of rejected) {
      this.#logger.warn(
        { eventId: event.id, reason },
        'the output refused an event for good; it is kept (rejects list)',
      );
    }
  }

  #count(outcome: 'delivered' | 'rejected' | 'filtered', count: number): void {
    if (count > 0) this.#metrics.outputEvents.inc({ output: this.name, outcome }, count);
  }

  #eventOf(row: StoredEvent): ForwarderEvent {
    const { seq, id, time, raw, record } = row;
    return new ForwarderEvent({ seq, id, time, raw, record, source: this.#sourceOf(row.feed) });
  }

  /** Waits for the next event, writing the cursor alone when no page comes soon to carry it. */
  async #rest(stopping: AbortSignal): Promise<void> {
    const { outbox, cursors } = this.#store;
    const durable = cursors.isDurable(this.name);
    const waiting = new AbortController();
    const pause = sleep(durable ? IDLE_PATIENCE : CURSOR_PATIENCE, stopping).catch(() => undefined);
    await Promise.race([outbox.arrival(this.cursor, waiting.signal), pause]);
    waiting.abort();
    // Another process may have added events: a backfill, a variant that was shipped.
    outbox.refresh();
    if (!durable && outbox.lastSeq === this.cursor) this.#store.flush(this.name);
  }

  #tell(error: unknown, retryable: boolean, delay: number): void {
    const reason = error instanceof OutputError ? error.reason : error instanceof StoreError ? 'store' : 'internal';
    const hint = error instanceof ForwarderError ? (error.hint ?? null) : null;
    this.episode.failed({ reason, message: messageOf(error), hint, retryable, nextTryAt: this.#now() + delay });
  }
}

function storedFormOf(event: ForwarderEvent, now: number): StoredEvent {
  return { seq: event.seq, id: event.id, feed: event.source.name, time: event.time, storedAt: now, raw: event.raw };
}

function retryAfterOf(error: unknown): number {
  return error instanceof ForwarderError ? (error.retryAfterMs ?? 0) : 0;
}
