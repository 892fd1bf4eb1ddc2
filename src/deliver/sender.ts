import type { Logger } from 'pino';
import type { ForwarderEvent } from '../event.ts';
import { type Output, OutputError, type Sent } from '../outputs/output.ts';
import type { Episode } from '../telemetry/episodes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Rejection, Shipment } from './shipment.ts';

/** So many events refused one after the other, with none accepted in between, are more likely a mistake in a config than bad events. */
const REFUSED_IN_A_ROW = 20;
/** How long such a batch is held, with an alarm, before its events become rejects after all: a sender of mail must not be able to stop an output. */
const REFUSAL_PATIENCE = 15 * 60_000;

/** Hands events to an output and keeps account of what came of them: counters, the age of trouble, refusals in a row. */
export class Sender {
  /** ms since 1970; null before the first. */
  lastAcceptedAt: number | null = null;
  /** Events accepted since the start. */
  accepted = 0;
  /** Events refused for good since one was last accepted, or since the start. */
  refusedInRow = 0;
  /** When something was last accepted, by a clock that never steps, ms. */
  gotOn = performance.now();
  readonly #name: string;
  readonly #output: Output;
  readonly #metrics: Metrics;
  readonly #episode: Episode;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** Since when a batch is held because everything is refused. */
  #heldSince: number | undefined;

  constructor(parts: {
    readonly name: string;
    readonly output: Output;
    readonly metrics: Metrics;
    readonly episode: Episode;
    readonly logger: Logger;
    readonly now: () => number;
  }) {
    this.#name = parts.name;
    this.#output = parts.output;
    this.#metrics = parts.metrics;
    this.#episode = parts.episode;
    this.#logger = parts.logger;
    this.#now = parts.now;
  }

  /** Hands a part to the output, and counts what came of it. `isLive` false: of a replay. Rejects with what the output threw. */
  async send(events: readonly ForwarderEvent[], signal: AbortSignal, isLive = true): Promise<Sent> {
    const startedAt = performance.now();
    let sent: Sent;
    try {
      sent = await this.#output.send(events, signal);
    } catch (error) {
      this.#countFailure(error);
      throw error;
    }
    this.#metrics.outputSendDuration.observe({ output: this.#name }, (performance.now() - startedAt) / 1000);
    this.#metrics.outputUp.set({ output: this.#name }, 1);
    this.#countFailure(sent.unsettled?.error);
    this.#acceptedNow(events, sent, isLive);
    return sent;
  }

  #acceptedNow(events: readonly ForwarderEvent[], { rejected, shortened, unsettled }: Sent, isLive: boolean): void {
    const now = this.#now();
    const latency = this.#metrics.deliveryLatency.labels(this.#name);
    const open = new Set([...rejected.map(({ event }) => event), ...(unsettled?.events ?? [])]);
    // How old the events of a replay are says nothing of how fast events are delivered.
    for (const event of isLive ? events : []) {
      if (open.size === 0 || !open.has(event)) latency.observe(Math.max(0, now - event.time) / 1000);
    }
    const count = events.length - open.size;
    this.count('delivered', count);
    if (shortened > 0) this.#metrics.outputShortened.inc({ output: this.#name }, shortened);
    this.accepted += count;
    if (count === 0) return;
    this.lastAcceptedAt = now;
    this.gotOn = performance.now();
    this.refusedInRow = 0;
    this.#heldSince = undefined;
    // A part that was taken does not end the trouble with the rest: it would begin anew with each try, and never look old.
    if (!unsettled?.error) this.#episode.succeeded();
  }

  #countFailure(error: unknown): void {
    if (!(error instanceof OutputError)) return;
    this.#metrics.outputErrors.inc({ output: this.#name, reason: error.reason });
    if (error.disposition !== 'split') this.#metrics.outputUp.set({ output: this.#name }, 0);
  }

  /** Events become rejects, unless it looks as if the output refused whatever it is sent: then the batch is held for a while. */
  refused(shipment: Shipment, rejections: readonly Rejection[]): void {
    this.refusedInRow += rejections.length;
    if (this.refusedInRow < REFUSED_IN_A_ROW) return;
    this.#heldSince ??= this.#now();
    if (this.#now() - this.#heldSince >= REFUSAL_PATIENCE) return;
    shipment.restart();
    const error = refusesEverything(rejections.at(-1)?.reason ?? '');
    this.#countFailure(error);
    throw error;
  }

  tellRejections(rejected: readonly Rejection[]): void {
    this.count('rejected', rejected.length);
    for (const { event, reason } of rejected) {
      this.#logger.warn(
        { eventId: event.id, reason },
        'the output refused an event for good; it is kept (rejects list)',
      );
    }
  }

  count(outcome: 'delivered' | 'rejected' | 'filtered', count: number): void {
    if (count > 0) this.#metrics.outputEvents.inc({ output: this.#name, outcome }, count);
  }

  /** Each batch that is refused as a whole is held anew. */
  batchDone(): void {
    this.#heldSince = undefined;
  }
}

function refusesEverything(reason: string): OutputError {
  return new OutputError(`the output refuses whatever it is sent: ${reason}`, {
    reason: 'refused',
    disposition: 'halt',
    hint: 'Check the options of this output: url, format, encoding, gzip. Nothing is lost: the batch is held for 15 minutes, then its events become rejects, which `rejects retry` sends again.',
  });
}
