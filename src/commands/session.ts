import type { Command as CommanderCommand } from 'commander';
import type { Logger } from 'pino';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { tables } from '../config/tables.ts';
import type { Host } from '../daemon/host.ts';
import { UsageError } from '../errors.ts';
import { Store } from '../store/store.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { Shell } from './command.ts';

/** What commands begin with: the config, a logger, the store. */

export type Options = Readonly<Record<string, unknown>>;

/** Adds `--config`, which every command takes. */
export function withConfigOption(command: CommanderCommand): CommanderCommand {
  return command.option('-c, --config <file>', 'the config file (default: see Files)');
}

/** Adds `--json`, for commands that print a result. */
export function withJsonOption(command: CommanderCommand): CommanderCommand {
  return command.option('--json', 'print the result as JSON');
}

/** Reads the config and prints its warnings. Throws a `ConfigError` with every mistake. */
export function readConfig(shell: Shell, options: Options): LoadedConfig {
  const file = typeof options.config === 'string' ? options.config : undefined;
  const loaded = loadConfig({ file, env: shell.env, cwd: shell.cwd, tables });
  for (const warning of loaded.warnings) shell.stderr.write(`warning: ${warning}\n`);
  return loaded;
}

export function loggerFor(shell: Shell, { config }: LoadedConfig): Logger {
  return createLogger({ ...config.log, destination: shell.stderr });
}

export function hostOf(shell: Shell): Host {
  const { pid, hostname, version, node, stdout } = shell;
  return { pid, hostname, version, node, stdout, now: Date.now };
}

/** Opens the store of a config for a command, hands it over and closes it again. */
export async function withStore<T>({ config }: LoadedConfig, work: (store: Store) => Promise<T> | T): Promise<T> {
  const store = Store.open(config.store.path, { mustExist: true });
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

/** What a terminal obeys or does not show: C1 controls, bidirectional and other format characters, line separators. */
const UNPRINTED = /[\u007f-\u009f\u00ad\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON, with what a sender of mail could fool a terminal with as `\u…`: the same value to any reader. */
export function printJson(shell: Shell, value: unknown): void {
  shell.stdout.write(`${harmlessJson(value, 2)}\n`);
}

/** The same as text; without `indent` on one line. */
export function harmlessJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(UNPRINTED, (char) =>
    Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

/** ms of an ISO time given as `--from` or `--to`. */
export function timeOption(options: Options, name: 'from' | 'to'): number {
  const text = options[name];
  const example = '2026-11-23T03:10Z';
  if (typeof text !== 'string')
    throw new UsageError(`--${name} is missing`, `Give a time such as --${name} ${example}.`);
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(
      `--${name} ${text} is not a time`,
      `Write it with its zone, as ${example}, or as a day: 2026-11-23.`,
    );
  }
  return time;
}

/** The whole numbers among a command's arguments. */
export function idArguments(args: readonly string[], what: string): number[] {
  return args.map((text) => {
    if (!/^\d+$/.test(text))
      throw new UsageError(`${text} is not the number of ${what}`, 'The list shows the numbers.');
    return Number(text);
  });
}

/** A whole number from `least` to `most` that was given with an option. */
export function numberOption(text: unknown, option: string, least: number, most = Number.POSITIVE_INFINITY): number {
  const number = /^\d{1,15}$/.test(String(text)) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.POSITIVE_INFINITY ? `from ${least} on` : `from ${least} to ${most}`;
  throw new UsageError(`${option} ${String(text)} is not a whole number ${range}`);
}

/** Parses an option that may be given several times: all its values, in order. */
export function repeated(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
