import { Draws } from '../../src/simulate/draws.ts';
import type { Fault } from './fault.ts';
import { CLASSES, type FaultClass, SAME_SECOND, type Target } from './fault-classes.ts';

/** Mail that arrives: dated over the last `age` ms, shown at once. `age` 0: all in one second. */
export interface Mail {
  readonly count: number;
  readonly age: number;
}

/** One fault of a plan. */
export interface Planned {
  /** Not before so many ms after the beginning; and not before an earlier fault of the same target has ended. */
  readonly at: number;
  /** What lasts lasts so long at least, ms; and until it has struck. */
  readonly hold: number;
  readonly target: Target;
  /** What is to be seen to strike: names of `CLASSES`. Two where a fault of the API comes with another. */
  readonly classes: readonly string[];
  readonly fault: Fault;
  readonly mail: Mail;
}

/** A time zone whose clocks are put forward or back at `change`, ms since 1970. */
export interface Zone {
  readonly name: string;
  readonly change: number;
}

export interface Plan {
  /** The daemon lives in this zone, and the run begins shortly before the change; undefined: UTC, today. */
  readonly zone: Zone | undefined;
  /** Does the syslog output that is confirmed by close speak TLS? */
  readonly tls: boolean;
  readonly faults: readonly Planned[];
}

/** Both changes of three zones; the last one moves by half an hour. The tests compare them with ICU. */
export const ZONES: readonly [Zone, ...Zone[]] = [
  { name: 'Europe/Vienna', change: Date.UTC(2026, 2, 29, 1) },
  { name: 'Europe/Vienna', change: Date.UTC(2026, 9, 25, 1) },
  { name: 'America/New_York', change: Date.UTC(2026, 2, 8, 7) },
  { name: 'America/New_York', change: Date.UTC(2026, 10, 1, 6) },
  { name: 'Australia/Lord_Howe', change: Date.UTC(2026, 3, 4, 15) },
  { name: 'Australia/Lord_Howe', change: Date.UTC(2026, 9, 3, 15, 30) },
];

/** How far behind its date a record may surface and still be found by polling: the feed's `overlap`. ms. */
export const OVERLAP_MS = 12_000;
/**
 * The oldest date of new mail. What is left of the overlap is for clocks of the API that are wrong by up to four seconds, and are
 * believed for a while.
 */
export const LATE_MAIL_MS = 5000;
/** The most between two faults, ms. */
const GAP_MS = 600;
const LONGEST_HOLD_MS = 600;

/**
 * A run's whole schedule, from its seed alone: so many faults, drawn from all classes, which overlap as it falls, with mail between them.
 * Pure: the same seed gives the same plan, though the machine decides what each fault meets.
 */
export function planOf(seed: string, count: number): Plan {
  const draws = new Draws(`campaign:${seed}`);
  const zone = draws.below(4) === 0 ? draws.pick(ZONES) : undefined;
  let at = 0;
  const faults = Array.from({ length: count }, (): Planned => {
    at += draws.below(GAP_MS);
    return { at, ...drawn(draws) };
  });
  const needsTls = faults.some(({ fault }) => usesTls(fault));
  return { zone, tls: needsTls || draws.below(2) === 0, faults };
}

function drawn(draws: Draws): Omit<Planned, 'at'> {
  const one = drawnClass(draws, CLASSES);
  const fault = one.fault(draws);
  const shared = {
    target: one.targetOf(fault, draws),
    hold: 50 + draws.below(LONGEST_HOLD_MS),
    mail: drawnMail(draws),
  };
  // In any order, and together: every second fault of the API has another one beside it.
  const other = fault.does === 'api' && draws.below(2) === 0 ? drawnClass(draws, API_CLASSES) : undefined;
  const added = other?.fault(draws);
  if (fault.does !== 'api' || added?.does !== 'api' || !other || other === one)
    return { ...shared, classes: [one.name], fault };
  return {
    ...shared,
    classes: [one.name, other.name],
    fault: { does: 'api', faults: `${fault.faults},${added.faults}` },
  };
}

const API_CLASSES = CLASSES.filter(({ name }) => name.startsWith('API '));

function drawnClass(draws: Draws, classes: readonly FaultClass[]): FaultClass {
  let left = draws.below(classes.reduce((sum, { weight }) => sum + weight, 0));
  for (const one of classes) {
    left -= one.weight;
    if (left < 0) return one;
  }
  throw new RangeError('the weights do not add up');
}

function drawnMail(draws: Draws): Mail {
  const age = draws.pick([0, 1000, LATE_MAIL_MS]);
  // More than a page of them, so that a page ends in the middle of a second.
  return { age, count: (age === 0 ? SAME_SECOND : 10) + draws.below(30) };
}

function usesTls(fault: Fault): boolean {
  if (fault.does === 'rotate-certificate') return true;
  return fault.does === 'manner' && (fault.manner === 'alerts' || fault.manner === 'expired');
}
