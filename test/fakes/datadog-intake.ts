import { type Answer, HttpReceiver, type ReceivedRequest } from './http-receiver.ts';

/** One log as Datadog's API reference ("Send logs", v2) describes it. */
export interface DatadogLog {
  readonly message: string;
  readonly ddsource?: string;
  readonly ddtags?: string;
  readonly hostname?: string;
  readonly service?: string;
  readonly [attribute: string]: unknown;
}

const MB = 1_000_000;

/**
 * Datadog's log intake, from its documentation: `POST /api/v2/logs` with `DD-API-KEY`, an array of at most 1000 logs in at most 5 MB
 * uncompressed, answered with 202 and `{}`. Logs over 1 MB are cut and taken. Which 4xx an array that is too long gets is not documented.
 */
export class DatadogIntake {
  readonly logs: DatadogLog[] = [];
  /** Logs of more than 1 MB, which the real intake cuts. */
  cut = 0;
  apiKey: string;
  readonly http: HttpReceiver;

  private constructor(http: HttpReceiver, apiKey: string) {
    this.http = http;
    this.apiKey = apiKey;
    this.http.react = (request) => this.answer(request);
  }

  static async start({
    apiKey,
    port = 0,
  }: {
    readonly apiKey: string;
    readonly port?: number;
  }): Promise<DatadogIntake> {
    return new DatadogIntake(await HttpReceiver.start({ port }), apiKey);
  }

  get url(): string {
    return `${this.http.origin}/api/v2/logs`;
  }

  answer({ method, path, headers, text }: ReceivedRequest): Answer {
    if (path !== '/api/v2/logs') return { status: 404 };
    if (method !== 'POST') return { status: 405 };
    const key = headers['dd-api-key'];
    if (key === undefined) return refused(401, 'Unauthorized');
    if (key !== this.apiKey) return refused(403, 'Forbidden');
    if (headers['content-type'] !== 'application/json') return refused(415, 'Unsupported Media Type');
    if (Buffer.byteLength(text) > 5 * MB) return refused(413, 'Payload Too Large');
    const logs = parsed(text);
    if (logs === undefined || logs.length > 1000) return refused(400, 'Bad Request');
    this.logs.push(...logs);
    this.cut += logs.filter((log) => Buffer.byteLength(JSON.stringify(log)) > MB).length;
    return { status: 202, body: '{}' };
  }
}

function refused(status: number, detail: string): Answer {
  return { status, body: JSON.stringify({ errors: [{ status: String(status), title: detail, detail }] }) };
}

/** The logs of a body; undefined when it is not what the documentation allows. */
function parsed(text: string): DatadogLog[] | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const logs = Array.isArray(body) ? body : [body];
  return logs.every((log) => typeof log === 'object' && log !== null && typeof log.message === 'string')
    ? logs
    : undefined;
}
