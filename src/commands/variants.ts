import type { Command as CommanderCommand } from 'commander';
import { UsageError } from '../errors.ts';
import { visible } from '../status/text.ts';
import type { Variant } from '../store/variants.ts';
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

/** `variants list | ship ID`: records whose key was known but whose content differed. */
export const variants: Command = {
  name: 'variants',

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('records whose key was known but whose content differed')
      .argument('<action>', 'list or ship')
      .argument('[ids...]', 'numbers, for ship')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, [action, ...rest]: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return withStore(loaded, (store) => {
      if (action === 'list') {
        const found = store.variants.list();
        if (options.json === true) printJson(shell, found.map(readable));
        else shell.stdout.write(found.length > 0 ? `${found.map(lineOf).join('\n')}\n` : 'There are no variants.\n');
        return 0;
      }
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

const HELP = `
A variant has the same fileHash, date and recipient (dedupe.key) as an event that is known, and says
something else. By default it is kept and not shipped (dedupe.variants: suppress).

Examples:
  mimecast-forwarder variants list
  mimecast-forwarder variants ship 12
`;

function readable({ raw, foundAt, content: _, ...variant }: Variant): unknown {
  return { ...variant, foundAt: new Date(foundAt).toISOString(), record: JSON.parse(raw) as unknown };
}

function lineOf(variant: Variant): string {
  const shipped = variant.shipped === null ? '' : ', shipped';
  return `${variant.id}  ${new Date(variant.foundAt).toISOString()}  ${variant.feed}  event ${variant.eventId}${shipped}\n    ${visible(variant.raw)}`;
}
