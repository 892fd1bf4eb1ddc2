import { basename, relative, resolve } from 'node:path';
import type { Command as CommanderCommand } from 'commander';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { printFindings } from './checking.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { type Answers, answersFor, OWN_OPTIONS } from './init/answers.ts';
import { Asker, type Question } from './init/asker.ts';
import { configText } from './init/config-text.ts';
import { requireAbsent, writeBeside } from './init/staging.ts';
import { type Options, repeated, withConfigOption } from './session.ts';

/** `init`: asks for what a config needs, writes it with its secrets in files of their own, and looks whether it works. */
export const init: Command = {
  name: 'init',

  manual: {
    forms: ['[--region <name>] [--client-id <id>] [--output <type>] [options]'],
    does: [
      'Asks for the region, the credentials and an output, and writes a commented config. Each answer can be given as an option instead; without a terminal the others are read from standard input, a line each, in the order of the questions.',
      'A secret that is typed goes into a file beside the config, readable for this user only (mode 0600), and the config names that file: a variable of the environment would be handed on to every child process and shown by tools that list them. A secret on the command line is refused, since every user of the machine can read it there.',
      'Nothing is written before all is answered, and nothing is replaced without --force: Ctrl-C leaves nothing behind.',
    ],
    examples: [
      { typed: 'mimecast-forwarder init', does: 'be asked for everything' },
      {
        typed: 'mimecast-forwarder init --region uk --output qradar --host qradar.example --protocol tls --online',
        does: 'be asked for the rest, and try what was written',
      },
      {
        typed:
          'mimecast-forwarder init --yes --client-id ID --client-secret-file secret --output syslog --host siem --protocol tls',
        does: 'be asked for nothing',
      },
    ],
    bad: 'the config was written, and something that it names did not answer, or refused',
    reads: 'nothing',
    seeAlso: ['check', 'config', 'docs/config.md', 'docs/troubleshooting.md'],
  },

  define(command: CommanderCommand): void {
    withConfigOption(command)
      .description('ask for what a config needs, write it and try it')
      .option('--region <name>', 'region of the account (global, us, uk, eu …), or the URL of the API')
      .option('--client-id <id>', 'client id of the API 2.0 application')
      .option('--client-secret-file <file>', 'file that holds the client secret; it stays where it is')
      .option('--client-secret-env <name>', 'variable that will hold the client secret when the daemon runs')
      .option('--client-secret <text>', 'refused: use one of the two above, or standard input')
      .option('--output <type>', 'type of the output, or the name of a profile such as qradar')
      .option('--name <name>', 'name of the output (default: its profile or type)');
    for (const [key, summary] of Object.entries(OWN_OPTIONS)) command.option(`--${key} <${key}>`, summary);
    command
      .option('--set <key=value>', 'any other key of the output; may be repeated', repeated)
      .option('--store <file>', 'where events are kept (default: ./data/forwarder.db)')
      .option('--yes', 'take the default of every question that has one')
      .option('--online', 'try it at once: sign in, read a page, connect to the output')
      .option('--force', 'replace files that are there');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const { config, force } = { config: configPath(shell, options), force: options.force === true };
    requireAbsent(config, force);
    const { answers, online } = await converse(shell, options, config);
    const text = configText(answers.chosen);
    const environment = { ...placeholders(text, shell), ...shell.env };
    const files = [...answers.secretFiles, { name: basename(config), text }];
    writeBeside(config, files, force, (staged) => void loadConfig({ file: staged, env: environment, cwd: shell.cwd }));
    tellWhatIsWritten(shell, config, answers);

    const missing = Object.keys(placeholders(text, shell));
    const loaded = loadConfig({ file: config, env: environment, cwd: shell.cwd });
    const tried = online && missing.length === 0;
    const good = await printFindings(shell, loaded, { online: tried, sendTest: false, json: false });
    tellWhatIsNext(shell, loaded, { tried, good, missing });
    return good && !(online && !tried) ? 0 : 1;
  },
};

const TRY_IT: Question<boolean> = {
  text: 'Try it now?',
  about: ['It can be tried at once: sign in, read a page, connect to the output. Nothing is stored, no event is sent.'],
  flag: '--online',
  fallback: 'yes',
  read: (answer) => {
    if (/^(y|yes|n|no)$/i.test(answer)) return { value: /^y/i.test(answer) };
    return { mistake: 'expected yes or no' };
  },
};

async function converse(
  shell: Shell,
  options: Options,
  config: string,
): Promise<{ answers: Answers; online: boolean }> {
  const asker = new Asker(shell);
  try {
    if (asker.isTerminal)
      asker.say(`This makes ${config}. Enter takes what stands in [ ]; Ctrl-C leaves nothing behind.`);
    const answers = await answersFor(shell, options, asker, config);
    const asks = asker.isTerminal && options.online !== true && options.yes !== true;
    return { answers, online: asks ? (await asker.ask(TRY_IT)) === true : options.online === true };
  } finally {
    asker.close();
  }
}

/** Where it is looked for first; see `loadConfig`. */
function configPath({ env, cwd }: Shell, { config }: Options): string {
  const named = typeof config === 'string' ? config : env.MIMECAST_FORWARDER_CONFIG;
  return resolve(cwd, named || './config/forwarder.yaml');
}

/** Values for the variables that the config names and that are not set here, so that all the rest of it can be checked. */
function placeholders(text: string, { env }: Shell): Record<string, string> {
  const code = text.replace(/^\s*#.*$/gm, '');
  const names = [...code.matchAll(/(?<!\$)\$\{(\w+)\}/g)].flatMap(([, name]) => name ?? []);
  return Object.fromEntries(names.filter((name) => !env[name]).map((name) => [name, 'not-set-yet']));
}

function tellWhatIsWritten({ stdout }: Shell, config: string, { secretFiles }: Answers): void {
  const names = [basename(config), ...secretFiles.map(({ name }) => name)];
  stdout.write(`Written: ${config}\n`);
  for (const name of names.slice(1)) stdout.write(`         ${resolve(config, '..', name)}, the secret by itself\n`);
  stdout.write(
    '         Readable for this user only (mode 0600): run the daemon as the same user, or chown them to its own.\n',
  );
}

interface Outcome {
  readonly tried: boolean;
  readonly good: boolean;
  readonly missing: readonly string[];
}

function tellWhatIsNext(shell: Shell, { file }: LoadedConfig, { tried, good, missing }: Outcome): void {
  const { stdout, env, cwd } = shell;
  const isFound = env.MIMECAST_FORWARDER_CONFIG !== undefined || relative(cwd, file) === 'config/forwarder.yaml';
  const config = isFound ? '' : ` --config ${/^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`}`;
  const command = (verb: string) => `  mimecast-forwarder ${verb}${config}\n`;
  if (missing.length > 0) stdout.write(`Not set here, and needed where it runs: ${missing.join(', ')}\n`);
  if (!good) stdout.write(`Mend what failed, in ${file}; docs/troubleshooting.md has more on each message. Then:\n`);
  else stdout.write('Next:\n');
  if (!tried || !good) stdout.write(command('check --online'));
  stdout.write(command('check --send-test') + command('run'));
}
