/** What every room's error adds to a message: a stable code, whether waiting can help, and what the operator can do. */
export interface ForwarderErrorOptions {
  /** Stable, upper-case with underscores; tools and tests match on it, never on the message. */
  readonly code: string;
  /** True when the same call can succeed later without anybody changing anything. Default false. */
  readonly retryable?: boolean;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** What the operator can do about it: one or two plain sentences. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The base of every error that the program raises on purpose.
 *
 * The message says what happened, to what; it carries no secret, no header value and no mail data.
 */
export class ForwarderError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly hint: string | undefined;

  constructor(message: string, options: ForwarderErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.hint = options.hint;
  }
}

/** A mistake in how a command was called. Exit code 2. */
export class UsageError extends ForwarderError {
  constructor(message: string, hint?: string) {
    super(message, { code: 'USAGE', hint });
  }
}

/** The message of anything that was thrown, with the messages of its causes, on one line. */
export function messageOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 5; ) {
    const text = at instanceof Error ? at.message || at.name : String(at);
    if (text && !parts.some((part) => part.includes(text))) parts.push(text);
    if (at instanceof AggregateError && !at.message && at.errors.length > 0) at = at.errors[0];
    else at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ').replace(/\s+/g, ' ');
}

/** The `code` of an error or of the first of its causes that has one (`ECONNREFUSED`, `SQLITE_FULL`, `AUTH_REFUSED` …). */
export function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
  }
  return undefined;
}

/** True for the rejection of an aborted wait or request: a stop, not a failure. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || codeOf(error) === 'ABORT_ERR');
}
