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

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('print the JSON Schema of the config, or the config in force with every secret masked')
      .addArgument(new Argument('<what>', 'what to print').choices(['schema', 'print']))
      .addHelpText('after', '\nExample:\n  mimecast-forwarder config print --config forwarder.yaml\n');
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
