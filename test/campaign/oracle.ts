import type { Attempt } from './journal.ts';

/** All that is known at the end of a run. */
export interface History {
  /** Ids of all records that Mimecast has served in a whole answer. */
  readonly served: ReadonlySet<string>;
  /** Ids of records that Mimecast shows and nobody has read. */
  readonly unread: ReadonlySet<string>;
  /** JSON texts of malformed records that were served once all faults were over, and those that the store has kept. */
  readonly malformed: { readonly served: readonly string[]; readonly kept: readonly string[] };
  /** Each start of the daemon, in order; the first is life 1. */
  readonly lives: readonly Life[];
  readonly outputs: readonly OutputHistory[];
}

/** One start of the daemon. */
export interface Life {
  /**
   * The life whose store it began with, whole: usually the one before. An older one after a backup was put back or the write-ahead log
   * was cut: what came between is forgotten, and may come again. Undefined: an empty store.
   */
  readonly parent: number | undefined;
}

export interface OutputHistory {
  readonly name: string;
  /** The most events of a batch: the bound of what one failure or crash may repeat. */
  readonly batch: number;
  /** In the order in which they came. */
  readonly attempts: readonly Attempt[];
  /** Ids of those that the filter lets through. */
  readonly wanted: ReadonlySet<string>;
  /** The store's rejects of this output, as they are listed. */
  readonly rejects: readonly string[];
  /** Is this id one that the receiver refuses for good? */
  readonly refuses: (id: string) => boolean;
  /** When the receiver was ended by force, ms since 1970: what it said just before may not have been heard. */
  readonly receiverEnds: readonly number[];
}

/** Something that the promises do not allow, in a line for people. */
export type Violation = string;

/** How much came again. */
export interface Doubles {
  readonly total: number;
  /** Those of the total that came again because the store had been put back to an older state. */
  readonly afterOlderStore: number;
  /** Different events that one life of the daemon sent again although its store had known an earlier life that sent them. */
  readonly mostAfterOneCrash: number;
  /** The same inside a life: what one attempt brought again after another had failed. */
  readonly mostAfterOneFailure: number;
}

/** What became, at one output, of the records that Mimecast served, and of nothing else. */
export interface Account {
  readonly name: string;
  readonly delivered: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly lost: number;
  /** Events that came more than once, each time counted after the first. */
  readonly doubled: number;
}

export interface Verdict {
  readonly accounts: readonly Account[];
  readonly violations: readonly Violation[];
  /** Events that should be at an output and are not, of all outputs together. */
  readonly losses: number;
  readonly doubles: Doubles;
}

/**
 * An acknowledgement counts as heard when it came well within the sender's patience (10 s) and the receiver lived on for a while. After
 * one that was heard, the same life may not send the same event again.
 */
const SURELY_IN_TIME_MS = 2500;
const SURELY_HEARD_MS = 500;

/**
 * Conservation: for each output, every record that Mimecast served is delivered, a reject, or filtered out; nothing else is there;
 * and what came twice came after a failure or a crash, a batch of it at most. Pure.
 */
export function judge(history: History): Verdict {
  const outputs = history.outputs.map((output) => judgeOutput(output, history));
  const violations = [...collectingViolations(history), ...outputs.flatMap((output) => output.violations)];
  const doubles = outputs.map((output) => output.doubles);
  return {
    accounts: outputs.map(({ account }) => account),
    violations,
    losses: outputs.reduce((sum, { account }) => sum + account.lost, 0) + history.unread.size,
    doubles: {
      total: doubles.reduce((sum, { total }) => sum + total, 0),
      afterOlderStore: doubles.reduce((sum, { afterOlderStore }) => sum + afterOlderStore, 0),
      mostAfterOneCrash: Math.max(0, ...doubles.map(({ mostAfterOneCrash }) => mostAfterOneCrash)),
      mostAfterOneFailure: Math.max(0, ...doubles.map(({ mostAfterOneFailure }) => mostAfterOneFailure)),
    },
  };
}

function collectingViolations({ unread, malformed }: History): Violation[] {
  const kept = new Set(malformed.kept);
  const dropped = malformed.served.filter((text) => !kept.has(text));
  return [
    ...unless(unread.size === 0, `collecting: ${unread.size} records were never read (${sample([...unread])})`),
    ...unless(dropped.length === 0, `collecting: ${dropped.length} malformed records were not kept (${dropped[0]})`),
  ];
}

interface OutputVerdict {
  readonly account: Account;
  readonly violations: readonly Violation[];
  readonly doubles: Doubles;
}

