import { z } from 'zod';
import { type Answer, type ApiError, failure } from './answer.ts';

/** A `get-logs` request that is in order. */
export interface LogsRequest {
  readonly pageSize: number;
  readonly pageToken: string | undefined;
  /** `data[0]` as it was sent, keys in a fixed order. */
  readonly filter: LogsFilter;
}

export interface LogsFilter {
  /** Seconds since 1970; undefined when left out. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly oldestFirst: boolean;
  readonly route: string;
  readonly result: string;
}

/** What is served when the request names no page size. */
const DEFAULT_PAGE_SIZE = 100;

const time = z.string().transform((text, context) => {
  const second = parseTime(text);
  if (second !== undefined) return second;
  context.addIssue({ code: 'custom', message: 'expected a time such as 2015-11-16T14:49:18+0000' });
  return z.NEVER;
});

/**
 * Strict where Mimecast is lenient: it ignores unknown keys, and clients have sent `page_size` for years without noticing.
 * A key that nobody reads is an error in the client, so it is refused here.
 */
const RequestSchema = z.strictObject({
  meta: z
    .strictObject({
      pagination: z
        .strictObject({ pageSize: z.int().min(1).max(500).optional(), pageToken: z.string().optional() })
        .optional(),
    })
    .optional(),
  data: z.tuple([
    z.strictObject({
      from: time.optional(),
      to: time.optional(),
      oldestFirst: z.boolean().default(false),
      route: z.enum(['all', 'inbound', 'outbound', 'internal', 'external']).default('all'),
      result: z.enum(['all', 'safe', 'malicious', 'timeout', 'error', 'unsafe']).default('all'),
    }),
  ]),
});

/** Reads the body of a `get-logs` request; a refusal names every field that is wrong. */
export function parseLogsRequest(contentType: string | undefined, body: string): LogsRequest | Answer {
  if (!/^application\/json(\s*;\s*charset="?utf-8"?)?$/i.test(contentType ?? '')) {
    return refuse([
      { code: 'err_validation_content_type', message: 'expected application/json', field: 'Content-Type' },
    ]);
  }
  const content = parseJson(body);
  if (content === undefined) return refuse([{ code: 'err_validation_json', message: 'the body is not JSON' }]);
  const parsed = RequestSchema.safeParse(content);
  if (!parsed.success) return refuse(parsed.error.issues.map((issue) => describe(issue, content)));
  const { meta, data } = parsed.data;
  const { from, to, oldestFirst, route, result } = data[0];
  if (from !== undefined && to !== undefined && from > to) {
    return refuse([{ code: 'err_validation_date_range', message: 'from is later than to', field: 'data.0.from' }]);
  }
  return {
    pageSize: meta?.pagination?.pageSize ?? DEFAULT_PAGE_SIZE,
    // An empty token is what one vendor-made client sends for the first page, and Mimecast takes it.
    pageToken: meta?.pagination?.pageToken || undefined,
    filter: { from, to, oldestFirst, route, result },
  };
}

/**
 * Seconds since 1970 of `2015-11-16T14:49:18` with `+0000`, `+00:00` or `Z`; undefined for all else, a fraction of a second
 * and a day that the month has not included.
 */
export function parseTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:Z|([+-])(\d\d):?(\d\d))$/.exec(text);
  if (!match) return undefined;
  const [, local = '', sign, hours = '0', minutes = '0'] = match;
  const ms = Date.parse(`${local}Z`);
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(local)) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60;
  return ms / 1000 - (sign === '-' ? -offset : offset);
}

/** A refusal of a page token. Which code Mimecast uses is not public; that it is a 400 with a validation code is likely. */
export function refusePageToken(reason: string): Answer {
  return refuse([{ code: 'err_validation_invalid_page_token', message: reason, field: 'meta.pagination.pageToken' }]);
}

/** The code is the one that Mimecast's threat-intelligence feed gives; whether this endpoint refuses it too is not public. */
export function refuseFuture(): Answer {
  const message = 'the end date is in the future';
  return refuse([{ code: 'err_validation_enddate_in_the_future', message, field: 'data.0.to' }]);
}

function refuse(errors: readonly Omit<ApiError, 'retryable'>[]): Answer {
  return failure(
    400,
    errors.map((error) => ({ ...error, retryable: false })),
  );
}

function describe(issue: z.core.$ZodIssue, content: unknown): Omit<ApiError, 'retryable'> {
  const value = issue.path.reduce<unknown>((at, key) => (isRecord(at) ? at[String(key)] : undefined), content);
  const missing = value === undefined || value === null;
  const suffix = missing ? 'null' : value === '' ? 'blank' : 'invalid';
  return { code: `err_validation_${suffix}`, message: issue.message, field: issue.path.join('.') };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
