import { type Argument, type Option, Command as Program } from 'commander';
import type { Command, Manual } from './command.ts';
import { PROGRAM } from './completion-scripts.ts';

/**
 * The manual of a command and of the program, as data: what `Command.manual` says, and what the command's own options say.
 * `--help`, `docs/commands.md` and the man page are three ways to write it down.
 */

/** A word and what it means: an option, an exit code, a file. */
export type Term = readonly [term: string, meaning: string];

export interface CommandPage extends Manual {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly arguments: readonly Term[];
  readonly options: readonly Term[];
  readonly exitCodes: readonly Term[];
  readonly files: readonly Term[];
}

export interface ProgramPage {
  readonly does: readonly string[];
  readonly commands: readonly CommandPage[];
  readonly options: readonly Term[];
  /** How values are written. */
  readonly values: readonly Term[];
  readonly environment: readonly Term[];
  readonly files: readonly Term[];
  readonly exitCodes: readonly Term[];
  readonly examples: Manual['examples'];
  readonly seeAlso: readonly string[];
}

const CONFIG_FILES: readonly Term[] = [
  [
    'config',
    '--config FILE, else $MIMECAST_FORWARDER_CONFIG, ./config/forwarder.yaml, /etc/mimecast-forwarder/forwarder.yaml',
  ],
];
const STORE_FILES: readonly Term[] = [
  ['store', 'store.path of the config, ./data/forwarder.db by default, with -wal, -shm and .lock beside it'],
];
const HELP_OPTION: Term = ['-h, --help', 'print this and do nothing else'];
const DONE: Term = ['0', 'done'];
const USAGE: Term = ['2', 'the command line or the config is wrong; stderr says where and what is expected'];
const STORE: Term = ['3', 'the store is not there, in use by another daemon, damaged, or newer than this version'];
const FAILED = 'it failed; stderr says why';
const BROKEN_OFF: Term = ['130, 143', 'broken off by SIGINT or SIGTERM'];
const FORCED: Term = ['130, 143', 'forced to end by a second SIGINT or SIGTERM; the first one ends it with 0'];

export function pageOf({ name, manual, define }: Command): CommandPage {
  const verb = new Program(name);
  define(verb);
  const { bad, endless, reads } = manual;
  return {
    ...manual,
    name,
    summary: verb.description(),
    arguments: verb.registeredArguments.map(argumentTerm),
    options: [...ownFirst(verb.options).map(optionTerm), HELP_OPTION],
    exitCodes: [
      DONE,
      ['1', bad ?? FAILED],
      USAGE,
      ...(reads === 'store' ? [STORE] : []),
      endless === true ? FORCED : BROKEN_OFF,
    ],
    files: { nothing: [], config: CONFIG_FILES, store: [...CONFIG_FILES, ...STORE_FILES] }[reads],
  };
}

export function programPage(commands: readonly Command[]): ProgramPage {
  return {
    does: [
      'Brings Mimecast attachment-protection logs into a SIEM: every event reaches every output, and none is doubled by polling. One process reads Mimecast, keeps events in one SQLite file and delivers them. Not affiliated with Mimecast.',
      'Results go to stdout, progress and logs to stderr.',
    ],
    commands: commands.map(pageOf),
    options: [
      ['-V, --version', 'print the version'],
      ['-h, --help', `print this; \`${PROGRAM} COMMAND --help\` tells of a command`],
    ],
    values: [
      ['<time>', 'with its zone, as 2026-11-23T03:10Z or 2026-11-23T04:10+01:00, or a day in UTC: 2026-11-23'],
      ['<duration>', 'as 500ms, 30s, 15m, 24h or 30d'],
      ['<name>', 'of a feed or an output, as the config has it'],
    ],
    environment: [
      ['MIMECAST_FORWARDER_CONFIG', 'the config file, where --config does not name one'],
      ['HTTPS_PROXY, NO_PROXY', 'the proxy to Mimecast and to outputs that set none in the config'],
      ['NO_COLOR', 'set and not empty: no colours'],
      ['LC_ALL, LC_CTYPE, LANG', 'UTF-8 in them: more than ASCII is drawn on a terminal'],
      ['any other', `what the config names as \${NAME}`],
    ],
    files: [...CONFIG_FILES, ...STORE_FILES],
    exitCodes: [DONE, ['1', 'it ran and the answer is bad'], USAGE, STORE, BROKEN_OFF],
    examples: [
      { typed: `${PROGRAM} demo`, does: 'see it work, without credentials or a config' },
      { typed: `${PROGRAM} init`, does: 'make a config' },
      { typed: `${PROGRAM} check --online`, does: 'try the config' },
      { typed: `${PROGRAM} run`, does: 'run until stopped' },
      { typed: `${PROGRAM} status`, does: 'what is going on, from another terminal' },
    ],
    seeAlso: ['README.md', 'docs/operations.md', 'docs/config.md', 'docs/commands.md'],
  };
}

/** Whole lines that a shell would take: `mimecast-forwarder replay list [--json] [options]`. */
export function synopsisOf({ name, forms }: CommandPage): string[] {
  return forms.map((form) => [PROGRAM, name, form].filter((part) => part !== '').join(' '));
}

/** What every command takes comes last. */
function ownFirst(options: readonly Option[]): Option[] {
  const isShared = ({ long }: Option): boolean => long === '--json' || long === '--config';
  return [...options.filter((option) => !isShared(option)), ...options.filter(isShared).reverse()];
}

function argumentTerm(argument: Argument): Term {
  const { description, argChoices, defaultValue } = argument;
  const brackets = argument.required ? '<>' : '[]';
  const name = argument.name() + (argument.variadic ? '...' : '');
  return [brackets[0] + name + brackets[1], remarks(description, { argChoices, defaultValue })];
}

function optionTerm({ flags, description, argChoices, defaultValue, mandatory }: Option): Term {
  return [flags, remarks(description, { argChoices, defaultValue, mandatory })];
}

function remarks(
  description: string,
  more: {
    readonly argChoices?: readonly string[] | undefined;
    readonly defaultValue?: unknown;
    readonly mandatory?: boolean;
  },
): string {
  const told = [
    ...(more.mandatory === true ? ['required'] : []),
    ...(more.argChoices ? [`one of ${more.argChoices.join(', ')}`] : []),
    // A flag that is off by default says so by being a flag.
    ...(more.defaultValue === undefined || typeof more.defaultValue === 'boolean'
      ? []
      : [`default: ${more.defaultValue}`]),
  ];
  return told.length > 0 ? `${description} (${told.join('; ')})` : description;
}
