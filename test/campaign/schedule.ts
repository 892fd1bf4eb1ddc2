import { Draws } from '../../src/simulate/draws.ts';

/** The receivers of a campaign, by the name of their output. */
export const OUTPUTS = ['close', 'relp', 'hook'] as const;
export type OutputName = (typeof OUTPUTS)[number];

/**
 * How a receiver treats what comes: `well` · `breaks` takes a part and resets the connection, in the middle of a frame · `hangs` takes
 * all and never confirms (half-open) · `slow` reads in small bits · `turns away` takes nothing · `forgets` (HTTP) takes all, and the answer is lost.
 */
export const MANNERS = ['well', 'breaks', 'hangs', 'slow', 'turns away', 'forgets'] as const;
export type Manner = (typeof MANNERS)[number];
const BAD_MANNERS = ['breaks', 'hangs', 'slow', 'turns away', 'forgets'] as const satisfies readonly Manner[];

/** One thing that happens, at `at` ms after the beginning. What lasts has a beginning and an end of its own. */
export type Step = { readonly at: number } & Action;

export type Action =
  /** Mail arrives: dated over the last `age` ms, shown at once. `age` 0: all in one second. */
  | { readonly does: 'mail'; readonly count: number; readonly age: number }
  | { readonly does: 'kill' | 'terminate' | 'reload' | 'reload-broken' }
  | { readonly does: 'pause-daemon' | 'resume-daemon' }
  | { readonly does: 'pause-receiver' | 'resume-receiver' | 'restart-receiver'; readonly output: OutputName }
  | { readonly does: 'receiver-down' | 'receiver-up'; readonly output: OutputName }
  | { readonly does: 'manner'; readonly output: OutputName; readonly manner: Manner }
  /** Faults of the API, in the words of `simulate --faults`. */
  | { readonly does: 'api'; readonly faults: string }
  | { readonly does: 'api-well' }
  | { readonly does: 'revoke-credentials' | 'restore-credentials' }
  /** The daemon's wall clock is stepped to this much ahead of the machine's, ms. */
  | { readonly does: 'clock'; readonly ahead: number }
  /** All of the store's disk is taken, but for `left` bytes. */
  | { readonly does: 'disk-full'; readonly left: number }
  | { readonly does: 'disk-free' | 'disk-read-only' }
  /** Killed, and of the newest part of the write-ahead log this share is gone. */
  | { readonly does: 'cut-log'; readonly share: number }
  | { readonly does: 'backup' | 'put-backup-back' };

/** What the schedule draws from; `weight`: how often, to the others. */
interface Kind {
  readonly name: string;
  readonly weight: number;
  readonly steps: (draws: Draws, at: number) => Step[];
}

/** Each class of the simulator's faults. What fails every time also fails every retry, so most leave a chance. */
const API_FAULTS: readonly [string, ...string[]] = [
  '429:p=0.6,by=200ms,on=any',
  '401:p=0.5',
  '401:p=0.5,on=token',
  '5xx:p=0.6,on=any',
  'cut:p=0.6',
  'html:p=0.6',
  'reset:p=0.6,on=any',
  'slow:p=0.6,by=300ms',
  'empty-body:p=0.5',
  'forbidden:count=1',
  'token-expiry:every=2',
  'page-token-expiry:every=2',
  'fail-in-200:p=0.6',
  'status-in-200:p=0.6',
  'empty-with-next:p=0.5',
  'repeated-next:p=0.5',
  'duplicate-pages:p=0.7',
  'shuffle:p=0.7',
  'malformed-record:p=0.5',
  'refuse-future',
  'late:p=0.5,by=5s',
  'clock-skew:by=1s',
  'clock-skew:by=-1s',
  'clock-skew:by=5m',
];
/** How far behind its date a record may surface and still be found by polling: the feed's `overlap`. ms. */
export const OVERLAP_MS = 20_000;
/** The oldest date of new mail. With the clock of the API stepped back in between it must stay inside the overlap. */
const OLDEST_MAIL_MS = 12_000;
/** Steps of the wall clock, ms: a second, a zone, a day; there and back. */
const CLOCKS: readonly [number, ...number[]] = [1000, -1000, 3_600_000, -3_600_000, 86_400_000, -86_400_000];
const LONGEST_MS = 900;

