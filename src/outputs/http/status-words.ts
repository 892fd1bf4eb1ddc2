import { z } from 'zod';
import { classify, MAX_RETRY_AFTER, type Verdict } from './status.ts';

/**
 * What an operator can say of a status: `accepted` as good as 2xx · `retry` the same batch again, later · `split` its content is
 * refused, find the event · `halt` somebody has to look.
 */
const statusWord = z.enum(['accepted', 'retry', 'split', 'halt']);

/** For the options of an output whose receivers mean something else by a status than most do. */
export const statusesOption = z
  .record(z.string().regex(/^[1-5]\d\d$/, 'expected an HTTP status, 100 to 599'), statusWord)
  .default({})
  .meta({
    description:
      'What a status means where the usual verdict is wrong: `accepted`, `retry`, `split` (the batch is halved until the bad event is alone) or `halt` (alarm at once, try again slowly). Example: `{ 409: accepted }`.',
  });

export type StatusWords = z.infer<typeof statusesOption>;

/**
 * `classify` for a receiver that knows `Idempotency-Key`, with the operator's word before ours. The reason stays: a 403 that is waited
 * out is still about credentials.
 */
export function classifyWith(words: StatusWords, status: number, retryAfterMs?: number): Verdict {
  const usual = status === 409 ? underWay(retryAfterMs) : classify(status, retryAfterMs);
  const word = words[status];
  if (word === undefined) return usual;
  if (word === 'accepted') return { accepted: true };
  return {
    accepted: false,
    reason: usual.accepted ? 'refused' : usual.reason,
    disposition: word,
    retryAfterMs: word === 'retry' ? limited(retryAfterMs) : undefined,
    hint: usual.accepted ? `The option statuses says so of ${status}.` : usual.hint,
  };
}

/**
 * 409 is how a receiver that keeps idempotency keys answers a request whose first try it is still working on: Stripe does, and
 * so does draft-ietf-httpapi-idempotency-key-header. Whether that try ends well is not known yet, and no event is at fault.
 */
function underWay(retryAfterMs: number | undefined): Verdict {
  return {
    accepted: false,
    reason: 'server',
    disposition: 'retry',
    retryAfterMs: limited(retryAfterMs),
    hint: 'The receiver may still be at work on an earlier try of this batch. If it means something else by 409, say so: statuses: { 409: accepted } where it has the batch, split where it refuses an event.',
  };
}

/** What counts as accepted, in words: `2xx`, `2xx but 202, or 409`. */
export function acceptedStatuses(words: StatusWords): string {
  const but = Object.keys(words).filter((status) => isSuccess(status) && words[status] !== 'accepted');
  const also = acceptedBesides(words);
  return `2xx${but.length > 0 ? ` but ${but.join(' and ')}` : ''}${also.length > 0 ? `, or ${also.join(' or ')}` : ''}`;
}

/** False once a status other than 2xx and 409 is taken for accepted: 409 says that the receiver has it, all others do not. */
export function acceptsOnlyWhatIsThere(words: StatusWords): boolean {
  return acceptedBesides(words).every((status) => status === '409');
}

function acceptedBesides(words: StatusWords): string[] {
  return Object.keys(words).filter((status) => !isSuccess(status) && words[status] === 'accepted');
}

function isSuccess(status: string): boolean {
  return status.startsWith('2');
}

function limited(retryAfterMs: number | undefined): number | undefined {
  return retryAfterMs === undefined ? undefined : Math.min(Math.max(0, retryAfterMs), MAX_RETRY_AFTER);
}
