import { expect, it } from 'vitest';
import { replayWords } from '../../src/status/replay-words.ts';
import type { ReplaySnapshot } from '../../src/status/snapshot.ts';
import { at, output, snapshot } from './snapshots.ts';

const replay: ReplaySnapshot = {
  id: 3,
  from: at('00:00:00', '2026-11-21'),
  to: at('06:00:00', '2026-11-22'),
  done: 1200,
  total: 45_000,
  failure: null,
  queued: 0,
};

function wordsOf(changes: Partial<ReplaySnapshot>, running = true): string[] {
  return replayWords(snapshot({ running, outputs: [output(), output({ replay: { ...replay, ...changes } })] }));
}

it('a replay is told with its output, its span and how far it is', () => {
  expect(replayWords(snapshot())).toEqual([]);
  expect(wordsOf({})).toEqual(['Replay 3 to splunk: 1,200 of 45,000 events of 21 Nov 00:00 to 22 Nov 06:00']);
});

it('what keeps it from going on is told as well', () => {
  expect(wordsOf({ queued: 1 })[0]).toMatch(/06:00, 1 more waits$/);
  expect(wordsOf({ queued: 2 }, false)[0]).toMatch(/06:00, 2 more wait, waits for the daemon$/);
  expect(wordsOf({ failure: 'nobody answers' })[0]).toMatch(/06:00; the last try failed: nobody answers$/);
});
