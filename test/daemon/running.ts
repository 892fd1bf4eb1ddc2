import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Config, OutputConfig } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tables } from '../../src/config/tables.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { json } from '../../src/formats/json.ts';
import { defineOutput } from '../../src/outputs/output.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type ScriptedOutput, temporaryFolder } from '../deliver/delivering.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

/** Writes a config into the folder and returns its path. What a test does not care about is filled in for a quick rhythm. */
export function writeConfig(
  folder: string,
  simulator: Pick<Simulator, 'url' | 'credentials'>,
  more: object = {},
): string {
  const { clientId, clientSecret } = simulator.credentials;
  const file = join(folder, 'forwarder.yaml');
  const whole = {
    mimecast: {
      baseUrl: simulator.url,
      auth: { type: 'oauth2', clientId, clientSecret },
      requestsPerMinute: 60_000,
    },
    feeds: [
      { type: 'attachment', schedule: '* * * * * *', startFrom: '24h', settle: '0s', maxWindow: '48h', sweep: false },
    ],
    outputs: [{ name: 'disk', type: 'file', path: join(folder, 'events.ndjson'), startFrom: 'beginning' }],
    store: { path: join(folder, 'forwarder.db'), minFreeDisk: '1MiB' },
    http: false,
    log: { level: 'info', format: 'json' },
    ...more,
  };
  writeFileSync(file, stringify(whole), { mode: 0o600 });
  return file;
}

/** A configured output that does as a test says. */
export function scripted(name: string, output: ScriptedOutput, more: Partial<OutputConfig> = {}): OutputConfig {
  const type = defineOutput({
    type: 'scripted',
    summary: 'Does as a test says.',
    options: z.strictObject({}),
    defaultFormat: 'json',
    accepted: () => 'the test took it',
    lossless: () => true,
    target: () => 'test://here',
    create: () => output,
  });
  return {
    name,
    type,
    options: {},
    format: { type: json, options: {} },
    filter: {},
    startFrom: 'beginning',
    batch: { maxEvents: 10, maxBytes: 1024 * 1024 },
    retry: { initialDelay: 1, maxDelay: 10 },
    ...more,
  };
}

/** A daemon that is stopped with the test; not started yet. */
export function openDaemon(
  simulator: Pick<Simulator, 'url' | 'credentials'>,
  more: { readonly config?: object; readonly outputs?: readonly OutputConfig[]; readonly now?: () => number } = {},
): { daemon: Daemon; config: Config; log: MemoryStream; reopen: () => Daemon } {
  const folder = temporaryFolder();
  const file = writeConfig(folder, simulator, more.config);
  const loaded = loadConfig({ file, env: {}, cwd: folder, tables }).config;
  const config = more.outputs ? { ...loaded, outputs: more.outputs } : loaded;
  const log = new MemoryStream();
  const logger = createLogger({ level: 'debug', format: 'json', destination: log });
  const host = {
    pid: 4711,
    hostname: 'test-host',
    version: '1.2.3',
    node: 'v24.0.0',
    stdout: new MemoryStream(),
    now: more.now ?? Date.now,
  };
  const reopen = (): Daemon => {
    const daemon = Daemon.open({ config, host, logger });
    onTestFinished(() => daemon.stop());
    return daemon;
  };
  return { daemon: reopen(), config, log, reopen };
}
