import { afterEach, describe, expect, it, vi } from 'vitest';
import { Acknowledgements, type AskForAcks } from '../../../src/outputs/hec/acknowledgements.ts';
import { OutputError } from '../../../src/outputs/output.ts';

const running = new AbortController().signal;
const opened: Acknowledgements[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function open(ask: AskForAcks, { timeout = 5000, pollInterval = 2 } = {}): Acknowledgements {
  const acknowledgements = new Acknowledgements({ timeout, pollInterval }, 'https://splunk.example', ask);
  opened.push(acknowledgements);
  return acknowledgements;
}

/** An indexer that has indexed what stands in `indexed`, and remembers what it was asked. */
function indexer(indexed: Set<number>) {
  const questions: { readonly channel: string; readonly ids: readonly number[] }[] = [];
  const ask: AskForAcks = async (channel, ids) => {
    questions.push({ channel, ids });
    return ids.filter((id) => indexed.delete(id));
  };
  return { ask, questions };
}

/** Not to be mistaken for a time-out. */
const COUNTED_AGAIN = {
  status: 'rejected',
  reason: { reason: 'unconfirmed', disposition: 'retry', message: expect.stringContaining('begun to count') },
};

const error = (disposition: 'retry' | 'halt') => new OutputError('no', { reason: 'server', disposition, hint: 'why' });

describe('confirmed', () => {
  it('waits until the id is told, asking for all ids in one question', async () => {
    const indexed = new Set<number>();
    const { ask, questions } = indexer(indexed);
    const acknowledgements = open(ask);
    const done: number[] = [];
    const all = [0, 1, 2].map((id) =>
      acknowledgements.confirmed(acknowledgements.begin(), id, running).then(() => done.push(id)),
    );
    await vi.waitFor(() => expect(questions.length).toBeGreaterThan(3));
    expect(done).toEqual([]);
    expect(questions.every(({ ids }) => ids.join() === '0,1,2')).toBe(true);
    indexed.add(1);
    await vi.waitFor(() => expect(done).toEqual([1]));
    await vi.waitFor(() => expect(questions.at(-1)?.ids).toEqual([0, 2]));
    indexed.add(0).add(2);
    await Promise.all(all);
    expect(new Set(questions.map(({ channel }) => channel)).size).toBe(1);
    expect(questions[0]?.channel).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it('asks no more once nothing waits, and again for the next', async () => {
    const { ask, questions } = indexer(new Set([0, 1]));
    const acknowledgements = open(ask);
    await acknowledgements.confirmed(acknowledgements.begin(), 0, running);
    await acknowledgements.confirmed(acknowledgements.begin(), 1, running);
    expect(questions.map(({ ids }) => ids)).toEqual([[0], [1]]);
  });

  it('takes ids in any order from requests that overlap', async () => {
    const acknowledgements = open(indexer(new Set([0, 1, 2])).ask);
    const tickets = [0, 1, 2].map(() => acknowledgements.begin());
    await Promise.all(
      [2, 0, 1].map((id, at) => acknowledgements.confirmed(tickets[at] ?? expect.unreachable(), id, running)),
    );
  });

  it('ends with the signal, and leaves the others waiting', async () => {
    const indexed = new Set<number>();
    const { ask, questions } = indexer(indexed);
    const acknowledgements = open(ask);
    const stop = new AbortController();
    const stopped = acknowledgements.confirmed(acknowledgements.begin(), 0, stop.signal);
    const other = acknowledgements.confirmed(acknowledgements.begin(), 1, running);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    await vi.waitFor(() => expect(questions.at(-1)?.ids).toEqual([1]));
    indexed.add(1);
    await other;
    await expect(acknowledgements.confirmed(acknowledgements.begin(), 2, stop.signal)).rejects.toBe(reason);
  });
});

describe('a channel is given up', () => {
  it('with all that waits on it when one id is overdue; the next goes on a new one', async () => {
    const { ask, questions } = indexer(new Set());
    const acknowledgements = open(ask, { timeout: 30 });
    const late = acknowledgements.begin();
    const sends = [acknowledgements.confirmed(acknowledgements.begin(), 0, running)];
    sends[0]?.catch(() => {});
    await vi.waitFor(() => expect(questions.length).toBeGreaterThan(1));
    sends.push(acknowledgements.confirmed(acknowledgements.begin(), 1, running));
    for (const result of await Promise.allSettled(sends)) {
      expect(result).toMatchObject({ reason: { reason: 'unconfirmed', disposition: 'retry' } });
    }
    // What was still on its way on the old channel comes too late.
    await expect(acknowledgements.confirmed(late, 2, running)).rejects.toMatchObject({ reason: 'unconfirmed' });
    const next = acknowledgements.begin();
    expect(next.channel.id).not.toBe(late.channel.id);
    expect(next.after).toBe(-1);
  });

  it('when an id comes again: the indexer has begun a second count', async () => {
    const acknowledgements = open(indexer(new Set()).ask);
    const tickets = [acknowledgements.begin(), acknowledgements.begin()];
    const both = tickets.map((ticket) => acknowledgements.confirmed(ticket, 0, running));
    for (const result of await Promise.allSettled(both)) expect(result).toMatchObject(COUNTED_AGAIN);
  });

  it('when an id is lower than one that was known before the request', async () => {
    const indexed = new Set([7]);
    const acknowledgements = open(indexer(indexed).ask);
    const waiting = acknowledgements.confirmed(acknowledgements.begin(), 6, running);
    waiting.catch(() => {});
    await acknowledgements.confirmed(acknowledgements.begin(), 7, running);
    // No id 2 is open, and still it was given before: whatever now says "6 is indexed" could mean another 6.
    const restarted = acknowledgements.confirmed(acknowledgements.begin(), 2, running);
    for (const result of await Promise.allSettled([waiting, restarted])) expect(result).toMatchObject(COUNTED_AGAIN);
  });

  it('not when the count begins again with nothing under way, as after an idle time', async () => {
    const acknowledgements = open(indexer(new Set([0, 1, 7])).ask);
    await acknowledgements.confirmed(acknowledgements.begin(), 7, running);
    const tickets = [acknowledgements.begin(), acknowledgements.begin()];
    await Promise.all(tickets.map((ticket, id) => acknowledgements.confirmed(ticket, id, running)));
  });

  it('when time is over, and halts where the question was halted: each try would double what is there', async () => {
    const acknowledgements = open(
      async () => {
        throw error('halt');
      },
      { timeout: 20 },
    );
    const sending = acknowledgements.confirmed(acknowledgements.begin(), 0, running);
    await expect(sending).rejects.toMatchObject({
      disposition: 'halt',
      reason: 'unconfirmed',
      message: expect.stringContaining('the last question failed: no'),
      hint: 'why',
    });
  });
});

it.each(['retry', 'halt'] as const)(
  'a question that fails is asked again (%s); what failed last is told when time is over',
  async (disposition) => {
    let failures = 3;
    const recovering = open(async (_channel, ids) => {
      failures -= 1;
      if (failures >= 0) throw error(disposition);
      return ids;
    });
    await recovering.confirmed(recovering.begin(), 0, running);
    expect(failures).toBe(-1);

    const failing = open(
      async () => {
        throw error('retry');
      },
      { timeout: 20 },
    );
    const overdue = failing.confirmed(failing.begin(), 0, running);
    await expect(overdue).rejects.toMatchObject({
      reason: 'unconfirmed',
      message: expect.stringContaining('the last question failed: no'),
      hint: 'why',
    });
  },
);

it('a fault in asking reaches those who wait', async () => {
  const acknowledgements = open(async () => {
    throw new TypeError('broken');
  });
  await expect(acknowledgements.confirmed(acknowledgements.begin(), 0, running)).rejects.toThrow('broken');
});
