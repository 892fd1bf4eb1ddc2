import { expect, it } from 'vitest';
import { refreshGauges } from '../../src/daemon/snapshot.ts';
import { HOUR, metricOf, startSimulator } from '../collect/reading.ts';
import { openDaemon } from './running.ts';

it('the gauges of a feed tell how many gaps it has and how long they are together', async () => {
  const { daemon } = openDaemon(await startSimulator());
  const { store, metrics } = daemon;
  const gauges = async () => {
    refreshGauges(metrics, daemon.snapshot());
    const labels = { feed: 'attachment' };
    return [await metricOf(metrics, 'feed_gaps', labels), await metricOf(metrics, 'feed_gap_seconds', labels)];
  };
  const text = await metrics.registry.metrics();
  expect(text).not.toMatch(/^mimecast_forwarder_feed_gap\w+\{/m);
  await daemon.runOnce(1);
  expect(await gauges()).toEqual([0, 0]);
  // 0 is told too: an alert must not mistake a series that is not there for one that is well.
  expect(await metrics.registry.metrics()).toContain('mimecast_forwarder_feed_gap_seconds{feed="attachment"} 0');

  const { begunAt, doneUntil } = store.checkpoints.get('attachment') ?? {};
  if (begunAt == null || doneUntil == null) throw new Error('the feed has no checkpoint');
  store.coverage.forgetAfter('attachment', begunAt + HOUR);
  store.coverage.began('attachment', { from: begunAt + 3 * HOUR, to: begunAt + 5 * HOUR }, begunAt);
  store.coverage.began('attachment', { from: begunAt + 6 * HOUR, to: doneUntil }, begunAt);
  expect(await gauges()).toEqual([2, 3 * 3600 - 2]);
});
