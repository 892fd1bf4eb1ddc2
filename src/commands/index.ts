import { backfill } from './backfill.ts';
import { check } from './check.ts';
import type { Command } from './command.ts';
import { config } from './config.ts';
import { demo } from './demo.ts';
import { format } from './format.ts';
import { outputs } from './outputs.ts';
import { rejects } from './rejects.ts';
import { run } from './run.ts';
import { simulate } from './simulate.ts';
import { status } from './status.ts';
import { variants } from './variants.ts';

/** Every verb, in the order of the help. */
export const commands: readonly Command[] = [
  run,
  check,
  status,
  backfill,
  rejects,
  variants,
  outputs,
  format,
  config,
  simulate,
  demo,
];
