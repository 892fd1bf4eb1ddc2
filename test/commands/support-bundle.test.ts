import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { startSimulator } from '../collect/reading.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { type } from './shell.ts';

const CANARY = 'canary-c3VwcG9ydA';

/** A config with a secret in every place that it has for one, and a webhook that refuses some events. */
async function practised(): Promise<{ file: string; simulator: Simulator; hook: HttpReceiver; path: string }> {
  const folder = temporaryFolder();
  const simulator = await startSimulator();
  simulator.seed(200, { from: Date.now() - 24 * 3_600_000, to: Date.now() - 60_000 });
  const hook = await HttpReceiver.start();
  onTestFinished(() => hook.close());
  hook.react = ({ text }) => ({ status: text.includes('"route":"outbound"') ? 422 : 200, body: `${text} ${CANARY}` });
  const { clientId, clientSecret } = simulator.credentials;
  const path = join(folder, 'forwarder.db');
  const config = {
    mimecast: {
      baseUrl: simulator.url,
      auth: { type: 'oauth2', clientId, clientSecret },
      requestsPerMinute: 60_000,
    },
    feeds: [{ type: 'attachment', startFrom: '48h', settle: '0s', maxWindow: '72h', sweep: false }],
    outputs: [
      {
        name: 'hook',
        type: 'webhook',
        url: `${hook.origin}/path?key=${CANARY}`,
        headers: { Authorization: `Bearer ${CANARY}` },
        signingSecret: CANARY,
        startFrom: 'beginning',
        batch: { maxEvents: 5 },
      },
    ],
    store: { path, minFreeDisk: '1MiB' },
    http: { listen: `127.0.0.1:${hook.port}`, token: CANARY },
  };
  const file = join(folder, 'forwarder.yaml');
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return { file, simulator, hook, path };
}

describe('a support bundle', () => {
  it('tells versions, config, status, figures of the store and metrics', async () => {
    const { file, hook } = await practised();
    await type(['run', '--once', '--config', file]);
    // In the place of the daemon's own server.
    let asked: string | undefined;
    hook.react = ({ path, headers }) => {
      if (path !== '/metrics') return { status: 404 };
      asked = headers.authorization;
      return { status: 200, body: 'mimecast_forwarder_build_info{version="1"} 1\n' };
    };
    const { code, stdout } = await type(['support-bundle', '--config', file]);
    expect(code).toBe(0);
    expect(asked).toBe(`Bearer ${CANARY}`);
    for (const part of [
      'version ',
      'node v',
      'type: webhook',
      '"schemaVersion"',
      '"seen"',
      'OUTPUTS',
      'mimecast_forwarder_build_info',
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toMatch(/"reason": ".*422/);
  });

  it('holds no secret and nothing of anybody’s mail', async () => {
    const { file, simulator, hook, path } = await practised();
    await type(['run', '--once', '--config', file]);
    const store = Store.open(path);
    expect(store.rejects.list().length).toBeGreaterThan(0);
    store.close();
    hook.react = () => ({ status: 404 });
    const { stdout } = await type(['support-bundle', '--config', file]);
    expect(stdout).not.toContain(CANARY);
    expect(stdout).not.toContain(simulator.credentials.clientSecret);
    const personal = ['senderAddress', 'recipientAddress', 'subject', 'fileName', 'fileHash', 'messageId', 'details'];
    let looked = 0;
    for (const record of simulator.visibleRecords()) {
      for (const key of personal) {
        const value: unknown = Reflect.get(record, key);
        if (typeof value !== 'string' || value.length < 6) continue;
        expect(stdout).not.toContain(value);
        looked += 1;
      }
    }
    expect(looked).toBeGreaterThan(100);
  });

  it('is made as well when there is no store yet and no daemon answers', async () => {
    const { file, hook } = await practised();
    await hook.close();
    const { code, stdout } = await type(['support-bundle', '--config', file]);
    expect(code).toBe(0);
    expect(stdout).toContain('cannot be read: STORE_UNREADABLE');
    expect(stdout).toContain('ECONNREFUSED');
  });
});
