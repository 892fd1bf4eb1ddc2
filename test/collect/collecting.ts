import { type MockInstance, vi } from 'vitest';
import { Collector } from '../../src/collect/collector.ts';
import { Poller } from '../../src/collect/poller.ts';
import { Pressure, type PressureOptions } from '../../src/collect/pressure.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { Episode, type Failure } from '../../src/telemetry/episodes.ts';
import type { MemoryStream } from '../telemetry/memory-stream.ts';
import { HOUR, MINUTE, memoryLog } from './reading.ts';

/** A collector with everything around it, and the switches that a daemon would hold. */
export interface Collecting {
  readonly collector: Collector;
  readonly pressure: Pressure;
  /** May be changed while it runs. */
  readonly room: { -readonly [K in keyof PressureOptions]: PressureOptions[K] };
  readonly stopping: AbortController;
  readonly abort: AbortController;
  readonly log: MemoryStream;
  /** What was told of each failure. */
  readonly failures: () => Failure[];
}

export const SETTLE = 10_000;
export const SWEEP_SPAN = 48 * HOUR;

export function collectorFor(context: WalkContext): Collecting {
  const { logger, stream } = memoryLog();
  const { store, metrics, now } = context;
  const room = { maxSize: Number.MAX_SAFE_INTEGER, minFreeDisk: 0 };
  const pressure = new Pressure(store, room, metrics, now);
  const episode = new Episode({ subject: 'feed mail', fields: { feed: 'mail' }, logger, now });
  const failed: MockInstance<Episode['failed']> = vi.spyOn(episode, 'failed');
  const [stopping, abort] = [new AbortController(), new AbortController()];
  const window = { overlap: 15 * MINUTE, settle: SETTLE, maxWindow: 6 * HOUR };
  const collector = new Collector({
    poller: new Poller(context, { ...window, startFrom: { ago: HOUR }, recoverySpan: SWEEP_SPAN }, logger),
    context,
    options: { sweepSpan: SWEEP_SPAN, settle: SETTLE, maxWindow: window.maxWindow },
    pressure,
    episode,
    logger,
    signals: { stopping: stopping.signal, abort: abort.signal },
  });
  const failures = () => failed.mock.calls.map(([failure]) => failure);
  return { collector, pressure, room, stopping, abort, log: stream, failures };
}
