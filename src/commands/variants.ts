import type { Command as CommanderCommand } from 'commander';
import { UsageError } from '../errors.ts';
import { visible } from '../status/text.ts';
import type { Store } from '../store/store.ts';
import type { Variant } from '../store/variants.ts';
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

/** `variants list | ship ID`: records whose key was known but whose content differed. */
export const variants: Command = {
  name: 'variants',

  manual: {
    forms: ['list [--limit <number>] [--before <number>] [--json] [options]', 'ship <id>... [options]'],
    does: [
      'A variant has the same fileHash, date and recipient (dedupe.key) as an event that is known, and says something else. By default it is kept and not shipped (dedupe.variants: suppress).',
    ],
    examples: [
      { typed: 'mimecast-forwarder variants list', does: 'each with its number, its event and what it says' },
      { typed: 'mimecast-forwarder variants ship 12', does: 'send one to every output, under the old event id' },
    ],
    bad: 'there is no variant of that number',
    reads: 'store',
    seeAlso: ['reconcile', 'rejects', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('records whose key was known but whose content differed')
      .argument('<action>', 'list or ship')
      .argument('[ids...]', 'numbers, for ship')
      .option('--limit <number>', 'how many list shows', '1000')
      .option('--before <number>', 'list goes on before this one: the newest come first');
  },

  async run(shell: Shell, [action, ...rest]: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return withStore(loaded, (store) => {
      if (action === 'list') return list(shell, store, options);
      if (action !== 'ship') throw new UsageError(`variants ${action} is unknown`, 'There are `list` and `ship ID`.');
      const ids = idArguments(rest, 'a variant');
      if (ids.length === 0) throw new UsageError('variants ship needs a number', '`variants list` shows them.');
      const missing = ids.filter((id) => store.shipVariant(id, Date.now()) === undefined);
      for (const id of missing) shell.stderr.write(`There is no variant ${id}.\n`);
      shell.stdout.write(
        `${ids.length - missing.length} shipped: each output gets them next, under their old event id.\n`,
      );
      return missing.length > 0 ? 1 : 0;
    });
  },
};

function list(shell: Shell, store: Store, options: Options): ExitCode {
  const limit = numberOption(options.limit, '--limit', 1);
  const before = numberOption(options.before ?? 999_999_999_999_999, '--before', 1);
  const found = store.variants.list({ limit, before });
  if (options.json === true) printJson(shell, found.map(readable));
  else shell.stdout.write(found.length > 0 ? `${found.map(lineOf).join('\n')}\n` : 'There are no variants.\n');
  const oldest = found.at(-1)?.id;
  if (oldest !== undefined && store.variants.list({ before: oldest, limit: 1 }).length > 0) {
    const again = `mimecast-forwarder variants list --before ${oldest}`;
    shell.stderr.write(`${found.length} of ${store.variants.count()} are shown. Older ones: ${again}\n`);
  }
  return 0;
}

function readable({ raw, foundAt, content: _, ...variant }: Variant): unknown {
  return { ...variant, foundAt: new Date(foundAt).toISOString(), record: JSON.parse(raw) as unknown };
}

function lineOf(variant: Variant): string {
  const shipped = variant.shipped === null ? '' : ', shipped';
  return `${variant.id}  ${new Date(variant.foundAt).toISOString()}  ${variant.feed}  event ${variant.eventId}${shipped}\n    ${shortened(visible(variant.raw))}`;
}

/** A sender can make a record as long as he likes, and a screen is not. */
function shortened(text: string): string {
  return text.length <= LONGEST_LINE ? text : `${text.slice(0, LONGEST_LINE)}… (--json shows all of it)`;
}

const LONGEST_LINE = 4000;
