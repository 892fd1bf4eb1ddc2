import { describe, expect, it } from 'vitest';
import type { Attempt } from './journal.ts';
import { type History, judge, type Life, type OutputHistory } from './oracle.ts';

const BATCH = 4;
const IDS = Array.from({ length: 12 }, (_, index) => `e${index}`);
const REFUSED = 'e5';
const FILTERED = 'e7';

describe('the oracle of the campaign', () => {
  it('has nothing to say of a history in which every record is accounted for', () => {
    expect(judge(history())).toEqual({
      accounts: [{ name: 'siem', delivered: 10, rejected: 1, filtered: 1, lost: 0, doubled: 0 }],
      violations: [],
      losses: 0,
      doubles: { total: 0, afterOlderStore: 0, mostAfterOneCrash: 0, mostAfterOneFailure: 0 },
    });
  });

  it('finds one event that is missing at one output', () => {
    const verdict = judge(history({ attempts: attempts().map((one) => without(one, 'e9')) }));
    expect(verdict).toMatchObject({ violations: ['siem: 1 events are missing (e9)'], losses: 1 });
  });

  it('finds a refused event that was not kept as a reject', () => {
    expect(judge(history({ rejects: [] })).violations).toEqual(['siem: 1 events are missing (e5)']);
  });

  it('finds rejects that are listed twice, and those that nobody refused', () => {
    expect(judge(history({ rejects: [REFUSED, REFUSED, 'e1'] })).violations).toEqual([
      'siem: 1 rejects that the receiver never refused (e1)',
      'siem: 1 rejects are listed twice (e5)',
    ]);
  });

  it('finds an event that is made up, and one that came past the filter', () => {
    const extra = attempt({ name: 'x', ids: ['never-served', FILTERED] });
    expect(judge(history({ attempts: [...attempts(), extra] })).violations).toEqual([
      'siem: 1 events are made up (never-served)',
      'siem: 1 events came past the filter (e7)',
    ]);
  });

  it('finds a record that was never read, and a malformed one that was not kept', () => {
    const base = history();
    expect(judge({ ...base, unread: new Set(['late']) }).violations).toEqual([
      'collecting: 1 records were never read (late)',
    ]);
    const malformed = { served: ['null', '17'], kept: ['17'] };
    expect(judge({ ...base, malformed }).violations).toEqual(['collecting: 1 malformed records were not kept (null)']);
  });

  it('lets a batch that failed come again, and not one that was confirmed', () => {
    const again = attempt({ name: 'again', ids: ['e0', 'e1'] });
    const failed = attempts().map((one, index) => (index === 0 ? { ...one, confirmed: undefined } : one));
    expect(judge(history({ attempts: [...failed, again] }))).toMatchObject({
      violations: [],
      doubles: { total: 2, mostAfterOneFailure: 2 },
    });
    expect(judge(history({ attempts: [...attempts(), again] })).violations).toEqual([
      'siem: attempt again repeated 2 events that had been confirmed to the same life (e0, e1)',
    ]);
  });

  it('believes no confirmation that came late or just before the receiver ended', () => {
    const again = attempt({ name: 'again', ids: ['e0'] });
    const [first, ...others] = attempts();
    const late = { ...first, confirmed: { at: 1000, after: 4000 } } as Attempt;
    expect(judge(history({ attempts: [late, ...others, again] })).violations).toEqual([]);
    expect(judge(history({ attempts: [...attempts(), again], receiverEnds: [1100] })).violations).toEqual([]);
    expect(judge(history({ attempts: [...attempts(), again], receiverEnds: [9000] })).violations).toHaveLength(1);
  });

  it('allows a batch after a crash, and not one event more, however it is spread over attempts', () => {
    const lives = [{ parent: undefined }, { parent: 1 }];
    const second = (ids: string[], name: string) => attempt({ name, ids, life: 2 });
    const allowed = [...attempts(), second(['e0', 'e1'], 'a'), second(['e2', 'e3'], 'b')];
    expect(judge(history({ attempts: allowed }, lives))).toMatchObject({
      violations: [],
      doubles: { total: 4, mostAfterOneCrash: BATCH },
    });
    expect(judge(history({ attempts: [...allowed, second(['e4'], 'c')] }, lives)).violations).toEqual([
      'siem: life 2 sent 5 events again that its store had seen sent, allowed are 4',
    ]);
  });

  it('allows what an older store has forgotten to come again, and only that', () => {
    const all = attempts().flatMap(({ ids }) => ids);
    const again = (life: number, ids: readonly string[]) => attempt({ name: `again ${life}`, ids, life });
    const lives: Life[] = [{ parent: undefined }, { parent: undefined }];
    const chunks = [all.slice(0, 4), all.slice(4, 8), all.slice(8)];
    const repeated = chunks.map((ids, index) => ({ ...again(2, ids), name: `again ${index}` }));
    expect(judge(history({ attempts: [...attempts(), ...repeated] }, lives))).toMatchObject({
      violations: [],
      doubles: { total: all.length, afterOlderStore: all.length },
    });
    const remembering: Life[] = [{ parent: undefined }, { parent: 1 }];
    expect(judge(history({ attempts: [...attempts(), ...repeated] }, remembering)).violations).toHaveLength(1);
  });

  it('finds an event twice in one attempt, and an attempt that repeats more than a batch', () => {
    const twice = attempt({ name: 'twice', ids: ['e8', 'e8'] });
    const open = attempts().map((one) => ({ ...one, confirmed: undefined }));
    const rest = open.map((one) => without(one, 'e8'));
    expect(judge(history({ attempts: [...rest, twice] })).violations).toEqual([
      'siem: attempt twice brought 1 events twice (e8)',
    ]);
    const large = attempt({ name: 'large', ids: ['e0', 'e1', 'e2', 'e3', 'e4'] });
    expect(judge(history({ attempts: [...open, large] })).violations).toEqual([
      'siem: attempt large repeated 5 events, allowed are 4',
    ]);
  });
});

function history(output: Partial<OutputHistory> = {}, lives: readonly Life[] = [{ parent: undefined }]): History {
  return {
    served: new Set(IDS),
    unread: new Set(),
    malformed: { served: ['null'], kept: ['null', '17'] },
    lives,
    outputs: [
      {
        name: 'siem',
        batch: BATCH,
        attempts: attempts(),
        wanted: new Set(IDS.filter((id) => id !== FILTERED)),
        rejects: [REFUSED],
        refuses: (id) => id === REFUSED,
        receiverEnds: [],
        ...output,
      },
    ],
  };
}

/** All events but the refused and the filtered one, in three batches that were confirmed. */
function attempts(): Attempt[] {
  return [
    attempt({ name: '1', ids: ['e0', 'e1', 'e2', 'e3'] }),
    attempt({ name: '2', ids: ['e4', 'e6', 'e8'] }),
    attempt({ name: '3', ids: ['e9', 'e10', 'e11'] }),
  ];
}

function attempt(one: Partial<Attempt> & Pick<Attempt, 'name' | 'ids'>): Attempt {
  return { life: 1, refused: [], confirmed: { at: 1000, after: 5 }, ...one };
}

function without(one: Attempt, id: string): Attempt {
  return { ...one, ids: one.ids.filter((other) => other !== id) };
}
