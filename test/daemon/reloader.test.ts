import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { Reloader } from '../../src/daemon/reloader.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { assess } from '../../src/status/assess.ts';
import { readiness } from '../../src/status/readiness.ts';
import { Store } from '../../src/store/store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { MINUTE, startSimulator } from '../collect/reading.ts';
import { addEvents, temporaryFolder } from '../deliver/delivering.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';
import { writeConfig } from './running.ts';

const SOON = { timeout: 10_000, interval: 10 };

let simulator: Simulator;
let folder: string;

beforeEach(async () => {
  simulator = await startSimulator();
  folder = temporaryFolder();
});

function mail(count: number): void {
  const now = simulator.now();
  // Within the overlap: what is seeded later is read as well.
  simulator.seed(count, { from: now - 5 * MINUTE, to: now - MINUTE });
}

function file(name: string, more: object = {}) {
  return { name, type: 'file', path: join(folder, `${name}.ndjson`), startFrom: 'beginning', ...more };
}

const FEED = {
  type: 'attachment',
  schedule: '* * * * * *',
  startFrom: '24h',
  settle: '0s',
  maxWindow: '48h',
  sweep: false,
};

/** A daemon that runs, in this process, and what it says. */
async function running(more: object) {
  let path = writeConfig(folder, simulator, more);
  const read = () => loadConfig({ file: path, env: {}, cwd: folder });
  const log = new MemoryStream();
  const logger = createLogger({ level: 'info', format: 'json', destination: log });
  const host = {
    ...{ pid: 4711, hostname: 'test-host', version: '1.2.3', node: 'v24.0.0', stdout: new MemoryStream() },
    now: Date.now,
  };
  const loaded = read();
  const daemon = Daemon.open({ config: loaded.config, host, logger });
  onTestFinished(() => daemon.stop());
  await daemon.start();
  const reloader = new Reloader({ daemon, loaded, read, logger, now: Date.now });
  const said = (message: string) => log.entries.filter(({ msg }) => msg === message);
  return {
    ...{ daemon, reloader, log, said, logger },
    /** Writes another config, asks for it, and waits for the verdict. */
    async reload(next: object): Promise<void> {
      path = writeConfig(folder, simulator, next);
      const verdicts = () => said(IN_FORCE).length + said(REFUSED).length + said(NOTHING).length;
      const before = verdicts();
      reloader.ask('signal');
      await vi.waitFor(() => expect(verdicts()).toBe(before + 1), SOON);
    },
    async metrics(): Promise<string> {
      return daemon.metrics.registry.metrics();
    },
  };
}

const IN_FORCE = 'the new config is in force';
const REFUSED = 'the new config is refused; the old one stays in force';
const NOTHING = 'the config was read again: nothing changes';

