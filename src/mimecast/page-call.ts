/** The call for one page: what is asked, what is sent, and how the answer is understood. Pure. */
import { type Asked, failureOfEnvelope, notAnEnvelope, unknownShape } from './failure.ts';
import {
  isObject,
  nextPageToken,
  type Page,
  type ParsedPage,
  parseJson,
  parsePage,
  type Reading,
  UnknownShape,
} from './page.ts';
import type { Answer } from './transport.ts';

/** `read` never throws. */
export interface PageRequest<T> extends Reading<T> {
  /** The feed's name: the label of the metrics. */
  readonly feed: string;
  readonly path: string;
  /** The key inside `data[]` that holds the records. */
  readonly recordsKey: string;
  /** `data[0]` of the request. The same for all pages of a walk. */
  readonly filter: Readonly<Record<string, unknown>>;
  readonly pageSize: number;
  /** `next` of the page before; absent on the first. */
  readonly pageToken?: string | undefined;
  /** True for sweeps and backfills: live polling goes first. */
  readonly background?: boolean;
  readonly signal: AbortSignal;
}

/** An empty page token is left out: some answers carry `next: ""` on the last page. */
export function pageBody({ filter, pageSize, pageToken }: PageRequest<unknown>): string {
  return JSON.stringify({ meta: { pagination: { pageSize, ...(pageToken && { pageToken }) } }, data: [filter] });
}

/**
 * The page of a 200. Throws a `MimecastError` when nothing of it can be used; what Mimecast says in a `fail` list goes
 * before our own complaint about the layout.
 */
export function readPage<T>(
  answer: Answer,
  request: Reading<T> & Pick<PageRequest<T>, 'recordsKey'>,
  asked: Asked,
  now: number,
): Page<T> {
  let parsed: ParsedPage<T> | undefined;
  try {
    parsed = parsePage(answer.body, request.recordsKey, request);
    if (parsed === undefined) throw notAnEnvelope(answer, answer.body.toString(), asked);
    const { records, envelope } = parsed;
    const failure = failureOfEnvelope(envelope, answer, asked, now);
    return { records, next: nextPageToken(envelope), failure };
  } catch (error) {
    if (!(error instanceof UnknownShape)) throw error;
    const odd = unknownShape(error.message, answer, asked);
    if (parsed !== undefined) return { records: parsed.records, next: undefined, failure: odd };
    const body = parseJson(answer.body.toString());
    throw (isObject(body) && failureOfEnvelope(body, answer, asked, now)) || odd;
  }
}
