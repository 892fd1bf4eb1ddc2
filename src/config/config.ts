import type { FeedType } from '../feeds/feed.ts';
import type { FormatType } from '../formats/format.ts';
import type { MimecastOptions } from '../mimecast/options.ts';
import type { OutputType } from '../outputs/output.ts';
import type { Secret } from '../secret.ts';
import type { ListenAddress } from '../telemetry/listen.ts';
import type { CheckedFormat } from './format-choice.ts';
import { type FeedStart, type OutputStart, parseFeedStart, parseListenAddress, parseOutputStart } from './scalars.ts';
import type { CheckedConfig, ConfigTables } from './schema.ts';

/** The config as the daemon uses it. Durations are in ms, sizes in bytes, secrets are `Secret`s; every default is filled in. */
export interface Config {
  readonly mimecast: MimecastOptions;
  readonly feeds: readonly FeedConfig[];
  readonly outputs: readonly OutputConfig[];
  readonly store: StoreConfig;
  readonly http: HttpConfig | false;
  readonly log: LogConfig;
}

export interface FeedConfig {
  readonly name: string;
  readonly type: FeedType;
  /** A node-cron expression, checked. */
  readonly schedule: string;
  readonly startFrom: FeedStart;
  readonly overlap: number;
  readonly settle: number;
  readonly maxWindow: number;
  readonly pageSize: number;
  readonly sweep: { readonly schedule: string; readonly span: number } | false;
  readonly dedupe: { readonly key: readonly string[]; readonly variants: 'suppress' | 'ship' };
}

export interface OutputConfig {
  readonly name: string;
  readonly type: OutputType;
  /** The name of the receiver's profile, where the config has one; what it sets stands among the options. */
  readonly profile?: string;
  /** What `type.create`, `accepted`, `lossless` and `target` take: the member's own options, checked by its own schema. */
  readonly options: Parameters<OutputType['create']>[0];
  readonly format: FormatConfig;
  /** Record field to the values that pass; empty when all events pass. */
  readonly filter: Readonly<Record<string, readonly string[]>>;
  readonly startFrom: OutputStart;
  readonly batch: { readonly maxEvents: number; readonly maxBytes: number };
  readonly retry: { readonly initialDelay: number; readonly maxDelay: number };
}

/** A format of the table, and the options for its `create`, checked by its own schema. */
export interface FormatConfig {
  readonly type: FormatType;
  readonly options: Parameters<FormatType['create']>[0];
}

export interface StoreConfig {
  readonly path: string;
  readonly retention: number;
  readonly maxSize: number;
  readonly minFreeDisk: number;
}

export interface HttpConfig {
  readonly listen: ListenAddress;
  readonly token?: Secret | undefined;
  /** Whether an address of this machine that others reach may be served without a token. */
  readonly public: boolean;
  /** Names that requests may go by, besides those that nobody can own. */
  readonly allowedHosts: readonly string[];
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly format: 'auto' | 'json' | 'pretty';
}

/** Puts the members of the racks in place of their names, and typed values in place of checked texts. */
export function assembleConfig(checked: CheckedConfig, tables: ConfigTables): Config {
  const { mimecast, store, http, log } = checked;
  return {
    mimecast,
    feeds: checked.feeds.map(({ type, startFrom, ...feed }) => ({
      ...feed,
      type: known(tables.feedTypes[type]),
      startFrom: known(parseFeedStart(startFrom)),
    })),
    outputs: checked.outputs.map(({ name, type, profile, format, filter, startFrom, batch, retry, ...options }) => ({
      ...{ name, filter, batch, retry, options },
      ...(typeof profile === 'string' && { profile }),
      type: known(tables.outputTypes[type]),
      format: assembleFormat(format, tables),
      startFrom: known(parseOutputStart(startFrom)),
    })),
    store,
    http: http !== false && { ...http, listen: known(parseListenAddress(http.listen)) },
    log,
  };
}

function assembleFormat({ type, ...options }: CheckedFormat, { formats }: ConfigTables): FormatConfig {
  return { type: known(formats[type]), options };
}

/** The schema has refused what would be missing here. */
function known<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('the config was assembled before it was checked');
  return value;
}
