import { OUR_NAMES } from './record-members.ts';

/**
 * Tells whether a record's JSON may stand as it is on a line and among members of ours: whether it has none of what would have to be mended,
 * found in one pass. That is white space that would end the line, any `\u` (it may spell a lone surrogate, or one of our names),
 * `CEF:0`, and our names. All of it is ASCII, so the text may be UTF-8 that was read as Latin-1. Never tells too much: what is not plain is
 * looked at closely.
 */
export function isPlainRecord(text: string): boolean {
  return !NEEDS_CARE.test(text);
}

const NEEDS_CARE = /[\t\n\r]|\\u|CEF:0|"(?:eventId|eventTime|feed|truncated)"/;

/** Names of members that no plain record has. */
export const NAMES_OF_OURS: ReadonlySet<string> = new Set(OUR_NAMES);

/** The same of a record that is known to have none of these names, no `\u` and no white space but spaces: a third of a microsecond less. */
export function isPlainUsual(text: string): boolean {
  return !text.includes('CEF:0');
}
