import { z } from 'zod';
import type { HttpAnswer } from '../http/poster.ts';
import { classify, type Refusal, type Verdict } from '../http/status.ts';

/**
 * What HEC says in the body of an answer. Numbers only: its texts may repeat what we sent, and behind a proxy the body may be
 * anybody's HTML.
 */
export interface HecReply {
  readonly code?: number | undefined;
  /** Where the token has indexer acknowledgement: what to ask for later. Counts from 0 on each channel. */
  readonly ackId?: number | undefined;
  /** The object that stopped the request, counted from 0: HEC has taken those before it, and none after. */
  readonly invalidEvent?: number | undefined;
}

const reply = z.object({
  code: z.int(),
  ackId: z.int().nonnegative().optional().catch(undefined),
  'invalid-event-number': z.int().nonnegative().optional().catch(undefined),
});
const acks = z.object({ acks: z.record(z.string(), z.boolean()) });

export function readReply(body: string): HecReply {
  const { data } = reply.safeParse(parsed(body));
  return data ? { code: data.code, ackId: data.ackId, invalidEvent: data['invalid-event-number'] } : {};
}

/** The ids that an answer of the acknowledgement endpoint calls indexed; undefined when it is no such answer. */
export function readAcks(body: string): readonly number[] | undefined {
  const { data } = acks.safeParse(parsed(body));
  // As they were written in the question: `Number` would read an id out of an empty key as well.
  return (
    data &&
    Object.entries(data.acks).flatMap(([id, indexed]) =>
      indexed && /^(0|[1-9]\d{0,14})$/.test(id) ? [Number(id)] : [],
    )
  );
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/**
 * What an answer of HEC means for a request. Its own code goes before the status: 400 alone could be an event's fault, the
 * token's, or ours.
 */
export function verdictOf(answer: HttpAnswer, code: number | undefined): Verdict {
  const byStatus = classify(answer.status, answer.retryAfterMs);
  if (answer.status === 415) return { accepted: false, reason: 'refused', disposition: 'halt', hint: NO_GZIP };
  if (byStatus.accepted && code !== undefined && ACCEPTED.has(code)) return byStatus;
  const byCode = code === undefined ? undefined : REFUSALS[code];
  if (byCode)
    return { accepted: false, retryAfterMs: byStatus.accepted ? undefined : byStatus.retryAfterMs, ...byCode };
  return byStatus.accepted ? unreadable(answer) : byStatus;
}

/** Why an event is refused for good, for the codes that mean one event and not the request; see `HecReply.invalidEvent`. */
export const EVENT_FAULTS: Readonly<Record<number, string>> = {
  6: 'Splunk takes it for invalid data, or for longer than maxEventSize (HEC code 6)',
  12: 'Splunk misses its event field (HEC code 12)',
  13: 'Splunk finds its event field blank (HEC code 13)',
  15: 'Splunk cannot index its fields (HEC code 15)',
};

/** Codes that are no refusal everywhere. */
export const CODES = { success: 0, noData: 5, healthy: 17 } as const;

/** 24 and 25 say that a queue, or the acknowledgements, come near their limit: the events are taken all the same. */
const ACCEPTED: ReadonlySet<number> = new Set([CODES.success, 24, 25]);

const NO_GZIP = 'The receiver does not take this kind of body: set gzip: false.';
const CHECK_TOKEN = 'Look into Settings > Data inputs > HTTP Event Collector';

/** https://help.splunk.com, "Troubleshoot HTTP Event Collector", possible error codes. */
const REFUSALS: Readonly<Record<number, Pick<Refusal, 'reason' | 'disposition' | 'hint'>>> = {
  1: auth(`The token is disabled (HEC code 1). ${CHECK_TOKEN}.`),
  2: auth('No token arrived (HEC code 2): something on the way takes the Authorization header off.'),
  3: auth('The Authorization header did not arrive as sent (HEC code 3): something on the way changes it.'),
  4: auth(
    `Splunk does not know the token (HEC code 4). ${CHECK_TOKEN}; behind a load balancer every node must know it.`,
  ),
  5: halt('The body arrived empty (HEC code 5): something on the way takes it off.'),
  6: split(EVENT_FAULTS[6]),
  7: halt(
    'The token may not write to this index, or there is no such index (HEC code 7): check index, and the indexes of the token.',
  ),
  8: retry('server', 'Splunk reports an internal error (HEC code 8): look into splunkd.log.'),
  9: retry('server', 'Splunk is too busy to take more (HEC code 9).'),
  10: halt(
    'The token wants indexer acknowledgement (HEC code 10): set acknowledgement: true. Where it is set, something on the way takes the X-Splunk-Request-Channel header off.',
  ),
  11: halt(
    'The channel did not arrive as sent (HEC code 11): something on the way changes the X-Splunk-Request-Channel header.',
  ),
  12: split(EVENT_FAULTS[12]),
  13: split(EVENT_FAULTS[13]),
  14: halt(
    'Indexer acknowledgement is off for this token (HEC code 14): turn it on there, or set acknowledgement: false and know that Splunk then confirms before it has stored anything. Splunk Cloud has none.',
  ),
  15: split(EVENT_FAULTS[15]),
  16: auth('The Authorization header did not arrive (HEC code 16): something on the way turns it into a query.'),
  18: retry('server', "Splunk's queues are full (HEC code 18): look at its indexing performance."),
  19: retry('server', "Splunk's acknowledgement service is not there (HEC code 19)."),
  20: retry('server', "Splunk's queues are full and its acknowledgement service is not there (HEC code 20)."),
  21: auth(`Splunk does not know the token (HEC code 21). ${CHECK_TOKEN}.`),
  22: auth(`The token is disabled (HEC code 22). ${CHECK_TOKEN}.`),
  23: retry('server', 'Splunk is shutting down (HEC code 23).'),
  26: retry('rate_limited', "HEC's queue is at its limit (HEC code 26)."),
  27: retry('rate_limited', 'HEC keeps no more acknowledgements for the channel (HEC code 27).'),
};

/** A login page of a proxy says 200 as well. Who does not say so in a code is not HEC, and has taken nothing. */
function unreadable({ complete }: HttpAnswer): Refusal {
  if (!complete) return { accepted: false, reason: 'unconfirmed', disposition: 'retry', hint: 'The answer broke off.' };
  const hint =
    'It did not say so with a code, as an HTTP Event Collector does: check the url, and what stands before it. The collector has a port of its own, 8088 unless changed; 8000 is Splunk Web.';
  return { accepted: false, reason: 'refused', disposition: 'halt', hint };
}

function auth(hint: string) {
  return { reason: 'auth', disposition: 'halt', hint } as const;
}

function halt(hint: string) {
  return { reason: 'refused', disposition: 'halt', hint } as const;
}

function split(hint: string | undefined) {
  return { reason: 'refused', disposition: 'split', hint } as const;
}

function retry(reason: 'server' | 'rate_limited', hint: string) {
  return { reason, disposition: 'retry', hint } as const;
}
