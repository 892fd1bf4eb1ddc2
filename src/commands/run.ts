import type { Command as CommanderCommand } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { watchFiles } from '../config/watch.ts';
import { Daemon } from '../daemon/daemon.ts';
import { type Cause, Reloader } from '../daemon/reloader.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { hostOf, loggerFor, type Options, readConfig, withConfigOption } from './session.ts';

/** Failures in a row after which `run --once` gives a feed or an output up. */
const TRIES = 4;

/** `run`: the daemon, in the foreground. */
export const run: Command = {
  name: 'run',

  manual: {
    forms: ['[options]', '--once [options]'],
    does: [
      'The daemon, in the foreground: reads every feed on its schedule, keeps what is new in the store, and delivers it to every output until it is stopped. What it was doing when it was stopped or killed, it goes on with at the next start.',
      'With --once it polls each feed one time, delivers all that is outstanding and ends: for cron, or to try a config.',
    ],
    sections: [
      {
        title: 'Signals',
        terms: [
          ['SIGTERM, SIGINT', 'finish the page and the batch in hand and exit 0 within 10 s; a second one forces'],
          [
            'SIGHUP',
            'read the config again and put it in force without touching what it does not change, or keep the old one and say why',
          ],
        ],
      },
      {
        title: 'Reload',
        text: [
          'With --watch-config the config file, and the files that it names (secrets, certificates), are looked at every second, and a change is taken up as SIGHUP takes it up. A config is refused as a whole when it is wrong, when it would skip or repeat events, or when it wants a restart; see docs/reload.md.',
        ],
      },
    ],
    examples: [
      { typed: 'mimecast-forwarder run --config forwarder.yaml', does: 'run until stopped' },
      { typed: 'mimecast-forwarder run --once --config forwarder.yaml', does: 'poll once, deliver, end' },
      { typed: 'mimecast-forwarder run --watch-config', does: 'take up changes of the config as they are written' },
    ],
    bad: 'with --once: a feed or an output failed',
    endless: true,
    reads: 'store',
    seeAlso: ['check', 'status', 'docs/operations.md', 'docs/reload.md'],
  },

  define(command: CommanderCommand): void {
    withConfigOption(command)
      .description('collect and deliver, in the foreground, until stopped')
      .option('--once', 'poll each feed once, deliver all that is outstanding, and exit: 1 when something failed')
      .option('--watch-config', 'reload as SIGHUP does when the config file, or a file that it names, has changed');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return options.once === true ? runOnce(shell, loaded) : serve(shell, loaded, options);
  },
};

async function runOnce(shell: Shell, loaded: LoadedConfig): Promise<ExitCode> {
  const logger = loggerFor(shell, loaded);
  const daemon = Daemon.open({ config: loaded.config, host: hostOf(shell), logger });
  if (shell.signal.aborted) void daemon.stop();
  shell.signal.addEventListener('abort', () => void daemon.stop(), { once: true });
  let failures: unknown[];
  try {
    failures = await daemon.runOnce(TRIES);
  } finally {
    await daemon.stop();
  }
  for (const failure of failures) logger.error({ err: failure }, 'run --once could not finish');
  return failures.length > 0 ? 1 : 0;
}

/** The daemon until a signal ends it, or until it meets something that it cannot go on with. */
async function serve(shell: Shell, loaded: LoadedConfig, options: Options): Promise<ExitCode> {
  const logger = loggerFor(shell, loaded);
  let reloader: Reloader | undefined;
  let asked: Cause | undefined;
  const reload = (cause: Cause): void => {
    // As long as it starts there is nothing to change; what comes meanwhile is not forgotten.
    if (reloader) reloader.ask(cause);
    else asked = cause;
  };
  shell.onReload(() => reload('signal'));
  if (options.watchConfig === true) {
    void watchFiles(
      () => (reloader?.loaded ?? loaded).files,
      () => reload('file'),
      shell.signal,
    );
  }
  const daemon = Daemon.open({ config: loaded.config, host: hostOf(shell), logger });
  await daemon.start();
  logger.info({ config: loaded.file, version: shell.version }, 'started');
  reloader = new Reloader({ daemon, loaded, read: () => readConfig(shell, options), logger, now: Date.now });
  if (asked) reloader.ask(asked);
  const failed = daemon.failed.then((error) => ({ error }));
  const end = await Promise.race([stopOf(shell), failed]);
  logger.info('stopping');
  await daemon.stop();
  if (end !== 'stop') throw end.error;
  logger.info('stopped');
  return 0;
}

function stopOf({ signal }: Shell): Promise<'stop'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stop');
    signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });
}
