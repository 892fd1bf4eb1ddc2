import type { FeedSnapshot, OutputSnapshot, Snapshot, Trouble } from '../../src/status/snapshot.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const GIB = 1024 ** 3;

/** A time on the day of the fixtures. */
export function at(clock: string, day = '2026-11-23'): number {
  return Date.parse(`${day}T${clock}Z`);
}

export const NOW = at('09:31:42');

export function feed(changes: Partial<FeedSnapshot> = {}): FeedSnapshot {
  return {
    name: 'attachment',
    type: 'attachment',
    checkpoint: NOW - 22 * SECOND,
    gaps: [],
    lastPollAt: NOW - 11 * SECOND,
    lastSuccessAt: NOW - 11 * SECOND,
    lastPollNew: 39,
    lastPollRead: 61,
    lastPollDurationMs: 800,
    readSinceNew: 0,
    malformedSinceNew: 0,
    idleMs: 11 * SECOND,
    leastBehindAt: null,
    begunAt: NOW - 13 * DAY,
    lastEventAt: NOW - 30 * SECOND,
    lastSweepAt: at('03:17:09'),
    sweepInterval: DAY,
    sweepTrouble: null,
    walk: null,
    interval: MINUTE,
    settle: 10 * SECOND,
    overlap: 15 * MINUTE,
    malformed: 0,
    variants: 2,
    trouble: null,
    ...changes,
  };
}

export function output(changes: Partial<OutputSnapshot> = {}): OutputSnapshot {
  return {
    name: 'splunk',
    type: 'splunk-hec',
    target: 'https://splunk.example:8088',
    accepted: 'acknowledged by the indexer',
    lossless: true,
    cursor: 120_000,
    backlog: 0,
    oldestWaitingAt: null,
    lastAcceptedAt: NOW - 4 * SECOND,
    idleMs: SECOND,
    leastBehindAt: null,
    refusedInRow: 0,
    filteredInRow: 0,
    filteredSince: null,
    ratePerMinute: 122,
    rejects: 0,
    lastRejectAt: null,
    lastRejectReason: null,
    replay: null,
    trouble: null,
    ...changes,
  };
}

export function trouble(changes: Partial<Trouble> = {}): Trouble {
  return {
    since: NOW - MINUTE,
    at: NOW - SECOND,
    count: 4,
    reason: 'timeout',
    message: 'splunk.example:8088 did not answer within 30 s',
    hint: null,
    retryable: true,
    nextTryAt: NOW + 20 * SECOND,
    ...changes,
  };
}

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    now: NOW,
    host: 'soc-fwd-01',
    version: '1.0.0',
    running: true,
    asOf: NOW,
    startedAt: NOW - 12 * DAY - 4 * HOUR,
    refusedConfig: null,
    feeds: [feed(), feed({ name: 'url', lastPollAt: NOW - 9 * SECOND, lastPollNew: 84, variants: 0 })],
    outputs: [
      output({ backlog: 41, oldestWaitingAt: NOW - 4 * SECOND }),
      output({ name: 'qradar', type: 'syslog', target: 'tls://qradar.example:6514' }),
      output({ name: 'elastic', type: 'elasticsearch', target: 'https://es.example:9200' }),
      output({ name: 'disk', type: 'file', target: '/var/log/mimecast.ndjson' }),
    ],
    store: {
      events: 2_400_000,
      bytes: 2.4 * GIB,
      maxSize: 10 * GIB,
      freeDisk: 80 * GIB,
      minFreeDisk: 0.5 * GIB,
      retention: 30 * DAY,
      oldestEventAt: NOW - 30 * DAY,
      paused: null,
    },
    api: { clockSkewMs: 200, requestsLastMinute: 9, requestsPerMinute: 60, heldUntil: null, responseMs: 412 },
    ...changes,
  };
}

/** A token that was disabled, rejects and a clock that is ahead, all at once. */
export function troubled(): Snapshot {
  const now = at('15:47:08');
  const calm = snapshot();
  const read = { checkpoint: at('15:45:17'), lastPollAt: at('15:47:01'), lastSuccessAt: at('15:47:01') };
  return {
    ...calm,
    now,
    asOf: now,
    startedAt: now - 12 * DAY - 10 * HOUR,
    feeds: [feed({ ...read, lastPollNew: 31 }), feed({ ...read, name: 'url', lastPollNew: 66, variants: 0 })],
    outputs: [
      output({
        backlog: 12_408,
        oldestWaitingAt: at('14:02:09'),
        lastAcceptedAt: at('14:02:09'),
        ratePerMinute: 0,
        trouble: trouble({
          since: at('14:02:11'),
          at: at('15:46:18'),
          count: 31,
          reason: 'auth',
          message: 'splunk.example:8088 answers 403 "Token disabled" (code 1)',
          hint: "In Splunk: Settings, Data inputs, HTTP Event Collector, enable this output's token.",
          retryable: false,
          nextTryAt: at('15:51:18'),
        }),
      }),
      output({ name: 'qradar', ratePerMinute: 97 }),
      output({
        name: 'elastic',
        ratePerMinute: 97,
        rejects: 3,
        lastRejectAt: at('11:20:36'),
        lastRejectReason: 'email.subject is an object there',
      }),
      output({ name: 'disk', ratePerMinute: 97 }),
    ],
    api: { clockSkewMs: 94_000, requestsLastMinute: 11, requestsPerMinute: 60, heldUntil: null, responseMs: 400 },
  };
}

export function firstRun(): Snapshot {
  const now = at('09:28:40');
  return snapshot({
    now,
    asOf: now,
    startedAt: now - 38 * SECOND,
    feeds: [
      feed({
        checkpoint: null,
        lastPollAt: now - 2 * SECOND,
        lastSuccessAt: null,
        lastPollNew: 0,
        lastEventAt: null,
        lastSweepAt: null,
        variants: 0,
        walk: { from: at('09:28:30', '2026-11-22'), to: at('15:28:30', '2026-11-22'), pages: 0 },
      }),
    ],
    outputs: [
      output({ cursor: 0, lastAcceptedAt: null, ratePerMinute: null }),
      output({ name: 'qradar', cursor: 0, lastAcceptedAt: null, ratePerMinute: null }),
    ],
    store: { ...snapshot().store, events: 0, bytes: 68 * 1024, oldestEventAt: null },
    api: { clockSkewMs: 100, requestsLastMinute: 2, requestsPerMinute: 60, heldUntil: null, responseMs: 450 },
  });
}

export function stopped(): Snapshot {
  const calm = snapshot();
  return {
    ...calm,
    now: NOW + 2 * HOUR,
    running: false,
    outputs: calm.outputs.map((one) => ({ ...one, ratePerMinute: null })),
    api: { clockSkewMs: null, requestsLastMinute: null, requestsPerMinute: 60, heldUntil: null, responseMs: null },
  };
}
