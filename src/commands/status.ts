import type { Command as CommanderCommand } from 'commander';
import { SNAPSHOT_NOTE } from '../daemon/snapshot.ts';
import { assess } from '../status/assess.ts';
import { observeFeed, observeOutput, observeStore } from '../status/observe.ts';
import type { Snapshot } from '../status/snapshot.ts';
import { exitCodeOf, renderTerminal } from '../status/terminal.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { type Options, printJson, readConfig, withConfigOption, withJsonOption, withStore } from './session.ts';

/** `status`: what the store knows, whether or not the daemon runs. */
export const status: Command = {
  name: 'status',

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('show feeds, outputs and what is wrong; exit 1 when anything is in trouble')
      .option('--no-color', 'no colours (also: NO_COLOR)')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return withStore(loaded, (store) => {
      const noted = store.note<Snapshot>(SNAPSHOT_NOTE);
      if (!noted) {
        shell.stdout.write('The daemon has not run on this store yet. Start it with `mimecast-forwarder run`.\n');
        return 0;
      }
      const snapshot = refreshed(noted.data, store, Date.now());
      const report = assess(snapshot);
      if (options.json === true) printJson(shell, { ...snapshot, report });
      else shell.stdout.write(renderTerminal(report, lookOf(shell, options)));
      return exitCodeOf(report);
    });
  },
};

const HELP = `
Reads the store, so it works while the daemon runs and while it does not.
Exit code: 0 all is well, at work, or only warnings; 1 anything is in trouble.

Examples:
  mimecast-forwarder status
  mimecast-forwarder status --json
`;

/** The daemon's last note with what the store can tell by itself brought up to now. */
function refreshed(noted: Snapshot, store: Store, now: number): Snapshot {
  const running = Store.isServed(store.path);
  return {
    ...noted,
    running,
    now: running ? now : noted.now,
    feeds: noted.feeds.map((feed) => ({ ...feed, ...observeFeed(store, feed.name) })),
    outputs: noted.outputs.map((output) => ({ ...output, ...observeOutput(store, output.name) })),
    store: { ...noted.store, ...observeStore(store) },
  };
}

function lookOf(shell: Shell, options: Options): { color: boolean; unicode: boolean; width: number } {
  const { LC_ALL, LC_CTYPE, LANG, NO_COLOR } = shell.env;
  const isTerminal = shell.stdout.isTTY === true;
  return {
    color: isTerminal && options.color !== false && !NO_COLOR,
    unicode: !isTerminal || /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || ''),
    width: shell.stdout.columns ?? 80,
  };
}
