import { z } from 'zod';
import type { ForwarderEvent } from '../../event.ts';
import type { Rendered } from '../../formats/format.ts';
import { utcSeconds } from '../../formats/timestamp.ts';
import { parsedJson } from '../http/bearer.ts';
import type { Item, RequestOutcome } from '../http/chunks.ts';
import type { SentCredentials } from '../http/credentials.ts';
import { classify } from '../http/status.ts';
import { OutputError } from '../output.ts';

/**
 * The body and the answer of `POST /<target>/_bulk`: an action and a document, each on a line of its own, for each event; and in
 * the answer a status for each, in the same order.
 */

/** `create` and not `index`: data streams take nothing else, and a document that is there is left as it is. */
function action(key: string): string {
  return `{"create":{"_id":"${key}"}}`;
}

/** What an event costs besides its document, at most: the action, and the line ends after both. The key of a variant is longer. */
export function bytesBesideDocument(events: readonly ForwarderEvent[]): number {
  return events.reduce((most, { key }) => Math.max(most, action(key).length + 2), 0);
}

/** Every line is ended, the last one too: a body that is not is refused as a whole. */
export function bulkBody(items: readonly Item[]): string {
  return items.map(({ event, text }) => `${action(event.key)}\n${text}\n`).join('');
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
export const ANSWER_FILTER = 'errors,items.*.status,items.*.error.type,items.*.error.caused_by.type';

const cause = z.object({ type: z.string() });
const itemAnswer = z.object({
  status: z.int(),
  error: cause
    .extend({ caused_by: cause.optional().catch(undefined) })
    .optional()
    .catch(undefined),
});
const answerSchema = z.object({ items: z.array(z.object({ create: itemAnswer })) });

type ItemAnswer = z.infer<typeof itemAnswer>;

/** Bytes of the answer to a request of so many items, with room to spare: a refused one takes about a hundred. */
export function answerBytes(items: number): number {
  return 16 * 1024 + 512 * items;
}

interface AnswerContext {
  /** What messages call the receiver. */
  readonly target: string;
  readonly index: string;
  readonly retryAfterMs: number | undefined;
  /** What the request was made with: a cluster may take the request and refuse each item for its credentials. */
  readonly credentials: SentCredentials;
}

/**
 * What became of each item. Throws an `OutputError` when that cannot be told, or when nothing of the request was settled.
 */
export function readAnswer(body: string, items: readonly Item[], context: AnswerContext): RequestOutcome {
  const { data } = answerSchema.safeParse(parsedJson(body));
  if (data?.items.length !== items.length) {
    throw new OutputError(`${context.target} took a bulk request, but its answer cannot be read`, {
      reason: 'unconfirmed',
      disposition: 'retry',
      hint: 'Check that the url leads to Elasticsearch or OpenSearch itself. Sending again doubles nothing: what is there already is recognised by its _id.',
    });
  }
  const takesOthers = data.items.some(({ create }) => isStored(create));
  const rejected: RequestOutcome['rejected'][number][] = [];
  const open: ForwarderEvent[] = [];
  let error: OutputError | undefined;
  data.items.forEach(({ create: answer }, index) => {
    const event = items[index]?.event;
    if (event === undefined || isStored(answer)) return;
    const failure = failureOf(answer, takesOthers, context);
    if (failure === undefined) {
      rejected.push({ event, reason: `refused by ${context.target}: ${statusAndType(answer)}` });
    } else {
      open.push(event);
      // What somebody has to mend is told before what time will mend.
      if (error === undefined || (failure.disposition === 'halt' && error.disposition !== 'halt')) error = failure;
    }
  });
  if (error === undefined) return { rejected };
  error = context.credentials.judge(error);
  if (open.length === items.length) throw error;
  return { rejected, unsettled: { events: open, error } };
}

/** 409 is a conflict of versions: the document is there, from an earlier try whose answer was lost. */
function isStored({ status }: ItemAnswer): boolean {
  return (status >= 200 && status < 300) || status === 409;
}

/**
 * The error for an item that is neither stored nor refused for good; undefined for one that is refused: the error is about its
 * document, or the index has taken others of the same request.
 */
function failureOf(answer: ItemAnswer, takesOthers: boolean, { target, index, retryAfterMs }: AnswerContext) {
  const { status } = answer;
  const message = `${target} refused to write to ${index}: ${statusAndType(answer)}`;
  if (status === 401 || status === 403) {
    // 403 is also the answer of an index that is closed for writing (cluster_block_exception).
    const hint = `Check that the credentials of this output may create documents in ${index} (privileges create_doc and auto_configure), and that it is not blocked for writing.`;
    return new OutputError(message, { reason: 'auth', disposition: 'halt', hint });
  }
  if (status === 404) {
    const hint = `Nothing is called ${index} and it is not created by itself: create the index or data stream, or its index template.`;
    return new OutputError(message, { reason: 'refused', disposition: 'halt', hint });
  }
  const verdict = classify(status, retryAfterMs);
  if (!verdict.accepted && verdict.disposition === 'retry') return new OutputError(message, verdict);
  if (takesOthers || isAboutDocument(answer)) return undefined;
  const hint = `No event of the request was stored, so it is ${index} that refuses: look for a closed index, a missing pipeline, a limit, or a mapping that is not the template's.`;
  return new OutputError(message, { reason: 'refused', disposition: 'halt', hint });
}

/** Types of errors that Elasticsearch and OpenSearch give a single document, whatever becomes of those beside it. */
const DOCUMENT_ERRORS: ReadonlySet<string> = new Set([
  'document_parsing_exception',
  'mapper_parsing_exception',
  'strict_dynamic_mapping_exception',
  'json_parse_exception',
  'x_content_parse_exception',
  // A value longer than Lucene's 32,766 bytes: the cause of an illegal_argument_exception, which alone could be about the index.
  'max_bytes_length_exceeded_exception',
]);

/** `illegal_argument_exception`, `validation_exception` (a cluster out of shards), `index_closed_exception` and others are 400 as well. */
function isAboutDocument({ status, error }: ItemAnswer): boolean {
  return status === 413 || [error?.type, error?.caused_by?.type].some((type) => DOCUMENT_ERRORS.has(type ?? ''));
}

/** `400 document_parsing_exception`. A type is shown only when it looks like one: a receiver could put anything there. */
function statusAndType({ status, error }: ItemAnswer): string {
  const type = error?.type ?? '';
  return /^[a-z_]{1,64}$/.test(type) ? `${status} ${type}` : String(status);
}
