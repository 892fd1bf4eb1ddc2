import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ForwarderError, messageOf } from '../errors.ts';
import { type EventSource, ForwarderEvent } from '../event.ts';
import { type Output, OutputError } from '../outputs/output.ts';
import { Backoff, type BackoffOptions, sleep } from '../retry.ts';
import { StoreError } from '../store/errors.ts';
import type { ReadLimits, StoredEvent } from '../store/outbox.ts';
import type { Store } from '../store/store.ts';
import type { Episode } from '../telemetry/episodes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { compileFilter, type FilterRules } from './filter.ts';
import { Replayer } from './replayer.ts';
import { Sender } from './sender.ts';
import { Shipment } from './shipment.ts';
import { Turn } from './turn.ts';

export interface DispatcherOptions {
  /** The output's configured name. */
  readonly name: string;
  readonly filter?: FilterRules | undefined;
  readonly batch: ReadLimits;
  readonly retry: BackoffOptions;
  /** How many batches may wait for their acceptance side by side. Default 1. */
  readonly inFlight?: number | undefined;
}

export interface DispatcherSignals {
  /** Begin nothing new; finish the batch in hand. */
  readonly stopping: AbortSignal;
  /** Let go of the batch in hand too. */
  readonly abort: AbortSignal;
}

/** How waiting grows after a failure that waiting alone will not cure. */
const LASTING = { initialDelay: 30_000, maxDelay: 300_000 };
/** Never aborted; and aborted from the start. */
const GOING_ON = new AbortController().signal;
const STOPPED = AbortSignal.abort();
/** How long an output that has caught up waits for the next page to carry its cursor before it is written alone. */
const CURSOR_PATIENCE = 100;
/** How often an idle output looks for what other processes left: events of a backfill, rejects and replays to be sent. */
const IDLE_PATIENCE = 2000;

/** A batch and its sending. */
interface UnderWay {
  readonly shipment: Shipment;
  /** Resolves, never rejects, when it is done with or has failed; absent while it waits for another try. */
  sending?: Promise<void> | undefined;
  /** Why it failed. */
  failure?: unknown;
}

/**
 * Serves one output from the outbox, in order, and is the only one that waits and repeats for it. Each output has its own, so that
 * a slow or dead one holds back only itself.
 *
 * Usually one batch is under way. An output that confirms late may have several, which finish in any order; the cursor follows the
 * first of them, so that it never passes an event that is not done with.
 */
