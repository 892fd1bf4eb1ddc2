import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { FaultInjector } from '../../src/simulate/fault-injector.ts';
import { amountOf, FAULT_SUMMARIES, type Fault, type FaultName, parseFaults } from '../../src/simulate/faults.ts';

describe('parseFaults', () => {
  test('reads the example of the help', () => {
    expect(parseFaults('429:every=7,5xx:p=0.02,late:p=0.1,by=90s')).toEqual([
      { name: '429', every: 7 },
      { name: '5xx', p: 0.02 },
      { name: 'late', p: 0.1, by: 90_000 },
    ]);
  });

  test('takes names alone, blanks, signs and nothing at all', () => {
    expect(parseFaults('')).toEqual([]);
    expect(parseFaults(' forbidden , clock-skew:by=-5m,cut:first=2,on=any')).toEqual([
      { name: 'forbidden' },
      { name: 'clock-skew', by: -300_000 },
      { name: 'cut', first: 2, on: 'any' },
    ]);
  });

  test.each([
    ['flood', 'no fault "flood"'],
    ['429:every=0', '"every=0" should be every=<a whole number from 1>'],
    ['429:p=2', 'should be p=<a number from 0 to 1>'],
    ['429:p=', 'should be p='],
    ['429:p=0.1,p=0.2', 'given "p" twice'],
    ['shuffle:by=5s', 'shuffle has no setting "by"'],
    ['slow:by=5', 'should be by=<a duration'],
    ['clock-skew:p=0.5', 'clock-skew has no setting "p"'],
    ['cut:on=both', 'should be on=logs|token|any'],
    ['every=3,429', '"every=3" comes before any fault'],
    ['429:', '429 has no setting ""'],
    ['429:every=7:x', 'should be every='],
    ['429:p=0.1=2', 'should be p='],
  ])('%s is refused: %s', (text, reason) => {
    expect(() => parseFaults(text)).toThrow(UsageError);
    expect(() => parseFaults(text)).toThrow(reason);
  });

  test('reads back every fault that the help lists', () => {
    for (const [name] of FAULT_SUMMARIES) expect(parseFaults(name)).toEqual([{ name }]);
  });

  test('gives an amount to the faults that need one', () => {
    expect(amountOf({ name: '429' })).toBe(1000);
    expect(amountOf({ name: '429', by: 20 })).toBe(20);
  });
});

describe('FaultInjector', () => {
  function strikes(fault: Omit<Fault, 'name'>, occasions = 30, seed = 'seed'): number[] {
    const injector = new FaultInjector(seed, () => {});
    injector.inject([{ name: '5xx', ...fault }]);
    const numbers = Array.from({ length: occasions }, (_, index) => index + 1);
    return numbers.filter(() => injector.strike('5xx', { call: 'logs' }));
  }

  test('follows the schedules', () => {
    expect(strikes({ every: 7 })).toEqual([7, 14, 21, 28]);
    expect(strikes({ first: 3 })).toEqual([1, 2, 3]);
    expect(strikes({ every: 2, count: 2 })).toEqual([2, 4]);
    expect(strikes({})).toHaveLength(30);
    expect(strikes({ p: 0 })).toEqual([]);
  });

  test('draws the same row for the same seed, and about as often as it should', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        expect(strikes({ p: 0.3 }, 50, seed)).toEqual(strikes({ p: 0.3 }, 50, seed));
      }),
      { numRuns: 30 },
    );
    expect(strikes({ p: 0.3 }, 4000).length / 4000).toBeCloseTo(0.3, 1);
    expect(strikes({ p: 0.3 }, 50, 'a')).not.toEqual(strikes({ p: 0.3 }, 50, 'b'));
  });

  test('keeps to its call and place, and does not count others', () => {
    const injector = new FaultInjector('seed', () => {});
    injector.inject([
      { name: 'cut', on: 'token', every: 2 },
      { name: 'repeated-next', at: 'end' },
    ]);
    const calls = (['token', 'logs', 'logs', 'token'] as const).map((call) => injector.strike('cut', { call })?.name);
    expect(calls).toEqual([undefined, undefined, undefined, 'cut']);
    expect(injector.strike('repeated-next', { atEnd: false })).toBeUndefined();
    expect(injector.strike('repeated-next', { atEnd: true })).toBeDefined();
    expect(injector.byFault).toEqual({ cut: 1, 'repeated-next': 1 });
  });

  test('tells of each strike, and ends a fault when told to', () => {
    const told: FaultName[] = [];
    const injector = new FaultInjector('seed', (name) => told.push(name));
    injector.inject([{ name: 'cut' }, { name: 'reset' }, { name: 'clock-skew', by: 7 }]);
    injector.strike('cut');
    injector.clear('cut');
    expect(injector.strike('cut')).toBeUndefined();
    expect(told).toEqual(['cut']);
    expect(injector.clockSkew).toBe(7);
    injector.clear();
    expect(injector.clockSkew).toBe(0);
  });
});
