import { cef } from './cef.ts';
import type { FormatType } from './format.ts';
import { json } from './json.ts';

/** Every format that can be configured, by its name. */
export const formats: Readonly<Record<string, FormatType>> = {
  json,
  cef,
};
