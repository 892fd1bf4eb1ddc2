import { CommanderError, Command as Program } from 'commander';
import { ConfigError } from '../config/mistakes.ts';
import { ForwarderError, isAbort, messageOf, UsageError } from '../errors.ts';
import { StoreError } from '../store/errors.ts';
import type { Command, Shell } from './command.ts';
import { commandHelp, programHelp } from './help-page.ts';
import { commands } from './index.ts';
import { pageOf, programPage } from './manual.ts';

/** What the process ends with: 0 done · 1 it ran and the answer is bad · 2 usage or config · 3 the store · 130, 143 stopped in the middle. */
export async function runProgram(shell: Shell, args: readonly string[]): Promise<number> {
  const program = new Program('mimecast-forwarder')
    .version(shell.version)
    .exitOverride()
    .showHelpAfterError('See `mimecast-forwarder --help`.')
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
    });
  let code: number | undefined;
  const columns = shell.stdout.columns ?? 80;
  const known = await commandsFor(args);
  program.configureHelp({ formatHelp: () => programHelp(programPage(known), columns) });
  for (const command of known) {
    const verb = program.command(command.name).exitOverride();
    command.define(verb);
    verb.configureHelp({ formatHelp: () => commandHelp(pageOf(command), columns) });
    verb.showHelpAfterError(`See \`mimecast-forwarder ${command.name} --help\`.`);
    verb.action(async () => {
      code = await command.run(shell, verb.args, verb.opts());
    });
  }
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 2;
    }
    await program.parseAsync([...args], { from: 'user' });
    return code ?? 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return explain(shell, error);
  }
}

/** The verb that is typed; all of them for the help, or where none of them is. */
async function commandsFor(args: readonly string[]): Promise<Command[]> {
  const typed = commands[args[0] ?? ''];
  return Promise.all((typed ? [typed] : Object.values(commands)).map((load) => load()));
}

/** Tells what happened and what to do, and gives the exit code. */
function explain(shell: Shell, error: unknown): number {
  if (isAbort(error) && shell.signal.aborted) return messageOf(shell.signal.reason) === 'SIGINT' ? 130 : 143;
  if (!(error instanceof ForwarderError)) {
    shell.stderr.write(`mimecast-forwarder: unexpected: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
    return 1;
  }
  if (error instanceof ConfigError && error.mistakes.length > 0) {
    const count = error.mistakes.length === 1 ? 'a mistake' : `${error.mistakes.length} mistakes`;
    shell.stderr.write(`mimecast-forwarder: the config has ${count}:\n${error.message}\n`);
  } else {
    shell.stderr.write(`mimecast-forwarder: ${messageOf(error)}\n`);
  }
  if (error.hint) shell.stderr.write(`  ${error.hint}\n`);
  if (error instanceof StoreError) return 3;
  return error instanceof UsageError || error instanceof ConfigError ? 2 : 1;
}
