import type { Command as CommanderCommand } from 'commander';
import type { Logger } from 'pino';
import type { LoadedConfig } from '../config/load.ts';
import { Daemon } from '../daemon/daemon.ts';
import { messageOf } from '../errors.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { hostOf, loggerFor, type Options, readConfig, withConfigOption } from './session.ts';

/** Failures in a row after which `run --once` gives a feed or an output up. */
const TRIES = 4;

/** `run`: the daemon, in the foreground. */
export const run: Command = {
  name: 'run',

  define(command: CommanderCommand): void {
    withConfigOption(command)
      .description('collect and deliver, in the foreground, until stopped')
      .option('--once', 'poll each feed once, deliver all that is outstanding, and exit: 1 when something failed')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    return options.once === true ? runOnce(shell, loaded) : serve(shell, loaded, options);
  },
};

const HELP = `
The config is looked up in this order: --config FILE, $MIMECAST_FORWARDER_CONFIG,
./config/forwarder.yaml, /etc/mimecast-forwarder/forwarder.yaml.

Signals:
  SIGTERM, SIGINT  finish the page and the batch in hand and exit 0 within 10 s; a second one forces
  SIGHUP           read the config again and apply it, or keep the old one and say why

Examples:
  mimecast-forwarder run --config forwarder.yaml
  mimecast-forwarder run --once --config forwarder.yaml     # from cron, or to try a config
`;

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

/** Runs daemon after daemon: a new one for each config that SIGHUP brings, until a signal ends it. */
async function serve(shell: Shell, first: LoadedConfig, options: Options): Promise<ExitCode> {
  const logger = loggerFor(shell, first);
  let loaded = first;
  /** What was in force before a reload. */
  let fallback: LoadedConfig | undefined;
  /** Why the config on the disk is not in force. */
  let refusal: string | undefined;
  let reload: (() => void) | undefined;
  shell.onReload(() => reload?.());
  const stopped = new Promise<'stop'>((resolve) => {
    if (shell.signal.aborted) resolve('stop');
    shell.signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });
  for (;;) {
    logger.level = loaded.config.log.level;
    let daemon: Daemon;
    try {
      daemon = await startDaemon(shell, loaded, logger);
    } catch (error) {
      // Good in itself, but a port is taken, or a file that it names is not there.
      if (!fallback) throw error;
      refusal = messageOf(error);
      logger.error({ reason: refusal }, 'the new config cannot be applied; the old one stays in force');
      loaded = fallback;
      fallback = undefined;
      continue;
    }
    if (refusal !== undefined) daemon.configRefused(refusal);
    refusal = undefined;
    let next: LoadedConfig | undefined;
    const reloaded = new Promise<'reload'>((resolve) => {
      reload = () => {
        next = readAgain(shell, options, logger, (reason) => daemon.configRefused(reason));
        if (next) resolve('reload');
      };
    });
    const failed = daemon.failed.then((error) => ({ error }));
    const end = await Promise.race([stopped, reloaded, failed]);
    logger.info(end === 'reload' ? 'applying the new config' : 'stopping');
    await daemon.stop();
    if (end === 'stop') {
      logger.info('stopped');
      return 0;
    }
    if (end !== 'reload') throw end.error;
    if (next) {
      fallback = loaded;
      loaded = next;
    }
  }
}

async function startDaemon(shell: Shell, loaded: LoadedConfig, logger: Logger): Promise<Daemon> {
  const daemon = Daemon.open({ config: loaded.config, host: hostOf(shell), logger });
  await daemon.start();
  logger.info({ config: loaded.file, version: shell.version }, 'started');
  return daemon;
}

/** The config read again; undefined, with the reason in the log, when it cannot be applied. */
function readAgain(
  shell: Shell,
  options: Options,
  logger: Logger,
  refuse: (reason: string) => void,
): LoadedConfig | undefined {
  try {
    return readConfig(shell, options);
  } catch (error) {
    refuse(messageOf(error));
    logger.error({ reason: messageOf(error) }, 'the new config is refused; the old one stays in force');
    return undefined;
  }
}
