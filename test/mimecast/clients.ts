import { MimecastClient, type PageRequest } from '../../src/mimecast/client.ts';
import { type MimecastOptions, mimecastOptions } from '../../src/mimecast/options.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

export const CLIENT_SECRET = 'hush-hush/client+secret';

export const OAUTH = { type: 'oauth2', clientId: 'the-client', clientSecret: CLIENT_SECRET };

export const HMAC = {
  type: 'hmac',
  applicationId: 'b2d7c6a0-app',
  applicationKey: 'hush-application-key',
  accessKey: 'hush-access-key',
  secretKey: Buffer.from('hush-secret-key').toString('base64'),
};

export function optionsFor(baseUrl: string, more: Record<string, unknown> = {}): MimecastOptions {
  return mimecastOptions.parse({ baseUrl, auth: OAUTH, requestsPerMinute: 6000, ...more });
}

export interface TestClient {
  readonly client: MimecastClient;
  readonly metrics: Metrics;
  /** Value of a counter or gauge; 0 when it was never touched. */
  count(name: string, labels?: Record<string, string>): Promise<number>;
}

export function clientFor(baseUrl: string, more: Record<string, unknown> = {}): TestClient {
  const metrics = new Metrics();
  const client = new MimecastClient(optionsFor(baseUrl, more), { metrics, userAgent: 'mimecast-forwarder/test' });
  return {
    client,
    metrics,
    async count(name, labels = {}) {
      const metric = metrics.registry.getSingleMetric(`mimecast_forwarder_${name}`);
      const values = (await metric?.get())?.values ?? [];
      const wanted = Object.entries(labels);
      const matching = values.filter((value) =>
        wanted.every(([label, text]) => new Map(Object.entries(value.labels)).get(label) === text),
      );
      return matching.reduce((sum, value) => sum + value.value, 0);
    },
  };
}

export function pageRequest(more: Partial<PageRequest<unknown>> = {}): PageRequest<unknown> {
  return {
    feed: 'attachment',
    path: '/api/ttp/attachment/get-logs',
    recordsKey: 'attachmentLogs',
    read: (record) => record,
    filter: { from: '2025-01-01T00:00:00+0000', to: '2025-01-01T01:00:00+0000', oldestFirst: true },
    pageSize: 500,
    signal: new AbortController().signal,
    ...more,
  };
}
