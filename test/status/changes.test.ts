import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { changesBetween } from '../../src/status/changes.ts';
import type { Snapshot } from '../../src/status/snapshot.ts';
import { DAY, feed, HOUR, MINUTE, NOW, output, SECOND, snapshot, trouble, troubled } from './snapshots.ts';

function told(before: Snapshot, after: Snapshot): string[] {
  return changesBetween(assess(before), assess(after)).map(({ text }) => text);
}

function withOutput(changes: Parameters<typeof output>[0], later: Partial<Snapshot> = {}): Snapshot {
  return snapshot({ outputs: [output(changes)], ...later });
}

describe('what has changed between two looks', () => {
  it('is nothing while only figures move', () => {
    const later = snapshot({
      now: NOW + 2 * SECOND,
      feeds: [feed({ checkpoint: NOW, lastPollAt: NOW, lastPollNew: 7 })],
      outputs: [output({ cursor: 130_000, backlog: 12, ratePerMinute: 99 })],
    });
    expect(told(snapshot(), later)).toEqual([]);
    expect(told(troubled(), troubled())).toEqual([]);
  });

  it('is that an output fails, once, and that it takes events again', () => {
    const failing = trouble({ since: NOW, at: NOW, count: 1, message: 'qradar:6514 refuses connections' });
    const begun = withOutput({ name: 'qradar', trouble: failing });
    expect(told(withOutput({ name: 'qradar' }), begun)).toEqual([
      'qradar takes no events: qradar:6514 refuses connections',
    ]);
    const again = withOutput({ name: 'qradar', trouble: { ...failing, count: 31, at: NOW + MINUTE } });
    expect(told(begun, again)).toEqual([]);
    expect(told(again, withOutput({ name: 'qradar' }, { now: NOW + 109 * MINUTE }))).toEqual([
      'qradar takes events again, after 1 h 49 min',
    ]);
  });

  it('is that a feed fails, and has a gap, and that the gap closes', () => {
    const gap = { from: NOW - 3 * HOUR, until: NOW - 2 * HOUR };
    const whole = snapshot({ feeds: [feed()] });
    const torn = snapshot({ feeds: [feed({ gaps: [gap] })] });
    expect(told(whole, torn)).toEqual(['attachment has a gap, 06:31 to 07:31']);
    expect(told(torn, whole)).toEqual(['attachment closed or narrowed its gap, 06:31 to 07:31']);
    const failed = snapshot({ feeds: [feed({ trouble: trouble({ message: 'Mimecast does not answer' }) })] });
    expect(told(whole, failed)).toEqual(['attachment cannot be read: Mimecast does not answer']);
  });

  it('is that rejects come and go', () => {
    const three = withOutput({ rejects: 3, lastRejectAt: NOW, lastRejectReason: 'subject is an object there' });
    expect(told(withOutput({}), three)).toEqual(['splunk refused 3 events for good: subject is an object there']);
    expect(told(three, withOutput({}))).toEqual(['splunk has 3 rejects less: sent again, or discarded']);
  });

  it('is a replay that begins and ends', () => {
    const replay = { id: 3, from: NOW - DAY, to: NOW, done: 0, total: 4500, failure: null, queued: 0 };
    expect(told(withOutput({}), withOutput({ replay }))).toEqual(['replay 3 to splunk has begun, 4,500 events']);
    expect(told(withOutput({ replay }), withOutput({ replay: { ...replay, done: 10 } }))).toEqual([]);
    expect(told(withOutput({ replay }), withOutput({}))).toEqual(['replay 3 to splunk has ended']);
  });

  it('is the clock, the store and the daemon itself', () => {
    const base = snapshot();
    const skewed = snapshot({ api: { ...base.api, clockSkewMs: 94 * SECOND } });
    expect(told(base, skewed)).toEqual(["clock 94 s ahead of Mimecast's"]);
    expect(told(skewed, snapshot({ api: { ...base.api, clockSkewMs: 200 } }))).toEqual([
      "clock 0.2 s from Mimecast's, was 94 s ahead",
    ]);
    const full = snapshot({ store: { ...base.store, paused: { reason: 'store_full', since: NOW - HOUR } } });
    expect(told(base, full)).toEqual(['collecting is paused: the store is full']);
    expect(told(full, base)).toEqual(['collecting goes on, after 1 h']);
    expect(told(base, snapshot({ running: false }))).toEqual(['the daemon has stopped']);
    expect(told(snapshot({ running: false }), base)).toEqual(['the daemon runs again']);
    expect(told(base, snapshot({ startedAt: NOW }))).toEqual(['the daemon was started anew']);
  });
});
