import { Argument, type Command as CommanderCommand, Command as Program } from 'commander';
import type { Command, ExitCode, Shell } from './command.ts';
import { completionScript, SHELLS, type ShellName, type Verb, type VerbOption } from './completion-scripts.ts';

/** `completion SHELL`: a script that lets a shell complete what is typed. `verbs`: all that can be typed. */
export const completionOf = (verbs: () => Promise<readonly Command[]>): Command => ({
  name: 'completion',

  manual: {
    forms: ['<shell>'],
    does: [
      'Prints a script that lets a shell complete commands, options and their values when Tab is pressed. It is made from the commands themselves; print it again after an upgrade.',
    ],
    examples: [
      {
        typed: 'mimecast-forwarder completion bash > /etc/bash_completion.d/mimecast-forwarder',
        does: 'for bash, for everybody',
      },
      { typed: 'source <(mimecast-forwarder completion bash)', does: 'for this bash only' },
      { typed: `mimecast-forwarder completion zsh > "\${fpath[1]}/_mimecast-forwarder"`, does: 'for zsh' },
      {
        typed: 'mimecast-forwarder completion fish > ~/.config/fish/completions/mimecast-forwarder.fish',
        does: 'for fish',
      },
    ],
    reads: 'nothing',
    seeAlso: ['docs/commands.md'],
  },

  define(command: CommanderCommand): void {
    command
      .description('print a completion script for a shell')
      .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS));
  },

  async run(shell: Shell, [name]: readonly string[]): Promise<ExitCode> {
    shell.stdout.write(completionScript(name as ShellName, (await verbs()).map(describe)));
    return 0;
  },
});

/** As each verb defines itself, so that nothing has to be kept in step by hand. */
function describe(member: Command): Verb {
  const verb = new Program(member.name);
  member.define(verb);
  return { name: member.name, summary: verb.description(), words: wordsOf(verb), options: optionsOf(verb) };
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
