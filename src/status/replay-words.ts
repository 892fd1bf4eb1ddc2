import type { OutputSnapshot, Snapshot } from './snapshot.ts';
import { count, moment } from './words.ts';

/**
 * How far replays are, a line for each output that has one:
 * `Replay 3 to splunk: 1,200 of 45,000 events of 22 Nov 00:00 to 23 Nov 00:00`.
 */
export function replayWords(snapshot: Pick<Snapshot, 'running' | 'now' | 'outputs'>): string[] {
  return snapshot.outputs.flatMap(({ name, replay }: OutputSnapshot) => {
    if (replay === null) return [];
    const span = `${moment(replay.from, snapshot.now)} to ${moment(replay.to, snapshot.now)}`;
    const parts = [
      `Replay ${replay.id} to ${name}: ${count(replay.done)} of ${count(replay.total)} events of ${span}`,
      ...(replay.queued > 0 ? [`${count(replay.queued)} more ${replay.queued === 1 ? 'waits' : 'wait'}`] : []),
      ...(snapshot.running ? [] : ['waits for the daemon']),
    ];
    return [parts.join(', ') + (replay.failure === null ? '' : `; the last try failed: ${replay.failure}`)];
  });
}