describe('a reload', () => {
  it('leaves alone what it does not change, and ends the series of what is gone', async () => {
    mail(5);
    const { daemon, reload, metrics, said } = await running({ outputs: [file('a'), file('b'), file('c')] });
    await vi.waitFor(() => expect(daemon.snapshot().outputs.map(({ cursor }) => cursor)).toEqual([5, 5, 5]), SOON);
    const [a, b] = daemon.outputs;
    const [feed] = daemon.feeds;
    await reload({ outputs: [file('d'), file('b', { format: 'cef' }), file('a')] });
    expect(said(IN_FORCE)).toHaveLength(1);
    expect(daemon.outputs.map(({ dispatcher }) => dispatcher.name)).toEqual(['d', 'b', 'a']);
    expect(daemon.outputs[2]).toBe(a);
    expect(daemon.outputs[1]).not.toBe(b);
    expect(daemon.feeds[0]).toBe(feed);
    await vi.waitFor(() => expect(daemon.snapshot().outputs.map(({ cursor }) => cursor)).toEqual([5, 5, 5]), SOON);
    const text = await metrics();
    expect(text).not.toContain('output="c"');
    expect(text).toContain('output_events_total{output="b",outcome="delivered"} 5');
    expect(text).toContain('output_events_total{output="d",outcome="delivered"} 5');
    expect(text).toMatch(/config_last_reload_successful 1\n/);
  });

  it('of a feed goes on at its checkpoint, with what is known of its polls', async () => {
    mail(5);
    const { daemon, reload, metrics } = await running({ feeds: [FEED] });
    await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 5 }]), SOON);
    const [before] = daemon.feeds;
    const checkpoint = daemon.snapshot().feeds[0]?.checkpoint ?? 0;
    await reload({ feeds: [{ ...FEED, pageSize: 7, startFrom: '1h' }] });
    expect(daemon.feeds[0]).not.toBe(before);
    expect(readiness(daemon.snapshot())).toMatchObject({ ready: true });
    expect(daemon.snapshot().feeds[0]?.checkpoint).toBeGreaterThanOrEqual(checkpoint);
    mail(3);
    await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 8 }]), SOON);
    expect(await metrics()).toContain('records_total{feed="attachment",outcome="new"} 8');
  });

  it('of the mimecast section reads all feeds with the new one', async () => {
    const { clientId, clientSecret } = simulator.credentials;
    const mimecast = { baseUrl: simulator.url, auth: { type: 'oauth2', clientId, clientSecret } };
    const { daemon, reload } = await running({ mimecast: { ...mimecast, requestsPerMinute: 600 } });
    expect(daemon.snapshot().api.requestsPerMinute).toBe(600);
    await reload({ mimecast: { ...mimecast, requestsPerMinute: 900 } });
    expect(daemon.snapshot().api.requestsPerMinute).toBe(900);
    const calls = simulator.stats.requests;
    mail(2);
    await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 2 }]), SOON);
    expect(simulator.stats.requests).toBeGreaterThan(calls);
  });

  it('changes limits of the store, the level of every logger, and where status is served', async () => {
    const { daemon, reload, logger } = await running({ http: { listen: '127.0.0.1:0' } });
    const child = logger.child({ output: 'disk' });
    const first = daemon.url;
    await reload({
      http: { listen: '127.0.0.1:0', token: 'a-token-of-ours' },
      store: { path: join(folder, 'forwarder.db'), minFreeDisk: '4000TiB' },
      log: { level: 'debug', format: 'json' },
    });
    expect(child.isLevelEnabled('debug')).toBe(true);
    expect(daemon.url).not.toBe(first);
    await expect(fetch(`${first}/healthz`)).rejects.toThrow();
    expect((await fetch(`${daemon.url}/metrics`)).status).toBe(401);
    await vi.waitFor(() => expect(daemon.snapshot().store.paused).toMatchObject({ reason: 'disk_full' }), SOON);
    await reload({ http: false, log: { level: 'info', format: 'json' } });
    expect(daemon.url).toBeUndefined();
    expect(child.isLevelEnabled('debug')).toBe(false);
  });

  it('that comes while one is made is made after it', async () => {
    const { reloader, said } = await running({});
    for (let time = 0; time < 3; time += 1) reloader.ask('signal');
    await vi.waitFor(() => expect(said(NOTHING)).toHaveLength(2), SOON);
    expect(said(NOTHING)).toMatchObject([{ level: 'info' }, { level: 'info' }]);
  });

  it('that nobody has asked for says nothing when nothing changes', async () => {
    const { reloader, said, daemon } = await running({ log: { level: 'debug', format: 'json' } });
    daemon.configRefused('a mistake that was taken back', null);
    reloader.ask('file');
    await vi.waitFor(() => expect(daemon.snapshot().refusedConfig).toBeNull(), SOON);
    expect(said(NOTHING)).toEqual([]);
  });
});

