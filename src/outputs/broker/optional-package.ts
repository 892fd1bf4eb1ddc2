import { codeOf } from '../../errors.ts';
import { OutputError } from '../output.ts';

/**
 * Loads a client library that is no dependency of ours, for few need it: whoever configures the output installs it.
 * Throws an `OutputError` that says how.
 */
export async function optionalPackage<Module>(install: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const missing = codeOf(cause) === 'ERR_MODULE_NOT_FOUND';
    throw new OutputError(`the client library for this output ${missing ? 'is not installed' : 'cannot be loaded'}`, {
      reason: 'io',
      disposition: 'halt',
      hint: `Run npm install ${install} where the forwarder is installed (with -g if it was installed so), and start it again.`,
      cause,
    });
  }
}
