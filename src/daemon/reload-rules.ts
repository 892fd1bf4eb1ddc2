import type { FeedConfig, OutputConfig } from '../config/config.ts';
import { formatDuration } from '../options.ts';
import { type Note, notesOf } from './reload-notes.ts';
import { byName, type Step, type StoreFacts, type Subject, targetOf, waits } from './reload-step.ts';

/**
 * What a reload may not do. Pure. The rules are told in docs/reload.md; the one behind all of them: a reload skips no event and repeats
 * none, and a config that is half in force is worse than the old one.
 */

export type Rule =
  | 'destination_moved'
  | 'events_waiting'
  | 'feed_renamed'
  | 'feed_type_changed'
  | 'dedupe_key_changed'
  | 'needs_restart';

/** Why a config is not put in force, and what to do instead. */
export interface Refusal {
  readonly rule: Rule;
  readonly subject: Subject;
  readonly reason: string;
  readonly cure: string;
}

export interface Verdict {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

/** Whether a config may take the place of another while the daemon runs. */
export function judge(step: Step): Verdict {
  return {
    refusals: [
      ...needsRestart(step),
      ...movedDestinations(step),
      ...waitingEvents(step),
      ...renamedFeeds(step),
      ...changedFeeds(step),
    ],
    notes: notesOf(step),
  };
}

function needsRestart({ diff }: Step): Refusal[] {
  const changes = [...diff.sections].flatMap(([section, keys]) => keys.map(({ key }) => `${section}.${key}`));
  return (['store', 'log'] as const).flatMap((section) => {
    const key = FIXED[section];
    if (!changes.includes(key)) return [];
    const reason = `${key} needs a restart`;
    const cure = `Restart the daemon, or put ${key} back and reload.`;
    return [{ rule: 'needs_restart', subject: { section }, reason, cure } as const];
  });
}

/** What a running daemon cannot change: the file that all of it stands on, and how its lines look to who reads them. */
const FIXED = { store: 'store.path', log: 'log.format' } as const;

/**
 * The name keys the cursor. Where a destination goes from one name to another it is served by another cursor: what lies between the two
 * is skipped or repeated, as it falls. A new name is one case of it, two names that are exchanged another.
 */
function movedDestinations(step: Step): Refusal[] {
  return step.before.outputs.flatMap((old) => {
    const heir = heirOf(old, step);
    return heir ? [movedTo(heir, old, step.facts)] : [];
  });
}

/** The output that would serve the destination of another, which does so no more. */
function heirOf(old: OutputConfig, { before, after }: Step): OutputConfig | undefined {
  const target = targetOf(old);
  const serves = (output: OutputConfig | undefined): boolean => output !== undefined && targetOf(output) === target;
  if (serves(byName(after.outputs, old.name))) return undefined;
  return after.outputs.find((output) => serves(output) && !serves(byName(before.outputs, output.name)));
}

function movedTo(heir: OutputConfig, old: OutputConfig, { waiting }: StoreFacts): Refusal {
  const target = heir.type.target(heir.options);
  const theirs = waiting.get(heir.name);
  const at = theirs === undefined ? startWords(heir.startFrom) : `where its own cursor stands (${waits(theirs)})`;
  return {
    rule: 'destination_moved',
    subject: { output: heir.name },
    reason:
      `${target} was served as output ${old.name} and would be served as ${heir.name}: it would go on ${at}, ` +
      `not where ${old.name} stands (${waits(waiting.get(old.name) ?? 0)}), and skip or repeat what lies between`,
    cure: `Keep the name ${old.name} for it. To begin anew as ${heir.name} all the same, take ${target} out and reload, then add it and reload again.`,
  };
}

/** Whoever takes out an output by mistake sees nothing but silence. */
function waitingEvents(step: Step): Refusal[] {
  const { diff, before, facts } = step;
  return diff.outputs.removed.flatMap((name) => {
    const old = byName(before.outputs, name);
    const waiting = facts.waiting.get(name) ?? 0;
    // Of one that is served under another name, that is told.
    if (waiting === 0 || old === undefined || heirOf(old, step)) return [];
    return [
      {
        rule: 'events_waiting',
        subject: { output: name },
        reason: `output ${name} is taken out while ${waits(waiting)} for it and would not be delivered`,
        cure: `Put it back until \`status\` shows no backlog, then take it out. To give them up, take it out and restart the daemon: they stay in the store until \`outputs forget ${name}\`.`,
      },
    ];
  });
}

/**
 * A feed's name keys its checkpoint. Event ids do not hold it, so that nothing is repeated; but what lies between where the old one has
 * read to, less the stretch that is read again for records that surface late, and where the new one begins would be read by nobody.
 */
function renamedFeeds({ before, after, diff, facts, now }: Step): Refusal[] {
  return diff.feeds.removed.flatMap((name) => {
    const old = byName(before.feeds, name);
    const heirs = after.feeds.filter((feed) => diff.feeds.added.includes(feed.name) && feed.type === old?.type);
    const { begunAt, readUntil } = facts.feeds.get(name) ?? { begunAt: null, readUntil: null };
    if (old === undefined || readUntil === null) return [];
    const needed = Math.max(begunAt ?? 0, readUntil - reachOf(old));
    return heirs.flatMap((heir) => {
      const begins = facts.feeds.get(heir.name)?.readUntil ?? startOf(heir, now);
      if (begins <= needed) return [];
      return [
        {
          rule: 'feed_renamed',
          subject: { feed: heir.name },
          reason: `feed ${name} would be read as ${heir.name}, from ${iso(begins)} on: between ${iso(needed)} and there nobody would read what is still to surface`,
          cure: `Keep the name ${name}; or give ${heir.name} \`startFrom: ${iso(needed)}\`: what ${name} has read is known, and is not sent again.`,
        } as const,
      ];
    });
  });
}

function changedFeeds({ before, after, diff }: Step): Refusal[] {
  return [...diff.feeds.changed].flatMap(([name, changes]): Refusal[] => {
    const [old, next] = [byName(before.feeds, name), byName(after.feeds, name)];
    const subject = { feed: name };
    if (changes.some(({ key }) => key === 'type')) {
      return [
        {
          rule: 'feed_type_changed',
          subject,
          reason: `feed ${name} would read another log under the checkpoint of the old one, and skip what lies before it`,
          cure: 'Give the new feed a name of its own.',
        },
      ];
    }
    if (old?.dedupe.key.join() === next?.dedupe.key.join()) return [];
    const again = formatDuration(reachOf(next ?? old));
    return [
      {
        rule: 'dedupe_key_changed',
        subject,
        reason: `dedupe.key of feed ${name} makes the event ids: the records of the last ${again}, which are read again, would be new events`,
        cure: `Put dedupe.key back. To change it all the same, restart the daemon, and expect the events of the last ${again} once more, under other ids.`,
      },
    ];
  });
}

/** How far behind its checkpoint a feed reads again, ms. */
function reachOf(feed: FeedConfig | undefined): number {
  return feed ? Math.max(feed.overlap, feed.sweep === false ? 0 : feed.sweep.span) : 0;
}

function startOf({ startFrom }: FeedConfig, now: number): number {
  return 'time' in startFrom ? startFrom.time : now - startFrom.ago;
}

function startWords(startFrom: OutputConfig['startFrom']): string {
  if (startFrom === 'now') return 'with new events only (startFrom: now)';
  return startFrom === 'beginning' ? 'at the oldest stored event (startFrom: beginning)' : `at ${iso(startFrom.time)}`;
}

/** Rounded down to whole seconds: an earlier start skips nothing. */
function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
