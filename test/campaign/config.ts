import type { Simulator } from '../../src/simulate/simulator.ts';
import { TLS_NAME } from './certificates.ts';
import type { OutputName } from './fault.ts';
import { OVERLAP_MS } from './schedule.ts';

/** The most events of a batch, of every output. */
export const BATCH = 25;
export const PAGE_SIZES = [40, 15] as const;
/** The output with a filter, and what it lets through. */
export const FILTERED = { output: 'relp', route: ['inbound', 'outbound'] } as const;
/** Each start of the daemon has its number in its environment, and puts it into what it sends: see `Attempt`. */
const LIFE = `\${LIFE}`;

export interface ConfigParts {
  readonly simulator: Simulator;
  readonly receivers: Readonly<Record<OutputName, { readonly port: number }>>;
  readonly storeFile: string;
  readonly secretFile: string;
  /** Of the authority that the syslog output trusts; undefined: it speaks plain TCP. */
  readonly caFile: string | undefined;
  /** How often the config was changed: each time the feed is another one, and every second time an output. */
  readonly changes: number;
  /** False: one that cannot be applied. */
  readonly whole: boolean;
}

/** The daemon's config, as an object for YAML. */
export function configOf(parts: ConfigParts): object {
  const { simulator, storeFile, secretFile, whole } = parts;
  const shared = {
    startFrom: 'beginning',
    retry: { initialDelay: '20ms', maxDelay: '200ms' },
    batch: { maxEvents: BATCH },
  };
  return {
    mimecast: {
      baseUrl: simulator.url,
      auth: { type: 'oauth2', clientId: simulator.credentials.clientId, clientSecretFile: secretFile },
      requestsPerMinute: 60_000,
      requestTimeout: '10s',
    },
    feeds: [feedOf(parts)],
    outputs: outputsOf(parts).map((output) => ({ ...output, ...shared })),
    // The least that may be: retention is to take what it may while the run goes on.
    store: { path: storeFile, minFreeDisk: '1MiB', retention: '1d' },
    http: whole ? false : { listen: 'nowhere' },
    log: { level: 'info', format: 'json' },
  };
}

function feedOf({ changes }: ConfigParts): object {
  return {
    ...{ type: 'attachment', schedule: '* * * * * *', startFrom: '24h', maxWindow: '6h', sweep: false },
    ...{ settle: '0s', overlap: `${OVERLAP_MS}ms`, pageSize: PAGE_SIZES[changes % 2] },
  };
}

function outputsOf({ receivers, caFile, changes }: ConfigParts): object[] {
  const { close, relp, hook } = receivers;
  const syslog = { type: 'syslog', host: '127.0.0.1', hostname: `life-${LIFE}`, sendTimeout: '10s' };
  const tls = caFile !== undefined && { tls: { caFile, servername: TLS_NAME } };
  return [
    { ...syslog, name: 'close', protocol: tls ? 'tls' : 'tcp', port: close.port, ...tls },
    { ...syslog, name: 'relp', protocol: 'relp', port: relp.port, filter: { route: FILTERED.route } },
    {
      ...{ name: 'hook', type: 'webhook', url: `http://127.0.0.1:${hook.port}/`, timeout: '10s' },
      ...{ headers: { 'x-life': LIFE }, gzip: changes % 4 > 1 },
    },
  ];
}
