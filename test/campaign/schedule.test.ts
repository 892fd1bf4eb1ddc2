import { describe, expect, it } from 'vitest';
import { FAULT_SUMMARIES, parseFaults } from '../../src/simulate/faults.ts';
import { CLASSES } from './fault-classes.ts';
import { LATE_MAIL_MS, OVERLAP_MS, planOf, ZONES } from './schedule.ts';

describe('the schedule of a campaign', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planOf('17', 40)).toEqual(planOf('17', 40));
    expect(planOf('17', 40).faults).not.toEqual(planOf('18', 40).faults);
  });

  it('is in the order of time', () => {
    const times = planOf('3', 400).faults.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  it('draws every class of faults, and every fault of the API that the simulator has', () => {
    const { faults } = planOf('1', 2000);
    const drawn = new Set(faults.flatMap(({ classes }) => classes));
    expect([...drawn].sort()).toEqual(CLASSES.map(({ name }) => name).sort());
    const ofApi = faults.flatMap(({ fault }) => (fault.does === 'api' ? parseFaults(fault.faults) : []));
    expect(new Set(ofApi.map(({ name }) => name))).toEqual(new Set(FAULT_SUMMARIES.map(([name]) => name)));
  });

  it('speaks TLS where a fault of TLS is to strike', () => {
    const plans = Array.from({ length: 300 }, (_, seed) => planOf(String(seed), 10));
    const isOfTls = (name: string) => /TLS|certificate/.test(name);
    const wanting = plans.filter(({ faults }) => faults.some(({ classes }) => classes.some(isOfTls)));
    expect(wanting.length).toBeGreaterThan(50);
    expect(wanting.filter(({ tls }) => !tls)).toEqual([]);
    expect(plans.filter(({ tls }) => !tls).length).toBeGreaterThan(50);
  });

  it('knows when clocks are put forward and back', () => {
    for (const { name, change } of ZONES) {
      expect(hourOf(name, change - 60_000) + 1 / 60, name).not.toBeCloseTo(hourOf(name, change));
    }
  });

  it('shows no record so late that polling could not find it', () => {
    const slack = 4000;
    expect(LATE_MAIL_MS + slack).toBeLessThan(OVERLAP_MS);
  });
});

/** What a clock on the wall shows, in hours. */
function hourOf(timeZone: string, ms: number): number {
  const text = new Date(ms).toLocaleTimeString('en-GB', { timeZone });
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours + minutes / 60;
}