const KINDS: readonly Kind[] = [
  { name: 'kill -9', weight: 5, steps: (_, at) => [{ at, does: 'kill' }] },
  { name: 'SIGTERM', weight: 2, steps: (_, at) => [{ at, does: 'terminate' }] },
  { name: 'SIGHUP', weight: 2, steps: (_, at) => [{ at, does: 'reload' }] },
  { name: 'SIGHUP, broken config', weight: 1, steps: (_, at) => [{ at, does: 'reload-broken' }] },
  {
    name: 'SIGSTOP of the daemon',
    weight: 2,
    steps: (draws, at) => [
      { at, does: 'pause-daemon' },
      { at: later(draws, at), does: 'resume-daemon' },
    ],
  },
  {
    name: 'SIGSTOP of a receiver',
    weight: 2,
    steps: (draws, at) => {
      const output = draws.pick(OUTPUTS);
      return [
        { at, does: 'pause-receiver', output },
        { at: later(draws, at), does: 'resume-receiver', output },
      ];
    },
  },
  {
    name: 'receiver restarted',
    weight: 2,
    steps: (draws, at) => [{ at, does: 'restart-receiver', output: draws.pick(OUTPUTS) }],
  },
  {
    name: 'receiver down',
    weight: 2,
    steps: (draws, at) => {
      const output = draws.pick(OUTPUTS);
      return [
        { at, does: 'receiver-down', output },
        { at: later(draws, at), does: 'receiver-up', output },
      ];
    },
  },
  {
    name: 'receiver misbehaves',
    weight: 6,
    steps: (draws, at) => {
      const output = draws.pick(OUTPUTS);
      const manner = draws.pick(BAD_MANNERS);
      return [
        { at, does: 'manner', output, manner },
        { at: later(draws, at), does: 'manner', output, manner: 'well' },
      ];
    },
  },
  {
    name: 'API fault',
    weight: 12,
    steps: (draws, at) => [
      { at, does: 'api', faults: [draws, draws, draws].map((each) => each.pick(API_FAULTS)).join() },
      { at: later(draws, at) + LONGEST_MS, does: 'api-well' },
    ],
  },
  {
    name: 'credentials revoked',
    weight: 1,
    steps: (draws, at) => [
      { at, does: 'revoke-credentials' },
      { at: later(draws, at), does: 'restore-credentials' },
    ],
  },
  {
    name: 'clock stepped',
    weight: 2,
    steps: (draws, at) => [
      { at, does: 'clock', ahead: draws.pick(CLOCKS) },
      { at: later(draws, at), does: 'clock', ahead: 0 },
    ],
  },
  {
    name: 'disk full',
    weight: 2,
    steps: (draws, at) => [
      { at, does: 'disk-full', left: draws.below(2 * 1024 * 1024) },
      { at: later(draws, at), does: 'disk-free' },
    ],
  },
  { name: 'disk read-only', weight: 1, steps: (_, at) => [{ at, does: 'disk-read-only' }] },
  { name: 'log cut', weight: 2, steps: (draws, at) => [{ at, does: 'cut-log', share: draws.fraction() }] },
  {
    name: 'backup put back',
    weight: 1,
    steps: (draws, at) => [
      { at, does: 'backup' },
      { at: later(draws, at) + LONGEST_MS, does: 'put-backup-back' },
    ],
  },
];

/** Names of all that can happen, for the summary. */
export const FAULT_NAMES: readonly string[] = KINDS.map(({ name }) => name);

export interface Plan {
  readonly steps: readonly Step[];
  /** How often each kind of fault is in it. */
  readonly byFault: Readonly<Record<string, number>>;
}

/**
 * A run's whole schedule, from its seed alone: so many faults, which overlap as it falls, with mail between them. Pure: the same seed
 * gives the same plan, though the machine decides what each step meets.
 */
export function planOf(seed: string, faults: number): Plan {
  const draws = new Draws(`campaign:${seed}`);
  const byFault: Record<string, number> = {};
  const steps: Step[] = [];
  let at = 0;
  for (let fault = 0; fault < faults; fault += 1) {
    steps.push({ at, does: 'mail', count: 10 + draws.below(90), age: draws.pick([0, 1000, OLDEST_MAIL_MS]) });
    at += draws.below(LONGEST_MS);
    const kind = drawn(draws);
    byFault[kind.name] = (byFault[kind.name] ?? 0) + 1;
    steps.push(...kind.steps(draws, at));
  }
  // Stable: what is due at the same moment stays in the order of the draws.
  return { steps: steps.sort((one, other) => one.at - other.at), byFault };
}

function drawn(draws: Draws): Kind {
  let left = draws.below(KINDS.reduce((sum, { weight }) => sum + weight, 0));
  for (const kind of KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw new RangeError('the weights do not add up');
}

function later(draws: Draws, at: number): number {
  return at + 100 + draws.below(LONGEST_MS);
}