export class Dispatcher {
  readonly name: string;
  readonly output: Output;
  readonly episode: Episode;
  readonly #store: Store;
  readonly #options: DispatcherOptions;
  readonly #sourceOf: (feed: string) => EventSource;
  readonly #passes: ((event: ForwarderEvent) => boolean) | undefined;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #sender: Sender;
  readonly #replayer: Replayer;
  readonly #rejectsTurn: Turn;
  readonly #replaysTurn: Turn;
  /** Oldest first. */
  readonly #underWay: UnderWay[] = [];
  #filtered: { readonly count: number; readonly since: number } | null = null;
  #gotOn = performance.now();

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
    this.#logger = parts.logger.child({ output: parts.options.name });
    this.#now = parts.now;
    this.#sender = new Sender({
      ...{ name: this.name, output: parts.output, metrics: parts.metrics, episode: parts.episode, now: parts.now },
      logger: this.#logger,
    });
    this.#replayer = this.#createReplayer();
    this.#rejectsTurn = new Turn(parts.options.retry, (error) =>
      this.#logger.warn({ reason: messageOf(error) }, 'a reject could not be sent again; it is tried later'),
    );
    this.#replaysTurn = new Turn(parts.options.retry, (error) =>
      this.#logger.warn({ reason: messageOf(error) }, 'a replay could not go on; it is tried later'),
    );
  }

  get cursor(): number {
    return this.#store.cursors.get(this.name) ?? 0;
  }

  get lastAcceptedAt(): number | null {
    return this.#sender.lastAcceptedAt;
  }

  /** Events accepted since the start. */
  get accepted(): number {
    return this.#sender.accepted;
  }

  /** Events refused for good since one was last accepted, or since the start. */
  get refusedInRow(): number {
    return this.#sender.refusedInRow;
  }

  /** What the filter has kept back since it last let something pass, or since the start; null when nothing. */
  get filtered(): { readonly count: number; readonly since: number } | null {
    return this.#filtered;
  }

  /** How long ago the loop last got on, ms, by a clock that never steps: an idle one does every few seconds. */
  get idleMs(): number {
    return performance.now() - Math.max(this.#gotOn, this.#sender.gotOn);
  }

  /**
   * Sends the next batch after the cursor and moves the cursor over what became of it. False when there was nothing to send.
   * `stopping` aborted: only what is under way is finished.
   *
   * Rejects with what the output threw, with the cursor where the output's acceptance ends; or with a `StoreError`, in which case
   * nothing more may be sent until the cursor can be written.
   */
  async deliverOnce(signal: AbortSignal, stopping: AbortSignal = GOING_ON): Promise<boolean> {
    const first = this.#underWay[0] ?? (stopping.aborted ? undefined : this.#load());
    if (first === undefined) return false;
    // A batch of which nothing passes the filter waits for nothing: a long backlog of them would hold up all else in this process.
    if (first.shipment.part === undefined) await turnOfTheLoop();
    if (!first.sending) this.#start(first, signal);
    await this.#finished(first, signal, stopping);
    if (first.failure !== undefined) throw first.failure;
    this.#settle(first.shipment);
    this.#underWay.shift();
    this.#sender.batchDone();
    const [next] = this.#underWay;
    if (next) this.#settle(next.shipment);
    // What has failed beside it may try again: the output takes batches.
    for (const other of this.#underWay) if (other.failure !== undefined) this.#start(other, signal);
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
      const { rejected, unsettled } = await this.#sender.send([event], signal);
      const [refused] = rejected;
      if (unsettled) throw unsettled.error ?? nothingSettled();
      if (refused) this.#store.rejects.refusedAgain(reject.id, refused.reason, this.#now());
      else this.#store.rejects.remove([reject.id]);
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'split') throw error;
      this.#store.rejects.refusedAgain(reject.id, messageOf(error), this.#now());
    }
    return true;
  }

  /**
   * Sends the next batch of the oldest replay that was asked for. False when there is none. Rejects with what the output threw, which
   * is kept for those who watch the replay.
   */
  async replayOnce(signal: AbortSignal): Promise<boolean> {
    try {
      const replayed = await this.#replayer.step(signal);
      if (replayed) this.#sender.batchDone();
      return replayed;
    } catch (error) {
      const replay = error instanceof StoreError || signal.aborted ? undefined : this.#store.replays.due(this.name);
      if (replay) this.#store.replays.failed(replay.id, messageOf(error));
      throw error;
    }
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
        const busy =
          (await this.deliverOnce(signals.abort, signals.stopping)) ||
          (await this.#rejectsTurn.take(() => this.retryReject(signals.abort), signals.abort)) ||
          (await this.#replaysTurn.take(() => this.replayOnce(signals.abort), signals.abort));
        if (!busy) await this.#rest(signals.stopping);
        passing.reset();
        lasting.reset();
        this.#gotOn = performance.now();
        // Also when nothing was sent: a store that was full has room again, a reject that failed was discarded.
        this.episode.succeeded();
      } catch (error) {
        if (signals.abort.aborted) break;
        if (error instanceof StoreError && !error.retryable) {
          await this.#finish(signals.abort);
          throw error;
        }
        const passes = error instanceof ForwarderError && error.retryable;
        const delay = (passes ? passing : lasting).next(retryAfterOf(error));
        this.#tell(error, passes, delay);
        await sleep(delay, signals.stopping).catch(() => undefined);
      }
    }
    await this.#finish(signals.abort);
  }

  /**
   * For `run --once`: delivers all that is outstanding now. `tries` failures in a row end it with the last of them.
   */
  async drain(signals: DispatcherSignals, tries: number): Promise<void> {
    try {
      await this.#drain(signals, tries);
    } finally {
      await this.#finish(signals.abort);
    }
  }

  async #drain(signals: DispatcherSignals, tries: number): Promise<void> {
    const backoff = new Backoff(this.#options.retry);
    while (!signals.stopping.aborted) {
      try {
        const busy =
          (await this.deliverOnce(signals.abort, signals.stopping)) ||
          (await this.retryReject(signals.abort)) ||
          (await this.replayOnce(signals.abort));
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

  #createReplayer(): Replayer {
    return new Replayer({
      output: this.name,
      store: this.#store,
      batch: this.#options.batch,
      passes: this.#passes,
      logger: this.#logger,
      now: this.#now,
      eventOf: (row) => this.#eventOf(row),
      storedFormOf: (event) => storedFormOf(event, this.#now()),
      ship: (shipment, signal) => this.#ship(shipment, signal, false),
      tell: (filtered, { passedRejections }) => {
        this.#sender.count('filtered', filtered);
        this.#sender.tellRejections(passedRejections);
      },
    });
  }

  /** Reads the next batch. Undefined when there is none. */
  #load(): UnderWay | undefined {
    const after = this.#underWay.at(-1)?.shipment.lastSeq ?? this.cursor;
    const rows = this.#store.outbox.read(after, this.#options.batch);
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    const events = rows.map((row) => this.#eventOf(row));
    const wanted = this.#passes ? events.filter(this.#passes) : events;
    this.#noteFilter(events.length, wanted.length);
    const batch: UnderWay = { shipment: new Shipment(wanted, last.seq) };
    this.#underWay.push(batch);
    return batch;
  }

  #noteFilter(read: number, passed: number): void {
    if (passed > 0) this.#filtered = null;
    if (passed === read) return;
    this.#sender.count('filtered', read - passed);
    if (passed === 0)
      this.#filtered = { count: (this.#filtered?.count ?? 0) + read, since: this.#filtered?.since ?? this.#now() };
  }

  #start(batch: UnderWay, signal: AbortSignal): void {
    batch.failure = undefined;
    batch.sending = this.#ship(batch.shipment, signal)
      .catch((error: unknown) => {
        batch.failure = error;
      })
      .finally(() => {
        batch.sending = undefined;
      });
  }

  /** Waits until a batch is done with or has failed, beginning others beside it while the output may have more. */
  async #finished(batch: UnderWay, signal: AbortSignal, stopping: AbortSignal): Promise<void> {
    const { inFlight = 1 } = this.#options;
    if (inFlight === 1) return batch.sending;
    const done = new AbortController();
    void batch.sending?.finally(() => done.abort());
    while (batch.sending && !signal.aborted && !stopping.aborted) {
      if (this.#underWay.length < inFlight) {
        const another = this.#load();
        if (another) this.#start(another, signal);
        // Another process may have added events; the sign of new ones that this process added is their arrival.
        else await this.#store.outbox.arrival(this.#underWay.at(-1)?.shipment.lastSeq ?? 0, done.signal);
      } else await batch.sending;
    }
    await batch.sending;
  }

  /** Sends a batch part by part, until all of it is done with. `isLive` false: of a replay. */
  async #ship(shipment: Shipment, signal: AbortSignal, isLive = true): Promise<void> {
    for (let { part } = shipment; part; { part } = shipment) {
      // The cursor of what went before must be durable before more leaves: a crash then repeats one batch at most. Most often the
      // page that brought these events has carried it already.
      this.#store.flush(this.name);
      try {
        const sent = await this.#sender.send(part, signal, isLive);
        shipment.taken(sent);
        const taken = part.length - sent.rejected.length - (sent.unsettled?.events.length ?? 0);
        if (taken === 0) this.#sender.refused(shipment, sent.rejected);
        if (sent.unsettled?.error) throw sent.unsettled.error;
        if (sent.unsettled?.events.length === part.length) throw nothingSettled();
      } catch (error) {
        if (!(error instanceof OutputError) || error.disposition !== 'split') {
          this.#settleIfFirst(shipment);
          throw error;
        }
        const rejection = shipment.refused(messageOf(error));
        if (rejection) this.#sender.refused(shipment, [rejection]);
      }
      this.#settleIfFirst(shipment);
    }
  }

  #settleIfFirst(shipment: Shipment): void {
    if (this.#underWay[0]?.shipment === shipment) this.#settle(shipment);
  }

  /** Moves the cursor as far as the first batch under way is done with. */
  #settle(shipment: Shipment): void {
    const { doneUpTo, passedRejections } = shipment;
    if (passedRejections.length === 0 && doneUpTo <= this.cursor) return;
    const now = this.#now();
    const kept = passedRejections.map(({ event, reason }) => ({ event: storedFormOf(event, now), reason }));
    this.#store.settle(this.name, doneUpTo, kept, now);
    this.#sender.tellRejections(passedRejections);
    shipment.rejectionsKept();
  }

  /** Stopping: what is under way is finished, as long as it does not fail. No send is left in flight. */
  async #finish(abort: AbortSignal): Promise<void> {
    for (let [first] = this.#underWay; first && !abort.aborted; [first] = this.#underWay) {
      const isWaiting = !first.sending && first.shipment.part !== undefined;
      if (isWaiting || !(await this.deliverOnce(abort, STOPPED).catch(() => false))) break;
    }
    await Promise.all(this.#underWay.map(({ sending }) => sending));
  }

  #eventOf(row: StoredEvent): ForwarderEvent {
    const { seq, id, time, raw, severity, isPlain } = row;
    return new ForwarderEvent({ seq, id, time, raw, severity, isPlain, source: this.#sourceOf(row.feed) });
  }

  /** Waits for the next event, writing the cursor alone when no page comes soon to carry it. */
  async #rest(stopping: AbortSignal): Promise<void> {
    const { outbox, cursors } = this.#store;
    const durable = cursors.isDurable(this.name);
    await outbox.arrival(this.cursor, stopping, durable ? IDLE_PATIENCE : CURSOR_PATIENCE);
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

/** A part that comes back whole without a reason would be sent again at once, for ever. */
function nothingSettled(): OutputError {
  return new OutputError('the output neither took nor refused any event of a batch', {
    reason: 'unconfirmed',
    disposition: 'retry',
  });
}

function retryAfterOf(error: unknown): number {
  return error instanceof ForwarderError ? (error.retryAfterMs ?? 0) : 0;
}
