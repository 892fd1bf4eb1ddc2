import { type FailedStretch, MINUTE, type MinuteCount, type OfSubject, type Subject } from '../store/activity.ts';
import type { Store } from '../store/store.ts';
import type { Episode } from '../telemetry/episodes.ts';

/** A feed or an output, as it is watched. */
export interface Watched {
  readonly subject: Subject;
  /** New records stored, or events accepted, so far; counted from 0 by each `counter`. */
  readonly count: () => number;
  readonly counter: unknown;
  /** Events that wait for an output; null for a feed. */
  readonly waiting: () => number | null;
  readonly episode: Pick<Episode, 'current' | 'lastOver'>;
  /** Has it done its work since it was built? */
  readonly hasWorked: () => boolean;
}

/** The failure of a subject that was noted last. `since`: when it began by its episode, which knows nothing of the daemon before. */
interface Noted extends FailedStretch {
  readonly since: number;
  readonly episode: Watched['episode'];
}

/** A disk that is full for longer than this leaves a hole in the picture, rather than fill the memory. */
const MOST_MINUTES = 24 * 60;
/** Of an error's words; the rest is in the log. */
const LONGEST_MESSAGE = 500;

/**
 * Notes minute by minute what each feed and output does, for the timelines of `status` and the page. It counts in memory, and writes when a
 * minute is over: a crash loses the last minute of a picture, and never an event.
 */
export class Recorder {
  readonly #store: Store;
  readonly #list: () => readonly Watched[];
  /** What was watched at the last sample, and its counts: one that has left since may have counted on. */
  #watched: readonly Watched[] = [];
  #counts: ReadonlyMap<unknown, number> = new Map();
  #at: number;
  /** What is not in the store yet. */
  readonly #minutes = new Map<string, OfSubject<MinuteCount>>();
  readonly #failures = new Map<string, OfSubject<FailedStretch>>();
  readonly #noted = new Map<Subject, Noted>();
  /** Failures of an earlier daemon, or of an output before its config changed: closed, unless it turns out that they go on. */
  readonly #earlier = new Map<Subject, FailedStretch>();

  /** `lastSign`: when the daemon before this one was last seen alive, ms since 1970. */
  constructor(
    store: Store,
    list: () => readonly Watched[],
    times: { readonly now: number; readonly lastSign: number },
  ) {
    this.#store = store;
    this.#list = list;
    this.#at = times.now;
    for (const { subject, ...stretch } of store.activity.open()) this.#interrupt(subject, stretch, times.lastSign);
  }

  /** Takes up what has happened since the last sample. Never throws. */
  sample(now: number): void {
    const watched = this.#list();
    const counters = new Set(watched.map(({ counter }) => counter));
    const left = this.#watched.filter(({ counter }) => !counters.has(counter));
    const counts = new Map<unknown, number>();
    for (const one of [...left, ...watched]) counts.set(one.counter, this.#count(one));
    for (const one of watched) this.#noteFailures(one, now);
    const subjects = new Set(watched.map(({ subject }) => subject));
    for (const [subject, noted] of this.#noted) if (!subjects.has(subject)) this.#interrupt(subject, noted, now);
    this.#counts = counts;
    this.#watched = watched;
    this.#at = now;
  }

  /** Writes what is new when a minute is over, or a failure has begun or ended. Throws a `StoreError`, and keeps it for the next time. */
  write(): void {
    const current = minuteOf(this.#at);
    const hasWholeMinutes = [...this.#minutes.values()].some(({ minute }) => minute !== current);
    if (hasWholeMinutes || this.#failures.size > 0) this.#flush();
  }

  /** The last sample, and all of it written. Throws a `StoreError`. */
  end(now: number): void {
    this.sample(now);
    this.#flush();
  }

  #flush(): void {
    this.#store.activity.write([...this.#minutes.values()], [...this.#failures.values()]);
    this.#minutes.clear();
    this.#failures.clear();
  }

  /** What was counted since the last sample counts for the minute of that: the first sample of a minute closes the one before. */
  #count({ subject, counter, count, waiting }: Watched): number {
    const total = count();
    const minute = minuteOf(this.#at);
    const key = `${minute} ${subject}`;
    const before = this.#minutes.get(key)?.count ?? 0;
    const added = total - (this.#counts.get(counter) ?? 0);
    this.#minutes.set(key, { subject, minute, count: before + added, waiting: waiting() });
    for (const [old, row] of this.#minutes) if (row.minute <= minute - MOST_MINUTES) this.#minutes.delete(old);
    return total;
  }

  #noteFailures({ subject, episode, hasWorked }: Watched, now: number): void {
    const { current, lastOver } = episode;
    const noted = this.#noted.get(subject);
    if (noted && noted.episode !== episode) this.#interrupt(subject, noted, now);
    if (lastOver) this.#note(subject, { ...lastOver, from: lastOver.since, episode });
    if (current) this.#note(subject, { ...current, from: current.since, until: null, episode });
    else if (hasWorked()) this.#earlier.delete(subject);
  }

  #note(subject: Subject, failure: Noted): void {
    const noted = this.#noted.get(subject);
    const isKnown = noted?.since === failure.since;
    if (noted && (isKnown ? noted.until === failure.until : failure.since < noted.since)) return;
    // Over and failing again between two beats: it was over before this one began.
    if (noted?.until === null && !isKnown) this.#put(subject, { ...noted, until: failure.since });
    const from = isKnown ? noted.from : (this.#earlier.get(subject)?.from ?? failure.from);
    this.#earlier.delete(subject);
    this.#noted.set(subject, { ...failure, from });
    this.#put(subject, { ...failure, from });
  }

  /** Nobody can tell any more when this one ends; it may be going on. */
  #interrupt(subject: Subject, { from, until, reason, message }: FailedStretch, at: number): void {
    this.#noted.delete(subject);
    if (until !== null) return;
    this.#earlier.set(subject, { from, until, reason, message });
    this.#put(subject, { from, until: Math.max(from, at), reason, message });
  }

  #put(subject: Subject, { from, until, reason, message }: FailedStretch): void {
    this.#failures.set(`${from} ${subject}`, {
      ...{ subject, from, until, reason },
      message: message.slice(0, LONGEST_MESSAGE),
    });
  }
}

function minuteOf(at: number): number {
  return Math.floor(at / MINUTE);
}
