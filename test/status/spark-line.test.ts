import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCKS, sparkAxis, sparkLine } from '../../src/status/spark-line.ts';
import { at, DAY, HOUR, MINUTE, NOW } from './snapshots.ts';
import { feedTimeline, hoursBefore, OFFICE, outputTimeline, stepsOf } from './timelines.ts';

const SPAN = { from: NOW - DAY, until: NOW };
const { unicode, ascii } = BLOCKS;

describe('a spark line', () => {
  it('is the rate of each hour on a scale of its own', () => {
    expect(sparkLine(feedTimeline(), SPAN, 24, unicode)).toBe('▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█');
    const tenfold = outputTimeline({ steps: stepsOf(OFFICE.map((rate) => rate * 10)) });
    expect(sparkLine(tenfold, SPAN, 24, unicode)).toBe(sparkLine(outputTimeline(), SPAN, 24, unicode));
  });

  it('speaks ASCII', () => {
    expect(sparkLine(feedTimeline(), SPAN, 24, ascii)).toMatch(/^[.:\-=#]{24}$/);
  });

  it('is crossed in the hours of a gap, and of a failure that lasted', () => {
    const gap = { kind: 'gap' as const, from: hoursBefore(NOW, 3), until: hoursBefore(NOW, 3) + MINUTE };
    expect(sparkLine(feedTimeline({ unread: [gap] }), SPAN, 24, unicode)[21]).toBe('×');
    const lasting = { from: NOW - 100 * MINUTE, until: null, reason: 'auth' };
    expect(sparkLine(outputTimeline({ failures: [lasting] }), SPAN, 24, unicode).slice(-3)).toBe('▄××');
  });

  it('is not crossed by a failure that was over within the grace', () => {
    const short = { from: NOW - HOUR, until: NOW - HOUR + 4 * MINUTE, reason: 'timeout' };
    expect(sparkLine(outputTimeline({ failures: [short] }), SPAN, 24, unicode)).not.toContain('×');
    const long = { ...short, until: NOW - HOUR + 5 * MINUTE };
    expect(sparkLine(outputTimeline({ failures: [long] }), SPAN, 24, unicode)[23]).toBe('×');
  });

  it('is empty where no daemon ran, and low where nothing came', () => {
    const half = outputTimeline({ steps: stepsOf([...OFFICE.slice(0, 12).map(() => null), ...OFFICE.slice(12)]) });
    expect(sparkLine(half, SPAN, 24, unicode).slice(0, 12)).toBe(' '.repeat(12));
    expect(sparkLine(outputTimeline({ steps: stepsOf([0]) }), SPAN, 24, unicode)).toBe('▁'.repeat(24));
  });

  it('has a character for each cell, whatever the steps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.nat()), { maxLength: 400 }),
        fc.integer({ min: 1, max: 60 }),
        (rates, cells) => {
          const steps = rates.map((perMinute) => ({ perMinute, waiting: null }));
          expect([...sparkLine(outputTimeline({ steps }), SPAN, cells, unicode)]).toHaveLength(cells);
        },
      ),
    );
  });
});

describe('the axis above spark lines', () => {
  it('names the hours of a day', () => {
    expect(sparkAxis({ span: '24h', ...SPAN }, 24)).toBe('10:00      22:00     now');
    const until = at('15:47:08');
    expect(sparkAxis({ span: '24h', from: until - DAY, until }, 24)).toBe('16:00      04:00     now');
  });

  it('names the days of a week', () => {
    expect(sparkAxis({ span: '7d', from: NOW - 7 * DAY, until: NOW }, 28)).toBe('16 Nov       19 Nov      now');
    expect(sparkAxis({ span: '7d', from: NOW - 7 * DAY, until: NOW }, 24)).toHaveLength(24);
  });
});
