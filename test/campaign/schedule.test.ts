import { describe, expect, it } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import { FAULT_NAMES, planOf, type Step } from './schedule.ts';

describe('the schedule of a campaign', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planOf('17', 40)).toEqual(planOf('17', 40));
    expect(planOf('17', 40).steps).not.toEqual(planOf('18', 40).steps);
  });

  it('is in the order of time, and ends what lasts', () => {
    const { steps } = planOf('3', 400);
    expect(steps.map(({ at }) => at)).toEqual(steps.map(({ at }) => at).sort((one, other) => one - other));
    const count = (does: Step['does']) => steps.filter((step) => step.does === does).length;
    expect(count('resume-daemon')).toBe(count('pause-daemon'));
    expect(count('receiver-up')).toBe(count('receiver-down'));
    expect(count('disk-free')).toBe(count('disk-full'));
    expect(count('restore-credentials')).toBe(count('revoke-credentials'));
  });

  it('draws every kind of fault, and every class of the API that the simulator has', () => {
    const { byFault, steps } = planOf('1', 2000);
    expect(Object.keys(byFault).sort()).toEqual([...FAULT_NAMES].sort());
    const classes = new Set(
      steps.flatMap((step) => (step.does === 'api' ? parseFaults(step.faults).map(({ name }) => name) : [])),
    );
    expect(classes.size).toBe(21);
  });
});
