import { ForwarderError } from '../errors.ts';
import type { WalkState } from './walk-state.ts';
import { stateAfterTooLarge } from './walk-state.ts';

/** Pages that have to fit, one after the other, before larger ones are tried again. */
const PROVEN = 4;
/** More seconds in a row that cannot be read are no matter of single records. */
const MOST_IN_A_ROW = 3;

/** What a walk does about an answer that is too large. */
export type Detour =
  | { readonly kind: 'smaller'; readonly pageSize: number }
  | { readonly kind: 'halved'; readonly state: WalkState }
  | { readonly kind: 'passed'; readonly state: WalkState; readonly second: number };

/**
 * Answers that are too large for us, within one walk: pages get smaller until they fit, and larger again later. A record that does not
 * fit alone costs the second that it is in, and not the feed: the second is passed over, and counts as not read.
 */
export class Oversize {
  readonly #most: number;
  #pageSize: number;
  #fitted = 0;
  #unread: readonly number[];
  #inRow = 0;

  /** `unread`: seconds that this walk has passed over before a restart. */
  constructor(most: number, unread: readonly number[] = []) {
    this.#most = most;
    this.#pageSize = most;
    this.#unread = unread;
  }

  /** Records to ask for in the next page. */
  get pageSize(): number {
    return this.#pageSize;
  }

  /** Seconds that were passed over, ms since 1970, in order. */
  get unread(): readonly number[] {
    return this.#unread;
  }

  /** Are pages smaller than they were meant to be? */
  get isReduced(): boolean {
    return this.#pageSize < this.#most;
  }

  /** Have enough small pages fitted, so that larger ones are worth a try? */
  get mayGrow(): boolean {
    return this.isReduced && this.#fitted >= PROVEN;
  }

  /** An answer has fitted. */
  fitted(): void {
    this.#inRow = 0;
    this.#fitted += 1;
  }

  /** Larger pages from now on. Only where a first page is due: a token that counts pages would pass over records in larger ones. */
  grow(): void {
    this.#fitted = 0;
    this.#pageSize = Math.min(this.#most, 2 * this.#pageSize);
  }

  /** An answer was too large. Throws when it cannot be the records. `askedTo`: the end of the window that was asked for. */
  detour(state: WalkState, askedTo: number): Detour {
    this.#fitted = 0;
    if (this.#pageSize > 1) {
      this.#pageSize = Math.floor(this.#pageSize / 2);
      return { kind: 'smaller', pageSize: this.#pageSize };
    }
    const after = stateAfterTooLarge(state, askedTo);
    if (after.unread === undefined) return { kind: 'halved', state: after.state };
    if (this.#inRow >= MOST_IN_A_ROW) throw tooLargeForAll();
    return { kind: 'passed', state: after.state, second: after.unread };
  }

  /** A second is passed over. To be called before the walk's new state is stored, and again when that has failed. */
  passed(second: number): void {
    if (this.#unread.includes(second)) return;
    this.#inRow += 1;
    this.#unread = [...this.#unread, second];
  }
}

function tooLargeForAll(): ForwarderError {
  return new ForwarderError('answers to requests for a single record are larger than 8 MiB, second after second', {
    code: 'WALK_ANSWERS_TOO_LARGE',
    hint: 'No record is that long: look at what answers in place of Mimecast (mimecast.baseUrl, the proxy). The feed does not move on meanwhile, and nothing is passed over.',
  });
}
