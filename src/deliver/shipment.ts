import type { ForwarderEvent } from '../event.ts';
import type { Sent } from '../outputs/output.ts';

/** An event that the output refused for good, and why. */
export type Rejection = Sent['rejected'][number];

/**
 * A batch on its way: what of it is still to be sent, and how far the cursor may follow. Pure bookkeeping.
 *
 * It is sent part by part. At first there is one part; a part that is refused for its content is halved, and of a part that was
 * taken but for some events, those are left.
 */
export class Shipment {
  /** The last event of the batch, whether it is sent or filtered. */
  readonly lastSeq: number;
  #parts: readonly (readonly ForwarderEvent[])[];
  #rejections: Rejection[] = [];

  /** `events`: those that are to be sent, in outbox order. */
  constructor(events: readonly ForwarderEvent[], lastSeq: number) {
    this.lastSeq = lastSeq;
    this.#parts = events.length > 0 ? [events] : [];
  }

  /** What is to be sent now; undefined when the batch is done with. */
  get part(): readonly ForwarderEvent[] | undefined {
    return this.#parts[0];
  }

  /** Every event of the batch up to this one is done with. */
  get doneUpTo(): number {
    const [pending] = this.part ?? [];
    return pending === undefined ? this.lastSeq : pending.seq - 1;
  }

  /** The part was taken, but for what `sent` says. */
  taken({ rejected, unsettled }: Sent): void {
    this.#rejections.push(...rejected);
    this.#replacePart(unsettled ? [unsettled.events] : []);
  }

  /** The part was refused for its content: its halves are next or, when it is one event, that is the one. */
  refused(reason: string): Rejection | undefined {
    const [first, ...others] = this.part ?? [];
    if (first === undefined) return undefined;
    if (others.length > 0) {
      this.#halve();
      return undefined;
    }
    const rejection = { event: first, reason };
    this.#rejections.push(rejection);
    this.#replacePart([]);
    return rejection;
  }

  /** The rejections that lie behind `doneUpTo` and are not kept yet: the cursor may pass them only together with their keeping. */
  get passedRejections(): readonly Rejection[] {
    const { doneUpTo } = this;
    return this.#rejections.filter(({ event }) => event.seq <= doneUpTo);
  }

  /** To be called once `passedRejections` are kept. */
  rejectionsKept(): void {
    const { doneUpTo } = this;
    this.#rejections = this.#rejections.filter(({ event }) => event.seq > doneUpTo);
  }

  /** All that is not kept yet is to be sent again, as one part. */
  restart(): void {
    const events = [...this.#rejections.map(({ event }) => event), ...this.#parts.flat()];
    this.#rejections = [];
    this.#parts = events.length > 0 ? [events.toSorted((a, b) => a.seq - b.seq)] : [];
  }

  #halve(): void {
    const part = this.part ?? [];
    const half = Math.ceil(part.length / 2);
    this.#replacePart([part.slice(0, half), part.slice(half)]);
  }

  #replacePart(parts: readonly (readonly ForwarderEvent[])[]): void {
    this.#parts = [...parts.filter(({ length }) => length > 0), ...this.#parts.slice(1)];
  }
}
