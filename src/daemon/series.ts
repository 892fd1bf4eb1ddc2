import type { Config } from '../config/config.ts';
import type { MimecastErrorReason } from '../mimecast/errors.ts';
import type { OutputErrorReason } from '../outputs/output.ts';
import type { Metrics } from '../telemetry/metrics.ts';

const API_REASONS = {
  ...{ auth: true, forbidden: true, rate_limited: true, bad_request: true },
  ...{ server: true, network: true, timeout: true, malformed: true },
} satisfies Record<MimecastErrorReason, true>;
const OUTPUT_REASONS = {
  ...{ connect: true, tls: true, auth: true, rate_limited: true, refused: true },
  ...{ server: true, timeout: true, unconfirmed: true, io: true },
} satisfies Record<OutputErrorReason, true>;
/** Label of the token call, which belongs to no feed. */
const NO_FEED = '-';

/**
 * Begins every counter that an alert watches at 0. A series that appears with its first failure has no increase to see: Prometheus
 * takes its first sample for where it began.
 */
export function beginSeries(metrics: Metrics, { feeds, outputs }: Pick<Config, 'feeds' | 'outputs'>): void {
  for (const feed of [NO_FEED, ...feeds.map(({ name }) => name)]) {
    metrics.apiRequests.inc({ feed }, 0);
    metrics.apiRateLimited.inc({ feed }, 0);
    for (const reason of Object.keys(API_REASONS)) metrics.apiErrors.inc({ feed, reason }, 0);
  }
  for (const { name } of feeds) {
    for (const outcome of ['new', 'duplicate', 'variant', 'malformed']) metrics.records.inc({ feed: name, outcome }, 0);
  }
  for (const { name } of outputs) {
    for (const outcome of ['delivered', 'rejected', 'filtered']) {
      metrics.outputEvents.inc({ output: name, outcome }, 0);
    }
    for (const reason of Object.keys(OUTPUT_REASONS)) metrics.outputErrors.inc({ output: name, reason }, 0);
  }
}

/** Ends the series of what is no longer configured: a gauge that stays would keep an alert on for ever. */
export async function endSeries(
  metrics: Metrics,
  before: Pick<Config, 'feeds' | 'outputs'>,
  after: Pick<Config, 'feeds' | 'outputs'>,
): Promise<void> {
  for (const name of missingFrom(after.feeds, before.feeds)) await metrics.forget('feed', name);
  for (const name of missingFrom(after.outputs, before.outputs)) await metrics.forget('output', name);
}

function missingFrom(
  list: readonly { readonly name: string }[],
  others: readonly { readonly name: string }[],
): string[] {
  return others.map(({ name }) => name).filter((name) => !list.some((one) => one.name === name));
}