describe('a reload is refused, and all is as it was', () => {
  it('when a port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => taken.close(() => resolve())));
    const { port } = taken.address() as AddressInfo;
    const { daemon, reload, said } = await running({ http: { listen: '127.0.0.1:0' }, outputs: [file('a')] });
    const [a] = daemon.outputs;
    await reload({ http: { listen: `127.0.0.1:${port}` }, outputs: [file('a', { format: 'cef' }), file('b')] });
    expect(said(REFUSED)).toMatchObject([{ reason: expect.stringContaining(String(port)) }]);
    expect(daemon.outputs).toEqual([a]);
    expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
    // Or it would hold events back for nobody.
    expect([...daemon.store.cursors.all().keys()]).toEqual(['a']);
  });

  it('when a certificate that it names is not there', async () => {
    const { clientId, clientSecret } = simulator.credentials;
    const mimecast = {
      baseUrl: simulator.url,
      auth: { type: 'oauth2', clientId, clientSecret },
      caFile: 'nowhere.pem',
    };
    const { daemon, reload, said } = await running({ outputs: [file('a')] });
    await reload({ outputs: [file('a', { format: 'cef' }), file('b')], mimecast });
    expect(said(REFUSED)).toMatchObject([{ reason: expect.stringContaining('nowhere.pem') }]);
    expect(daemon.outputs).toMatchObject([{ config: { name: 'a', format: { type: { name: 'json' } } } }]);
    expect([...daemon.store.cursors.all().keys()]).toEqual(['a']);
  });

  it('when events would be skipped, until the config is mended; status says why and what to do', async () => {
    mail(5);
    const { daemon, reload, said, metrics } = await running({ outputs: [file('a'), file('b')] });
    await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 5 }, { cursor: 5 }]), SOON);
    await reload({ outputs: [file('a'), { ...file('b'), name: 'renamed' }] });
    expect(said('the new config cannot be applied')).toMatchObject([
      {
        level: 'error',
        rule: 'destination_moved',
        output: 'renamed',
        cure: expect.stringContaining('Keep the name b'),
      },
    ]);
    expect(await metrics()).toMatch(/config_last_reload_successful 0\n/);
    const { problems } = assess(daemon.snapshot());
    expect(problems).toMatchObject([
      {
        what: expect.stringContaining('The config was changed, but cannot be applied'),
        detail: expect.stringContaining('was served as output b'),
        do: { sentence: expect.stringContaining('Keep the name b'), command: null },
      },
    ]);
    expect(daemon.outputs.map(({ config }) => config.name)).toEqual(['a', 'b']);
    await reload({ outputs: [file('a'), file('b')] });
    expect(assess(daemon.snapshot()).problems).toEqual([]);
    expect(await metrics()).toMatch(/config_last_reload_successful 1\n/);
  });

  it('when it is wrong: each mistake has a line', async () => {
    const { reload, said } = await running({});
    await reload({ outputs: [{ name: 'a', type: 'pigeon' }], feeds: [{ type: 'attachment', overlap: 'long' }] });
    const mistakes = said('the new config has a mistake').map(({ mistake }) => String(mistake));
    expect(
      mistakes.filter((mistake) => /:\d+:\d+ (feeds\[0\]\.overlap|outputs\[0\]\(a\)\.type): /.test(mistake)),
    ).toHaveLength(2);
    expect(said(REFUSED)).toHaveLength(1);
  });
});

it('an output that was taken out and forgotten holds nothing back after a reload, and begins anew when it comes back', async () => {
  mail(5);
  const outputs = [file('a'), file('b', { startFrom: 'now' })];
  const { daemon, reload, said } = await running({ outputs: [file('a'), file('b')] });
  await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 5 }, { cursor: 5 }]), SOON);
  await reload({ outputs: [file('a')] });
  mail(2);
  await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 7 }]), SOON);
  expect(daemon.store.cursors.least()).toBe(5);
  forgetBeside(daemon.store.path, 'b');
  await reload({ outputs: [file('a')] });
  expect(said(NOTHING)).toHaveLength(1);
  expect(daemon.store.cursors.least()).toBe(7);
  await reload({ outputs });
  expect(said(IN_FORCE)).toHaveLength(2);
  expect(daemon.store.cursors.all()).toEqual(
    new Map([
      ['a', 7],
      ['b', 7],
    ]),
  );
  expect(readFileSync(join(folder, 'b.ndjson'), 'utf8').trim().split('\n')).toHaveLength(5);
});

