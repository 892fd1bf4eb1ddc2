import type { Command as CommanderCommand } from 'commander';
import { type Difference, type ReconcileCounts, Reconciler } from '../collect/reconcile.ts';
import type { FeedConfig } from '../config/config.ts';
import { walkContextOf } from '../daemon/feeds.ts';
import { UsageError } from '../errors.ts';
import { LIMITS } from '../status/condition.ts';
import { count } from '../status/words.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { isoSecond, type Past, readToTheEnd, withPast, withPastOptions } from './past.ts';
import { type Options, printJson } from './session.ts';

interface Example {
  readonly id: string;
  readonly time: string;
}

interface ReconcileResult extends ReconcileCounts {
  readonly feed: string;
  readonly from: string;
  readonly to: string;
  /** True when what was missing has been stored. */
  readonly repaired: boolean;
  /** Some of each, oldest first; ids and dates only. */
  readonly examples: Readonly<Record<'missing' | 'onlyHere' | 'variants', readonly Example[]>>;
}

/** `reconcile`: reads a past window again and compares it with the store. */
export const reconcile: Command = {
  name: 'reconcile',

  manual: {
    forms: ['--from <time> --to <time> [--feed <name>] [--repair] [options]'],
    does: [
      'Reads a past window from Mimecast once more and compares it with the store, hour by hour, beside the daemon or without it. It names up to 20 differences of each kind by id and date, without mail data.',
      'The newest stretch (feeds[].overlap before the checkpoint) is left out: live polling reads it again by itself.',
    ],
    sections: [
      {
        title: 'Result',
        terms: [
          ['matching', 'Mimecast and the store have it, and it says the same'],
          ['missing here', 'Mimecast has it, the store does not: --repair stores it, and the outputs get it'],
          ['only here', 'the store had it, Mimecast does not show it any more; it keeps 30 days'],
          ['variants', 'the same event, saying something else: see `variants list`'],
        ],
      },
    ],
    examples: [
      {
        typed: 'mimecast-forwarder reconcile --from 2026-11-16 --to 2026-11-23',
        does: 'compare a week; from cron the exit code is an alarm',
      },
      {
        typed: 'mimecast-forwarder reconcile --from 2026-11-16 --to 2026-11-23 --repair',
        does: 'and store what is missing',
      },
    ],
    bad: 'something is missing and was not stored, or Mimecast could not be read',
    reads: 'store',
    seeAlso: ['backfill', 'variants', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withPastOptions(command)
      .description('compare a past window of Mimecast with the store; exit 1 when anything is missing here')
      .option('--repair', 'store what is missing; it is shipped by the usual path');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const compareAll = async (past: Past): Promise<ExitCode> => {
      const results: ReconcileResult[] = [];
      for (const feed of past.feeds) results.push(await compareFeed(shell, feed, past, options.repair === true));
      if (options.json === true) printJson(shell, results);
      else for (const result of results) shell.stdout.write(textOf(result));
      return results.some(({ missing, repaired }) => missing > 0 && !repaired) ? 1 : 0;
    };
    return withPast(shell, options, compareAll, { mustExist: true });
  },
};

async function compareFeed(shell: Shell, feed: FeedConfig, past: Past, repair: boolean): Promise<ReconcileResult> {
  const { parts, pressure } = past;
  const span = { from: past.span.from, to: comparableUntil(feed, past) };
  const gone = (await parts.client.serverNow(shell.signal)) - LIMITS.mimecastKeeps;
  if (span.from < gone) {
    shell.stderr.write(
      `warning: Mimecast keeps 30 days: events from before ${isoSecond(Math.floor(gone / 1000) * 1000)} count as only here\n`,
    );
  }
  const reconciler = new Reconciler(walkContextOf(feed, parts), span, { repair, maxWindow: feed.maxWindow });
  const { counts, examples } = reconciler;
  await readToTheEnd(
    shell,
    // Who only looks needs no room.
    { feed: feed.name, span, pressure: repair ? pressure : undefined },
    reconciler,
    () => counts.matching + counts.missing + counts.variants,
  );
  return {
    ...{ feed: feed.name, from: isoSecond(span.from), to: isoSecond(span.to), ...counts, repaired: repair },
    examples: {
      missing: examples.missing.map(readable),
      onlyHere: examples.onlyHere.map(readable),
      variants: examples.variants.map(readable),
    },
  };
}

/** Live polling reads the overlap again: what surfaced there is not missing, it is on its way. */
function comparableUntil(feed: FeedConfig, { parts, span }: Past): number {
  const checkpoint = parts.store.checkpoints.get(feed.name)?.doneUntil;
  const until = Math.min(span.to, (checkpoint ?? Number.NEGATIVE_INFINITY) - feed.overlap);
  if (until > span.from) return until;
  const readUntil = checkpoint ? `up to ${isoSecond(checkpoint)}` : 'not at all';
  throw new UsageError(
    `feed ${feed.name} has been read ${readUntil} so far: there is nothing to compare`,
    `Give a --from that is more than feeds[].overlap before that, or read the window first with \`backfill\`.`,
  );
}

function readable({ id, time }: Difference): Example {
  return { id, time: isoSecond(time) };
}

function textOf(result: ReconcileResult): string {
  const { feed, from, to, missing, repaired, examples, malformed } = result;
  const counts = [
    `${count(result.matching)} matching`,
    `${count(missing)} missing here${missing > 0 && repaired ? ' (stored now)' : ''}`,
    `${count(result.onlyHere)} only here`,
    `${count(result.variants)} variants`,
    ...(malformed > 0 ? [`${count(malformed)} malformed`] : []),
  ];
  const lines = [
    `${feed}: compared ${from} to ${to}: ${counts.join(', ')}.`,
    ...examplesOf('missing here', examples.missing, missing),
    ...examplesOf('only here', examples.onlyHere, result.onlyHere),
    ...examplesOf('variant', examples.variants, result.variants),
    ...(missing > 0 && !repaired ? ['The same command with --repair stores what is missing.'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function examplesOf(kind: string, examples: readonly Example[], total: number): string[] {
  const lines = examples.map(({ id, time }) => `  ${kind.padEnd(12)}  ${time}  event ${id}`);
  return total > examples.length
    ? [...lines, `  ${kind.padEnd(12)}  and ${count(total - examples.length)} more`]
    : lines;
}
