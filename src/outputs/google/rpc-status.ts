import { z } from 'zod';
import { parsedJson } from '../http/bearer.ts';
import type { HttpAnswer } from '../http/poster.ts';
import { classify, type Refusal, type Verdict } from '../http/status.ts';

/** `google.rpc.Status` in JSON, as Google's APIs answer with (AIP-193): of all that, the code and the wait. */
const statusAnswer = z.object({
  error: z.object({
    status: z.string().optional().catch(undefined),
    details: z.array(z.unknown()).optional().catch(undefined),
  }),
});

const retryInfo = z.object({
  '@type': z.literal('type.googleapis.com/google.rpc.RetryInfo'),
  /** A `Duration` in JSON: seconds, up to nine decimals, `s`. */
  retryDelay: z.string().regex(/^\d{1,12}(\.\d{1,9})?s$/),
});

/** The HTTP status alone does not tell these apart: 400 and 409 each stand for several codes (google/rpc/code.proto). */
const BY_CODE: ReadonlyMap<string, Pick<Refusal, 'reason' | 'disposition'>> = new Map([
  ['FAILED_PRECONDITION', { reason: 'refused', disposition: 'halt' }], // 400: not the content, but what it is sent to
  ['UNIMPLEMENTED', { reason: 'refused', disposition: 'halt' }], // 501
  ['ABORTED', { reason: 'server', disposition: 'retry' }], // 409
  ['CANCELLED', { reason: 'server', disposition: 'retry' }], // 499
]);

/** The verdict for an answer of a Google API. `hints` by code: what the operator can do about it. */
export function classifyRpc(answer: HttpAnswer, hints: ReadonlyMap<string, string>): Verdict {
  const error = statusAnswer.safeParse(parsedJson(answer.body)).data?.error;
  const verdict = classify(answer.status, answer.retryAfterMs ?? retryDelay(error?.details));
  if (verdict.accepted) return verdict;
  const code = error?.status ?? '';
  return { ...verdict, ...BY_CODE.get(code), hint: hints.get(code) ?? verdict.hint };
}

function retryDelay(details: readonly unknown[] = []): number | undefined {
  for (const detail of details) {
    const { data } = retryInfo.safeParse(detail);
    if (data) return Math.round(1000 * Number(data.retryDelay.slice(0, -1)));
  }
  return undefined;
}
