import type { Command as CommanderCommand } from 'commander';
import { UsageError } from '../errors.ts';
import { visible } from '../status/text.ts';
import type { Malformed } from '../store/malformed.ts';
import type { Reject } from '../store/rejects.ts';
import type { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import {
  idArguments,
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

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('events that an output refused for good, and records that could not be read')
      .argument('<action>', 'list, show, retry or discard')
      .argument('[ids...]', 'numbers; for retry and discard also `all`')
      .option('--output <name>', 'of one output only')
      .addHelpText('after', HELP);
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

const HELP = `
Numbers with an m (m3) are records from Mimecast that could not be read, for example without a date;
they reach no output.

Examples:
  mimecast-forwarder rejects list
  mimecast-forwarder rejects show 17
  mimecast-forwarder rejects retry all --output elastic     # after the cause is mended
  mimecast-forwarder rejects discard 17 m3
`;

function list(shell: Shell, store: Store, options: Options): ExitCode {
  const output = outputOf(options);
  const refused = allRejects(store, output);
  const unreadable = output === undefined ? store.malformed.list() : [];
  if (options.json === true) {
    printJson(shell, { rejects: refused.map(rejectForPeople), malformed: unreadable.map(malformedForPeople) });
    return 0;
  }
  if (refused.length + unreadable.length === 0) shell.stdout.write('There are no rejects.\n');
  for (const reject of refused) shell.stdout.write(`${lineOfReject(reject)}\n`);
  for (const record of unreadable) shell.stdout.write(`${lineOfMalformed(record)}\n`);
  return 0;
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
  const ids = chosenRejects(store, args, options);
  const count = store.rejects.retry(ids);
  shell.stdout.write(`${count} will be sent again, by the daemon or the next \`run\`.\n`);
  return count < ids.length ? 1 : 0;
}

function discard(shell: Shell, store: Store, args: readonly string[], options: Options): ExitCode {
  const ids = chosenRejects(store, args, options);
  const records = args.includes('all') ? [] : parseIds(args).records;
  const count = store.rejects.remove(ids) + store.malformed.remove(records);
  shell.stdout.write(`${count} discarded.\n`);
  return count < ids.length + records.length ? 1 : 0;
}

/** The rejects that are named, or all of them, or all of one output. */
function chosenRejects(store: Store, args: readonly string[], options: Options): number[] {
  if (args.length === 0) throw new UsageError('name the rejects by number, or say `all`', '`rejects list` shows them.');
  if (!args.includes('all')) return parseIds(args).numbers;
  return allRejects(store, outputOf(options)).map(({ id }) => id);
}

function outputOf({ output }: Options): string | undefined {
  return typeof output === 'string' ? output : undefined;
}

/** The store gives them a thousand at a time. */
function allRejects(store: Store, output: string | undefined): Reject[] {
  const found: Reject[] = [];
  for (;;) {
    const page = store.rejects.list({ output, after: found.at(-1)?.id ?? 0 });
    if (page.length === 0) return found;
    found.push(...page);
  }
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
