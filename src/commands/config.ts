import { Argument, type Command as CommanderCommand } from 'commander';
import { printConfig } from '../config/effective.ts';
import { jsonSchemaOf } from '../config/json-schema.ts';
import { configSchema } from '../config/schema.ts';
import { tables } from '../config/tables.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { readConfig, withConfigOption, withJsonOption } from './session.ts';

/** `config schema`: what may be written. `config print`: what is in force. */
export const config: Command = {
  name: 'config',

  manual: {
    forms: ['schema', 'print [--json] [options]'],
    does: [
      '`config schema` prints the JSON Schema of the config, for editors. `config print` prints the config that is in force: every default filled in, every secret masked.',
    ],
    examples: [
      { typed: 'mimecast-forwarder config print --config forwarder.yaml', does: 'what is in force, as YAML' },
      { typed: 'mimecast-forwarder config schema > forwarder.schema.json', does: 'for an editor' },
    ],
    reads: 'config',
    seeAlso: ['check', 'docs/config.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('print the JSON Schema of the config, or the config in force with every secret masked')
      .addArgument(new Argument('<what>', 'what to print').choices(['schema', 'print']));
  },

  async run(shell: Shell, [what]: readonly string[], options): Promise<ExitCode> {
    if (what === 'schema') {
      shell.stdout.write(`${JSON.stringify(jsonSchemaOf(configSchema(tables)), undefined, 2)}\n`);
      return 0;
    }
    const { effective } = readConfig(shell, options);
    shell.stdout.write(printConfig(effective, options.json === true ? 'json' : 'yaml'));
    return 0;
  },
};
