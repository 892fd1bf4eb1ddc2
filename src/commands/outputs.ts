import type { Command as CommanderCommand } from 'commander';
import { UsageError } from '../errors.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { type Options, readConfig, withConfigOption, withStore } from './session.ts';

/** `outputs forget NAME`: drops the cursor of an output that is gone, so that it holds nothing back. */
export const outputs: Command = {
  name: 'outputs',

  manual: {
    forms: ['forget <name> [options]'],
    does: [
      'Events are kept until every output that the store knows has them. An output that was taken out of the config still counts until it is forgotten, so that taking it out by mistake loses nothing.',
    ],
    examples: [{ typed: 'mimecast-forwarder outputs forget old-siem', does: 'let go of what was kept for it' }],
    bad: 'the store knows no output of that name',
    reads: 'store',
    seeAlso: ['status', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withConfigOption(command)
      .description('drop the cursor of an output that is no longer configured')
      .argument('<action>', 'forget')
      .argument('<name>', 'name of the output');
  },

  async run(shell: Shell, [action, name = '']: readonly string[], options: Options): Promise<ExitCode> {
    if (action !== 'forget') throw new UsageError(`outputs ${action} is unknown`, 'There is `outputs forget NAME`.');
    const loaded = readConfig(shell, options);
    if (loaded.config.outputs.some((output) => output.name === name)) {
      throw new UsageError(
        `output ${name} is still in ${loaded.file}`,
        'Take it out of the config and restart the daemon first: a forgotten output would begin anew.',
      );
    }
    return withStore(loaded, (store) => {
      // Nobody is left to serve them, and they would hold events back.
      store.replays.cancelOf(name, Date.now());
      if (!store.cursors.forget(name)) {
        shell.stdout.write(`The store knows no output ${name}.\n`);
        return 1;
      }
      // A daemon knows the cursors as they were when it started, or reloaded.
      const until = Store.isServed(store.path)
        ? ' The running daemon keeps events for it until its next reload or start.'
        : '';
      shell.stdout.write(`Output ${name} is forgotten.${until}\n`);
      return 0;
    });
  },
};
