import type { TimeWindow } from '../feeds/feed.ts';
import { contentOf, timeOfId } from '../store/key.ts';
import type { Candidate } from '../store/pages.ts';
import { type WalkContext, WindowWalk } from './walk.ts';
import { windowsOf } from './window.ts';

/** An event that is not the same on both sides, told without anything of the mail. `time`: ms since 1970. */
export interface Difference {
  readonly id: string;
  readonly time: number;
}

/** How Mimecast and the store compare. Records, but for `onlyHere`: events. */
export interface ReconcileCounts {
  /** Known, and saying the same. */
  readonly matching: number;
  /** Mimecast has it, the store never had. */
  readonly missing: number;
  /** The store had it, Mimecast does not show it (any more). */
  readonly onlyHere: number;
  /** Known, and saying something else. */
  readonly variants: number;
  /** What Mimecast sends and nobody can read; the store keeps it without an id. */
  readonly malformed: number;
}

export interface ReconcileProgress {
  /** All before it has been compared, ms since 1970. */
  readonly doneUntil: number;
}

export interface ReconcileOptions {
  /** Store what is missing, by the way of every page. */
  readonly repair: boolean;
  readonly maxWindow: number;
}

/** So that memory is bounded by an hour's mail: the ids of one window are held at a time. ms. */
const WIDEST = 3_600_000;
const SECOND = 1000;
/** Differences that are told one by one, of each kind. */
const EXAMPLES = 20;

/** Reads a past span again, a page a turn, and compares it with the store. Moves no checkpoint. */
export class Reconciler {
  readonly examples: Readonly<Record<'missing' | 'onlyHere' | 'variants', Difference[]>> = {
    missing: [],
    onlyHere: [],
    variants: [],
  };
  readonly #counts = { matching: 0, missing: 0, onlyHere: 0, variants: 0, malformed: 0 };
  readonly #context: WalkContext;
  readonly #options: ReconcileOptions;
  readonly #windows: TimeWindow[];
  #window: { readonly walk: WindowWalk; readonly left: ReadonlySet<string> } | undefined;
  #doneUntil: number;

  constructor(context: WalkContext, span: TimeWindow, options: ReconcileOptions) {
    this.#context = context;
    this.#options = options;
    this.#windows = windowsOf(span, Math.min(options.maxWindow, WIDEST));
    this.#doneUntil = span.from;
  }

  get done(): boolean {
    return this.#windows.length === 0;
  }

  get counts(): ReconcileCounts {
    return this.#counts;
  }

  /** Reads and compares one page. To be called while not `done`; rejects as `WindowWalk.step` does. */
  async readOnce(signal: AbortSignal): Promise<ReconcileProgress> {
    const [window] = this.#windows;
    if (!window) throw new RangeError('the span has been read to its end');
    this.#window ??= this.#begin(window);
    const { walk, left } = this.#window;
    await walk.step(signal);
    if (walk.done) {
      for (const id of left) this.#note('onlyHere', id);
      this.#window = undefined;
      this.#windows.shift();
      this.#doneUntil = window.to;
    }
    return { doneUntil: this.#doneUntil };
  }

  /** What the store has is looked up before Mimecast is asked: what a daemon beside us stores meanwhile is not "only here". */
  #begin(window: TimeWindow): { walk: WindowWalk; left: ReadonlySet<string> } {
    const { store, feed } = this.#context;
    // Windows share their border second, in case that Mimecast does not give it to the first: it counts for the second.
    const isLast = this.#windows.length === 1;
    const until = isLast ? window.to + SECOND : window.to;
    const ids: ComparedIds = {
      left: new Set(store.identities.ofType(feed.type, { from: window.from, until })),
      told: new Set(),
      missing: new Set(),
    };
    const walk = new WindowWalk(this.#context, window, {
      background: true,
      purpose: 'reconcile',
      select: (candidates) => {
        const own = isLast ? candidates : candidates.filter((candidate) => !isDated(candidate, window.to));
        this.#compare(own, ids);
        return this.#options.repair ? own : [];
      },
      isWhole: () => this.#options.repair || ids.missing.size === 0,
    });
    return { walk, left: ids.left };
  }

  #compare(candidates: readonly Candidate[], { left, told, missing }: ComparedIds): void {
    const comparisons = this.#context.store.compare(candidates);
    for (const [at, { raw, value }] of candidates.entries()) {
      // A page that is read again, as after a refused token, counts once.
      const digest = contentOf(raw.toString());
      if (told.has(digest)) continue;
      told.add(digest);
      const comparison = comparisons[at];
      if ('malformed' in value) {
        this.#counts.malformed += 1;
        continue;
      }
      left.delete(value.id);
      if (comparison === 'matching') this.#counts.matching += 1;
      else if (comparison === 'missing' && !missing.has(value.id)) {
        missing.add(value.id);
        this.#note('missing', value.id);
      } else this.#note('variants', value.id);
    }
  }

  #note(kind: 'missing' | 'onlyHere' | 'variants', id: string): void {
    this.#counts[kind] += 1;
    if (this.examples[kind].length < EXAMPLES) this.examples[kind].push({ id, time: timeOfId(id) });
  }
}

/** The ids of the window in hand. */
interface ComparedIds {
  /** What the store has and Mimecast has not shown yet. */
  readonly left: Set<string>;
  /** Records that have been counted, by their text. */
  readonly told: Set<number>;
  /** What the store has not. */
  readonly missing: Set<string>;
}

/** Is it a record of that second? */
function isDated({ value }: Candidate, second: number): boolean {
  return 'time' in value && value.time >= second && value.time < second + SECOND;
}
