import { STATUS_CODES } from 'node:http';
import type { Disposition, OutputErrorReason } from '../output.ts';

/** What an HTTP status means for a batch. */
export type Verdict = { readonly accepted: true } | Refusal;

export interface Refusal {
  readonly accepted: false;
  readonly reason: OutputErrorReason;
  readonly disposition: Disposition;
  /** How long the receiver asked us to wait, ms; at most `MAX_RETRY_AFTER`. */
  readonly retryAfterMs?: number | undefined;
  readonly hint?: string | undefined;
}

/** A receiver that asks for more is not obeyed: a `Retry-After` in minutes taken for seconds would silence us for days. */
export const MAX_RETRY_AFTER = 15 * 60_000;

/**
 * The verdict that fits any HTTP receiver. An output whose receiver gives a status another meaning asks its own table first,
 * and this one for the rest.
 */
export function classify(status: number, retryAfterMs?: number): Verdict {
  if (status >= 200 && status < 300) return { accepted: true };
  if (status >= 300 && status < 400) return halt('refused', REDIRECTED);
  if (status >= 500) return retry('server', retryAfterMs);
  switch (status) {
    case 408:
      return retry('timeout', retryAfterMs);
    case 425: // Too Early, RFC 8470 §5.2: the same request is fine a moment later.
      return retry('server', retryAfterMs);
    case 429:
      return retry('rate_limited', retryAfterMs);
    case 401:
      return halt('auth', 'Check the credentials of this output.');
    case 403:
      return halt(
        'auth',
        'Check what the credentials of this output may do, and any web firewall before the receiver.',
      );
    case 407:
      return halt('auth', 'The proxy wants credentials: check the user and password in the proxy URL.');
    case 404:
    case 410:
      return halt('refused', 'Nothing is at this path: check the path of the url.');
    case 405:
      return halt('refused', 'This path takes no POST: check the path of the url.');
    case 413:
      return split('The request was too large: lower batch.maxBytes or batch.maxEvents of this output.');
    default:
      return split();
  }
}

/** `503 Service Unavailable`, in our words: the receiver's own phrase could say anything. */
export function statusText(status: number): string {
  const phrase = STATUS_CODES[status];
  return phrase === undefined ? String(status) : `${status} ${phrase}`;
}

/** RFC 9110 §15.4. Following it would carry credentials and mail data to wherever the answer points. */
const REDIRECTED =
  'Redirects are not followed: set the url to where the receiver really is (http or https, host, path).';

function retry(reason: OutputErrorReason, retryAfterMs: number | undefined): Refusal {
  const wait = retryAfterMs === undefined ? undefined : Math.min(Math.max(0, retryAfterMs), MAX_RETRY_AFTER);
  return { accepted: false, reason, disposition: 'retry', retryAfterMs: wait };
}

function split(hint?: string): Refusal {
  return { accepted: false, reason: 'refused', disposition: 'split', hint };
}

function halt(reason: OutputErrorReason, hint: string): Refusal {
  return { accepted: false, reason, disposition: 'halt', hint };
}
