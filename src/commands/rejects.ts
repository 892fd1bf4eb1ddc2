import type { Command as CommanderCommand } from 'commander';
import { UsageError } from '../errors.ts';
import { visible } from '../status/text.ts';
import type { Malformed } from '../store/malformed.ts';
import type { Reject } from '../store/rejects.ts';
import type { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import {
  idArguments,
  numberOption,
  type Options,
  printJson,
  readConfig,
  withConfigOption,
  withJsonOption,
  withStore,
} from './session.ts';

/** `rejects list | show | retry | discard`: what an output refused for good, and records that could not be read. */
export const rejects: Command = {
  name: 'rejects',

  manual: {
    forms: [
      'list [--output <name>] [--limit <number>] [--after <number>] [--json] [options]',
      'show <id>... [options]',
      'retry <id>...|all [--output <name>] [options]',
      'discard <id>...|all [--output <name>] [options]',
    ],
    does: [
      'Events that an output refused for good, with the reason, and records from Mimecast that could not be read. They are kept until somebody sends them again or lets go of them.',
      'Numbers with an m (m3) are records that could not be read, for example without a date; they reach no output.',
    ],
    examples: [
      { typed: 'mimecast-forwarder rejects list', does: 'each with its number, output and reason' },
      { typed: 'mimecast-forwarder rejects list --after 1000', does: 'those that come after number 1000' },
      { typed: 'mimecast-forwarder rejects show 17', does: 'the whole record' },
      {
        typed: 'mimecast-forwarder rejects retry all --output elastic',
        does: 'send them again, after the cause is mended',
      },
      { typed: 'mimecast-forwarder rejects discard 17 m3', does: 'let go of two' },
    ],
    bad: 'there is no reject of that number',
    reads: 'store',
    seeAlso: ['status', 'replay', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('events that an output refused for good, and records that could not be read')
      .argument('<action>', 'list, show, retry or discard')
      .argument('[ids...]', 'numbers; for retry and discard also `all`')
      .option('--output <name>', 'of one output only')
      .option('--limit <number>', 'how many list shows', '1000')
      .option('--after <number>', 'list goes on after this one');
  },

  async run(shell: Shell, [action = '', ...rest]: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return withStore(loaded, (store) => {
      switch (action) {
        case 'list':
          return list(shell, store, options);
        case 'show':
          return show(shell, store, rest);
        case 'retry':
          return retry(shell, store, rest, options);
        case 'discard':
          return discard(shell, store, rest, options);
        default:
          throw new UsageError(`rejects ${action} is unknown`, 'There are `list`, `show ID`, `retry` and `discard`.');
      }
    });
  },
};

function list(shell: Shell, store: Store, options: Options): ExitCode {
  const { refused, unreadable, next } = select(store, options);
  if (options.json === true) {
    printJson(shell, { rejects: refused.map(rejectForPeople), malformed: unreadable.map(malformedForPeople), next });
  } else {
    const lines = [...refused.map(lineOfReject), ...unreadable.map(lineOfMalformed)];
    shell.stdout.write(lines.length === 0 ? 'There are no rejects.\n' : `${lines.join('\n')}\n`);
  }
  if (next !== null) {
    const output = outputOf(options);
    const total = store.rejects.count(output) + (output === undefined ? store.malformed.count() : 0);
    const again = `rejects list --after ${next}${output === undefined ? '' : ` --output ${output}`}`;
    const shown = `${refused.length + unreadable.length} of ${total} are shown`;
    shell.stderr.write(`${shown}. The next ones: mimecast-forwarder ${again}\n`);
  }
  return 0;
}

interface Selection {
  readonly refused: readonly Reject[];
  readonly unreadable: readonly Malformed[];
  /** The number to go on after; null when these are the last. */
  readonly next: string | null;
}

/** Rejects come first, then records that could not be read: one row of numbers, 1, 2, 3, m1, m2, to go through bit by bit. */
function select(store: Store, options: Options): Selection {
  const output = outputOf(options);
  const limit = numberOption(options.limit, '--limit', 1);
  const after = String(options.after ?? 0);
  if (/^m\d+$/.test(after)) return selectUnreadable(store, [], Number(after.slice(1)), limit);
  const from = numberOption(after, '--after', 0);
  const refused = store.rejects.list({ output, after: from, limit });
  const last = refused.at(-1)?.id ?? from;
  const isAll = store.rejects.list({ output, after: last, limit: 1 }).length === 0;
  if (!isAll) return { refused, unreadable: [], next: String(last) };
  return output === undefined ? selectUnreadable(store, refused, 0, limit) : { refused, unreadable: [], next: null };
}

function selectUnreadable(store: Store, refused: readonly Reject[], after: number, limit: number): Selection {
  const room = limit - refused.length;
  const unreadable = room === 0 ? [] : store.malformed.list({ after, limit: room });
  const last = unreadable.at(-1)?.id ?? after;
  const isAll = store.malformed.list({ after: last, limit: 1 }).length === 0;
  return { refused, unreadable, next: isAll ? null : `m${last}` };
}

function show(shell: Shell, store: Store, args: readonly string[]): ExitCode {
  const { numbers, records } = parseIds(args);
  if (numbers.length + records.length === 0)
    throw new UsageError('rejects show needs a number', '`rejects list` shows them.');
  let missing = 0;
  for (const id of numbers) {
    const reject = store.rejects.get(id);
    if (reject) printJson(shell, rejectForPeople(reject));
    else missing += complain(shell, String(id));
  }
  for (const id of records) {
    const record = store.malformed.get(id);
    if (record) printJson(shell, malformedForPeople(record));
    else missing += complain(shell, `m${id}`);
  }
  return missing > 0 ? 1 : 0;
}

function retry(shell: Shell, store: Store, args: readonly string[], options: Options): ExitCode {
  const unreadable = args.find((arg) => /^m\d+$/.test(arg));
  if (unreadable) {
    throw new UsageError(
      `${unreadable} is a record that could not be read, so it cannot be sent`,
      '`rejects show` prints it, `rejects discard` drops it.',
    );
  }
  const named = namedRejects(args);
  const count = named ? store.rejects.retry(named.numbers) : store.rejects.retryAll(outputOf(options));
  shell.stdout.write(`${count} will be sent again, by the daemon or the next \`run\`.\n`);
  return named && count < named.numbers.length ? 1 : 0;
}

function discard(shell: Shell, store: Store, args: readonly string[], options: Options): ExitCode {
  const named = namedRejects(args);
  const count = named
    ? store.rejects.remove(named.numbers) + store.malformed.remove(named.records)
    : store.rejects.removeAll(outputOf(options));
  shell.stdout.write(`${count} discarded.\n`);
  return named && count < named.numbers.length + named.records.length ? 1 : 0;
}

/** Undefined when all of them are meant. */
function namedRejects(args: readonly string[]): ReturnType<typeof parseIds> | undefined {
  if (args.length === 0) throw new UsageError('name the rejects by number, or say `all`', '`rejects list` shows them.');
  return args.includes('all') ? undefined : parseIds(args);
}

function outputOf({ output }: Options): string | undefined {
  return typeof output === 'string' ? output : undefined;
}

function parseIds(args: readonly string[]): { numbers: number[]; records: number[] } {
  return {
    numbers: idArguments(
      args.filter((arg) => !/^m\d+$/.test(arg)),
      'a reject',
    ),
    records: args.filter((arg) => /^m\d+$/.test(arg)).map((arg) => Number(arg.slice(1))),
  };
}

function complain(shell: Shell, id: string): 1 {
  shell.stderr.write(`There is no reject ${id}.\n`);
  return 1;
}

function rejectForPeople({ id, output, at, reason, retrying, event }: Reject): unknown {
  const record = JSON.parse(event.raw.toString()) as unknown;
  return { id, output, at: new Date(at).toISOString(), reason, retrying, eventId: event.id, feed: event.feed, record };
}

function malformedForPeople({ id, feed, foundAt, reason, raw }: Malformed): unknown {
  return { id: `m${id}`, feed, at: new Date(foundAt).toISOString(), reason, raw };
}

function lineOfReject({ id, output, at, reason, retrying, event }: Reject): string {
  const state = retrying ? ', will be sent again' : '';
  return `${id}  ${new Date(at).toISOString()}  output ${output}  event ${event.id}${state}\n    ${visible(reason)}`;
}

function lineOfMalformed({ id, feed, foundAt, reason }: Malformed): string {
  return `m${id}  ${new Date(foundAt).toISOString()}  feed ${feed}  could not be read\n    ${visible(reason)}`;
}