function judgeOutput(output: OutputHistory, history: History): OutputVerdict {
  const { name, attempts, wanted, rejects, refuses } = output;
  const delivered = new Set(attempts.flatMap(({ ids }) => ids));
  const rejected = new Set(rejects);
  const known = new Set([...history.served, ...history.unread]);
  const missing = [...history.served].filter((id) => wanted.has(id) && !delivered.has(id) && !rejected.has(id));
  const madeUp = [...delivered, ...rejected].filter((id) => !known.has(id));
  const unfiltered = [...delivered].filter((id) => known.has(id) && !wanted.has(id));
  const wronglyRejected = [...rejected].filter((id) => known.has(id) && !(refuses(id) && wanted.has(id)));
  const say = (ids: readonly string[], what: string): Violation[] =>
    unless(ids.length === 0, `${name}: ${ids.length} ${what} (${sample(ids)})`);
  const doubles = doublesOf(output, history.lives);
  const served = [...history.served];
  return {
    account: {
      name,
      delivered: served.filter((id) => delivered.has(id)).length,
      rejected: served.filter((id) => rejected.has(id) && !delivered.has(id)).length,
      filtered: served.filter((id) => !wanted.has(id)).length,
      lost: missing.length,
      doubled: doubles.total,
    },
    violations: [
      ...say(missing, 'events are missing'),
      ...say(madeUp, 'events are made up'),
      ...say(unfiltered, 'events came past the filter'),
      ...say(wronglyRejected, 'rejects that the receiver never refused'),
      ...say(repeatedIn(rejects), 'rejects are listed twice'),
      ...doubles.violations,
    ],
    doubles,
  };
}

function doublesOf(output: OutputHistory, lives: readonly Life[]): Doubles & { readonly violations: Violation[] } {
  const violations: Violation[] = [];
  let mostAfterOneFailure = 0;
  let mostAfterOneCrash = 0;
  let afterOlderStore = 0;
  const earlier = new Set<string>();
  for (const [index, life] of lives.entries()) {
    const own = output.attempts.filter((attempt) => attempt.life === index + 1);
    const inside = repeatsInLife(output, own);
    violations.push(...inside.violations);
    mostAfterOneFailure = Math.max(mostAfterOneFailure, inside.most);
    const known = idsOfAncestors(output, lives, life);
    const sent = new Set(own.flatMap(({ ids }) => ids));
    const again = new Set([...sent].filter((id) => known.has(id)));
    afterOlderStore += [...sent].filter((id) => earlier.has(id) && !known.has(id)).length;
    for (const id of sent) earlier.add(id);
    mostAfterOneCrash = Math.max(mostAfterOneCrash, again.size);
    violations.push(
      ...unless(
        again.size <= output.batch,
        `${output.name}: life ${index + 1} sent ${again.size} events again that its store had seen sent, allowed are ${output.batch}`,
      ),
    );
  }
  const all = output.attempts.flatMap(({ ids }) => ids);
  return { total: all.length - new Set(all).size, afterOlderStore, mostAfterOneCrash, mostAfterOneFailure, violations };
}

/** Inside a life only an attempt that failed may be repeated, by a batch at most. */
function repeatsInLife(
  output: OutputHistory,
  attempts: readonly Attempt[],
): { readonly most: number; readonly violations: Violation[] } {
  const violations: Violation[] = [];
  const sent = new Set<string>();
  const settled = new Set<string>();
  let most = 0;
  for (const attempt of attempts) {
    const { name, ids } = attempt;
    const twice = repeatedIn(ids);
    const again = new Set(ids.filter((id) => sent.has(id)));
    const needless = [...again].filter((id) => settled.has(id));
    most = Math.max(most, again.size);
    const where = `${output.name}: attempt ${name}`;
    violations.push(
      ...unless(twice.length === 0, `${where} brought ${twice.length} events twice (${sample(twice)})`),
      ...unless(again.size <= output.batch, `${where} repeated ${again.size} events, allowed are ${output.batch}`),
      ...unless(
        needless.length === 0,
        `${where} repeated ${needless.length} events that had been confirmed to the same life (${sample(needless)})`,
      ),
    );
    for (const id of ids) sent.add(id);
    if (wasHeard(attempt, output)) for (const id of ids) settled.add(id);
  }
  return { most, violations };
}

function wasHeard({ confirmed }: Attempt, { receiverEnds }: OutputHistory): boolean {
  if (confirmed === undefined || confirmed.after > SURELY_IN_TIME_MS) return false;
  return receiverEnds.every((end) => end < confirmed.at || end > confirmed.at + SURELY_HEARD_MS);
}

/** What the store that a life began with had seen sent. */
function idsOfAncestors(output: OutputHistory, lives: readonly Life[], life: Life): Set<string> {
  const ancestors = new Set<number>();
  for (let { parent } = life; parent !== undefined; parent = lives[parent - 1]?.parent) ancestors.add(parent);
  return new Set(output.attempts.filter((attempt) => ancestors.has(attempt.life)).flatMap(({ ids }) => ids));
}

function repeatedIn(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => {
    const again = seen.has(id);
    seen.add(id);
    return again;
  });
}

function unless(holds: boolean, violation: Violation): Violation[] {
  return holds ? [] : [violation];
}

function sample(ids: readonly string[]): string {
  return ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, …` : ids.join(', ');
}
