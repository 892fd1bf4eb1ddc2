import { readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { twinOf } from '../../config/traverse.ts';
import { UsageError } from '../../errors.ts';
import type { Shell } from '../command.ts';
import type { Options } from '../session.ts';
import type { SecretPlace } from './config-text.ts';

/** Secrets that the command line tells of: it may say where they are, never what they are. */

const ON_THE_COMMAND_LINE =
  'A command line can be read by every user of this machine, in /proc and by ps, and stays in the history of the shell.';

/** Where the client secret is by the options; undefined where it has to be asked for. */
export function clientSecretGiven(shell: Shell, config: string, options: Options): SecretPlace | undefined {
  const { clientSecret, clientSecretFile: file, clientSecretEnv: variable } = options;
  if (clientSecret !== undefined) {
    throw new UsageError(
      '--client-secret is not taken',
      `${ON_THE_COMMAND_LINE} Type it when asked, pipe it to standard input, or name a file with --client-secret-file or a variable with --client-secret-env.`,
    );
  }
  if (file !== undefined && variable !== undefined) {
    throw new UsageError('--client-secret-file and --client-secret-env exclude each other');
  }
  if (typeof file === 'string') return secretFileAt(shell, config, file);
  if (typeof variable !== 'string') return undefined;
  if (!/^[A-Za-z_]\w*$/.test(variable)) {
    throw new UsageError('--client-secret-env takes the name of a variable', 'Such as MIMECAST_CLIENT_SECRET.');
  }
  return { variable };
}

/** Of an output, `tokenFile=FILE` or `token=${NAME}`; never the secret itself. `written` is `token` or `tokenFile`, `key` is `token`. */
export function secretGiven(shell: Shell, config: string, key: string, written: string, given: string): SecretPlace {
  if (written !== key) return secretFileAt(shell, config, given);
  const variable = /^\$\{([A-Za-z_]\w*)\}$/.exec(given)?.[1];
  if (variable !== undefined) return { variable };
  throw new UsageError(
    `--set ${key}=… is not taken, for it is a secret`,
    `${ON_THE_COMMAND_LINE} Leave it out to be asked for it, or give --set ${twinOf(key)}=FILE or --set '${key}=\${NAME}'.`,
  );
}

/** As the config has to name it: relative where it lies beside the config or below. */
function secretFileAt({ cwd }: Shell, config: string, file: string): SecretPlace {
  const path = resolve(cwd, file);
  try {
    if (readFileSync(path, 'utf8').trim() === '') throw new UsageError(`the secret file ${path} is empty`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the secret file ${path} cannot be read`, 'Check the path, and that this user may read it.');
  }
  const fromConfig = relative(dirname(config), path);
  return { file: fromConfig.startsWith('..') || isAbsolute(fromConfig) ? path : fromConfig || basename(path) };
}
