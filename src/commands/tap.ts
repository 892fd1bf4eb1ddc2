import { type Command as CommanderCommand, Option } from 'commander';
import { eventSources } from '../daemon/feeds.ts';
import { compileFilter } from '../deliver/filter.ts';
import { codeOf, ForwarderError, UsageError } from '../errors.ts';
import type { ForwarderEvent } from '../event.ts';
import { formats } from '../formats/index.ts';
import { visible } from '../status/text.ts';
import { EventReader } from '../store/event-reader.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell, TerminalStream } from './command.ts';
import { glimpseOf, lineOf } from './event-line.ts';
import { chosenFormat } from './event-writer.ts';
import { doubtsAbout, filterOf, filterOption } from './filter-option.ts';
import { lookOf } from './look.ts';
import {
  harmlessJson,
  numberOption,
  type Options,
  readConfig,
  repeated,
  timeOption,
  withConfigOption,
  withJsonOption,
} from './session.ts';
import { tapped, type Wanted } from './tapping.ts';

/** Events that `--last` keeps in memory at most. */
const MOST = 100_000;

/** `tap`: shows events as they are stored, or stored ones, beside a running daemon or without one. */
export const tap: Command = {
  name: 'tap',

  manual: {
    forms: ['[--filter <field=values>]... [--from <time> | --last <count>] [--mask] [options]'],
    does: [
      'Shows events as they are stored, one a line, until it is stopped: time (UTC), result, route, sender, recipient and file. On a terminal long texts are cut in the middle, and what could fool it is shown by its name (U+202E).',
      'It only looks, beside a running daemon or without one: it has no cursor, holds up no output, and retention does not wait for it. Filters are those of outputs.',
    ],
    examples: [
      {
        typed: 'mimecast-forwarder tap --filter result=malicious,unsafe --filter route=inbound',
        does: 'watch what matters',
      },
      { typed: 'mimecast-forwarder tap --last 20 --no-follow --mask', does: 'the last 20, to be shown to others' },
      { typed: 'mimecast-forwarder tap --from 2026-11-23T08:00Z --json --no-follow', does: 'since then, for programs' },
      {
        typed: 'mimecast-forwarder tap --count 1 --format leef --option version=2.0',
        does: 'one as a SIEM would get it',
      },
    ],
    endless: true,
    reads: 'store',
    seeAlso: ['status', 'format', 'replay', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('watch events go by as they are stored')
      .addOption(filterOption())
      .addOption(new Option('--from <time>', 'begin with stored events of this time or later').conflicts('last'))
      .option('--last <count>', 'begin with so many of the last stored ones that pass the filters')
      .option('--count <count>', 'end after so many events, with exit code 0')
      .option('--no-follow', 'end at the last stored event instead of waiting for more')
      .addOption(
        new Option('--format <format>', 'as an output would write them (default: a line for people)')
          .choices(Object.keys(formats))
          .conflicts(['json', 'mask']),
      )
      .addOption(
        new Option('--option <key=value>', 'an option of the format; may be given several times').argParser(repeated),
      )
      .option('--mask', 'hide who and what: first letter and domain of addresses, type of files')
      .option('--no-color', 'no colours (also: NO_COLOR)');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const filter = filterOf((options.filter ?? []) as readonly string[]);
    const wanted = { begin: beginOf(options), passes: compileFilter(filter), follow: options.follow !== false };
    const write = writerOf(shell, options);
    const count = options.count === undefined ? Number.POSITIVE_INFINITY : numberOption(options.count, '--count', 1);
    const { config } = readConfig(shell, options);
    const reader = EventReader.open(config.store.path);
    try {
      for (const doubt of doubtsAbout(filter)) shell.stderr.write(`warning: ${visible(doubt)}\n`);
      if (wanted.follow && !Store.isServed(config.store.path)) {
        shell.stderr.write('No daemon serves this store just now: nothing new comes before one runs.\n');
      }
      let left = count;
      for await (const events of tapped(reader, wanted, eventSources(config.feeds, reader), shell.signal)) {
        const lines = events.slice(0, left).map((event) => `${write(event)}\n`);
        if (!(await print(shell.stdout, lines.join(''), shell.signal))) break;
        left -= lines.length;
        if (left === 0) break;
      }
    } catch (error) {
      // Being told to end is how watching ends.
      if (!shell.signal.aborted) throw error;
    } finally {
      reader.close();
    }
    return 0;
  },
};

type Write = (event: ForwarderEvent) => string;

function writerOf(shell: Shell, options: Options): Write {
  const pairs = (options.option ?? []) as readonly string[];
  if (typeof options.format === 'string') {
    const format = chosenFormat(options.format, pairs);
    const write: Write = (event) => format.render(event).text;
    // In a pipe the bytes are those that an output would send.
    return shell.stdout.isTTY === true ? (event) => harmless(write(event)) : write;
  }
  if (pairs.length > 0) throw new UsageError('--option is for a --format', 'Name the format: --format leef.');
  const masked = options.mask === true;
  if (options.json === true) return (event) => harmlessJson(forPrograms(event, masked));
  const look = lookOf(shell, shell.stdout, options);
  return (event) => lineOf(glimpseOf(event, masked), look, Date.now());
}

/** What a terminal would obey is named; a tab, which LEEF is made of, stays. */
function harmless(text: string): string {
  return text.replace(/[^\t]+/g, (part) => visible(part));
}

function forPrograms(event: ForwarderEvent, masked: boolean): unknown {
  const { time, severity: _, ...words } = glimpseOf(event, masked);
  const { seq, id: eventId, source } = event;
  return { seq, eventId, feed: source.name, time: new Date(time).toISOString().replace('.000Z', 'Z'), ...words };
}

function beginOf(options: Options): Wanted['begin'] {
  if (options.last !== undefined) return { last: numberOption(options.last, '--last', 1, MOST) };
  return options.from === undefined ? 'now' : { from: timeOption(options, 'from') };
}

/**
 * Resolves when the operating system has taken the text: a reader that is slow holds `tap` back, and nothing but it. False when the
 * reader has gone away (`tap | head`), which is an end and no error.
 */
async function print(stream: TerminalStream, text: string, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const onAbort = (): void => reject(signal.reason);
  // A stream tells an error twice, to the callback and as an event, and an event that nobody listens to ends the process.
  const onError = (error: Error): void => {
    if (codeOf(error) === 'EPIPE' || codeOf(error) === 'ERR_STREAM_DESTROYED') resolve(false);
    else reject(new ForwarderError('standard output cannot be written', { code: 'STDOUT', cause: error }));
  };
  stream.once('error', onError);
  signal.addEventListener('abort', onAbort, { once: true });
  stream.write(text, (error) => (error ? onError(error) : resolve(true)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (stream.writable) stream.off('error', onError);
  }
}
