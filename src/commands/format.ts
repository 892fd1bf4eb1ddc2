import { type Command as CommanderCommand, Option } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import { ForwarderEvent } from '../event.ts';
import type { Feed, FeedType } from '../feeds/feed.ts';
import { feedTypes } from '../feeds/index.ts';
import { envelopes } from '../formats/envelopes/index.ts';
import { formats } from '../formats/index.ts';
import { eventId } from '../store/key.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { writerFromOptions, writerOfOutput } from './event-writer.ts';
import { type Options, readConfig, repeated, withConfigOption } from './session.ts';

/** `format`: renders records as an output would send them, to try a parser before any event is shipped. */
export const format: Command = {
  name: 'format',

  manual: {
    forms: [
      '[--as <format>] [--option <key=value>]... [--envelope <name>] [--max-bytes <bytes>] [file]',
      '--output <name> [options] [file]',
    ],
    does: [
      'Renders records as an output would send them, to try a parser before any event is shipped. It takes records as NDJSON or as an answer of the API, connects to nothing and needs no config, but for --output.',
    ],
    examples: [
      {
        typed: 'mimecast-forwarder format --as cef --envelope rfc3164 records.ndjson',
        does: 'CEF behind a syslog header',
      },
      {
        typed: 'mimecast-forwarder format --as leef --option version=2.0 --option delimiter=^ records.ndjson',
        does: 'a format with options of its own',
      },
      {
        typed: 'mimecast-forwarder format --output qradar --config forwarder.yaml records.ndjson',
        does: 'exactly as an output of the config would',
      },
      { typed: 'mimecast-forwarder format --as json < answer.json', does: 'from standard input' },
    ],
    bad: 'a record could not be read, for example without a date',
    reads: 'config',
    seeAlso: ['tap', 'check', 'docs/formats.md'],
  },

  define(command: CommanderCommand): void {
    withConfigOption(command)
      .description('render records as an output would send them')
      .argument('[file]', 'records as NDJSON, or an answer of the API; - or nothing for standard input', '-')
      .addOption(new Option('--as <format>', 'the format (default: json)').choices(Object.keys(formats)))
      .addOption(
        new Option('--option <key=value>', 'an option of the format; may be given several times').argParser(repeated),
      )
      .addOption(new Option('--envelope <name>', 'put a syslog header before it').choices(Object.keys(envelopes)))
      .addOption(
        new Option('--feed <type>', 'what the records are').choices(Object.keys(feedTypes)).default('attachment'),
      )
      .option('--max-bytes <bytes>', 'shorten to this size, header included; at least 480')
      .addOption(
        new Option(
          '--output <name>',
          'exactly as this output of the config would, header and size limit included',
        ).conflicts(['as', 'option', 'envelope', 'maxBytes']),
      );
  },

  async run(shell: Shell, [file = '-']: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = typeof options.output === 'string' ? readConfig(shell, options) : undefined;
    const feed = feedOf(String(options.feed), loaded);
    const write = loaded ? writerOfOutput(shell, loaded, String(options.output)) : writerFromOptions(shell, options);
    let odd = 0;
    for (const record of recordsOf(await shell.readText(file), feed.recordsKey, file)) {
      const event = eventOf(record, feed);
      if (typeof event === 'string') {
        odd += 1;
        shell.stderr.write(`a record could not be read: ${event}\n`);
      } else {
        shell.stdout.write(`${write(event)}\n`);
      }
    }
    return odd > 0 ? 1 : 0;
  },
};

/** The feed of a type as the config has it: what makes records the same, and so their ids, is a matter of the config. */
function feedOf(typeName: string, loaded: LoadedConfig | undefined): Feed {
  const configured = loaded?.config.feeds.find(({ type }) => type.type === typeName);
  const type = feedTypes[typeName] as FeedType;
  return type.create({ name: configured?.name ?? type.type, key: configured?.dedupe.key ?? type.defaultKey });
}

function eventOf(record: unknown, feed: Feed): ForwarderEvent | string {
  const identity = feed.identify(record);
  if ('malformed' in identity) return identity.malformed;
  const { time, parts } = identity;
  const raw = Buffer.from(JSON.stringify(record));
  return new ForwarderEvent({ seq: 0, id: eventId(feed.type, time, parts), source: feed, time, raw });
}

/** The records of an API answer, of a JSON array or object, or of NDJSON. */
function recordsOf(text: string, recordsKey: string, file: string): unknown[] {
  const whole = parse(text);
  if (whole === undefined) {
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line, index) => {
        const record = parse(line);
        if (record === undefined) {
          throw new UsageError(`line ${index + 1} of ${file === '-' ? 'standard input' : file} is not JSON`);
        }
        return record;
      });
  }
  if (Array.isArray(whole)) return whole;
  const data: unknown = Reflect.get(Object(whole), 'data');
  if (!Array.isArray(data)) return [whole];
  return data.flatMap((element: unknown) => {
    const records: unknown = Reflect.get(Object(element), recordsKey);
    return Array.isArray(records) ? records : [];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
