import { Draws } from './draws.ts';
import { amountOf, type Fault, type FaultName } from './faults.ts';

/** Where a fault could happen; what it does not say, does not restrict. */
export interface Occasion {
  readonly call?: 'logs' | 'token';
  /** True where a walk ends. */
  readonly atEnd?: boolean;
}

/** Decides which fault happens when, the same way for the same seed and the same row of requests. */
export class FaultInjector {
  readonly #seed: string;
  readonly #byFault: Partial<Record<FaultName, number>> = {};
  readonly #onFire: (name: FaultName) => void;
  #schedules: Schedule[] = [];

  constructor(seed: string, onFire: (name: FaultName) => void) {
    this.#seed = seed;
    this.#onFire = onFire;
  }

  /** How often each fault has happened. */
  get byFault(): Readonly<Partial<Record<FaultName, number>>> {
    return this.#byFault;
  }

  /** How far the API's clock is ahead of the machine's, ms. */
  get clockSkew(): number {
    const skews = this.#schedules.filter((schedule) => schedule.fault.name === 'clock-skew');
    return skews.reduce((sum, { fault }) => sum + amountOf(fault), 0);
  }

  inject(faults: readonly Fault[]): void {
    this.#schedules.push(...faults.map((fault) => new Schedule(fault, this.#seed)));
  }

  /** Ends one fault, or all. */
  clear(name?: FaultName): void {
    this.#schedules = name === undefined ? [] : this.#schedules.filter((schedule) => schedule.fault.name !== name);
  }

  /** The fault of this name that happens now, if one does. Asking counts as one occasion. */
  strike(name: FaultName, occasion: Occasion = {}): Fault | undefined {
    const due = this.#schedules.filter(
      (schedule) => schedule.fault.name === name && schedule.appliesTo(occasion) && schedule.isDue(),
    );
    const fault = due[0]?.fault;
    if (!fault) return undefined;
    this.#byFault[name] = (this.#byFault[name] ?? 0) + 1;
    this.#onFire(name);
    return fault;
  }
}

class Schedule {
  readonly fault: Fault;
  readonly #draws: Draws;
  #seen = 0;
  #struck = 0;

  constructor(fault: Fault, seed: string) {
    this.fault = fault;
    this.#draws = new Draws(`${seed}:${fault.name}`);
  }

  appliesTo({ call, atEnd }: Occasion): boolean {
    const { on = 'logs', at = 'any' } = this.fault;
    const isCall = call === undefined || on === 'any' || on === call;
    return isCall && (at === 'any' || atEnd === true);
  }

  isDue(): boolean {
    const { p, every, first, count } = this.fault;
    this.#seen += 1;
    // Drawn on every occasion, so that the other conditions do not shift the row of draws.
    const drawn = this.#draws.fraction();
    const due =
      (p === undefined || drawn < p) &&
      (every === undefined || this.#seen % every === 0) &&
      (first === undefined || this.#seen <= first) &&
      (count === undefined || this.#struck < count);
    if (due) this.#struck += 1;
    return due;
  }
}
