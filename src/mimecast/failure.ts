/**
 * Tells from an answer whether Mimecast did what was asked, and if not, why. Pure.
 *
 * A status of 200 does not mean success: Mimecast also reports failures in the body of a 200, as `meta.status` or as a
 * `fail` list. The list has many shapes: API 1.0 nests `{errors: [{code, message}]}`, the gateway of API 2.0 puts
 * `{code, message}` straight into it, other endpoints send one object or a top-level `error`, and what stands between us
 * and Mimecast answers with HTML or with nothing.
 */
import { MimecastError } from './errors.ts';
import { isObject, parseJson } from './page.ts';
import { type AnswerHeaders, headerText, requestedPauseMs } from './rate-limit.ts';
import { type Refusal, refusalOfCode, refusalOfStatus, TOKEN_REFUSAL } from './refusals.ts';

/** What was asked, as far as an error tells it. */
export interface Asked {
  /** `POST /oauth/token at api.services.mimecast.com`. */
  readonly what: string;
  readonly requestId: string;
  readonly pageTokenSent: boolean;
  /** True for the call of the token endpoint, where every refusal is one of the credentials. */
  readonly credentialsSent: boolean;
  /** Takes our own secrets out of a text that the other side wrote and may have copied them into. */
  readonly redact: (text: string) => string;
}

export interface AnswerHead {
  readonly status: number;
  readonly headers: AnswerHeaders;
}

/** One entry of a `fail` list; every part may be missing. */
interface Fault {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly field?: string | undefined;
  readonly retryable?: boolean | undefined;
}

/** What an answer's message may take up in ours. */
const LONGEST_QUOTE = 120;

/** The error that an answer with a status other than 200 stands for. `now` in ms since 1970, by the sender's clock. */
export function failureOfAnswer(head: AnswerHead, text: string, asked: Asked, now: number): MimecastError {
  const body = parseJson(text);
  const faults = [...faultsOf(body), ...(isObject(body) ? [faultOf(body)] : [])].filter(
    (fault) => fault.code !== undefined || fault.message !== undefined,
  );
  const foreign = looksLikeHtml(head, text) ? 'an HTML page' : undefined;
  return refused(head, head.status, faults, asked, now, foreign);
}

/** The failure that the body of a 200 tells of; undefined when it tells of none. */
export function failureOfEnvelope(
  envelope: Readonly<Record<string, unknown>>,
  head: AnswerHead,
  asked: Asked,
  now: number,
): MimecastError | undefined {
  const told = isObject(envelope.meta) ? Number(envelope.meta.status ?? 200) : 200;
  const faults = faultsOf(envelope);
  if (told === 200 && faults.length === 0) return undefined;
  return refused(head, told, faults, asked, now, undefined);
}

/** For a 200 whose body is not the API's JSON: empty, HTML, cut short. */
export function notAnEnvelope(head: AnswerHead, text: string, asked: Asked): MimecastError {
  if (text.trim() === '')
    return malformed('MIMECAST_EMPTY_ANSWER', `${asked.what} brought an empty answer`, head, asked);
  const what = looksLikeHtml(head, text) ? 'an HTML page' : 'something that is not the JSON of the API';
  return malformed('MIMECAST_NOT_JSON', `${asked.what} brought ${what} (status ${head.status})`, head, asked);
}

/** For JSON that is not laid out as the API lays it out; `what` names the oddity. Waiting does not cure it. */
export function unknownShape(what: string, head: AnswerHead, asked: Asked): MimecastError {
  return new MimecastError(`${asked.what} brought an answer that cannot be understood: ${what}`, {
    code: 'MIMECAST_UNKNOWN_SHAPE',
    reason: 'malformed',
    retryable: false,
    hint: 'Mimecast may have changed its API: look for a newer version of this program, and report this.',
    httpStatus: head.status,
    requestId: asked.requestId,
    pageTokenSent: asked.pageTokenSent,
  });
}

function malformed(code: string, message: string, head: AnswerHead, asked: Asked): MimecastError {
  return new MimecastError(message, {
    code,
    reason: 'malformed',
    retryable: true,
    hint: 'Something between this machine and Mimecast may have answered instead: check mimecast.baseUrl and the proxy.',
    httpStatus: head.status,
    requestId: asked.requestId,
    pageTokenSent: asked.pageTokenSent,
  });
}

