import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { outputTypes } from '../../src/outputs/index.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Forwarder } from '../e2e/forwarder.ts';
import { serviceAccountKey } from '../fakes/google-secops.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';

/**
 * The program as it is shipped, with a canary in each place of a config that holds a secret, in all outputs at once: half of the
 * receivers repeat in their refusal what they were sent, the others are not there. No canary may be seen anywhere but on the wire.
 */

const DEADLINE = { timeout: 20_000, interval: 50 };

/** A canary for each place, so that a failure says which. */
const canaries: string[] = [];
function canary(place: string): string {
  const value = `canary-${place}-${canaries.length}-7f3e`;
  canaries.push(value);
  return value;
}

let simulator: Simulator;
let echo: HttpReceiver;
let forwarder: Forwarder;

beforeAll(async () => {
  simulator = await Simulator.start({ seed: 'secrets', pageSize: 100 });
  const now = simulator.now();
  simulator.seed(5, { from: now - 50_000, to: now - 2000 });
  echo = await HttpReceiver.start();
  echo.react = ({ headers, text, path }) => ({
    // To Datadog 400 means a bad event, which becomes a reject; 401 is a refusal that halts.
    status: path.startsWith('/api/v2/logs') ? 400 : 401,
    headers: { 'content-type': 'application/json', 'x-echo': String(headers.authorization ?? '') },
    body: JSON.stringify({ error: text, error_description: text, message: JSON.stringify(headers), path }),
  });
  forwarder = new Forwarder();
  const http = { listen: '127.0.0.1:0', token: canary('status-token') };
  forwarder.configure({ simulator, outputs: await outputs(), top: { http, log: { level: 'trace', format: 'json' } } });
});
afterAll(async () => {
  await forwarder.remove();
  await echo.close();
  await simulator.stop();
});

/** A port of 127.0.0.1 at which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Each type once at least, with every secret that its options have. */
async function outputs(): Promise<object[]> {
  const nowhere = await closedPort();
  const closed = `http://127.0.0.1:${nowhere}`;
  const file = (place: string) => {
    const path = join(forwarder.folder, place);
    writeFileSync(path, `${canary(place)}\n`, { mode: 0o600 });
    return path;
  };
  const account = { ...serviceAccountKey(`${closed}/token`), private_key_id: canary('google') };
  const azure = { tenantId: 'c0ffee00-0000-4000-8000-000000000001', clientId: 'c0ffee00-0000-4000-8000-000000000002' };
  return [
    { type: 'file', path: join(forwarder.folder, 'events.ndjson') },
    { type: 'stdout' },
    { type: 'syslog', host: '127.0.0.1', port: nowhere, protocol: 'tcp' },
    { type: 'splunk-hec', url: `${echo.origin}?key=${canary('hec-query')}`, token: canary('hec') },
    { type: 'elasticsearch', url: echo.origin, apiKey: canary('elastic') },
    { type: 'elasticsearch', url: echo.origin, username: 'u', passwordFile: file('elastic-password') },
    {
      type: 'webhook',
      url: `${echo.origin}/${canary('webhook-path')}`,
      headers: { Authorization: `Bearer ${canary('webhook-header')}` },
      signingSecret: canary('webhook-signing'),
    },
    { type: 'webhook', url: `${closed}/`, proxy: `http://user:${canary('proxy')}@127.0.0.1:${nowhere}` },
    { type: 'otlp', url: echo.origin, headers: { 'x-api-key': canary('otlp') } },
    { type: 'loki', url: echo.origin, token: canary('loki') },
    { type: 'loki', url: closed, username: 'u', password: canary('loki-password') },
    { type: 'datadog', url: echo.origin, apiKey: canary('datadog') },
    { type: 'sumologic', url: `${echo.origin}/receiver/v1/http/${canary('sumo')}` },
    {
      type: 'sentinel',
      ...azure,
      ...{ endpoint: echo.origin, authority: echo.origin, clientSecret: canary('azure') },
      dcrImmutableId: 'dcr-0123456789abcdef0123456789abcdef',
    },
    {
      type: 'google-secops',
      serviceAccount: JSON.stringify(account),
      ...{ project: 'p', region: 'us', instance: 'c0ffee00-0000-4000-8000-000000000001', endpoint: closed },
    },
    {
      type: 'kafka',
      ...{ brokers: [`127.0.0.1:${nowhere}`], topic: 'mail' },
      sasl: { mechanism: 'plain', username: 'u', password: canary('kafka') },
    },
    { type: 'nats', servers: [`127.0.0.1:${nowhere}`], subject: 'mail', token: canary('nats') },
    {
      type: 'nats',
      servers: [`127.0.0.1:${nowhere}`],
      subject: 'mail',
      user: 'u',
      passwordFile: file('nats-password'),
    },
  ].map((output, index) => ({ name: `${output.type}-${index}`, ...output }));
}

