import { z } from 'zod';
import type { Format, FormatType } from '../formats/format.ts';
import { closest } from './mistakes.ts';

export type FormatTable = Readonly<Record<string, FormatType>>;

/** A checked format in the shape of its file, `{ type: 'leef', version: '2.0', … }`, whichever way it was written. */
export interface CheckedFormat extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

/**
 * `format: leef`, or a map with the format's own options: `format: { type: leef, version: '2.0' }`.
 *
 * Its id makes it one definition in the JSON Schema that every output refers to, and one section of the reference.
 */
export function formatChoice(formats: FormatTable): z.ZodType<CheckedFormat, string | CheckedFormat> {
  const [first, ...others] = Object.values(formats).map(formatSchema);
  if (first === undefined) throw new TypeError('the table of formats has no members');
  const names = Object.keys(formats);
  const byName = z.enum(names).transform((type) => ({ type, ...formats[type]?.options.parse({}) }));
  const choice = z
    .union([byName, z.discriminatedUnion('type', [first, ...others])], {
      error: ({ input }) => (isMapLike(input) ? undefined : expectedName(names, input)),
    })
    .meta({
      id: 'format',
      description:
        'How an event is written: the name of a format, or a map of its `type` and options. A name alone leaves each option at its default.',
    });
  return choice as unknown as z.ZodType<CheckedFormat, string | CheckedFormat>;
}

/** The format that was chosen, built. */
export function createFormat({ type, ...options }: CheckedFormat, formats: FormatTable): Format {
  const chosen = formats[type];
  if (chosen === undefined) throw new TypeError(`the format ${type} was to be created before it was checked`);
  return chosen.create(options);
}

function formatSchema({ name, summary, options }: FormatType): z.ZodObject {
  return options.safeExtend({ type: z.literal(name).meta({ description: summary }) }).meta({ description: summary });
}

/** The branch of a map has more to say about a map than the union has. */
function isMapLike(input: unknown): boolean {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

function expectedName(names: readonly string[], input: unknown): string {
  const meant = typeof input === 'string' ? closest(input, names) : undefined;
  return `expected one of ${names.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}
