/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}

export function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}
