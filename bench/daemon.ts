import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Command } from './processes.ts';

/** The program as it is shipped. */
const DAEMON = resolve(import.meta.dirname, '../dist/main.js');

export interface DaemonSetup {
  /** Holds the config, and the store when it is a new one. */
  readonly folder: string;
  readonly api: { readonly port: number; readonly clientId?: string; readonly clientSecret?: string };
  /** Settings of the feed, besides its type. */
  readonly feed: object;
  readonly outputs: readonly object[];
  /** Default: a new store. */
  readonly store?: string;
  /** `store.maxSize`. */
  readonly maxSize?: string;
  /** Port of its own HTTP endpoints. Default: any that is free. */
  readonly httpPort?: number;
}

/** Writes a config and tells how to run the daemon with it. All that is not said here has its default. */
export function daemonCommand({ folder, api, feed, outputs, store, maxSize, httpPort = 0 }: DaemonSetup): Command {
  if (!existsSync(DAEMON)) throw new Error('there is no dist/main.js: run `npm run build` first');
  const { port, clientId = 'bench', clientSecret = 'bench' } = api;
  const config = {
    mimecast: {
      baseUrl: `http://127.0.0.1:${port}`,
      auth: { type: 'oauth2', clientId, clientSecret },
      // Its own ceiling of 60 a minute would be all that is measured.
      requestsPerMinute: 60_000,
    },
    feeds: [{ type: 'attachment', ...feed }],
    outputs,
    store: { path: store ?? join(folder, 'forwarder.db'), ...(maxSize && { maxSize }) },
    http: { listen: `127.0.0.1:${httpPort}` },
    log: { level: 'info', format: 'json' },
  };
  const file = join(folder, 'forwarder.yaml');
  writeFileSync(file, stringify(config), { mode: 0o600 });
  const { env, flags } = start();
  return { file: process.execPath, args: [...flags, DAEMON, 'run', '--config', file], cwd: folder, env };
}

/** What its first line starts it with: `#!/usr/bin/env -S NAME=VALUE node --flag`. */
function start(): { env: Record<string, string>; flags: string[] } {
  const [line = ''] = readFileSync(DAEMON, 'utf8').split('\n', 1);
  const env = Object.fromEntries([...line.matchAll(/ ([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  return { env, flags: line.match(/--\S+/g) ?? [] };
}

/**
 * A feed that reads everything since `from` (ms since 1970) as one window, so that what is measured is reading pages and not
 * the number of windows, without a sweep in the middle.
 */
export function wholePast(from: number): object {
  return { startFrom: new Date(from).toISOString(), maxWindow: '60d', sweep: false };
}

/** A syslog output to the sink. */
export function syslogOutput(
  port: number,
  options: { readonly format?: 'json' | 'cef'; readonly confirm?: 'close' | 'write' } = {},
): object {
  return { name: 'syslog', type: 'syslog', host: '127.0.0.1', port, protocol: 'tcp', ...options };
}

/** What the daemon says of itself at `/api/status`, as far as the benchmarks ask. */
export interface DaemonStatus {
  readonly outputs: readonly { readonly backlog: number }[];
}
