/** An HTTP answer, before it is written. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Why the request was refused, in a few words for the log: the code that the body carries. */
  readonly refusal?: string;
}

/** One element of `fail[].errors[]`. */
export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** The part of the request that is meant. */
  readonly field?: string;
}

export function json(status: number, content: unknown): Answer {
  return { status, body: JSON.stringify(content), contentType: 'application/json' };
}

export function text(status: number, body: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status, body, contentType };
}

/** How the API 2.0 gateway fails: a flat list, some codes without a message. */
export function gatewayFailure(status: number, code: string, message?: string): Answer {
  return { ...json(status, { fail: [{ code, ...(message === undefined ? {} : { message }) }] }), refusal: code };
}

/** How the API itself fails, in both generations: errors inside the envelope. `status` is sent as HTTP status and in `meta`. */
export function failure(status: number, errors: readonly ApiError[]): Answer {
  const content = { meta: { status, isLastToken: false }, data: [], fail: [{ errors }] };
  return { ...json(status, content), refusal: errors.map((error) => error.code).join(', ') };
}

/** API 1.0 writes every `/` as `\/`, as JSON allows: a client that hashes the text instead of the values is found out. */
export function escapeSlashes(answer: Answer): Answer {
  return answer.contentType === 'application/json' ? { ...answer, body: answer.body.replaceAll('/', '\\/') } : answer;
}
