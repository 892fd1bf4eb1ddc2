import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { ForwarderError } from '../errors.ts';
import type { RawRecord } from '../event.ts';
import type { TimeWindow } from '../feeds/feed.ts';
import { isPlainRecord, isPlainUsual, NAMES_OF_OURS } from '../formats/plain-record.ts';
import type { Page } from '../mimecast/client.ts';
import { isPageTooLarge, MimecastError, refusesPageToken } from '../mimecast/errors.ts';
import { LIMITS } from '../status/condition.ts';
import type { Walk as SavedWalk } from '../store/checkpoints.ts';
import type { CoveredPage, Purpose } from '../store/coverage.ts';
import { StoreError } from '../store/errors.ts';
import { eventId } from '../store/key.ts';
import type { Candidate, PageOutcome, PageToStore } from '../store/pages.ts';
import { Oversize } from './oversize.ts';
import type { WalkContext, WalkOptions } from './walk-context.ts';
import { firstState, fromTheNewest, stateAfter, stateAfterRefusal, stateBehind, type WalkState } from './walk-state.ts';

export type { WalkContext, WalkOptions } from './walk-context.ts';

/** Refused page tokens of one walk that are nobody's business but ours. */
const PATIENT_REFUSALS = 50;
/** More pages than this in one window (10 million records at the usual page size) is a walk without end, or too wide a window. */
const MAX_PAGES = 20_000;

/** One window, read page by page, oldest record first. `step()` reads and stores one page; nothing here waits or repeats. */
export class WindowWalk {
  readonly #context: WalkContext;
  readonly #options: WalkOptions;
  /** The tokens that this walk has used. */
  readonly #tokens = new Set<string>();
  /** How often a page token was refused. */
  #refusals = 0;
  #state: WalkState;
  /** The window as it was asked for; the state's own moves on where page tokens fail. */
  readonly #asked: TimeWindow;
  /** Since when Mimecast kept its rows when it gave the first page, which has the oldest. */
  #keptSince: number | undefined;
  readonly #oversize: Oversize;

  constructor(context: WalkContext, window: TimeWindow, options: WalkOptions = {}) {
    this.#context = context;
    this.#options = options;
    const { resume } = options;
    this.#asked = resume ? { from: resume.askedFrom ?? resume.from, to: resume.to } : window;
    this.#state = firstState(resume ? { from: resume.from, to: resume.to } : window);
    this.#oversize = new Oversize(context.pageSize, resume?.unread);
    // A token may count pages: with another size it would skip records, or read them twice.
    if (resume?.token && resume.pageSize === context.pageSize) {
      this.#state = { ...this.#state, token: resume.token, pages: resume.pages };
      this.#tokens.add(resume.token);
    }
  }

  get window(): TimeWindow {
    return this.#state.window;
  }

  get done(): boolean {
    return this.#state.done;
  }

  /** Pages read so far. */
  get pages(): number {
    return this.#state.pages;
  }

