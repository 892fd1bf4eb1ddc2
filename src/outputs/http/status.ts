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
  const mistake = MISTAKES[status];
  if (mistake !== undefined) return halt('refused', mistake);
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

const NOTHING_THERE = 'Nothing is at this path: check the path of the url.';

/** What a receiver says of any event that comes this way: no event is at fault, and none would pass alone. */
const MISTAKES: Readonly<Record<number, string>> = {
  402: 'A quota is used up or a bill is open: look into the account at the receiver.',
  404: NOTHING_THERE,
  405: 'This path takes no POST: check the path of the url.',
  406: 'The receiver has no kind of answer that we accept: check the path of the url, and any gateway before the receiver.',
  410: NOTHING_THERE,
  411: 'The receiver misses the length of the body, which is always sent: something on the way takes it off.',
  415: 'The receiver does not take this kind of body: set gzip: false, or check the format and the encoding of this output.',
  421: 'This host does not serve the name in the url: check host and port, and any proxy or load balancer before the receiver.',
  426: 'The receiver wants another protocol, most often TLS: use https:// in the url.',
  428: 'The receiver takes changes only under a condition, which no event can have: check the path of the url.',
  431: 'The headers are too long for the receiver: shorten the headers and credentials of this output, or raise its limit.',
  451: 'The receiver may not take this, for legal reasons: ask whoever runs it.',
};

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
