import { codeOf, ForwarderError, messageOf } from '../errors.ts';

/** What the log tells of an error. */
export interface LoggedError {
  readonly type: string;
  /** Its message and those of its causes. */
  readonly message: string;
  readonly code?: string;
  /** The closed set that labels the metric. */
  readonly reason?: string;
  readonly hint?: string;
  /** Only of errors that nobody raised on purpose: where in the program a bug is. Paths of our own code, no values. */
  readonly stack?: string;
}

/** Deeper than that nothing is looked at: no entry is meant to be so deep, and a circle must end. */
const DEEPEST = 6;

/**
 * Picks what may be said of an error. Everything else stays out: HTTP libraries hang requests with their headers, and drivers
 * the statement with its values, onto the errors they throw.
 */
export function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = codeOf(error);
  const logged: LoggedError = {
    type: error.name,
    message: messageOf(error),
    ...(code === undefined ? {} : { code }),
    ...('reason' in error && typeof error.reason === 'string' ? { reason: error.reason } : {}),
    ...(error instanceof ForwarderError && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(isBug(error) ? { stack: framesOf(error) } : {}),
  };
  return logged;
}

/** The fields of an entry with every error in them, at whatever depth, replaced by what may be said of it. */
export function loggableFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, withoutErrors(value, 1)]));
}

/**
 * The same value with every character that could move a cursor, colour a screen, end a line or turn the reading direction
 * written as its escape (`\u001b`), in names as well as in texts. For output that is read off a terminal.
 */
export function withoutControls(value: unknown): unknown {
  if (typeof value === 'string') return escapeControls(value);
  if (Array.isArray(value)) return value.map(withoutControls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [escapeControls(name), withoutControls(inner)]),
  );
}

/** Unicode categories: controls, formats (bidi, zero width), line and paragraph separators. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

function withoutErrors(value: unknown, depth: number): unknown {
  if (value instanceof Error) return serializeError(value);
  if (depth >= DEEPEST || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => withoutErrors(inner, depth + 1));
  // Other objects (a Secret, a Date) know themselves how they are written.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutErrors(inner, depth + 1)]));
}

/** What the language itself throws is a mistake in the program; what carries a code was raised by somebody who knew why. */
function isBug(error: Error): boolean {
  return (
    codeOf(error) === undefined && ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'].includes(error.name)
  );
}

/** The frames of a stack without its first lines, which repeat the message. */
function framesOf(error: Error): string {
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return frames.map((frame) => frame.trim()).join(' < ');
}
