import { type Answer, HttpReceiver, type Reaction, type ReceivedRequest } from './http-receiver.ts';

/** One megabyte in its narrower reading. */
const MAX_CALL_BYTES = 1_000_000;
const MAX_VALUE_BYTES = 64_000;
const DAY_MS = 86_400_000;
/** Column names that Azure keeps for itself ("Logs Ingestion API in Azure Monitor", supported tables). */
export const RESERVED_COLUMNS = ['_ResourceId', 'id', '_SubscriptionId', 'TenantId', 'Type', 'UniqueId', 'Title'];

export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface AzureOptions {
  readonly columns: readonly Column[];
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly dcrImmutableId: string;
  readonly streamName: string;
  readonly scope: string;
  readonly port?: number;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Entra's token endpoint and the Logs Ingestion API on one port, written from Microsoft's documentation: "Get access without a user",
 * "Logs Ingestion API in Azure Monitor", the service limits, the standard columns, and the troubleshooting table of the tutorial.
 * What the documentation leaves open (the codes of 400, an empty array) is said where it is decided.
 */
export class AzureIngestion {
  /** Rows as they came, call by call. */
  readonly calls: (readonly Row[])[] = [];
  /** How many tokens were asked for, granted or not. */
  tokenRequests = 0;
  /** What to do in the place of the contract, by the path's last part: `token` or the stream. */
  interfere: (what: 'token' | 'ingest', request: ReceivedRequest) => Reaction | undefined = () => undefined;
  /** Seconds that a token lives. */
  tokenLife = 3599;
  hasRole = true;
  secret: string;
  readonly http: HttpReceiver;
  readonly #options: AzureOptions;
  readonly #tokens = new Map<string, { readonly audience: string; readonly endsAt: number }>();

  private constructor(http: HttpReceiver, options: AzureOptions) {
    this.http = http;
    this.#options = options;
    this.secret = options.clientSecret;
    http.react = (request) => this.#react(request);
  }

  static async start(options: AzureOptions): Promise<AzureIngestion> {
    return new AzureIngestion(
      await HttpReceiver.start(options.port === undefined ? {} : { port: options.port }),
      options,
    );
  }

  /** What the table holds in the end: declared columns only, long values cut, times far off replaced. */
  table(): Row[] {
    const { columns } = this.#options;
    const received = Date.now();
    return this.calls.flat().map((row) =>
      Object.fromEntries(
        columns.flatMap(({ name, type }) => {
          const value = row[name];
          if (value === undefined || value === null) return [];
          if (type !== 'datetime') return [[name, firstBytes(String(value))]];
          const time = Date.parse(String(value));
          const kept = time > received - 2 * DAY_MS && time < received + DAY_MS;
          return [[name, new Date(kept ? time : received).toISOString()]];
        }),
      ),
    );
  }

  /** Every token that was handed out is worth nothing from now on. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  #react(request: ReceivedRequest): Reaction {
    const { pathname, searchParams } = new URL(request.path, this.http.origin);
    const { tenantId, dcrImmutableId, streamName } = this.#options;
    if (pathname.endsWith('/oauth2/v2.0/token')) {
      this.tokenRequests += 1;
      const interference = this.interfere('token', request);
      if (interference) return interference;
      if (pathname !== `/${tenantId}/oauth2/v2.0/token`) return entraError(400, 'invalid_request', 90002);
      return this.#grant(request);
    }
    const interference = this.interfere('ingest', request);
    if (interference) return interference;
    if (request.method !== 'POST') return azureError(405, 'MethodNotAllowed');
    const token = this.#tokens.get(/^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (!token || token.endsAt <= Date.now() || token.audience !== 'https://monitor.azure.com') {
      return azureError(401, 'AuthenticationFailed');
    }
    if (pathname !== `/dataCollectionRules/${dcrImmutableId}/streams/${streamName}`) return azureError(404, 'NotFound');
    if (searchParams.get('api-version') !== '2023-01-01') return azureError(400, 'UnsupportedApiVersion');
    if (!this.hasRole) return azureError(403, 'OperationFailed');
    return this.#ingest(request);
  }

  #grant({ method, headers, text }: ReceivedRequest): Reaction {
    const { clientId, scope } = this.#options;
    const form = new URLSearchParams(text);
    if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded') {
      return entraError(400, 'invalid_request', 900144);
    }
    if (form.get('grant_type') !== 'client_credentials') return entraError(400, 'unsupported_grant_type', 70003);
    if (form.get('client_id') !== clientId) return entraError(400, 'unauthorized_client', 700016);
    if (form.get('client_secret') !== this.secret) return entraError(401, 'invalid_client', 7000215, this.secret);
    if (form.get('scope') !== scope || !scope.endsWith('/.default')) return entraError(400, 'invalid_scope', 70011);
    const value = `token-${this.tokenRequests}.${'x'.repeat(1500)}`;
    this.#tokens.set(value, {
      audience: scope.slice(0, -'/.default'.length),
      endsAt: Date.now() + 1000 * this.tokenLife,
    });
    return json(200, {
      token_type: 'Bearer',
      expires_in: this.tokenLife,
      ext_expires_in: this.tokenLife,
      access_token: value,
    });
  }

  #ingest({ headers, wire, text }: ReceivedRequest): Reaction {
    if (headers['content-type'] !== 'application/json') return azureError(400, 'UnsupportedMediaType');
    if (![undefined, 'gzip'].includes(headers['content-encoding'])) return azureError(400, 'UnsupportedMediaType');
    if (wire.length > MAX_CALL_BYTES || Buffer.byteLength(text) > MAX_CALL_BYTES) {
      return azureError(413, 'ContentLengthLimitExceeded');
    }
    const rows = parsed(text);
    if (!Array.isArray(rows) || !rows.every(isRow)) return azureError(400, 'InvalidRequestContent');
    this.calls.push(rows);
    return { status: 204 };
  }
}

function firstBytes(text: string): string {
  return Buffer.from(text).subarray(0, MAX_VALUE_BYTES).toString();
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Entra repeats what it was sent in its descriptions: nothing of them may come out again. */
function entraError(status: number, error: string, code: number, echo = ''): Answer {
  const error_description = `AADSTS${code}: ${echo}`;
  return json(status, { error, error_description, error_codes: [code], trace_id: 'a', correlation_id: 'b' });
}

export function azureError(status: number, code: string, message = 'in words', headers = {}): Answer {
  return json(status, { error: { code, message } }, headers);
}

function json(status: number, body: unknown, headers = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
