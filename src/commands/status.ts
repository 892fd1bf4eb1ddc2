import { type Command as CommanderCommand, Option } from 'commander';
import { SNAPSHOT_NOTE } from '../daemon/snapshot.ts';
import { assess } from '../status/assess.ts';
import { observeFeed, observeOutput, observeStore } from '../status/observe.ts';
import type { Snapshot } from '../status/snapshot.ts';
import { exitCodeOf, renderTerminal, type TerminalOptions } from '../status/terminal.ts';
import type { SpanName } from '../status/view.ts';
import { timelinesOf } from '../status/view-of.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { lookOf } from './look.ts';
import { type Options, printJson, readConfig, withConfigOption, withJsonOption, withStore } from './session.ts';
import { NEVER_RUN, type Picture, watchStatus } from './watching.ts';

/** `status`: what the store knows, whether or not the daemon runs. */
export const status: Command = {
  name: 'status',

  manual: {
    forms: ['[--span 7d] [--watch] [--json] [--no-color] [options]'],
    does: [
      'Shows each feed, each output and what is wrong, with what to do about it. It reads the store, so it works while the daemon runs and while it does not.',
      'The last column is the rate over the last 24 hours or 7 days: a block for each part of it, `×` where something was not read or not accepted, nothing where no daemon ran.',
      'With --watch it is drawn anew every 2 seconds, with the latest changes below, until `q` or Ctrl-C. On a pipe, --watch prints a line for each change.',
    ],
    examples: [
      { typed: 'mimecast-forwarder status', does: 'for people' },
      { typed: 'mimecast-forwarder status --watch --span 7d', does: 'keep an eye on it, with the last week' },
      { typed: 'mimecast-forwarder status --json', does: 'for programs; the same as /api/status' },
      { typed: 'mimecast-forwarder status --watch --json', does: 'a JSON object a line for each change' },
    ],
    bad: 'something is in trouble; 0: all is well, at work, or only warnings',
    reads: 'store',
    seeAlso: ['tap', 'rejects', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('show feeds, outputs and what is wrong; exit 1 when anything is in trouble')
      .addOption(new Option('--span <span>', 'how far back the last column goes').choices(SPANS).default('24h'))
      .option('-w, --watch', 'look again every 2 seconds, until q or Ctrl-C')
      .option('--no-color', 'no colours (also: NO_COLOR)');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    const span = options.span === '7d' ? '7d' : '24h';
    const style = (): TerminalOptions => {
      const look = lookOf(shell, shell.stdout, options);
      return { ...look, width: look.width ?? 80 };
    };
    const json = options.json === true;
    return withStore(loaded, async (store) => {
      if (options.watch === true) return watchStatus(shell, () => lookAt(store, span), { style, json });
      const look = lookAt(store, span);
      if (look === null) {
        shell.stdout.write(`${NEVER_RUN}\n`);
        return 0;
      }
      const { report, timelines } = look;
      if (json) printJson(shell, report);
      else shell.stdout.write(renderTerminal(report, style(), { timelines }));
      return exitCodeOf(report);
    });
  },
};

const SPANS: readonly SpanName[] = ['24h', '7d'];

/** Null until a daemon has run on the store. */
function lookAt(store: Store, span: SpanName): Picture | null {
  store.refresh();
  const noted = store.note<Snapshot>(SNAPSHOT_NOTE);
  if (!noted) return null;
  const report = assess(refreshed(noted.data, store, Date.now()));
  return { report, timelines: timelinesOf(store, report, span) };
}

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
