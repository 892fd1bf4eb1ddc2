import { SingleBar } from 'cli-progress';
import type { Command as CommanderCommand } from 'commander';
import { Pressure } from '../collect/pressure.ts';
import { SpanReader } from '../collect/span.ts';
import type { FeedConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { walkContextOf } from '../daemon/feeds.ts';
import { userAgentOf } from '../daemon/host.ts';
import { ForwarderError, UsageError } from '../errors.ts';
import { MimecastClient } from '../mimecast/client.ts';
import { Backoff, sleep } from '../retry.ts';
import { Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import {
  hostOf,
  loggerFor,
  type Options,
  printJson,
  readConfig,
  timeOption,
  withConfigOption,
  withJsonOption,
} from './session.ts';

/** Failures in a row after which a backfill gives up; what it has read stays. */
const TRIES = 8;

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

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('read a past window into the store; what is new is shipped by the usual path')
      .requiredOption('--from <time>', 'begin of the window, as 2026-11-23T03:10Z')
      .requiredOption('--to <time>', 'end of the window')
      .option('--feed <name>', 'one feed only (default: all)')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    const span = { from: timeOption(options, 'from'), to: timeOption(options, 'to') };
    if (span.from >= span.to) throw new UsageError('--from must be before --to');
    const feeds = loaded.config.feeds.filter(({ name }) => options.feed === undefined || name === options.feed);
    if (feeds.length === 0) throw new UsageError(`there is no feed ${options.feed} in ${loaded.file}`);
    const metrics = new Metrics();
    const host = hostOf(shell);
    const client = new MimecastClient(loaded.config.mimecast, { metrics, userAgent: userAgentOf(host) });
    const store = Store.open(loaded.config.store.path);
    try {
      const pressure = new Pressure(store, loaded.config.store, metrics, host.now);
      const parts = { client, store, metrics, host, logger: loggerFor(shell, loaded), pressure };
      const results: BackfillResult[] = [];
      for (const feed of feeds) results.push(await readFeed(shell, feed, span, parts));
      if (options.json === true) printJson(shell, results);
      else for (const result of results) shell.stdout.write(`${sentenceOf(result, loaded)}\n`);
      return 0;
    } finally {
      await client.close();
      store.close();
    }
  },
};

const HELP = `
Nothing is doubled: what is known stays as it is. It may run beside the daemon, which then ships
what is new; without a daemon the next \`run\` does. It shares Mimecast's quota with the daemon, and
keeps a ceiling of its own (mimecast.requestsPerMinute).

Example:
  mimecast-forwarder backfill --from 2026-11-22T00:00Z --to 2026-11-23T00:00Z
`;

async function readFeed(
  shell: Shell,
  feed: FeedConfig,
  span: { from: number; to: number },
  parts: Parameters<typeof walkContextOf>[1] & { readonly pressure: Pressure },
): Promise<BackfillResult> {
  // The newest stretch is still being written by Mimecast: live polling reads it when it has settled.
  const latest = (await parts.client.serverNow(shell.signal)) - feed.settle;
  const to = Math.min(span.to, latest);
  const reader = new SpanReader(walkContextOf(feed, parts), { from: span.from, to }, feed.maxWindow);
  const counts = { new: 0, known: 0, variants: 0, malformed: 0 };
  const bar = progressBar(shell, feed.name);
  bar?.start(Math.max(1, to - span.from), 0, { read: 0 });
  const backoff = new Backoff({ initialDelay: 1000, maxDelay: 60_000 });
  try {
    while (!reader.done) {
      try {
        parts.pressure.ensureRoom();
        const page = await reader.readOnce(shell.signal);
        counts.new += page.added.length;
        counts.known += page.duplicates;
        counts.variants += page.variants;
        counts.malformed += page.malformed;
        bar?.update(page.doneUntil - span.from, { read: counts.new + counts.known });
        backoff.reset();
      } catch (error) {
        if (!(error instanceof ForwarderError) || !error.retryable || backoff.failures >= TRIES) throw error;
        await sleep(backoff.next(error.retryAfterMs), shell.signal);
      }
    }
  } finally {
    bar?.stop();
  }
  return { feed: feed.name, from: iso(span.from), to: iso(to), ...counts };
}

function progressBar(shell: Shell, feed: string): SingleBar | undefined {
  if (!shell.stderr.isTTY) return undefined;
  return new SingleBar({
    format: `${feed} {bar} {percentage} %, {read} records, {eta_formatted} left`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    stream: shell.stderr as NodeJS.WritableStream,
  });
}

function sentenceOf(result: BackfillResult, { config }: LoadedConfig): string {
  const odd = [
    ...(result.variants > 0 ? [`${result.variants} variants`] : []),
    ...(result.malformed > 0 ? [`${result.malformed} malformed`] : []),
  ];
  const tail = result.new > 0 && !Store.isServed(config.store.path) ? ' The next `run` ships what is new.' : '';
  return `${result.feed}: read ${result.from} to ${result.to}: ${[`${result.new} new`, `${result.known} known`, ...odd].join(', ')}.${tail}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
