import { classify, type Refusal, type Verdict } from '../http/status.ts';

/** OTLP specification, "Retryable Response Codes". "All other 4xx or 5xx response status codes MUST NOT be retried." */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * What a status means by OTLP's rules, as far as they are compatible with losing nothing:
 *
 * - 500 and others that OTLP calls final halt. To give the events up would lose them, and to reject them one by one would reject
 *   all that comes while a receiver is broken. A halt repeats rarely and tells the operator at once, which is what "final" asks for.
 * - 400 and 413 are the content's fault: the batch is halved, and no request is repeated as it was.
 * - Success is 200; Loki says 204. A 2xx that means something else (Loki's 260: taken and thrown away) is no acceptance.
 */
export function verdictOf({
  status,
  retryAfterMs,
}: {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
}): Verdict {
  const verdict = classify(status, retryAfterMs);
  if (verdict.accepted) return status <= 204 ? verdict : halt(NO_SUCCESS);
  if (status === 415) return halt('The receiver does not read this encoding: try the other one.');
  if (verdict.disposition === 'retry' && !RETRYABLE.has(status)) return { ...halt(FINAL), reason: verdict.reason };
  return verdict;
}

const NO_SUCCESS = "This status is no success in OTLP: look into the receiver's log, and check the path of the url.";
const FINAL =
  "OTLP takes this status for final, so it is repeated only now and then. Look into the receiver's log; nothing is lost meanwhile.";

function halt(hint: string): Refusal {
  return { accepted: false, reason: 'refused', disposition: 'halt', hint };
}
