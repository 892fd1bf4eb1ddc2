import { Metrics } from './metrics.ts';

/** What prom-client tells of a metric; its typings leave out the label names and the buckets. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly buckets?: readonly number[];
}

/** `docs/metrics.md`, made from the metrics themselves. */
export async function metricsReference(): Promise<string> {
  const { registry } = new Metrics();
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  const metrics = registry.getMetricsAsArray() as unknown as readonly Described[];
  const rows = metrics.map(
    ({ name, help, labelNames, buckets }) =>
      `| \`${name}\` | ${types.get(name) ?? ''} | ${labelNames.map((label) => `\`${label}\``).join(', ') || '-'} | ${help}${bucketWords(buckets)} |`,
  );
  return `${[...INTRODUCTION, ...rows].join('\n')}\n`;
}

const INTRODUCTION = [
  '# Metrics',
  '',
  'Served at `/metrics` in the Prometheus text format, and in OpenMetrics when the scraper asks for it.',
  'Labels hold configured names and closed sets only: no series is made from what a mail contains.',
  '',
  'This page is made by `node scripts/metrics-reference.ts`; a test fails when it is behind.',
  '',
  '| Metric | Type | Labels | Meaning |',
  '|---|---|---|---|',
];

function bucketWords(buckets: readonly number[] | undefined): string {
  return buckets === undefined
    ? ''
    : ` Buckets in seconds: ${buckets.map((bound) => bound.toLocaleString('en-US')).join(' · ')}.`;
}
