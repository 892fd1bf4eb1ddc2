import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Archive, type Position } from '../../src/simulate/archive.ts';

const always = () => Number.NEGATIVE_INFINITY;

describe('Archive', () => {
  test('pages in either direction show exactly the visible records of the range, in order, whatever was added when', () => {
    const batch = fc.record({
      seconds: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }),
      generated: fc.boolean(),
      visibleAt: fc.integer({ min: 0, max: 100 }),
    });
    const scenario = fc.record({
      batches: fc.array(batch, { maxLength: 6 }),
      from: fc.integer({ min: 0, max: 30 }),
      to: fc.integer({ min: 0, max: 30 }),
      at: fc.integer({ min: 0, max: 100 }),
      limit: fc.integer({ min: 1, max: 7 }),
      oldestFirst: fc.boolean(),
    });
    fc.assert(
      fc.property(scenario, ({ batches, from, to, at, limit, oldestFirst }) => {
        const archive = new Archive('seed');
        const model: { second: number; serial: number; visibleAt: number }[] = [];
        let [added, generated] = [0, 0];
        for (const { seconds, generated: isGenerated, visibleAt } of batches) {
          const sorted = seconds.toSorted((a, b) => a - b);
          if (isGenerated) {
            // Rows of one mail take the second of its first row; the model is told which seconds that gives.
            archive.generate(
              sorted.length,
              (k) => (sorted[k] ?? 0) * 1000,
              (ms) => {
                model.push({ second: ms / 1000, serial: generated * 2, visibleAt });
                generated += 1;
                return visibleAt;
              },
            );
          } else {
            for (const second of seconds) {
              archive.add({ second }, second, visibleAt);
              model.push({ second, serial: added * 2 + 1, visibleAt });
              added += 1;
            }
          }
        }
        const visible = model.filter((one) => one.visibleAt <= at && one.second >= from && one.second <= to);
        const expected = visible.toSorted((a, b) => a.second - b.second || a.serial - b.serial);
        if (!oldestFirst) expected.reverse();

        const got: Position[] = [];
        for (let more = true; more; ) {
          const slice = archive.slice({ from, to, at, limit, oldestFirst, after: got.at(-1) });
          got.push(...slice.entries.map((entry) => entry.position));
          if (slice.more) expect(slice.entries.length).toBe(limit);
          more = slice.more;
        }
        expect(got).toEqual(expected.map(({ second, serial }) => ({ second, serial })));
        expect(archive.count(from, to, at)).toBe(expected.length);
      }),
      { numRuns: 300 },
    );
  });

  test('a record that surfaces behind a walk is not in it, one ahead of it is', () => {
    const archive = new Archive('seed');
    for (const second of [10, 20, 30]) archive.add({ second }, second, 0);
    const query = { from: 0, to: 100, at: 5, limit: 1, oldestFirst: true };
    const first = archive.slice({ ...query, limit: 2, after: undefined });
    archive.add({ second: 15 }, 15, 5);
    archive.add({ second: 25 }, 25, 5);
    const rest = archive.slice({ ...query, limit: 9, after: first.entries.at(-1)?.position });
    expect(rest.entries.map((entry) => entry.position.second)).toEqual([25, 30]);
  });

  test('a filter on fields looks past the rows that do not match, and knows whether another one follows', () => {
    const archive = new Archive('seed');
    for (let second = 0; second < 20; second += 1) archive.add({ odd: second % 2 === 1 }, second, 0);
    const query = { from: 0, to: 100, at: 0, oldestFirst: true, after: undefined };
    const matches = (content: Readonly<Record<string, unknown>>) => content.odd === true;
    expect(archive.slice({ ...query, limit: 10, matches })).toMatchObject({ more: false });
    expect(archive.slice({ ...query, limit: 9, matches })).toMatchObject({ more: true });
  });

  test('tells only the records that are wanted', () => {
    const archive = new Archive('seed');
    archive.generate(50, (k) => k * 1000, always);
    expect([...archive.visible(0, (serial) => serial === 20 || serial === 40)]).toHaveLength(2);
  });
});
