import { appendFileSync, existsSync, readFileSync } from 'node:fs';

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
  | { readonly kind: 'confirmed'; readonly attempt: string; readonly at: number; readonly after: number };

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

/** The attempts of a journal, in the order of their first events. */
export function readJournal(file: string): Attempt[] {
  if (!existsSync(file)) return [];
  const attempts = new Map<
    string,
    { life: number; ids: string[]; refused: string[]; confirmed: Attempt['confirmed'] }
  >();
  // What follows the last line break is still being written.
  for (const text of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const line = JSON.parse(text) as JournalLine;
    const attempt = attempts.get(line.attempt);
    if (line.kind === 'confirmed') {
      if (attempt) attempt.confirmed = { at: line.at, after: line.after };
      continue;
    }
    const begun = attempt ?? { life: line.life, ids: [], refused: [], confirmed: undefined };
    begun[line.kind === 'took' ? 'ids' : 'refused'].push(...line.ids);
    attempts.set(line.attempt, begun);
  }
  return [...attempts].map(([name, attempt]) => ({ name, ...attempt }));
}
