import { judgedAt, type OutputCondition, outputCondition } from './condition.ts';
import { CHECK_ONLINE, type Finding, tries } from './finding.ts';
import type { OutputSnapshot, Snapshot, Trouble } from './snapshot.ts';
import { count, counted, duration, moment } from './words.ts';

/** A receiver that answers and says no "refuses"; one that is not reached, or a disk, "fails". */
const IN_TROUBLE: ReadonlySet<string> = new Set<OutputCondition['is']>(['refusing', 'failing', 'silent']);
const REFUSALS: ReadonlySet<string> = new Set(['auth', 'tls', 'refused', 'rate_limited']);

/** An output that takes nothing. */
export function outputFailure(output: OutputSnapshot, snapshot: Snapshot): Finding[] {
  const condition = outputCondition(output, snapshot);
  if (!IN_TROUBLE.has(condition.is) || !('since' in condition)) return [];
  const at = judgedAt(snapshot);
  const { trouble } = output;
  const [does, has] = failureWords(trouble);
  return [
    {
      headline: `Output ${output.name} ${has} since ${moment(condition.since, at)}.${waitingWords([output], '')}`,
      problem: {
        severity: 'bad',
        what: `Output ${output.name} ${does}`,
        detail: trouble?.message ?? null,
        since: condition.since,
        sinceDetail: trouble && tries(trouble, at),
        do: trouble
          ? { sentence: cure(trouble.hint), command: CHECK_ONLINE }
          : { sentence: 'The log of the daemon says what it waits for. A restart loses nothing.', command: null },
      },
      about: { kind: 'output_failure', output },
    },
  ];
}

/** An output that is reached, and takes nothing: each event is refused for good, so that no backlog shows it. */
export function rejectsAll(output: OutputSnapshot, snapshot: Snapshot): Finding[] {
  const condition = outputCondition(output, snapshot);
  if (condition.is !== 'rejecting') return [];
  const refused = `the last ${counted(output.refusedInRow, 'event')}`;
  return [
    {
      headline: `Output ${output.name} refused ${refused} for good, one after the other. They are kept.`,
      problem: {
        severity: 'bad',
        what: `Output ${output.name} refuses each event for good: ${refused}, and accepted none`,
        detail: output.lastRejectReason,
        since: condition.since,
        sinceDetail: null,
        do: { sentence: 'Fix the cause, then send them again:', command: 'mimecast-forwarder rejects retry' },
      },
      about: { kind: 'output_failure', output },
    },
  ];
}

/** An output that accepts, but more slowly than events come. */
export function outgrown(output: OutputSnapshot, snapshot: Snapshot): Finding[] {
  const condition = outputCondition(output, snapshot);
  if (condition.is !== 'falling_behind') return [];
  const at = judgedAt(snapshot);
  const what = `Output ${output.name} accepts events more slowly than they come`;
  return [
    {
      headline: `${what}. ${count(output.backlog)} wait.`,
      problem: {
        severity: 'warn',
        what,
        detail: `${count(output.backlog)} wait${output.oldestWaitingAt === null ? '' : `, the oldest for ${duration(at - output.oldestWaitingAt)}`}`,
        since: condition.since,
        sinceDetail: 'when the backlog was last at its lowest',
        do: {
          sentence: 'Find out what slows the receiver down; a larger batch.maxEvents costs fewer round trips.',
          command: null,
        },
      },
      about: null,
    },
  ];
}

/** Events that an output refused for good. */
export function rejectedEvents(output: OutputSnapshot, snapshot: Snapshot): Finding[] {
  if (output.rejects === 0 || outputCondition(output, snapshot).is === 'rejecting') return [];
  const what = `Output ${output.name} refused ${counted(output.rejects, 'event')} for good`;
  return [
    {
      headline: `${what}. ${output.rejects === 1 ? 'It is' : 'They are'} kept.`,
      problem: {
        severity: 'warn',
        what,
        detail: output.lastRejectReason,
        since: output.lastRejectAt,
        sinceDetail: null,
        do: { sentence: 'Fix the cause, then send them again:', command: 'mimecast-forwarder rejects retry' },
      },
      about: { kind: 'rejects', output },
    },
  ];
}

/** What waits, and that nothing is lost only where what "accepted" means proves it. Begins with a space. */
export function waitingWords(outputs: readonly OutputSnapshot[], noun: '' | ' event'): string {
  const backlog = outputs.reduce((sum, output) => sum + output.backlog, 0);
  const one = backlog === 1;
  const wait = `${count(backlog)}${noun}${noun && !one ? 's' : ''} ${one ? 'waits' : 'wait'}.`;
  if (!outputs.every((output) => output.lossless)) return backlog === 0 ? '' : ` ${wait}`;
  return backlog === 0 ? ' Nothing is lost.' : ` Nothing is lost: ${wait}`;
}

function failureWords(trouble: Trouble | null): readonly [does: string, has: string] {
  if (trouble === null) return ['accepts nothing', 'has accepted nothing'];
  return REFUSALS.has(trouble.reason) ? ['refuses every event', 'has refused events'] : ['fails', 'has been failing'];
}

function cure(hint: string | null): string {
  return hint === null
    ? 'Sending goes on by itself once it accepts again. To test now:'
    : `${hint} Sending then goes on by itself. To test now:`;
}