/** The secrets that the simulator gave out, and Mimecast's tokens, which are no canaries of ours. */
function secrets(): string[] {
  return [simulator.credentials.clientSecret, ...canaries];
}

function expectNoSecret(where: string, text: string): void {
  expect(text, where).not.toBe('');
  const shown = secrets().filter((secret) =>
    [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')].some((form) =>
      text.includes(form),
    ),
  );
  expect(shown, `${where} shows them`).toEqual([]);
}

describe('no secret is seen', () => {
  it('though every type of output is configured', () => {
    const config = readFileSync(forwarder.configFile, 'utf8');
    for (const type of Object.keys(outputTypes)) expect(config).toContain(`type: ${type}\n`);
    expect(canaries.length).toBeGreaterThan(15);
  });

  it('in what a running daemon logs, serves, and is started with', { timeout: 60_000 }, async () => {
    const daemon = forwarder.start();
    await vi.waitFor(() => expect(daemon.url).toBeDefined(), DEADLINE);
    const token = canaries.find((value) => value.includes('status-token')) ?? '';
    const get = async (path: string, authorization = `Bearer ${token}`) =>
      (await fetch(`${daemon.url}${path}`, { headers: { authorization } })).text();
    const failing = async () => (await get('/metrics')).match(/_output_up\{[^}]*\} 0$/gm) ?? [];
    // All but file and stdout have told of a refusal, or that nobody is there.
    await vi.waitFor(async () => expect(await failing()).toHaveLength(16), DEADLINE);
    for (const path of ['/metrics', '/api/status', '/', '/readyz', '/healthz', '/nothing', `/${token}`]) {
      expectNoSecret(path, await get(path));
      expectNoSecret(`${path} without the token`, await get(path, 'Bearer wrong'));
    }
    for (const name of ['cmdline', 'comm', 'environ']) {
      expectNoSecret(name, readFileSync(`/proc/${daemon.process.pid}/${name}`, 'utf8'));
    }
    const status = await forwarder.command('status', '--config', forwarder.configFile);
    expectNoSecret('status', status.stdout);
    expect(echo.requests).toEqual([]);
    const { stdout, stderr } = await daemon.stop();
    expectNoSecret('the log', stderr);
    expectNoSecret('the events', stdout);
    // The store keeps the snapshot that `status` shows, and the reasons of refusals.
    expectNoSecret('the store', readFileSync(forwarder.storeFile, 'latin1'));
  });

  it.each([
    [0, 'config print'],
    [0, 'config print --json'],
    [0, 'check'],
    [1, 'check --online'],
    [1, 'check --send-test'],
    [1, 'check --online --json'],
    [1, 'status --json'],
    [0, 'rejects list'],
  ])('by a command that ends with %i: %s', { timeout: 60_000 }, async (expected, line) => {
    const { code, stdout, stderr } = await forwarder.command(...line.split(' '), '--config', forwarder.configFile);
    expect(code, stderr).toBe(expected);
    expectNoSecret(line, `${stdout}${stderr}`);
  });

  it('in the mistakes of a config', async () => {
    const broken = join(forwarder.folder, 'broken.yaml');
    const text = readFileSync(forwarder.configFile, 'utf8');
    writeFileSync(broken, text.replace(/^ {4}(token|apiKey|password|signingSecret|clientSecret): /gm, '    $1x: '), {
      mode: 0o600,
    });
    const { code, stderr } = await forwarder.command('check', '--config', broken);
    expect(code, stderr).toBe(2);
    expectNoSecret('the mistakes', stderr);
  });
});
