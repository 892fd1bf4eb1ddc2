import type { Command as CommanderCommand } from 'commander';
import { SpanReader } from '../collect/span.ts';
import type { FeedConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { walkContextOf } from '../daemon/feeds.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { isoSecond, type Past, readToTheEnd, withPast, withPastOptions } from './past.ts';
import { type Options, printJson } from './session.ts';

interface BackfillResult {
  readonly feed: string;
  readonly from: string;
  readonly to: string;
  readonly new: number;
  readonly known: number;
  readonly variants: number;
  readonly malformed: number;
}

/** `backfill`: reads a past window into the store, beside a running daemon or without one. */
export const backfill: Command = {
  name: 'backfill',

  manual: {
    forms: ['--from <time> --to <time> [--feed <name>] [options]'],
    does: [
      'Reads a past window from Mimecast into the store. What is new is shipped by the usual path; what is known stays as it is, so nothing is doubled.',
      'It may run beside the daemon, which then ships what is new; without a daemon the next `run` does. It shares the quota of Mimecast with the daemon, and keeps a ceiling of its own (mimecast.requestsPerMinute). What it has read when it is stopped stays.',
    ],
    examples: [
      {
        typed: 'mimecast-forwarder backfill --from 2026-11-22T00:00Z --to 2026-11-23T00:00Z',
        does: 'read a day again, for example after a permission was missing',
      },
    ],
    bad: 'Mimecast could not be read, or the store has no room',
    reads: 'store',
    seeAlso: ['reconcile', 'replay', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withPastOptions(command).description('read a past window into the store; what is new is shipped by the usual path');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    return withPast(shell, options, async (past): Promise<ExitCode> => {
      const results: BackfillResult[] = [];
      for (const feed of past.feeds) results.push(await readFeed(shell, feed, past));
      if (options.json === true) printJson(shell, results);
      else for (const result of results) shell.stdout.write(`${sentenceOf(result, past.loaded)}\n`);
      return 0;
    });
  },
};

async function readFeed(shell: Shell, feed: FeedConfig, { span, parts, pressure }: Past): Promise<BackfillResult> {
  // The newest stretch is still being written by Mimecast: live polling reads it when it has settled.
  const latest = (await parts.client.serverNow(shell.signal)) - feed.settle;
  const past = { from: span.from, to: Math.min(span.to, latest) };
  const reader = new SpanReader(walkContextOf(feed, parts), past, feed.maxWindow, 'backfill');
  const counts = { new: 0, known: 0, variants: 0, malformed: 0 };
  await readToTheEnd(shell, { feed: feed.name, span: past, pressure }, reader, (page) => {
    counts.new += page.added.length;
    counts.known += page.duplicates;
    counts.variants += page.variants;
    counts.malformed += page.malformed;
    return counts.new + counts.known;
  });
  return { feed: feed.name, from: isoSecond(past.from), to: isoSecond(past.to), ...counts };
}

function sentenceOf(result: BackfillResult, { config }: LoadedConfig): string {
  const odd = [
    ...(result.variants > 0 ? [`${result.variants} variants`] : []),
    ...(result.malformed > 0 ? [`${result.malformed} malformed`] : []),
  ];
  const tail = result.new > 0 && !Store.isServed(config.store.path) ? ' The next `run` ships what is new.' : '';
  return `${result.feed}: read ${result.from} to ${result.to}: ${[`${result.new} new`, `${result.known} known`, ...odd].join(', ')}.${tail}`;
}
