import { cef } from './cef.ts';
import { cim } from './cim.ts';
import { ecs } from './ecs.ts';
import type { FormatType } from './format.ts';
import { json } from './json.ts';
import { kv } from './kv.ts';
import { leef } from './leef.ts';
import { ocsf } from './ocsf.ts';
import { raw } from './raw.ts';
import { sentinel } from './sentinel.ts';

/** Every format that can be configured, by its name. */
export const formats: Readonly<Record<string, FormatType>> = {
  json,
  raw,
  cef,
  leef,
  ecs,
  ocsf,
  kv,
  cim,
  sentinel,
};