it('an output whose batch hangs is changed when the batch has its answer; every event comes once', async () => {
  const receiver = await slowReceiver();
  const { daemon, reload, said } = await running({ outputs: [hook(receiver.url)] });
  mail(5);
  await vi.waitFor(() => expect(receiver.held).toBe(1), SOON);
  const reloaded = reload({ outputs: [hook(receiver.url, { batch: { maxEvents: 7 } }), file('b')] });
  // What is added does not wait for what hangs.
  await vi.waitFor(() => expect(daemon.outputs.map(({ config }) => config.name)).toContain('b'), SOON);
  expect([said(IN_FORCE).length, receiver.held]).toEqual([0, 1]);
  receiver.letGo();
  await reloaded;
  mail(2);
  await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 7 }, { cursor: 7 }]), SOON);
  expect(receiver.lines).toHaveLength(7);
  expect(new Set(receiver.lines)).toHaveLength(7);
});

it('a stop in the midst of a reload begins nothing new, and the new config is not said to be in force', async () => {
  const receiver = await slowReceiver();
  const { daemon, reloader, log, said } = await running({ outputs: [hook(receiver.url)] });
  mail(5);
  await vi.waitFor(() => expect(receiver.held).toBe(1), SOON);
  const [before] = daemon.outputs;
  writeConfig(folder, simulator, {
    outputs: [hook(receiver.url, { batch: { maxEvents: 7 } }), file('b')],
    feeds: [FEED, { ...FEED, name: 'b' }],
  });
  reloader.ask('signal');
  await vi.waitFor(() => expect(daemon.outputs).toHaveLength(2), SOON);
  const stopped = daemon.stop();
  receiver.letGo();
  await stopped;
  expect(daemon.outputs[0]).toBe(before);
  expect(daemon.feeds.map(({ config }) => config.name)).toEqual(['attachment']);
  expect(said(IN_FORCE)).toEqual([]);
  expect(log.entries.filter(({ level }) => level === 'error')).toEqual([]);
  const store = Store.open(daemon.store.path);
  onTestFinished(() => store.close());
  expect([receiver.lines.length, store.cursors.get('hook')]).toEqual([5, 5]);
});

it('an output that leaves lets go of its connection, also when its cursor cannot be written', async () => {
  const receiver = await slowReceiver();
  receiver.letGo();
  const { daemon, reload, said } = await running({ outputs: [hook(receiver.url), file('b')] });
  mail(5);
  await vi.waitFor(() => expect(daemon.snapshot().outputs).toMatchObject([{ cursor: 5 }, { cursor: 5 }]), SOON);
  await vi.waitFor(() => expect(daemon.store.cursors.isDurable('hook')).toBe(true), SOON);
  expect(receiver.connections).toBe(1);
  vi.spyOn(daemon.store, 'flush').mockImplementation(() => {
    throw new Error('the disk is full');
  });
  await reload({ outputs: [file('b')] });
  expect(said('an output failed to stop')).toHaveLength(1);
  await vi.waitFor(() => expect(receiver.connections).toBe(0), { timeout: 1000, interval: 10 });
});

it('what another process has added counts for what an output that leaves still gets', async () => {
  const { daemon } = await running({ outputs: [file('a')] });
  const beside = Store.open(daemon.store.path);
  addEvents(beside, 3);
  beside.close();
  expect(await daemon.catchUp(['a'], SOON.timeout)).toBe(3);
  expect(daemon.store.cursors.get('a')).toBe(3);
});

function hook(url: string, more: object = {}) {
  return { name: 'hook', type: 'webhook', url, gzip: false, startFrom: 'beginning', ...more };
}

/** Takes batches of lines, and answers none of them before it is let go. */
async function slowReceiver() {
  const waiting: (() => void)[] = [];
  const lines: string[] = [];
  let isSlow = true;
  let connections = 0;
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('');
    const answer = (): void => {
      lines.push(...body.trim().split('\n'));
      response.end();
    };
    if (isSlow) waiting.push(answer);
    else answer();
  });
  server.on('connection', (socket) => {
    connections += 1;
    socket.on('close', () => {
      connections -= 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    lines,
    get held() {
      return waiting.length;
    },
    get connections() {
      return connections;
    },
    letGo(): void {
      isSlow = false;
      for (const answer of waiting) answer();
    },
  };
}

/** As `outputs forget` does, in another process. */
function forgetBeside(path: string, output: string): void {
  const store = Store.open(path);
  store.cursors.forget(output);
  store.close();
}