  /**
   * Reads one page and stores it with the walk's new state, before the next page is asked for.
   *
   * A refused page token starts the window again with the next step: a token is an optimisation, and identity makes the second
   * reading free. A page that is too large is asked for again in a smaller one. Rejects with a `ForwarderError` (Mimecast's, the
   * store's, the walk's own), or the abort reason; the walk then stands where it stood, and the same page is due. Records that came
   * with a failure are stored all the same, without moving on.
   */
  async step(signal: AbortSignal): Promise<PageOutcome> {
    const page = await this.#fetch(signal).catch((error: unknown) => {
      if (isPageTooLarge(error)) return undefined;
      this.#noteFailure(error);
      throw error;
    });
    this.#keptSince ??= (await this.#context.client.serverNow(signal)) - LIMITS.mimecastKeeps;
    if (page === undefined) return this.#goRound();
    if (page instanceof Error) {
      this.#refusals += 1;
      this.#goTo(stateAfterRefusal(this.#state, this.#refusals === 1));
      // Refused again and again, it is worth a word and a wait: the caller's.
      if (this.#refusals % PATIENT_REFUSALS === 0) throw page;
      return NOTHING;
    }
    this.#oversize.fitted();
    const candidates = page.records;
    // Receivers have confirmed batches while the page came. Heard now, their cursors are written with the page; else each output has
    // to write its own before it may go on (`Store.flush`): 178 times in 200 pages without these turns of the event loop, 16 times
    // with them. Two, because the first may close a poll that began before the confirmation was here.
    await turnOfTheLoop();
    await turnOfTheLoop();
    if (page.failure) {
      this.#store(candidates, this.#options.progress?.(this.#saved(this.#state)), () => null);
      throw page.failure;
    }
    const { next } = page;
    const read = stateAfter(this.#state, {
      count: candidates.length,
      times: candidates.flatMap(({ value }) => ('malformed' in value ? [] : [value.time])),
      next,
      nextIsOld: next !== undefined && this.#tokens.has(next),
    });
    if (!read.done && read.pages >= MAX_PAGES) throw this.#tooLong();
    const behind = read.done ? stateBehind(read, this.#asked.to) : read;
    const after = behind.token !== undefined && this.#oversize.mayGrow ? (fromTheNewest(behind) ?? behind) : behind;
    const outcome = this.#storeAndMove(candidates, after);
    // Only now: a page that could not be stored must be read again.
    this.#goTo(after);
    if (this.#oversize.mayGrow && after.token === undefined) this.#oversize.grow();
    return outcome;
  }

  #storeAndMove(candidates: readonly Candidate[], after: WalkState): PageOutcome {
    const progress = this.#options.progress?.(after.done ? null : this.#saved(after));
    return this.#store(candidates, progress, () => (after.done ? this.#end() : null));
  }

  /** The page that is due is too large. What that costs is said, and kept in the ledger. */
  #goRound(): PageOutcome {
    const { feed, logger } = this.#context;
    const detour = this.#oversize.detour(this.#state, this.#asked.to);
    if (detour.kind === 'smaller') {
      logger?.warn(
        { feed: feed.name, pageSize: detour.pageSize },
        'a page was too large and is asked for in smaller ones',
      );
      return NOTHING;
    }
    if (detour.kind === 'passed') {
      this.#oversize.passed(detour.second);
      this.#storeAndMove([], detour.state);
      const second = new Date(detour.second).toISOString();
      const told =
        this.#purpose === 'backfill' ? 'and a backfill accepts that' : 'which is a gap; `status` says what to do';
      logger?.error(
        { feed: feed.name, second },
        `a record is larger than an answer may be: the rest of its second is not read, ${told}`,
      );
    }
    this.#goTo(detour.state);
    return NOTHING;
  }

  /** The page that is due, or what Mimecast said when it refused the page token. */
  async #fetch(signal: AbortSignal): Promise<Page<Candidate['value']> | Error> {
    const { client, feed } = this.#context;
    const { window, token } = this.#state;
    try {
      return await client.fetchPage({
        feed: feed.name,
        path: feed.path,
        recordsKey: feed.recordsKey,
        read: (record, text) => this.#understand(record, isPlainRecord(text)),
        usual: feed.looksAt && {
          looksAt: feed.looksAt,
          lacks: NAMES_OF_OURS,
          read: (members, text) => this.#understand(members, isPlainUsual(text)),
        },
        filter: feed.filter(window),
        pageSize: this.#oversize.pageSize,
        pageToken: token,
        background: this.#options.background ?? false,
        signal,
      });
    } catch (error) {
      if (token !== undefined && error instanceof Error && refusesPageToken(error)) return error;
      throw error;
    }
  }

  #goTo(state: WalkState): void {
    if (state.token === undefined) this.#tokens.clear();
    else this.#tokens.add(state.token);
    this.#state = state;
  }

  #tooLong(): ForwarderError {
    this.#goTo(firstState(this.#state.window));
    return new ForwarderError(`one window gave more than ${MAX_PAGES} pages`, {
      code: 'WALK_TOO_LONG',
      hint: 'Set a smaller feeds[].maxWindow, so that one window has fewer pages. Nothing is lost: the window is read again.',
    });
  }

  #understand(record: unknown, isPlain: boolean): Candidate['value'] {
    const { feed } = this.#context;
    const identity = feed.identify(record);
    if ('malformed' in identity) return identity;
    const { time, parts } = identity;
    return { id: eventId(feed.type, time, parts), time, severity: feed.severityOf(record as RawRecord), isPlain };
  }

  #store(
    records: readonly Candidate[],
    progress: PageToStore['progress'],
    whenDone: () => CoveredPage['end'],
  ): PageOutcome {
    const { store, feed, variants, metrics } = this.#context;
    const now = this.#context.now();
    const candidates = this.#options.select?.(records) ?? records;
    const coverage = {
      ...{ ...this.#asked, purpose: this.#purpose, records: records.length, end: whenDone() },
      keptSince: this.#keptSince ?? 0,
      unread: this.#oversize.unread,
    };
    const outcome = store.storePage({
      feed: feed.name,
      type: feed.type,
      candidates,
      variants,
      now,
      progress,
      coverage,
    });
    const count = (kind: string, number: number): void => {
      if (number > 0) metrics.records.inc({ feed: feed.name, outcome: kind }, number);
    };
    count('new', outcome.added.length);
    count('duplicate', outcome.duplicates);
    count('variant', outcome.variants);
    count('malformed', outcome.malformed);
    const lateness = metrics.feedLateness.labels(feed.name);
    for (const { time } of outcome.added) lateness.observe(Math.max(0, now - time) / 1000);
    return outcome;
  }

  get #purpose(): Purpose {
    return this.#options.purpose ?? 'poll';
  }

  #end(): CoveredPage['end'] {
    return (this.#options.isWhole?.() ?? true) ? 'complete' : 'missing';
  }

  #saved({ window, token, pages }: WalkState): SavedWalk {
    const { from, to } = this.#asked;
    const { unread, isReduced } = this.#oversize;
    // A token is good for the window and the page size that it was given for; of a half, the whole is what is kept.
    const isGood = window.to === to && !isReduced;
    return {
      ...{ from: window.from, to, token: isGood ? (token ?? null) : null, pages, pageSize: this.#context.pageSize },
      ...(window.from !== from && { askedFrom: from }),
      ...(unread.length > 0 && { unread }),
    };
  }

  /** A window that nobody answered stands in the ledger too. */
  #noteFailure(error: unknown): void {
    if (!(error instanceof MimecastError)) return;
    const { store, feed, now } = this.#context;
    const window = { feed: feed.name, purpose: this.#purpose, ...this.#asked };
    try {
      store.coverage.failed(window, error.reason, now());
    } catch (storeError) {
      // A full disk or a busy store must not hide what Mimecast said; a store that is damaged shows with the next page.
      if (!(storeError instanceof StoreError)) throw storeError;
    }
  }
}

const NOTHING: PageOutcome = { added: [], duplicates: 0, variants: 0, malformed: 0 };
