import type { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';

/**
 * A line in two pieces: text, and UTF-8 that follows it as it stands. A message that ends with a record's own bytes is sent by
 * copying them; as one string it would be joined, flattened and encoded, each time over its whole length.
 */
export interface Line {
  readonly head: string;
  readonly tail: Buffer;
}

/** The text of an event, and whether something had to be cut to fit. */
export interface Rendered {
  /** One line: no CR, no LF, no NUL, no lone surrogate, whatever the record holds. */
  readonly text: string;
  /** The same, from a format that passes the record's bytes on. An output that writes bytes takes it instead of `text`. */
  readonly line?: Line;
  /** True when fields were shortened. The text says so itself; the whole record stays in the store. */
  readonly shortened: boolean;
}

/**
 * HOW an event is written. Pure: the same event and limit give the same text, on any machine, in any time zone.
 */
export interface Format {
  readonly name: string;
  /** Media type of one rendered event, for HTTP outputs. */
  readonly mediaType: string;
  /**
   * True when the text opens with a word of its own that receivers look for where an RFC 3164 TAG stands (`CEF:0`, `LEEF:1.0`),
   * so that the header must not put a tag before it. Default false.
   */
  readonly tagged?: boolean;
  /**
   * False when the text does not have the event id, so that only an output that carries the id beside the text lets a receiver
   * tell a repeated event. Default true.
   */
  readonly carriesId?: boolean;
  /**
   * Writes an event in at most `maxBytes` bytes of UTF-8 (default: no limit; at least 400 is promised to be enough).
   *
   * What does not fit is shortened field by field on a character boundary, the longest free text first, and marked as
   * shortened in the format's own way. Never throws on a record's content: everything in it may be hostile.
   */
  render(event: ForwarderEvent, maxBytes?: number): Rendered;
}

/** A member of the rack: a format that can be configured, as `format: leef` or `format: { type: leef, version: '2.0' }`. */
export interface FormatType<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One line for the reference. */
  readonly summary: string;
  /** Its own options; each has a default, so that the name alone is enough. */
  readonly options: Schema;
  create(options: z.infer<Schema>): Format;
}

/** Types a member's `create` by its own schema, and lets it stand in the table beside the others. */
export function defineFormat<Schema extends z.ZodObject>(type: FormatType<Schema>): FormatType {
  return type as unknown as FormatType;
}

/** A format from its options as an operator writes them. Throws a `ZodError` for options that it does not have. */
export function buildFormat(type: FormatType, options: Readonly<Record<string, unknown>> = {}): Format {
  return type.create(type.options.parse(options));
}
