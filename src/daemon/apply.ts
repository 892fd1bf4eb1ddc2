import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { ConfigDiff } from '../config/diff.ts';
import type { MimecastClient } from '../mimecast/client.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Endpoint } from './endpoint.ts';
import type { RunningFeeds } from './running-feeds.ts';
import type { RunningOutputs } from './running-outputs.ts';
import { beginSeries, endSeries } from './series.ts';
import type { LiveParts } from './snapshot.ts';
import type { Upkeep } from './upkeep.ts';

/** What of a running daemon a config can change. */
export interface Changeable {
  readonly live: LiveParts;
  readonly feeds: RunningFeeds;
  readonly outputs: RunningOutputs;
  readonly endpoint: Endpoint;
  readonly upkeep: Upkeep;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Throws when a file that the config names cannot be read. */
  createClient(config: Config): MimecastClient;
  onFatal(error: unknown): void;
}

/**
 * Puts another config in force, part by part; what `diff` does not name goes on undisturbed. First what can fail, which leaves all as it
 * was and rejects: a file cannot be read, a port is taken, the store cannot be written to. Then the rest.
 */
export async function applyConfig(parts: Changeable, next: Config, diff: ConfigDiff): Promise<void> {
  const { live } = parts;
  const { outputs, sections } = diff;
  const isNew = ({ name }: { readonly name: string }): boolean => outputs.added.includes(name);
  const prepared = parts.outputs.prepare(next.outputs.filter((one) => isNew(one) || outputs.changed.has(one.name)));
  const client = sections.has('mimecast') ? parts.createClient(next) : live.client;
  let takeBack = (): void => undefined;
  try {
    takeBack = parts.outputs.begin(next.outputs.filter(isNew));
    if (sections.has('http')) await parts.endpoint.move(next.http);
  } catch (error) {
    takeBack();
    if (client !== live.client) await client.close();
    throw error;
  }
  // What fails from here on is a bug, and half a config is worse than none: the daemon ends, and its supervisor starts the next.
  await change(parts, next, diff, prepared, client).catch(parts.onFatal);
}

async function change(
  { live, feeds, outputs, upkeep, metrics, logger }: Changeable,
  next: Config,
  diff: ConfigDiff,
  prepared: ReturnType<RunningOutputs['prepare']>,
  client: MimecastClient,
): Promise<void> {
  const { config: before, client: oldClient } = live;
  // Every logger of a part is a child of this one, and has its level.
  logger.level = next.log.level;
  live.pressure.setLimits(next.store);
  upkeep.setLimits(next.store);
  beginSeries(metrics, next);
  await outputs.change(next.outputs, prepared);
  for (const name of [...diff.outputs.removed, ...diff.outputs.changed.keys()]) live.rates.forget(name);
  const readAnew = client === oldClient ? diff.feeds.changed.keys() : next.feeds.map(({ name }) => name);
  await feeds.change(next.feeds, new Set(readAnew), client);
  live.client = client;
  if (client !== oldClient) await oldClient.close();
  live.config = next;
  await endSeries(metrics, before, next);
}