/** A known code says more than the status does, which gateways choose loosely; the first known one decides. */
function refused(
  head: AnswerHead,
  status: number,
  faults: readonly Fault[],
  asked: Asked,
  now: number,
  foreign: string | undefined,
): MimecastError {
  const byCode = faults.map((fault) => refusalOfCode(fault.code)).find((refusal) => refusal !== undefined);
  const refusal = byCode ?? refusalOfCall(status, faults, asked);
  const details = [foreign, ...faults.map((fault) => quoteFault(fault, asked.redact))].filter((part) => part);
  const told = status === head.status ? `status ${status}` : `status ${head.status}, meta.status ${status}`;
  return new MimecastError(`${asked.what} ${refusal.says}: ${[told, ...details.slice(0, 3)].join(', ')}`, {
    code: refusal.code,
    reason: refusal.reason,
    retryable: refusal.retryable,
    retryAfterMs: waits(refusal) ? requestedPauseMs(head.headers, now) : undefined,
    hint: foreign === undefined ? refusal.hint : `A proxy or gateway answered, not the API itself. ${refusal.hint}`,
    httpStatus: head.status,
    apiCodes: faults.flatMap((fault) => (fault.code === undefined ? [] : [quote(fault.code, asked.redact)])),
    requestId: asked.requestId,
    pageTokenSent: asked.pageTokenSent,
  });
}

function refusalOfCall(status: number, faults: readonly Fault[], asked: Asked): Refusal {
  const refusal = refusalOfStatus(status);
  if (asked.credentialsSent && [200, 400, 401, 403].includes(status)) return TOKEN_REFUSAL;
  const mayPass = faults.length > 0 && faults.every((fault) => fault.retryable === true);
  return mayPass ? { ...refusal, retryable: true } : refusal;
}

/** Only these are cured by waiting for the time that the headers name (RFC 9110 §10.2.3 for 503, RFC 6585 §4 for 429). */
function waits(refusal: Refusal): boolean {
  return refusal.reason === 'rate_limited' || refusal.reason === 'server';
}

function faultsOf(body: unknown): readonly Fault[] {
  if (!isObject(body)) return [];
  return [...faultsIn(body.fail), ...faultsIn(body.error, body.error_description), ...faultsIn(body.errors)];
}

function faultsIn(list: unknown, description?: unknown): readonly Fault[] {
  if (list === undefined || list === null || list === '') return [];
  if (Array.isArray(list)) return list.flatMap((item: unknown) => faultsInItem(item));
  if (isObject(list)) return Object.keys(list).length === 0 ? [] : faultsInItem(list);
  // OAuth's own form (RFC 6749 §5.2): {"error": "invalid_client", "error_description": "…"}
  return [faultOf({ code: String(list), message: description })];
}

/** An entry that names no error is one all the same: a `fail` list that is not empty means failure. */
function faultsInItem(item: unknown): readonly Fault[] {
  if (!isObject(item)) return [typeof item === 'string' ? { message: item } : {}];
  const errors = isObject(item.errors) ? [item.errors] : item.errors;
  if (!Array.isArray(errors) || errors.length === 0) return [faultOf(item)];
  return errors.map((error: unknown) => (isObject(error) ? faultOf(error) : {}));
}

function faultOf(item: Readonly<Record<string, unknown>>): Fault {
  return {
    code: textOf(item.code),
    message: textOf(item.message),
    field: textOf(item.field),
    retryable: item.retryable === true,
  };
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

function quoteFault(fault: Fault, redact: (text: string) => string): string {
  const parts = [fault.code, fault.field === undefined ? undefined : `field ${fault.field}`, fault.message];
  return parts.flatMap((part) => (part === undefined ? [] : [quote(part, redact)])).join(': ');
}

/** A short stretch of a foreign text that can forge no line and hide nothing: without control and formatting characters. */
function quote(text: string, redact: (text: string) => string): string {
  const plain = redact(text.slice(0, 10 * LONGEST_QUOTE))
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return plain.length > LONGEST_QUOTE ? `${plain.slice(0, LONGEST_QUOTE)}…` : plain;
}

function looksLikeHtml(head: AnswerHead, text: string): boolean {
  return /html/i.test(headerText(head.headers, 'content-type') ?? '') || text.trimStart().startsWith('<');
}
