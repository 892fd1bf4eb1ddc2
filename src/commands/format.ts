import { type Command as CommanderCommand, Option } from 'commander';
import { UsageError } from '../errors.ts';
import { ForwarderEvent, type RawRecord } from '../event.ts';
import type { Feed, FeedType } from '../feeds/feed.ts';
import { feedTypes } from '../feeds/index.ts';
import type { Envelope } from '../formats/envelopes/envelope.ts';
import { envelopes, headerName } from '../formats/envelopes/index.ts';
import { buildFormat } from '../formats/format.ts';
import { formats } from '../formats/index.ts';
import { eventId } from '../store/key.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import type { Options } from './session.ts';

/** `format`: renders records as an output would send them, to try a parser before any event is shipped. */
export const format: Command = {
  name: 'format',

  define(command: CommanderCommand): void {
    command
      .description('render records as an output would send them')
      .argument('[file]', 'records as NDJSON, or an answer of the API; - or nothing for standard input', '-')
      .addOption(new Option('--as <format>', 'the format').choices(Object.keys(formats)).default('json'))
      .addOption(new Option('--envelope <name>', 'put a syslog header before it').choices(Object.keys(envelopes)))
      .addOption(
        new Option('--feed <type>', 'what the records are').choices(Object.keys(feedTypes)).default('attachment'),
      )
      .option('--max-bytes <number>', 'shorten to this size, header included')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, [file = '-']: readonly string[], options: Options): Promise<ExitCode> {
    const type = feedTypes[String(options.feed)] as FeedType;
    const feed = type.create({ name: type.type, key: type.defaultKey });
    const write = writerFor(shell, options);
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

const HELP = `
Exit code 1 when a record could not be read, for example without a date.

Examples:
  mimecast-forwarder format --as cef --envelope rfc3164 records.ndjson
  mimecast-forwarder format --as json < answer.json
`;

function writerFor(shell: Shell, options: Options): (event: ForwarderEvent) => string {
  const type = formats[String(options.as)];
  if (!type) throw new UsageError(`there is no format ${options.as}`);
  const chosen = buildFormat(type);
  const maxBytes = options.maxBytes === undefined ? undefined : Number(options.maxBytes);
  if (maxBytes !== undefined && !(Number.isInteger(maxBytes) && maxBytes >= 480)) {
    throw new UsageError('--max-bytes must be a whole number of at least 480');
  }
  const table: Readonly<Record<string, Envelope>> = envelopes;
  const envelope = options.envelope === undefined ? undefined : table[String(options.envelope)];
  if (!envelope) return (event) => chosen.render(event, maxBytes).text;
  const context = {
    facility: 13,
    hostname: headerName(shell.hostname, 255),
    appName: 'mimecast-forwarder',
    procId: String(shell.pid),
    enterpriseId: 32473,
    timezone: 'UTC',
    tag: chosen.tagged !== true,
  };
  return (event) => {
    const room = maxBytes === undefined ? undefined : maxBytes - envelope.header(event, context, true).length;
    const { text, shortened } = chosen.render(event, room);
    return envelope.header(event, context, shortened) + text;
  };
}

function eventOf(record: unknown, feed: Feed): ForwarderEvent | string {
  const identity = feed.identify(record);
  if ('malformed' in identity) return identity.malformed;
  const { time, parts } = identity;
  const raw = Buffer.from(JSON.stringify(record));
  return new ForwarderEvent({
    seq: 0,
    id: eventId(feed.type, time, parts),
    source: feed,
    time,
    raw,
    record: record as RawRecord,
  });
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
