import type { Logger } from 'pino';
import type { OutputConfig } from '../config/config.ts';
import { Dispatcher } from '../deliver/dispatcher.ts';
import type { EventSource } from '../event.ts';
import type { Output } from '../outputs/output.ts';
import type { Store } from '../store/store.ts';
import { Episode } from '../telemetry/episodes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Host, userAgentOf } from './host.ts';

/** A configured output with what serves it. */
export interface RunningOutput {
  readonly config: OutputConfig;
  readonly dispatcher: Dispatcher;
}

/** Builds an output from its config; no I/O yet. */
export function createOutput(config: OutputConfig, host: Host): Output {
  return config.type.create(config.options, {
    name: config.name,
    format: config.format.type.create(config.format.options),
    hostname: host.hostname,
    userAgent: userAgentOf(host),
    pid: host.pid,
    stdout: host.stdout,
  });
}

/** Builds an output and what serves it, with a first cursor when it is new to the store. */
export function buildOutput(
  config: OutputConfig,
  parts: {
    readonly store: Store;
    readonly sourceOf: (feed: string) => EventSource;
    readonly metrics: Metrics;
    readonly logger: Logger;
    readonly host: Host;
  },
  output: Output = createOutput(config, parts.host),
): RunningOutput {
  const { store, sourceOf, metrics, logger, host } = parts;
  if (store.cursors.get(config.name) === undefined) store.startOutput(config.name, config.startFrom);
  const dispatcher = new Dispatcher({
    output,
    options: {
      name: config.name,
      filter: config.filter,
      batch: config.batch,
      retry: config.retry,
      inFlight: config.type.inFlight?.(config.options),
    },
    store,
    sourceOf,
    metrics,
    episode: new Episode({ subject: `output ${config.name}`, fields: { output: config.name }, logger, now: host.now }),
    logger,
    now: host.now,
  });
  return { config, dispatcher };
}
