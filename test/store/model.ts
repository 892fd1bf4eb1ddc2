/** What a store should hold, in plain arrays. */

/** One record of a page. The same identity with other content is a variant; the same content may be written in two ways. */
export interface Given {
  readonly identity: number;
  readonly content: number;
  readonly escaped: boolean;
}

export const OUTPUTS = ['archive', 'siem'] as const;
export type Output = (typeof OUTPUTS)[number];

export interface ModelEvent {
  readonly seq: number;
  readonly identity: number;
  readonly raw: string;
  readonly storedAt: number;
}

export interface ModelReject {
  readonly id: number;
  readonly output: Output;
  readonly seq: number;
  readonly retry: number;
}

/** Events that are to be sent to an output again, in the order of their time; `done` of them have been. */
export interface ModelReplay {
  readonly output: Output;
  readonly events: readonly ModelEvent[];
  readonly done: number;
}

interface State {
  /** All that ever entered; the first `pruned` of them have gone. */
  events: readonly ModelEvent[];
  pruned: number;
  firstOf: ReadonlyMap<number, { readonly seq: number; readonly content: number }>;
  variants: ReadonlySet<string>;
  cursors: Readonly<Record<Output, number>>;
  /** The cursors that are on the disk. */
  durable: Readonly<Record<Output, number>>;
  rejects: readonly ModelReject[];
  nextReject: number;
  replay: ModelReplay | undefined;
}

export class Model {
  #state: State = {
    ...{ events: [], pruned: 0, firstOf: new Map(), variants: new Set() },
    ...{ cursors: { archive: 0, siem: 0 }, durable: { archive: 0, siem: 0 } },
    ...{ rejects: [], nextReject: 1, replay: undefined },
  };

  get state(): Readonly<State> {
    return this.#state;
  }

  page(records: readonly (Given & { readonly raw: string })[], ship: boolean, storedAt: number): void {
    for (const { identity, content, raw } of records) {
      const { firstOf, variants } = this.#state;
      const first = firstOf.get(identity);
      const variant = `${identity}/${content}`;
      if (!first) {
        const seq = this.#enter({ identity, raw, storedAt });
        this.#change({ firstOf: new Map(firstOf).set(identity, { seq, content }) });
      } else if (content !== first.content && !variants.has(variant)) {
        this.#change({ variants: new Set(variants).add(variant) });
        if (ship) this.#enter({ identity, raw, storedAt });
      }
    }
  }

  /** Kept and not yet served, from `seq` on. */
  after(seq: number): readonly ModelEvent[] {
    return this.#state.events.slice(Math.max(seq, this.#state.pruned));
  }

  settle(output: Output, seq: number, refused: readonly number[]): void {
    this.#change({ cursors: { ...this.#state.cursors, [output]: seq } });
    if (refused.length === 0) return;
    for (const one of refused) this.#reject(output, one);
    this.written([output]);
  }

  /** The cursors of these outputs are on the disk. */
  written(outputs: readonly Output[]): void {
    const { cursors, durable } = this.#state;
    this.#change({ durable: { ...durable, ...Object.fromEntries(outputs.map((name) => [name, cursors[name]])) } });
  }

  /** What was only in memory is gone. */
  crash(): void {
    this.#change({ cursors: this.#state.durable });
  }

  /** Retention: what every output has had, and no replay needs. */
  prune(storedBefore: number): void {
    const { events, cursors, replay } = this.#state;
    const needed = Math.min(...(replay?.events ?? []).map(({ seq }) => seq), Number.POSITIVE_INFINITY) - 1;
    const least = Math.min(cursors.siem, cursors.archive, needed);
    let { pruned } = this.#state;
    while (pruned < least && (events[pruned]?.storedAt ?? storedBefore) < storedBefore) pruned += 1;
    this.#change({ pruned });
  }

  /** Of the identities `from` to `to`, what the output has had by its cursor on the disk, how much waits for it, and how much is gone. */
  survey(output: Output, from: number, to: number): { events: ModelEvent[]; waiting: number; pruned: number } {
    const { events, pruned, durable } = this.#state;
    const all = events.filter(({ identity }) => identity >= from && identity < to);
    const kept = all.filter(({ seq }) => seq > pruned);
    const due = kept.filter(({ seq }) => seq <= durable[output]);
    return {
      events: due.sort((one, other) => one.identity - other.identity || one.seq - other.seq),
      waiting: kept.length - due.length,
      pruned: all.length - kept.length,
    };
  }

  ask(output: Output, events: readonly ModelEvent[]): void {
    this.#change({ replay: { output, events, done: 0 } });
  }

  /** Of the next `count` events of the replay, these were refused; a delivered one is no reject any more. */
  replayed(count: number, refused: readonly number[]): void {
    const { replay } = this.#state;
    if (!replay) return;
    const batch = replay.events.slice(replay.done, replay.done + count);
    const isOf = (reject: ModelReject, seq: number) => reject.output === replay.output && reject.seq === seq;
    for (const { seq } of batch) {
      const { rejects } = this.#state;
      if (!refused.includes(seq)) this.#change({ rejects: rejects.filter((reject) => !isOf(reject, seq)) });
      else if (!rejects.some((reject) => isOf(reject, seq))) this.#reject(replay.output, seq);
      else this.#change({ rejects: rejects.map((reject) => (isOf(reject, seq) ? { ...reject, retry: 0 } : reject)) });
    }
    this.#change({ replay: { ...replay, done: replay.done + count } });
  }

  endReplay(): void {
    this.#change({ replay: undefined });
  }

  retry(id: number, retry: number): void {
    this.#change({ rejects: this.#state.rejects.map((reject) => (reject.id === id ? { ...reject, retry } : reject)) });
  }

  dropReject(id: number): void {
    this.#change({ rejects: this.#state.rejects.filter((reject) => reject.id !== id) });
  }

  /** The oldest reject of an output that is to be sent again. */
  due(output: Output): ModelReject | undefined {
    return this.#state.rejects.find((reject) => reject.output === output && reject.retry === 1);
  }

  #reject(output: Output, seq: number): void {
    const { rejects, nextReject } = this.#state;
    this.#change({ rejects: [...rejects, { id: nextReject, output, seq, retry: 0 }], nextReject: nextReject + 1 });
  }

  #enter(event: Omit<ModelEvent, 'seq'>): number {
    const { events } = this.#state;
    this.#change({ events: [...events, { seq: events.length + 1, ...event }] });
    return events.length + 1;
  }

  #change(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
  }
}
