import { Argument, type Command as CommanderCommand, Command as Program } from 'commander';
import type { Command, ExitCode, Shell } from './command.ts';
import { completionScript, SHELLS, type ShellName, type Verb, type VerbOption } from './completion-scripts.ts';
import { commands } from './index.ts';

/** `completion SHELL`: a script that lets a shell complete what is typed. */
export const completion: Command = {
  name: 'completion',

  define(command: CommanderCommand): void {
    command
      .description('print a completion script for a shell')
      .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, [name]: readonly string[]): Promise<ExitCode> {
    shell.stdout.write(completionScript(name as ShellName, await allVerbs()));
    return 0;
  },
};

const HELP = `
Examples:
  source <(mimecast-forwarder completion bash)         # for this shell; put it into ~/.bashrc for all
  mimecast-forwarder completion zsh > "\${fpath[1]}/_mimecast-forwarder"
  mimecast-forwarder completion fish > ~/.config/fish/completions/mimecast-forwarder.fish
`;

/** As each verb defines itself, so that nothing has to be kept in step by hand. */
async function allVerbs(): Promise<Verb[]> {
  const members = await Promise.all(Object.values(commands).map((load) => load()));
  return members.map((member) => {
    const verb = new Program(member.name);
    member.define(verb);
    return {
      name: member.name,
      summary: verb.summary() || verb.description(),
      words: wordsOf(verb),
      options: optionsOf(verb),
    };
  });
}

/** Actions such as `list, show or retry` are given as choices, or stand in the argument's description. */
function wordsOf(verb: CommanderCommand): readonly string[] {
  const [first] = verb.registeredArguments;
  if (first === undefined) return [];
  if (first.argChoices) return first.argChoices;
  const words = first.description.split(/, | or /);
  return first.name() === 'action' && words.every((word) => /^[a-z]+$/.test(word)) ? words : [];
}

function optionsOf(verb: CommanderCommand): VerbOption[] {
  return verb.options.flatMap(({ long, description, argChoices, required, optional, flags }) => {
    if (!long) return [];
    const takesValue = required || optional;
    const value = argChoices ?? (!takesValue ? 'none' : /<file>/i.test(flags) ? 'file' : 'any');
    return [{ flag: long, summary: description, value }];
  });
}
