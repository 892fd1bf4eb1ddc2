import { UsageError } from '../errors.ts';
import { parseDuration } from '../options.ts';

/** What each fault does, and which settings it takes besides a schedule. `by` is a duration; the number is its default in ms. */
const FAULT_TABLE = {
  '429': { does: 'over quota; `by` is the wait in X-RateLimit-Reset', by: 1000, on: true },
  '401': { does: 'a spurious 401 that goes away by itself', on: true },
  '5xx': { does: '500, 502, 503 or 504, drawn by the seed', on: true },
  cut: { does: 'the body ends half-way and the connection closes', on: true },
  html: { does: 'a proxy page of HTML with status 200', on: true },
  reset: { does: 'the connection is reset before an answer', on: true },
  slow: { does: 'the answer comes `by` later', by: 5000, on: true },
  'empty-body': { does: 'status 400 with nothing in it', on: true },
  forbidden: { does: '403 app_forbidden: the product is not on the app' },
  'token-expiry': { does: 'the bearer token that was sent has just expired' },
  'page-token-expiry': { does: 'the page token that was sent has just expired' },
  'fail-in-200': { does: 'status 200 with an error in the fail array' },
  'status-in-200': { does: 'HTTP 200 with meta.status 500' },
  'empty-with-next': { does: 'an empty page whose `next` leads on; with at=end only when all was read', at: true },
  'repeated-next': { does: '`next` is the token just used; with at=end only on the last page', at: true },
  'duplicate-pages': { does: 'the second half of the page comes again at the head of the next one' },
  shuffle: { does: 'records of one second change places' },
  'malformed-record': {
    does: 'one record more, that is none: without a date, a number, null, or with a date in words',
  },
  'refuse-future': { does: 'a `to` later than the clock of the API is refused' },
  late: { does: 'a record surfaces `by` after its date (counts records, not requests)', by: 60_000 },
  'clock-skew': {
    does: 'the clock of the API is `by` ahead of yours, or behind with by=-90s',
    by: 300_000,
    constant: true,
  },
} as const satisfies Record<string, FaultTraits>;

interface FaultTraits {
  readonly does: string;
  readonly by?: number;
  readonly on?: true;
  readonly at?: true;
  /** A state, not a happening: takes no schedule. */
  readonly constant?: true;
}

export type FaultName = keyof typeof FAULT_TABLE;

/**
 * Something that goes wrong on purpose. It happens each time that all of its conditions hold; without one, each time.
 * What is counted are the requests that the fault could apply to: page-token-expiry counts only requests with a page token.
 */
export interface Fault {
  readonly name: FaultName;
  /** Probability from 0 to 1, drawn by the simulator's seed. */
  readonly p?: number;
  /** Every n-th request. */
  readonly every?: number;
  /** Only among the first n requests. */
  readonly first?: number;
  /** At most n times. */
  readonly count?: number;
  /** How much, in ms. */
  readonly by?: number;
  /** Which call: the logs (default), the token, or either. */
  readonly on?: 'logs' | 'token' | 'any';
  /** Anywhere in a walk (default), or only where it ends. */
  readonly at?: 'any' | 'end';
}

/** All faults, a line each, for the help of a command. */
export const FAULT_SUMMARIES: readonly (readonly [name: string, does: string])[] = Object.entries(FAULT_TABLE).map(
  ([name, { does }]) => [name, does] as const,
);

/** The fault's `by`, ms, or its default. */
export function amountOf(fault: Fault): number {
  const traits: FaultTraits = FAULT_TABLE[fault.name];
  return fault.by ?? traits.by ?? 0;
}

/**
 * Faults of `429:every=7,5xx:p=0.02,late:p=0.1,by=90s`: names with settings, parted by commas.
 * Throws a `UsageError` that names the part which is wrong.
 */
export function parseFaults(text: string): Fault[] {
  const groups: string[][] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const current = groups.at(-1);
    const isSetting = !part.includes(':') && part.includes('=');
    if (!isSetting) groups.push(cutAt(part, ':'));
    else if (current) current.push(part);
    else throw new UsageError(`faults: "${part}" comes before any fault`, 'Name the fault first, as in 429:every=7.');
  }
  return groups.map(([name = '', ...settings]) => parseFault(name, settings));
}

function parseFault(name: string, settings: readonly string[]): Fault {
  if (!isFaultName(name)) {
    throw new UsageError(`faults: there is no fault "${name}"`, `Known are: ${Object.keys(FAULT_TABLE).join(', ')}.`);
  }
  const traits: FaultTraits = FAULT_TABLE[name];
  const fault: Record<string, unknown> = { name };
  for (const setting of settings) {
    const [key = '', value = ''] = cutAt(setting, '=');
    const parse = settingParsers(traits)[key];
    if (!parse) {
      const known = Object.keys(settingParsers(traits)).join(', ');
      throw new UsageError(`faults: ${name} has no setting "${key}"`, `It takes: ${known}.`);
    }
    if (key in fault) throw new UsageError(`faults: ${name} is given "${key}" twice`);
    const parsed = parse.read(value);
    if (parsed === undefined) throw new UsageError(`faults: ${name}: "${setting}" should be ${key}=${parse.expected}`);
    fault[key] = parsed;
  }
  return fault as unknown as Fault;
}

/** The text before the first `mark` and the text behind it, if there is a mark. */
function cutAt(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

interface SettingParser {
  readonly expected: string;
  read(value: string): number | string | undefined;
}

const PROBABILITY: SettingParser = {
  expected: '<a number from 0 to 1>',
  read: (value) => (/^(0(\.\d+)?|1(\.0+)?|\.\d+)$/.test(value) ? Number(value) : undefined),
};
const WHOLE_NUMBER: SettingParser = {
  expected: '<a whole number from 1>',
  read: (value) => (/^[1-9]\d*$/.test(value) ? Number(value) : undefined),
};
const DURATION: SettingParser = { expected: '<a duration such as 500ms, 90s or 5m>', read: parseDuration };
const SIGNED_DURATION: SettingParser = {
  expected: '<a duration such as 90s or -5m>',
  read: (value) => {
    const size = parseDuration(value.replace(/^[+-]/, ''));
    return size !== undefined && value.startsWith('-') ? -size : size;
  },
};

function oneOf(...choices: readonly string[]): SettingParser {
  return { expected: choices.join('|'), read: (value) => (choices.includes(value) ? value : undefined) };
}

function settingParsers(traits: FaultTraits): Readonly<Record<string, SettingParser>> {
  if (traits.constant) return { by: SIGNED_DURATION };
  return {
    p: PROBABILITY,
    every: WHOLE_NUMBER,
    first: WHOLE_NUMBER,
    count: WHOLE_NUMBER,
    ...(traits.by === undefined ? {} : { by: DURATION }),
    ...(traits.on ? { on: oneOf('logs', 'token', 'any') } : {}),
    ...(traits.at ? { at: oneOf('any', 'end') } : {}),
  };
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULT_TABLE, name);
}
