import { type Answer, HttpReceiver, type ReceivedRequest } from './http-receiver.ts';

/** One request that was taken. */
export interface SumoUpload {
  readonly lines: readonly string[];
  /** The headers that Sumo Logic reads as metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * An HTTP Logs and Metrics source, from Sumo Logic's documentation ("Upload Logs", "Troubleshooting HTTP Sources"): a POST to
 * `/receiver/v1/http/<token>`, lines in UTF-8, answered with 200; another token with 401. Its metric content types mean something else.
 */
export class SumoLogicSource {
  readonly uploads: SumoUpload[] = [];
  token: string;
  readonly http: HttpReceiver;

  private constructor(http: HttpReceiver, token: string) {
    this.http = http;
    this.token = token;
    this.http.react = (request) => this.answer(request);
  }

  static async start({
    token,
    port = 0,
  }: {
    readonly token: string;
    readonly port?: number;
  }): Promise<SumoLogicSource> {
    return new SumoLogicSource(await HttpReceiver.start({ port }), token);
  }

  get url(): string {
    return this.urlWith(this.token);
  }

  urlWith(token: string): string {
    return `${this.http.origin}/receiver/v1/http/${token}`;
  }

  get lines(): string[] {
    return this.uploads.flatMap(({ lines }) => lines);
  }

  answer({ method, path, headers, text, wire }: ReceivedRequest): Answer {
    if (!path.startsWith('/receiver/v1/http/')) return { status: 404 };
    if (path !== `/receiver/v1/http/${this.token}`) return { status: 401 };
    if (method !== 'POST') return { status: 405 };
    // What would be taken for metrics, or for the bytes of a compression that is not announced.
    if (/^application\/vnd\.sumologic\./.test(headers['content-type'] ?? '')) return { status: 400 };
    if (headers['content-encoding'] === undefined && wire[0] === 0x1f) return { status: 400 };
    const metadata = Object.entries(headers).filter((header): header is [string, string] =>
      header[0].startsWith('x-sumo-'),
    );
    this.uploads.push({ lines: text.replace(/\n$/, '').split('\n'), metadata: Object.fromEntries(metadata) });
    return { status: 200 };
  }
}
