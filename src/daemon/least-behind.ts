/** A beat that comes later than this was not a beat: the machine slept, and what grew meanwhile is no standstill. ms. */
const LONGEST_BEAT = 60_000;

interface Low {
  readonly least: number;
  readonly at: number;
  readonly seenAt: number;
}

/**
 * Remembers of each feed and output that is behind when it was least so. Catching up reaches a new low again and again; what has
 * not for long is falling behind, however busy it looks: a window without end, a receiver that is too slow.
 */
export class LeastBehind {
  readonly #lows = new Map<string, Low>();

  /** `behind`: a lag or a backlog; null while it is not behind, or not at work. `at`: ms. */
  sample(key: string, behind: number | null, at: number): void {
    const low = this.#lows.get(key);
    if (behind === null) this.#lows.delete(key);
    else if (low === undefined || behind < low.least || at - low.seenAt > LONGEST_BEAT || at < low.seenAt) {
      this.#lows.set(key, { least: behind, at, seenAt: at });
    } else this.#lows.set(key, { ...low, seenAt: at });
  }

  /** When it was least behind, ms; null while it is not behind. */
  at(key: string): number | null {
    return this.#lows.get(key)?.at ?? null;
  }
}
