import { PassThrough, Readable } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Shell } from '../../src/commands/command.ts';
import { commandHelp } from '../../src/commands/help-page.ts';
import { pageOf } from '../../src/commands/manual.ts';
import { parseRate, simulate } from '../../src/commands/simulate.ts';
import { UsageError } from '../../src/errors.ts';
import { SIMULATOR_CREDENTIALS } from '../../src/simulate/authority.ts';
import { FAULT_SUMMARIES } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { FORM, post } from './client.ts';

function shellFor(signal: AbortSignal) {
  const [stdout, stderr] = [new PassThrough({ encoding: 'utf8' }), new PassThrough({ encoding: 'utf8' })];
  const shell: Shell = {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env: {},
    cwd: '/',
    pid: 1,
    hostname: 'test',
    version: '0.0.0',
    node: process.version,
    signal,
    interrupt: () => {},
    onKey: () => () => {},
    onReload: () => {},
    readText: async () => '',
  };
  return { shell, stdout, stderr };
}

function run(options: Record<string, unknown>) {
  const stop = new AbortController();
  const { shell, stdout, stderr } = shellFor(stop.signal);
  const exit = simulate.run(shell, [], { port: '0', ...options });
  return { exit, stdout, stderr, stop: () => stop.abort() };
}

describe('simulate', () => {
  test('prints a config that works with it, tells what happens on stderr, and returns 0 when stopped', async () => {
    const { exit, stdout, stderr, stop } = run({ events: '10', span: '2h', faults: '401:first=1' });
    const [printed] = await Promise.race([
      stdout
        .iterator()
        .next()
        .then((one) => [String(one.value)]),
      exit.then(() => ['']),
    ]);
    const config = parse(printed ?? '');
    const [{ startFrom }] = config.feeds;
    expect(Date.now() - Date.parse(startFrom) - 7_200_000).toBeLessThan(10_000);

    const { clientId, clientSecret } = config.mimecast.auth;
    const form = new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'client_credentials',
    });
    const token = await post(`${config.mimecast.baseUrl}/oauth/token`, FORM, form.toString());
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token.body.access_token}` };
    const logs = `${config.mimecast.baseUrl}/api/ttp/attachment/get-logs`;
    const from = new Date(Date.now() - 7_200_000).toISOString().replace(/\..*/, 'Z');
    const body = JSON.stringify({
      meta: { pagination: { pageSize: 500 } },
      data: [{ from, to: new Date().toISOString().replace(/\..*/, 'Z') }],
    });
    expect((await post(logs, headers, body)).status).toBe(401);
    const page = await post(logs, headers, body);
    expect(page.body.data?.[0]?.attachmentLogs.length).toBeGreaterThanOrEqual(9);

    stop();
    expect(await exit).toBe(0);
    const told = String(stderr.read());
    expect(told).toMatch(/fault: 401\n.*refused: 401 Unauthorized Request\n.*page: \d+ records, end of the walk\n/);
    expect(told).toContain('stopped: 3 requests');
    await expect(post(logs, headers, body)).rejects.toThrow();
  });

  test('returns at once when it was stopped before it ran', async () => {
    const { exit, stop } = run({});
    stop();
    expect(await exit).toBe(0);
  });

  test.each([
    [{ port: '70000' }, '--port'],
    [{ port: 'http' }, '--port'],
    [{ events: '-1' }, '--events'],
    [{ span: '24' }, '--span'],
    [{ rate: 'fast' }, '--rate'],
    [{ faults: 'flood' }, 'no fault "flood"'],
  ])('%j is a mistake of usage', async (options, reason) => {
    const { exit } = run(options);
    await expect(exit).rejects.toThrow(UsageError);
    await expect(exit).rejects.toThrow(reason);
  });

  test('a port that is taken is a mistake of usage, with a way out', async () => {
    const other = await Simulator.start();
    const { exit } = run({ port: String(other.port) });
    await expect(exit).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('--port 0') });
    await other.stop();
  });

  test('its help lists every fault, and its options have the defaults that it runs with', () => {
    const command = new Command('simulate');
    simulate.define(command);
    const help = commandHelp(pageOf(simulate), 80);
    for (const [name] of FAULT_SUMMARIES) expect(help).toContain(`\n  ${name} `);
    expect(command.opts()).toEqual({
      port: '8787',
      host: '127.0.0.1',
      events: '1000',
      span: '24h',
      rate: '1/s',
      seed: 'practice',
    });
  });

  test('its credentials are constant', () => {
    expect(SIMULATOR_CREDENTIALS.clientId).toBe('simulator-client');
  });
});

test.each([
  ['10/s', 10],
  ['30/m', 0.5],
  ['3600/h', 1],
  ['0.5/s', 0.5],
  ['0', 0],
])('a rate of %s is %d records a second', (text, rate) => {
  expect(parseRate(text)).toBe(rate);
});
