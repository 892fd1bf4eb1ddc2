import type { Logger } from 'pino';
import { ForwarderError, messageOf } from '../errors.ts';
import { MimecastError } from '../mimecast/errors.ts';
import { Backoff, sleep } from '../retry.ts';
import type { Trouble } from '../status/snapshot.ts';
import { StoreError } from '../store/errors.ts';
import type { Episode, Failure } from '../telemetry/episodes.ts';
import { type CollectorState, PollHistory } from './history.ts';
import type { Poller } from './poller.ts';
import { CollectingPaused, type Pressure } from './pressure.ts';
import { SpanReader } from './span.ts';
import type { WalkContext } from './walk.ts';

export interface CollectorOptions {
  /** How far back a sweep reads, ms. */
  readonly sweepSpan: number;
  readonly settle: number;
  readonly maxWindow: number;
}

export interface CollectorSignals {
  /** Begin nothing new; finish the page in hand. */
  readonly stopping: AbortSignal;
  /** Let go of the page in hand too. */
  readonly abort: AbortSignal;
}

/** How waiting grows after a failure that passes by itself, and after one that somebody has to mend. */
const PASSING = { initialDelay: 1000, maxDelay: 300_000 };
const LASTING = { initialDelay: 30_000, maxDelay: 300_000 };
/** How long to wait before looking for room again. */
const PAUSE = 5000;
/** In the middle of a long walk: so long without a failure, and what was failing works again. */
const RECOVERED_AFTER = 60_000;
/** A sweep that fails this often in a row is left to the next one. */
const SWEEP_PATIENCE = 10;

/**
 * Keeps one feed read: the only loop round its poller. It never gives up and never exits for a failure of Mimecast's; what it
 * waits for, it tells (`episode`), so that waiting is never silent.
 */
export class Collector {
  readonly poller: Poller;
  readonly episode: Episode;
  readonly history: PollHistory;
  readonly #context: WalkContext;
  readonly #options: CollectorOptions;
  readonly #pressure: Pressure;
  readonly #logger: Logger;
  readonly #signals: CollectorSignals;
  #polling: Promise<void> | undefined;
  #sweeping: Promise<void> | undefined;
  #sweepTrouble: Trouble | null = null;

  constructor(parts: {
    readonly poller: Poller;
    readonly context: WalkContext;
    readonly options: CollectorOptions;
    readonly pressure: Pressure;
    readonly episode: Episode;
    readonly logger: Logger;
    readonly signals: CollectorSignals;
    /** Of the collector that this one takes the place of. */
    readonly history?: PollHistory | undefined;
  }) {
    this.poller = parts.poller;
    this.episode = parts.episode;
    this.#context = parts.context;
    this.#options = parts.options;
    this.#pressure = parts.pressure;
    this.#logger = parts.logger.child({ feed: parts.context.feed.name });
    this.#signals = parts.signals;
    this.history = parts.history ?? new PollHistory(parts.context.now);
  }

  get state(): CollectorState {
    return this.history.state;
  }

  /** See `PollHistory.idleMs`. */
  get idleMs(): number {
    return this.history.idleMs;
  }

  /** Why the sweep fails; also after it was left to the next one, until that is good. */
  get sweepTrouble(): Trouble | null {
    return this.#sweepTrouble;
  }

  /** A scheduled poll. Skipped, and counted as such, while the one before is at work. Resolves at once. */
  poll(onFatal: (error: unknown) => void): void {
    if (this.#polling) {
      this.#context.metrics.pollsSkipped.inc({ feed: this.#context.feed.name });
      return;
    }
    this.#polling = this.catchUp()
      .catch(onFatal)
      .finally(() => {
        this.#polling = undefined;
      });
  }

  /** A scheduled sweep. Skipped while the one before is at work. Resolves at once. */
  sweep(onFatal: (error: unknown) => void): void {
    this.#sweeping ??= this.#sweepSpan()
      .catch(onFatal)
      .finally(() => {
        this.#sweeping = undefined;
      });
  }

