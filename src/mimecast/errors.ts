import { ForwarderError } from '../errors.ts';

/** Why a request to Mimecast failed: the closed set that labels `api_errors_total`. */
export type MimecastErrorReason =
  | 'auth' // credentials, token, signature or binding refused
  | 'forbidden' // authenticated, but the application or its role may not do this
  | 'rate_limited'
  | 'bad_request' // the content of the request was refused
  | 'server' // Mimecast failed
  | 'network' // no connection, or it broke
  | 'timeout'
  | 'malformed'; // an answer that is not the API's, or not whole

export interface MimecastErrorOptions {
  /** Begins with `MIMECAST_`. */
  readonly code: string;
  readonly reason: MimecastErrorReason;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  readonly httpStatus?: number | undefined;
  readonly apiCodes?: readonly string[] | undefined;
  readonly requestId?: string | undefined;
  readonly pageTokenSent?: boolean | undefined;
}

/** A request to Mimecast that failed, or an answer that cannot be used. */
export class MimecastError extends ForwarderError {
  readonly reason: MimecastErrorReason;
  /** Status of the HTTP answer; 200 when the failure was told in the body. Undefined when there was no answer. */
  readonly httpStatus: number | undefined;
  /** The `code`s of the answer's `fail` list, as Mimecast names them: `err_xdk_binding_expired`, `app_forbidden` … */
  readonly apiCodes: readonly string[];
  /** The `x-mc-req-id` that was sent: Mimecast's support finds the request by it. */
  readonly requestId: string | undefined;
  /** True when the request carried a page token, which may be what was refused. */
  readonly pageTokenSent: boolean;

  constructor(message: string, options: MimecastErrorOptions) {
    super(message, options);
    this.reason = options.reason;
    this.httpStatus = options.httpStatus;
    this.apiCodes = options.apiCodes ?? [];
    this.requestId = options.requestId;
    this.pageTokenSent = options.pageTokenSent ?? false;
  }
}

/**
 * True when the refusal may be about the page token: the caller should drop it and read the window from its first page.
 *
 * Mimecast documents neither how long a token lives nor the code of a bad one, so every refusal of the content counts while
 * a token was sent. A wrong guess costs one walk: without the token the same request fails with no token to blame.
 */
export function refusesPageToken(error: unknown): boolean {
  return error instanceof MimecastError && error.pageTokenSent && error.reason === 'bad_request' && !error.retryable;
}

/** Code of a page that is longer than an answer may be. */
export const TOO_LARGE = 'MIMECAST_ANSWER_TOO_LARGE';

/** True when the same records may come through in smaller pages. */
export function isPageTooLarge(error: unknown): boolean {
  return error instanceof MimecastError && error.code === TOO_LARGE;
}
