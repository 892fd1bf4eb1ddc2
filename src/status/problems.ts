import { certificatesThatEnd } from './certificate-problems.ts';
import { isClockSkewed, judgedAt, LIMITS } from './condition.ts';
import { feedFailure, malformedRecords, missedSweep, signInRefused } from './feed-problems.ts';
import type { Finding, Problem } from './finding.ts';
import { unreadTime } from './gaps.ts';
import { outgrown, outputFailure, rejectedEvents, rejectsAll } from './output-problems.ts';
import type { Snapshot, StoreSnapshot } from './snapshot.ts';
import { bytes, clock, dayOf, duration, moment } from './words.ts';

/** All that is wrong, worst first: in the order in which it claims the headline. */
export function findings(snapshot: Snapshot): Finding[] {
  return [
    ...notRunning(snapshot),
    ...paused(snapshot),
    ...signInRefused(snapshot),
    ...snapshot.feeds.flatMap((feed) => feedFailure(feed, snapshot)),
    ...snapshot.outputs.flatMap((output) => outputFailure(output, snapshot)),
    ...snapshot.outputs.flatMap((output) => rejectsAll(output, snapshot)),
    ...refusedConfig(snapshot),
    ...snapshot.feeds.flatMap((feed) => unreadTime(feed, snapshot)),
    ...snapshot.outputs.flatMap((output) => outgrown(output, snapshot)),
    ...snapshot.outputs.flatMap((output) => rejectedEvents(output, snapshot)),
    ...snapshot.feeds.flatMap(malformedRecords),
    ...snapshot.feeds.flatMap((feed) => missedSweep(feed, snapshot)),
    ...certificatesThatEnd(snapshot),
    ...clockSkew(snapshot),
    ...nearlyFull(snapshot),
  ];
}

function notRunning({ running, asOf, now }: Snapshot): Finding[] {
  if (running) return [];
  const knownAt = dayOf(asOf) === dayOf(now) ? clock(asOf) : `${clock(asOf)} on ${dayOf(asOf)}`;
  return alone(`The daemon is not running. What follows is what the store knew at ${knownAt}.`, {
    severity: 'bad',
    what: 'The daemon is not running',
    do: { sentence: 'Start its service or container, or in the foreground:', command: 'mimecast-forwarder run' },
  });
}

function paused(snapshot: Snapshot): Finding[] {
  const { store } = snapshot;
  if (!store.paused) return [];
  const at = judgedAt(snapshot);
  const { reason, since } = store.paused;
  const { why, detail, act } = pauseWords(store, reason);
  const safe = at - since < LIMITS.mimecastKeeps ? ' Nothing is lost, Mimecast keeps 30 days.' : '';
  return alone(`Collecting has been paused since ${moment(since, at)}: ${why}.${safe}`, {
    severity: 'bad',
    what: `Collecting is paused, ${why}`,
    since,
    ...(detail !== undefined && { detail }),
    do: { sentence: `${act} Collecting goes on by itself.`, command: null },
  });
}

function pauseWords(
  store: StoreSnapshot,
  reason: NonNullable<StoreSnapshot['paused']>['reason'],
): { readonly why: string; readonly detail?: string; readonly act: string } {
  switch (reason) {
    case 'store_full':
      return {
        why: 'the store is full',
        detail: `${bytes(store.bytes)} of ${bytes(store.maxSize)} are used`,
        act: 'Cure the output that holds events back, or raise store.maxSize.',
      };
    case 'disk_full':
      return {
        why: 'the disk is full',
        detail: `${bytes(store.freeDisk)} are free, ${bytes(store.minFreeDisk)} are wanted`,
        act: 'Free space on the disk of the store.',
      };
    case 'disk_unwritable':
      return {
        why: 'the disk of the store takes no writes',
        act: 'Look at the kernel log and at `mount`: it may have turned read-only.',
      };
  }
}

/** What runs is not what the file says: somebody believes in a change that was never made. */
function refusedConfig({ refusedConfig: refused, running, now }: Snapshot): Finding[] {
  if (!refused || !running) return [];
  const what = 'The config was changed, but cannot be applied: the old one is in force';
  return alone(`${what} since ${moment(refused.at, now)}.`, {
    severity: 'warn',
    what,
    detail: refused.message,
    since: refused.at,
    do: refused.hint
      ? { sentence: refused.hint, command: null }
      : { sentence: 'Mend the file and reload again (SIGHUP). To check it:', command: 'mimecast-forwarder check' },
  });
}

function clockSkew(snapshot: Snapshot): Finding[] {
  const { api, host } = snapshot;
  if (api.clockSkewMs === null || !isClockSkewed(snapshot)) return [];
  const direction = api.clockSkewMs > 0 ? 'ahead of' : 'behind';
  const skew = skewWords(api.clockSkewMs);
  const what = `This machine's clock is ${skew} ${direction} Mimecast's`;
  return alone(`${what}. Nothing is missed.`, {
    severity: 'warn',
    what,
    detail: `Nothing is missed: reading goes by Mimecast's clock. The lag of feeds is told ${skew} too ${api.clockSkewMs > 0 ? 'long' : 'short'}`,
    do: { sentence: `Check the time synchronisation of ${host}:`, command: 'chronyc tracking' },
  });
}

/** `94 s`: in seconds up to two minutes, as time tools print it. */
export function skewWords(ms: number): string {
  const size = Math.abs(ms);
  return size < 120_000 ? `${Math.round(size / 1000)} s` : duration(size);
}

function nearlyFull({ store }: Snapshot): Finding[] {
  if (store.paused || store.maxSize <= 0 || store.bytes < LIMITS.storeFull * store.maxSize) return [];
  const percent = Math.floor((100 * store.bytes) / store.maxSize);
  const what = `The store is ${percent} % full: ${bytes(store.bytes)} of ${bytes(store.maxSize)}`;
  return alone(`${what}.`, {
    severity: 'warn',
    what,
    do: {
      sentence:
        'Raise store.maxSize, shorten store.retention, or cure the output that holds events back. ' +
        'Collecting pauses when it is full; nothing is dropped.',
      command: null,
    },
  });
}

function alone(headline: string, problem: Pick<Problem, 'severity' | 'what' | 'do'> & Partial<Problem>): Finding[] {
  return [{ headline, problem: { detail: null, since: null, sinceDetail: null, ...problem }, about: null }];
}
