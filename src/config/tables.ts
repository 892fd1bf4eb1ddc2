import { feedTypes } from '../feeds/index.ts';
import { formats } from '../formats/index.ts';
import { mimecastOptions } from '../mimecast/options.ts';
import { outputTypes } from '../outputs/index.ts';
import type { ConfigTables } from './schema.ts';

/** The racks of this program: what a config may name. */
export const tables: ConfigTables = {
  feedTypes,
  outputTypes,
  formats,
  mimecastOptions,
};
