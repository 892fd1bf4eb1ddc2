import { appendFileSync, closeSync, existsSync, openSync, readSync } from 'node:fs';
import type { Manner } from './fault.ts';

/**
 * What a receiver writes down, a JSON line each, before the sender can hear of it: a receiver that is killed then has its events.
 *
 * An attempt is a connection (syslog), a session (RELP) or a request (HTTP). `life`: which start of the daemon sent it, as told by
 * the daemon itself in a header, since what a dead daemon has left in a socket may be read after its successor has begun.
 */
export type JournalLine =
  | { readonly kind: 'took'; readonly attempt: string; readonly life: number; readonly ids: readonly string[] }
  /** These were refused for good, by `refusesForGood`. */
  | { readonly kind: 'refused'; readonly attempt: string; readonly life: number; readonly ids: readonly string[] }
  /** The sender was told, in the protocol's way, that all of the attempt was taken. `after`: ms since its first byte. */
  | { readonly kind: 'confirmed'; readonly attempt: string; readonly at: number; readonly after: number }
  /** A manner has met a sender. */
  | { readonly kind: 'struck'; readonly what: Strike };

/** What of a receiver can strike: its manner, or its certificate, which the sender did not trust. */
export type Strike = Manner | 'untrusted';

/** All that came in one attempt. */
export interface Attempt {
  readonly name: string;
  readonly life: number;
  /** In the order in which they came, doubles included. */
  readonly ids: readonly string[];
  readonly refused: readonly string[];
  /** When the sender was told that all was taken, ms since 1970, and how long after the first byte; undefined when it was not. */
  readonly confirmed: { readonly at: number; readonly after: number } | undefined;
}

/** An event whose id ends in one of these is refused for good by the receiver that refuses: about 1 of 32. */
export function refusesForGood(id: string): boolean {
  return Number.parseInt(id.slice(-2), 16) < 8;
}

export function writeJournal(file: string, line: JournalLine): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

interface OpenAttempt {
  readonly name: string;
  readonly life: number;
  readonly ids: string[];
  readonly refused: string[];
  confirmed: Attempt['confirmed'];
}

/** Reads a journal while it grows: each look reads what is new. */
export class JournalReader {
  /** Ids that were taken or refused. */
  readonly settled = new Set<string>();
  /** How often each thing has struck. */
  readonly strikes = new Map<Strike, number>();
  readonly #file: string;
  readonly #attempts = new Map<string, OpenAttempt>();
  #readUpTo = 0;
  #rest = Buffer.alloc(0);

  constructor(file: string) {
    this.#file = file;
  }

  /** In the order of their first events. */
  get attempts(): readonly Attempt[] {
    return [...this.#attempts.values()];
  }

  look(): this {
    const text = Buffer.concat([this.#rest, this.#readNew()]);
    // What follows the last line break is still being written.
    const end = text.lastIndexOf(0x0a) + 1;
    this.#rest = text.subarray(end);
    for (const line of text.toString('utf8', 0, end).split('\n')) {
      if (line !== '') this.#take(JSON.parse(line) as JournalLine);
    }
    return this;
  }

  #readNew(): Buffer {
    if (!existsSync(this.#file)) return Buffer.alloc(0);
    const file = openSync(this.#file, 'r');
    try {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(64 * 1024);
        const size = readSync(file, chunk, 0, chunk.length, this.#readUpTo);
        if (size === 0) return Buffer.concat(chunks);
        this.#readUpTo += size;
        chunks.push(chunk.subarray(0, size));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(line: JournalLine): void {
    if (line.kind === 'struck') {
      this.strikes.set(line.what, (this.strikes.get(line.what) ?? 0) + 1);
      return;
    }
    const attempt = this.#attempts.get(line.attempt);
    if (line.kind === 'confirmed') {
      if (attempt) attempt.confirmed = { at: line.at, after: line.after };
      return;
    }
    const begun = attempt ?? { name: line.attempt, life: line.life, ids: [], refused: [], confirmed: undefined };
    begun[line.kind === 'took' ? 'ids' : 'refused'].push(...line.ids);
    this.#attempts.set(line.attempt, begun);
    for (const id of line.ids) this.settled.add(id);
  }
}
