import { performance } from 'node:perf_hooks';

/** RFC 9110 §5.6.7: an HTTP date names a whole second, so the true time may be up to this much later. */
const DATE_RESOLUTION_MS = 1000;
/** Enough to be sharp and to outvote a stray answer; few enough to follow when the machine was suspended. */
const SAMPLES = 8;

/** What one answer proves: Mimecast's time less our monotonic clock lay between the two, in ms. */
interface Sample {
  readonly earliest: number;
  readonly latest: number;
}

/**
 * Mimecast's clock, told from the `Date` headers of its answers.
 *
 * It is kept against the monotonic clock: when an operator or NTP steps this machine's clock, `now()` does not jump, and a
 * feed never asks for a time that has not come. Each answer gives a range, because the header names a whole second and was
 * written at some moment between question and answer. The point on which most of the recent ranges agree is taken
 * (Marzullo's algorithm, as in NTP), so a slow answer weighs little and a proxy with a wrong clock is outvoted.
 */
export class ServerClock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  readonly #samples: Sample[] = [];
  #offset: number | undefined;

  constructor(monotonic: () => number = () => performance.now(), wall: () => number = Date.now) {
    this.#monotonic = monotonic;
    this.#wall = wall;
  }

  /** Takes in an answer's `Date` header; `sentAt` and `answeredAt` are monotonic ms. A header that is no date is ignored. */
  observe(date: string | undefined, sentAt: number, answeredAt: number): void {
    const second = date === undefined ? Number.NaN : Date.parse(date);
    if (Number.isNaN(second)) return;
    this.#samples.unshift({ earliest: second - answeredAt, latest: second + DATE_RESOLUTION_MS - sentAt });
    this.#samples.length = Math.min(this.#samples.length, SAMPLES);
    this.#offset = agreedOffset(this.#samples);
  }

  get known(): boolean {
    return this.#offset !== undefined;
  }

  /** ms since 1970 by Mimecast's clock, whole; by ours as long as no answer carried a date. */
  now(): number {
    return this.#offset === undefined ? this.#wall() : Math.round(this.#monotonic() + this.#offset);
  }

  /** Our wall clock less Mimecast's in ms, good to about half a second; undefined before the first answer. */
  get skewMs(): number | undefined {
    return this.#offset === undefined ? undefined : this.#wall() - this.now();
  }
}

/** Middle of the range that the largest group of samples has in common; the newest group wins a tie. Newest sample first. */
function agreedOffset(samples: readonly Sample[]): number {
  let agreed: readonly Sample[] = [];
  for (const { earliest } of samples) {
    const group = samples.filter((other) => other.earliest <= earliest && earliest <= other.latest);
    if (group.length > agreed.length) agreed = group;
  }
  const from = Math.max(...agreed.map((sample) => sample.earliest));
  const to = Math.min(...agreed.map((sample) => sample.latest));
  return (from + to) / 2;
}
