import { file } from './file.ts';
import type { OutputType } from './output.ts';
import { stdout } from './stdout.ts';
import { syslog } from './syslog.ts';
import { webhook } from './webhook.ts';

/** Every kind of output that can be configured, by its `type`. */
export const outputTypes: Readonly<Record<string, OutputType>> = {
  syslog,
  webhook,
  file,
  stdout,
};
