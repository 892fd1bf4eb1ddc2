import type { Command as CommanderCommand } from 'commander';
import { Pressure } from '../collect/pressure.ts';
import type { FeedConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { FeedParts } from '../daemon/feeds.ts';
import { userAgentOf } from '../daemon/host.ts';
import { ForwarderError, messageOf, UsageError } from '../errors.ts';
import type { TimeWindow } from '../feeds/feed.ts';
import { MimecastClient } from '../mimecast/client.ts';
import { Backoff, sleep } from '../retry.ts';
import { visible } from '../status/text.ts';
import { counted, duration } from '../status/words.ts';
import { Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Shell } from './command.ts';
import { Progress } from './progress.ts';
import {
  hostOf,
  loggerFor,
  type Options,
  readConfig,
  timeOption,
  withConfigOption,
  withJsonOption,
} from './session.ts';

/** What `backfill` and `reconcile` share: they read a past span from Mimecast, beside a running daemon or without one. */

/** Failures in a row after which a command gives up; what it has stored stays. */
const TRIES = 8;

export interface Past {
  readonly loaded: LoadedConfig;
  readonly span: TimeWindow;
  readonly feeds: readonly FeedConfig[];
  readonly parts: FeedParts;
  readonly pressure: Pressure;
}

/** Something that reads a span a page a turn. */
export interface PastReader<Page> {
  readonly done: boolean;
  readOnce(signal: AbortSignal): Promise<Page>;
}

/** Adds `--from`, `--to`, `--feed` and the options of every command. */
export function withPastOptions(command: CommanderCommand): CommanderCommand {
  return withJsonOption(withConfigOption(command))
    .requiredOption('--from <time>', 'begin of the window, as 2026-11-23T03:10Z')
    .requiredOption('--to <time>', 'end of the window')
    .option('--feed <name>', 'one feed only (default: all)');
}

/** Reads the options, opens the store and a client, hands them over and closes them again. */
export async function withPast<T>(
  shell: Shell,
  options: Options,
  work: (past: Past) => Promise<T>,
  opening: { readonly mustExist?: boolean } = {},
): Promise<T> {
  const loaded = readConfig(shell, options);
  const { config, file } = loaded;
  const span = { from: timeOption(options, 'from'), to: timeOption(options, 'to') };
  if (span.from >= span.to) throw new UsageError('--from must be before --to');
  const feeds = config.feeds.filter(({ name }) => options.feed === undefined || name === options.feed);
  if (feeds.length === 0) throw new UsageError(`there is no feed ${options.feed} in ${file}`);
  const metrics = new Metrics();
  const host = hostOf(shell);
  const client = new MimecastClient(config.mimecast, { metrics, userAgent: userAgentOf(host) });
  const store = Store.open(config.store.path, opening);
  try {
    const pressure = new Pressure(store, config.store, metrics, host.now);
    const parts = { client, store, metrics, host, logger: loggerFor(shell, loaded) };
    return await work({ loaded, span, feeds, parts, pressure });
  } finally {
    await client.close();
    store.close();
  }
}

/** Reads to the end of the span and shows how far it is. A failure that passes is told and waited out. */
export async function readToTheEnd<Page extends { readonly doneUntil: number }>(
  shell: Shell,
  what: { readonly feed: string; readonly span: TimeWindow; readonly pressure: Pressure | undefined },
  reader: PastReader<Page>,
  /** Takes the page and returns how many records have been read. */
  onPage: (page: Page) => number,
): Promise<void> {
  const { feed, span, pressure } = what;
  const progress = new Progress(shell, {
    label: feed,
    total: Math.max(1, span.to - span.from),
    amountOf: (done, total) => `${duration(done)} of ${duration(total)}`,
    countedOf: (records) => counted(records, 'record'),
  });
  const backoff = new Backoff({ initialDelay: 1000, maxDelay: 60_000 });
  try {
    while (!reader.done) {
      try {
        pressure?.ensureRoom();
        const page = await reader.readOnce(shell.signal);
        const read = onPage(page);
        progress.update(page.doneUntil - span.from, read);
        backoff.reset();
      } catch (error) {
        if (!(error instanceof ForwarderError) || !error.retryable || backoff.failures >= TRIES) throw error;
        progress.say(`${visible(messageOf(error))}; it is tried again`);
        await sleep(backoff.next(error.retryAfterMs), shell.signal);
      }
    }
  } finally {
    progress.stop();
  }
}

/** `2026-11-23T03:10:00Z` */
export function isoSecond(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
