import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { collectorFor } from './collecting.ts';
import { contextFor, MINUTE, openStore, recordAt, rethrow, startSimulator } from './reading.ts';

let simulator: Simulator;

beforeEach(async () => {
  simulator = await startSimulator();
});

describe('what polls bring', () => {
  it('is told: new, only known, or nothing at all', async () => {
    const { collector } = collectorFor(contextFor(simulator, openStore()));
    await collector.catchUp();
    expect(collector.state).toMatchObject({ lastPollNew: 0, lastPollRead: 0, readSinceNew: 0 });
    const at = Math.floor(Date.now() / 1000) * 1000 - MINUTE;
    simulator.add(recordAt(at, 'a'), recordAt(at, 'b'));
    await collector.catchUp();
    expect(collector.state).toMatchObject({ lastPollNew: 2, lastPollRead: 2, readSinceNew: 0 });
    await collector.catchUp();
    await collector.catchUp();
    expect(collector.state).toMatchObject({ lastPollNew: 0, lastPollRead: 2, readSinceNew: 4, malformedSinceNew: 0 });
    simulator.inject(...parseFaults('malformed-record:first=1'));
    await collector.catchUp();
    expect(collector.state).toMatchObject({ lastPollNew: 0, lastPollRead: 3, malformedSinceNew: 1 });
    simulator.add(recordAt(at, 'c'));
    await collector.catchUp();
    expect(collector.state).toMatchObject({ lastPollNew: 1, readSinceNew: 0, malformedSinceNew: 0 });
  });

  it('shows that the loop gets on, by a clock that nobody sets', async () => {
    const { collector } = collectorFor(contextFor(simulator, openStore()));
    await vi.waitFor(() => expect(collector.idleMs).toBeGreaterThan(50));
    await collector.catchUp();
    expect(collector.idleMs).toBeLessThan(50);
  });
});

describe('a sweep that fails', () => {
  it('says why, until one is good', async () => {
    const { collector } = collectorFor(contextFor(simulator, openStore()));
    await collector.catchUp();
    simulator.inject(...parseFaults('5xx'));
    collector.sweep(rethrow);
    // Until it was seen: the first wait after a failure is drawn from 0 ms on.
    await vi.waitFor(() => expect(collector.sweepTrouble).toMatchObject({ reason: 'server', retryable: true }));
    expect(collector.sweepTrouble?.count).toBeGreaterThan(0);
    simulator.clearFaults();
    await collector.idle();
    expect(collector.sweepTrouble).toBeNull();
  });
});
