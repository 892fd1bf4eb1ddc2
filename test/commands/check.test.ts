import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { runProgram } from '../../src/commands/program.ts';
import { TEST_SUBJECT } from '../../src/commands/test-event.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { startSimulator } from '../collect/reading.ts';
import { writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { pageAt } from '../docs/markdown.ts';
import { FakeCluster } from '../fakes/elasticsearch.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { SplunkHec } from '../fakes/splunk-hec.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';
import { testShell, type } from './shell.ts';

const SOON = { timeout: 10_000, interval: 5 };
const DISK_ACCEPTS = 'written to the file and flushed to disk (fsync)';

let folder: string;
let simulator: Simulator;
beforeEach(async () => {
  folder = temporaryFolder();
  simulator = await startSimulator();
});

/** A config with these outputs, and what `check` gives for it. */
function check(options: readonly string[], outputs: readonly object[]) {
  return type(['check', '--config', configOf(outputs), ...options]);
}

function configOf(outputs: readonly object[]): string {
  return writeConfig(folder, simulator, { outputs });
}

const disk = () => ({ name: 'disk', type: 'file', path: join(folder, 'events.ndjson') });
const screen = { name: 'screen', type: 'stdout', format: 'kv' };

async function startSplunk(): Promise<SplunkHec> {
  const hec = await SplunkHec.start();
  onTestFinished(() => hec.close());
  hec.tokens.set('acking', { useAck: true });
  return hec;
}

const splunk = ({ origin }: SplunkHec, more: object = {}) => ({
  ...{ name: 'splunk', type: 'splunk-hec', url: origin, token: 'acking' },
  ...{ acknowledgement: { timeout: '5m', pollInterval: '100ms' }, ...more },
});

/** A port of this machine that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('check without --online', () => {
  it('lists each output with its target and what accepted means, and asks nobody', async () => {
    const siem = { name: 'siem', type: 'syslog', host: 'siem.example', protocol: 'tls' };
    const { code, stdout, stderr } = await check([], [siem, disk()]);
    expect([code, stderr]).toEqual([0, '']);
    const [config, first, second, ...rest] = stdout.trimEnd().split('\n');
    expect(config).toMatch(/^ok {4}config: .*forwarder\.yaml is good: feeds attachment; outputs siem, disk$/);
    expect(first).toBe(
      'ok    output siem (tls://siem.example:6514): not tried (--online does); accepted = the receiver has closed ' +
        'the connection in good order after us, so it has read the whole batch',
    );
    expect(second).toMatch(/^ok {4}output disk \(.*events\.ndjson\): not tried.*; accepted = written to the file/);
    expect(rest).toEqual([]);
    expect(simulator.stats.requests).toBe(0);
  });

  it('has the same in --json', async () => {
    const { stdout } = await check(['--json'], [disk()]);
    expect(JSON.parse(stdout)).toEqual([
      { subject: 'config', ok: true, text: expect.stringContaining('is good') },
      {
        ...{ subject: 'output disk', target: join(folder, 'events.ndjson'), ok: true },
        ...{ text: 'not tried (--online does)', accepted: DISK_ACCEPTS },
      },
    ]);
  });

  it('refuses what run would refuse, with the line', async () => {
    const sentinel = {
      ...{ name: 'azure', type: 'sentinel', endpoint: 'https://x.ingest.monitor.azure.com', tenantId: 'a.example' },
      ...{ dcrImmutableId: 'dcr-0a', clientId: 'c', clientSecret: 'hush-hush-secret', format: 'cef' },
    };
    const { code, stdout, stderr } = await check([], [disk(), sentinel]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/forwarder\.yaml:\d+:\d+ outputs\[1\]\(azure\)\.format: is "cef", expected .*JSON/);
    expect(stderr).not.toContain('hush-hush');
  });
});

describe('check --online of an output that fails', () => {
  it('says target, fault and what to do; what accepted means in --json', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const hook = { name: 'hook', type: 'webhook', url };
    const { code, stdout } = await check(['--online'], [hook, disk()]);
    expect(code).toBe(1);
    const lines = stdout.split('\n');
    const at = lines.findIndex((line) => line.startsWith('FAIL'));
    expect(lines[at]).toMatch(
      new RegExp(`^FAIL {2}output hook \\(${url}\\): cannot connect to ${url}: connect ECONNREFUSED [\\d.:]+$`),
    );
    expect(lines[at + 1]).toBe('      Nothing listens there: check host and port, and that the receiver runs.');
    expect(lines[at + 2]).toMatch(/^ok {4}output disk \(.*\): .* can be created; accepted = written/);

    const json = await check(['--online', '--json'], [hook]);
    expect(JSON.parse(json.stdout).at(-1)).toEqual({
      ...{ subject: 'output hook', target: url, ok: false, text: expect.stringContaining('cannot connect') },
      ...{ hint: expect.stringContaining('Nothing listens there'), accepted: expect.stringContaining('2xx') },
    });
  });

  it('is what the output says itself when its own limit is over', async () => {
    // Takes what is sent and never closes.
    const server = createServer({ allowHalfOpen: true }, (socket) => void socket.on('error', () => {}).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const siem = { name: 'siem', type: 'syslog', host: '127.0.0.1', port, protocol: 'tcp', sendTimeout: '200ms' };
    const { code, stdout } = await check(['--send-test'], [siem]);
    expect(code).toBe(1);
    const place = `tcp://127.0.0.1:${port}`;
    expect(stdout).toContain(`FAIL  output siem (${place}): ${place} did not confirm the batch in time\n`);
    expect(stdout).toMatch(/in time\n {6}The receiver took .* raise sendTimeout/);
  });
});

describe('check --send-test', () => {
  it('sets no limit to an acknowledgement but those of the config', async () => {
    const limits = vi.spyOn(AbortSignal, 'timeout');
    onTestFinished(() => limits.mockRestore());
    const hec = await startSplunk();
    hec.indexesAtOnce = false;
    const ended = check(['--send-test'], [splunk(hec, { timeout: '77s' })]);
    await vi.waitFor(() => expect(hec.requests.ack?.length).toBeGreaterThan(3), SOON);
    hec.index();
    const { code, stdout } = await ended;
    expect(stdout).toMatch(
      /^ok {4}output splunk \(http:.*\): .*; test event [0-9a-f]{32} accepted; accepted = acknowledged by the indexer/m,
    );
    expect(code).toBe(0);
    expect(JSON.stringify(hec.indexed)).toContain(TEST_SUBJECT);
    // 30 s is mimecast.requestTimeout; the output has its own 77 s for each request.
    const mimecast = limits.mock.calls.filter(([ms]) => ms !== 77_000);
    expect(mimecast).toEqual(Array.from({ length: simulator.stats.requests }, () => [30_000]));
  });

  it('says on a terminal what it waits for, and takes that back', async () => {
    const hec = await startSplunk();
    hec.indexesAtOnce = false;
    const stderr = new MemoryStream({ isTTY: true });
    const { shell } = testShell();
    const config = configOf([splunk(hec)]);
    const ended = runProgram({ ...shell, stderr }, ['check', '--send-test', '--config', config]);
    await vi.waitFor(() => expect(stderr.text).toBe('      output splunk: waiting for an answer …'), SOON);
    hec.index();
    expect(await ended).toBe(0);
    expect(stderr.text).toMatch(/…\r\u001b\[K$/);
  });

  it('is ended by a signal while it waits', async () => {
    const hec = await startSplunk();
    hec.indexesAtOnce = false;
    const { shell, stdout, stop } = testShell();
    const ended = runProgram(shell, ['check', '--send-test', '--config', configOf([splunk(hec), disk()])]);
    await vi.waitFor(() => expect(hec.requests.ack?.length).toBeGreaterThan(2), SOON);
    stop.abort(new DOMException('SIGINT', 'AbortError'));
    expect(await ended).toBe(130);
    // What was found before is there already.
    expect(stdout.text).toMatch(/^ok {4}feed attachment/m);
    expect(stdout.text).not.toMatch(/output splunk /);
  });

  it('is no success when the receiver puts the event off', async () => {
    const cluster = new FakeCluster();
    cluster.faultOf = () => ({ status: 429, type: 'es_rejected_execution_exception' });
    const http = await HttpReceiver.start();
    onTestFinished(() => http.close());
    http.react = (request) => cluster.answer(request);
    const { code, stdout } = await check(['--send-test'], [{ name: 'es', type: 'elasticsearch', url: http.origin }]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}output es \(.*\): .*429/m);
  });

  it('keeps the event of a stdout output out of the JSON', async () => {
    const { code, stdout, stderr } = await check(['--send-test', '--json'], [screen, disk()]);
    expect(code).toBe(0);
    const subjects = JSON.parse(stdout).map(({ subject }: { subject: string }) => subject);
    expect(subjects).toEqual(['config', 'mimecast', 'feed attachment', 'output screen', 'output disk']);
    expect(stderr).toContain(`subject="${TEST_SUBJECT}"`);

    const forPeople = await check(['--send-test'], [screen]);
    expect(forPeople.stdout).toContain(`subject="${TEST_SUBJECT}"`);
    expect(forPeople.stderr).toBe('');
  });
});

it.each(['loki', 'elasticsearch', 'splunk-syslog', 'qradar'])('the page on %s looks for what is sent', (name) => {
  const [, behind = ''] = pageAt(`docs/outputs/${name}.md`).text.split('check --send-test`');
  expect(behind.slice(0, 600)).toContain(TEST_SUBJECT);
});
