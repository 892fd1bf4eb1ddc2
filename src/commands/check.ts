import type { Command as CommanderCommand } from 'commander';
import { printFindings } from './checking.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { type Options, readConfig, withConfigOption, withJsonOption } from './session.ts';
import { TEST_SUBJECT } from './test-event.ts';

/**
 * `check`: is the config good, and with `--online`, does everything that it names answer?
 *
 * It sets no limit of its own to anybody's answer. Mimecast and the outputs have theirs in the config, made for what a healthy one
 * may take, and what they say when that is over has a target and a hint.
 */
export const check: Command = {
  name: 'check',

  manual: {
    forms: ['[--online] [--send-test] [--json] [options]'],
    does: [
      'Says whether the config is good, every mistake with its line, and what each output is: its target, and what "accepted" means there. With --online it also signs in at Mimecast, reads a page of each feed and connects to every output; nothing is stored and no event is sent.',
      'How long an answer may take is for the config to say (timeout, sendTimeout, acknowledgement.timeout); Ctrl-C ends the wait. With --json the test event of a stdout output goes to standard error.',
    ],
    examples: [
      { typed: 'mimecast-forwarder check', does: 'look at the config alone' },
      { typed: 'mimecast-forwarder check --online', does: 'try Mimecast and every output' },
      {
        typed: 'mimecast-forwarder check --send-test',
        does: `send a test event to each output; then look for "${TEST_SUBJECT}" in the SIEM`,
      },
    ],
    bad: 'something did not answer, or refused',
    reads: 'config',
    seeAlso: ['run', 'config', 'format', 'docs/config.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('validate the config; with --online also sign in, read a page and connect to every output')
      .option('--online', 'try Mimecast and every output; nothing is stored, no event is sent')
      .option('--send-test', 'send one labelled test event to each output (implies --online)');
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    const sendTest = options.sendTest === true;
    const extent = { online: options.online === true || sendTest, sendTest, json: options.json === true };
    return (await printFindings(shell, loaded, extent)) ? 0 : 1;
  },
};