  /** Resolves when no poll and no sweep is at work. */
  async idle(): Promise<void> {
    await Promise.all([this.#polling, this.#sweeping]);
  }

  /**
   * Polls until all that can be asked for has been read, waiting out failures; or until stopped.
   * `tries`: for `run --once`, the failures in a row after which the last one is thrown; one that waiting cannot cure is thrown at once.
   * Rejects only for a store that cannot be used any more, or with the last failure when the tries are used up.
   */
  async catchUp(tries = Number.POSITIVE_INFINITY): Promise<void> {
    const { metrics, store, feed, now } = this.#context;
    const passing = new Backoff(PASSING);
    const lasting = new Backoff(LASTING);
    let failures = 0;
    let lastFailureAt = now();
    this.history.begins();
    while (!this.#signals.stopping.aborted) {
      try {
        this.#pressure.ensureRoom();
        const step = await this.poller.pollOnce(this.#signals.abort);
        this.history.page(step);
        failures = 0;
        passing.reset();
        lasting.reset();
        // One good page between failures is not yet good news; a whole window is, or a good while.
        if (step.windowDone || now() - lastFailureAt > RECOVERED_AFTER) this.episode.succeeded();
        if (!step.caughtUp) {
          await store.outbox.relief(this.#signals.stopping);
          continue;
        }
        metrics.pollDuration.observe({ feed: feed.name }, this.history.ends() / 1000);
        metrics.pollLastSuccess.set({ feed: feed.name }, (this.state.lastSuccessAt ?? now()) / 1000);
        return;
      } catch (error) {
        if (this.#signals.abort.aborted) return;
        this.#refuseIfFatal(error);
        failures += 1;
        lastFailureAt = now();
        const passes = isPassing(error);
        const delay =
          error instanceof CollectingPaused ? PAUSE : (passes ? passing : lasting).next(retryAfterOf(error));
        this.#tell(error, passes, now() + delay);
        if (failures >= tries || (!passes && Number.isFinite(tries))) throw error;
        await this.#pause(delay);
      }
    }
  }

  async #sweepSpan(): Promise<void> {
    const { client, store, feed, now } = this.#context;
    const { sweepSpan, settle, maxWindow } = this.#options;
    const backoff = new Backoff(PASSING);
    let found = 0;
    let reader: SpanReader | undefined;
    while (!this.#signals.stopping.aborted) {
      try {
        this.#pressure.ensureRoom();
        if (!reader) {
          const to = (await client.serverNow(this.#signals.abort)) - settle;
          // Never before the feed began: who starts with `startFrom: 1h` does not want yesterday's events in the night.
          const from = Math.max(to - sweepSpan, store.checkpoints.get(feed.name)?.begunAt ?? 0);
          reader = new SpanReader(this.#context, { from, to }, maxWindow, 'sweep');
        }
        found += (await reader.readOnce(this.#signals.abort)).added.length;
        backoff.reset();
        if (!reader.done) continue;
        store.checkpoints.swept(feed.name, now());
        this.#sweepTrouble = null;
        this.#logger.info({ found }, 'the sweep has read its whole span again');
        return;
      } catch (error) {
        if (this.#signals.abort.aborted) return;
        this.#refuseIfFatal(error);
        const isLast = backoff.failures >= SWEEP_PATIENCE;
        const delay = backoff.next(retryAfterOf(error));
        this.#noteSweepFailure(error, isLast ? null : now() + delay);
        if (isLast) {
          this.#logger.warn({ err: error }, 'the sweep is left to the next one');
          return;
        }
        await this.#pause(delay);
      }
    }
  }

  #noteSweepFailure(error: unknown, nextTryAt: number | null): void {
    const at = this.#context.now();
    const before = this.#sweepTrouble;
    this.#sweepTrouble = {
      ...failureOf(error, isPassing(error), nextTryAt),
      since: before?.since ?? at,
      at,
      count: (before?.count ?? 0) + 1,
    };
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, this.#signals.stopping).catch(() => undefined);
  }

  /** A store that is damaged or cannot be written cannot be waited out here. */
  #refuseIfFatal(error: unknown): void {
    if (!(error instanceof StoreError)) return;
    if (error.code === 'STORE_FULL') this.#pressure.met('disk_full');
    else if (error.code === 'STORE_UNWRITABLE') this.#pressure.met('disk_unwritable');
    else if (!error.retryable) throw error;
  }

  #tell(error: unknown, retryable: boolean, nextTryAt: number): void {
    this.episode.failed(failureOf(error, retryable, nextTryAt));
  }
}

function failureOf(error: unknown, retryable: boolean, nextTryAt: number | null): Failure {
  const hint = error instanceof ForwarderError ? (error.hint ?? null) : null;
  return { reason: reasonOf(error), message: messageOf(error), hint, retryable, nextTryAt };
}

function reasonOf(error: unknown): string {
  if (error instanceof MimecastError || error instanceof CollectingPaused) return error.reason;
  return error instanceof StoreError ? 'store' : 'internal';
}

function isPassing(error: unknown): boolean {
  return error instanceof ForwarderError && error.retryable;
}

function retryAfterOf(error: unknown): number {
  return error instanceof ForwarderError ? (error.retryAfterMs ?? 0) : 0;
}
