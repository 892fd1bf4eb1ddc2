import { z } from 'zod';
import type { ForwarderEvent } from '../../event.ts';
import type { Rendered } from '../../formats/format.ts';
import { utcSeconds } from '../../formats/timestamp.ts';
import { parsedJson } from '../http/bearer.ts';
import type { Item, RequestOutcome } from '../http/chunks.ts';
import { classify } from '../http/status.ts';
import { OutputError } from '../output.ts';

/**
 * The body and the answer of `POST /<target>/_bulk`: an action and a document, each on a line of its own, for each event; and in
 * the answer a status for each, in the same order.
 */

/** `create` and not `index`: data streams take nothing else, and a document that is there is left as it is. */
function action(id: string): string {
  return `{"create":{"_id":"${id}"}}`;
}

/** The action, and the line ends after it and after the document. Every event id is 32 characters long. */
export const BYTES_BESIDE_DOCUMENT = action('0'.repeat(32)).length + 2;

/** Every line is ended, the last one too: a body that is not is refused as a whole. */
export function bulkBody(items: readonly Item[]): string {
  return items.map(({ event, text }) => `${action(event.id)}\n${text}\n`).join('');
}

/**
 * What is stored for an event. Data streams refuse a document without `@timestamp`, so one is put in front where the format
 * writes none; a text that is no JSON object becomes the `message` of one.
 */
export function documentOf(event: ForwarderEvent, { text }: Rendered, isJson: boolean): string {
  const timestamp = `"@timestamp":"${utcSeconds(event.time)}.000Z"`;
  if (!isJson || !text.startsWith('{')) {
    return `{${timestamp},"message":${JSON.stringify(text)},"event":{"id":"${event.id}"}}`;
  }
  if (hasTimestamp(text)) return text;
  return /^\{\s*\}$/.test(text) ? `{${timestamp}}` : `{${timestamp},${text.slice(1)}`;
}

/** At the top, where it must not stand twice: JSON with a name twice is refused. */
function hasTimestamp(text: string): boolean {
  if (text.startsWith('{"@timestamp":')) return true;
  return text.includes('"@timestamp"') && Object.hasOwn(parsedJson(text) ?? {}, '@timestamp');
}

/** Of an item, enough for a verdict. The reason is not among it: it repeats parts of the document. */
export const ANSWER_FILTER = 'errors,items.*.status,items.*.error.type';

const answerSchema = z.object({
  items: z.array(
    z.object({
      create: z.object({ status: z.int(), error: z.object({ type: z.string() }).optional().catch(undefined) }),
    }),
  ),
});

type ItemAnswer = z.infer<typeof answerSchema>['items'][number]['create'];

/** Bytes of the answer to a request of so many items, with room to spare: a refused one takes about a hundred. */
export function answerBytes(items: number): number {
  return 16 * 1024 + 512 * items;
}

/**
 * What became of each item. Throws an `OutputError` when that cannot be told, or when nothing of the request was settled.
 * `target` is what messages call the receiver.
 */
export function readAnswer(
  body: string,
  items: readonly Item[],
  context: { readonly target: string; readonly index: string; readonly retryAfterMs: number | undefined },
): RequestOutcome {
  const { data } = answerSchema.safeParse(parsedJson(body));
  if (data?.items.length !== items.length) {
    throw new OutputError(`${context.target} took a bulk request, but its answer cannot be read`, {
      reason: 'unconfirmed',
      disposition: 'retry',
      hint: 'Check that the url leads to Elasticsearch or OpenSearch itself. Sending again doubles nothing: what is there already is recognised by its _id.',
    });
  }
  const rejected: RequestOutcome['rejected'][number][] = [];
  const open: ForwarderEvent[] = [];
  let error: OutputError | undefined;
  data.items.forEach(({ create: answer }, index) => {
    const event = items[index]?.event;
    if (event === undefined || isStored(answer)) return;
    const failure = failureOf(answer, context);
    if (failure === undefined) {
      rejected.push({ event, reason: `refused by ${context.target}: ${statusAndType(answer)}` });
    } else {
      open.push(event);
      // What somebody has to mend is told before what time will mend.
      if (error === undefined || (failure.disposition === 'halt' && error.disposition !== 'halt')) error = failure;
    }
  });
  if (error === undefined) return { rejected };
  if (open.length === items.length) throw error;
  return { rejected, unsettled: { events: open, error } };
}

/** 409 is a conflict of versions: the document is there, from an earlier try whose answer was lost. */
function isStored({ status }: ItemAnswer): boolean {
  return (status >= 200 && status < 300) || status === 409;
}

/** The error for an item that is neither stored nor refused for good; undefined for one that is refused. */
function failureOf(answer: ItemAnswer, { target, index, retryAfterMs }: Parameters<typeof readAnswer>[2]) {
  const { status } = answer;
  const message = `${target} refused to write to ${index}: ${statusAndType(answer)}`;
  if (status === 401 || status === 403) {
    // 403 is also the answer of an index that is closed for writing (cluster_block_exception).
    const hint = `Check that the credentials of this output may create documents in ${index}, and that it is not blocked for writing.`;
    return new OutputError(message, { reason: 'auth', disposition: 'halt', hint });
  }
  if (status === 404) {
    const hint = `Nothing is called ${index} and it is not created by itself: create the index or data stream, or its index template.`;
    return new OutputError(message, { reason: 'refused', disposition: 'halt', hint });
  }
  const verdict = classify(status, retryAfterMs);
  if (verdict.accepted || verdict.disposition !== 'retry') return undefined;
  return new OutputError(message, verdict);
}

/** `400 document_parsing_exception`. A type is shown only when it looks like one: a receiver could put anything there. */
function statusAndType({ status, error }: ItemAnswer): string {
  const type = error?.type ?? '';
  return /^[a-z_]{1,64}$/.test(type) ? `${status} ${type}` : String(status);
}
