import { Argument, type Command as CommanderCommand } from 'commander';
import { printConfig } from '../config/effective.ts';
import { jsonSchemaOf } from '../config/json-schema.ts';
import { loadConfig } from '../config/load.ts';
import { configSchema } from '../config/schema.ts';
import { tables } from '../config/tables.ts';
import type { Command, ExitCode, Shell } from './command.ts';

/** `config schema`: what may be written. `config print`: what is in force. */
export const config: Command = {
  name: 'config',

  define(command: CommanderCommand): void {
    command
      .description('Print the JSON Schema of the config, or the effective config with every secret masked')
      .addArgument(new Argument('<what>', 'what to print').choices(['schema', 'print']))
      .option('--json', 'print the effective config as JSON instead of YAML')
      .addHelpText('after', '\nExample:\n  mimecast-forwarder config print --config forwarder.yaml\n');
  },

  async run(shell: Shell, [what]: readonly string[], options): Promise<ExitCode> {
    if (what === 'schema') {
      shell.stdout.write(`${JSON.stringify(jsonSchemaOf(configSchema(tables)), undefined, 2)}\n`);
      return 0;
    }
    const file = typeof options.config === 'string' ? options.config : undefined;
    const { effective, warnings } = loadConfig({ file, env: shell.env });
    for (const warning of warnings) shell.stderr.write(`warning: ${warning}\n`);
    shell.stdout.write(printConfig(effective, options.json === true ? 'json' : 'yaml'));
    return 0;
  },
};
