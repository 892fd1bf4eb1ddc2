import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Output } from '../../src/outputs/output.ts';
import { webhook } from '../../src/outputs/webhook.ts';
import { outputContext, someEvents, textsOf } from '../contract/output-harness.ts';
import { HttpReceiver, type ReceivedRequest } from '../fakes/http-receiver.ts';
import { pageAt } from './markdown.ts';

/** The receiver that docs/outputs/webhook.md shows, run as it stands there, with the real output in front of it. */

const { signal } = new AbortController();
let folder: string;
let receiver: ChildProcess;
let url: string;
const outputs: Output[] = [];

beforeEach(async () => {
  vi.stubEnv('http_proxy', '');
  folder = mkdtempSync(join(tmpdir(), 'webhook-docs-'));
  const block = pageAt('docs/outputs/webhook.md').blocks.find(({ language }) => language === 'js');
  writeFileSync(join(folder, 'receiver.mjs'), block?.code ?? expect.unreachable('the page shows no receiver'));
  receiver = spawn(process.execPath, ['receiver.mjs'], {
    cwd: folder,
    env: { SIGNING_SECRET: 'shared', PORT: '0', EVENTS: join(folder, 'events.ndjson') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: receiver.stdout ?? expect.unreachable() }), 'line');
  url = `http://127.0.0.1:${/\d+$/.exec(String(line))?.[0]}/`;
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  const ended = once(receiver, 'exit');
  receiver.kill();
  await ended;
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
});

function open(options: object = {}): Output {
  const output = webhook.create(webhook.options.parse({ url, signingSecret: 'shared', ...options }), outputContext());
  outputs.push(output);
  return output;
}

function stored(): string[] {
  return readFileSync(join(folder, 'events.ndjson'), 'utf8').split('\n').slice(0, -1);
}

/** A request of the output, recorded on its way. */
async function recorded(): Promise<ReceivedRequest> {
  const tap = await HttpReceiver.start();
  await open({ url: tap.origin }).send(someEvents(2), signal);
  await tap.close();
  return tap.requests[0] ?? expect.unreachable();
}

/** Sends a recorded request, with changes, and gives the status. */
async function play(
  { headers, wire }: ReceivedRequest,
  changes: Record<string, string> = {},
  body = wire,
): Promise<number> {
  const {
    host: _host,
    connection: _connection,
    'content-length': _length,
    ...kept
  } = headers as Record<string, string>;
  const response = await fetch(url, { method: 'POST', headers: { ...kept, ...changes }, body: new Uint8Array(body) });
  return response.status;
}

describe('the receiver of the page', () => {
  it.each([true, false])('stores what is signed, once, gzip %s', async (gzip) => {
    const output = open({ gzip });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    try {
      for (const _try of [1, 2]) {
        expect(await output.send(someEvents(3), signal)).toEqual({ rejected: [], shortened: 0 });
        vi.setSystemTime(Date.now() + 2000); // A retry is signed anew: only its key is known.
      }
    } finally {
      vi.useRealTimers();
    }
    expect(stored()).toEqual(textsOf(someEvents(3)));
    await output.send(someEvents(1, { first: 4 }), signal);
    expect(stored()).toHaveLength(4);
  });

  it('refuses another secret in a way that the output understands', async () => {
    const sending = open({ signingSecret: 'another' }).send(someEvents(1), signal);
    await expect(sending).rejects.toMatchObject({ reason: 'auth', disposition: 'halt' });
  });

  it('takes a recorded request once, under whatever key it comes', async () => {
    const request = await recorded();
    expect(await play(request)).toBe(200);
    expect(await play(request)).toBe(200);
    expect(await play(request, { 'idempotency-key': 'made up' })).toBe(200);
    expect(stored()).toEqual(textsOf(someEvents(2)));
  });

  it('refuses a body, a time or a signature that was changed, and an old one', async () => {
    const request = await recorded();
    const other = Buffer.from(request.wire);
    other.writeUInt8(other.readUInt8(20) ^ 1, 20);
    const old = String(Math.floor(Date.now() / 1000) - 301);
    const mac = createHmac('sha256', 'shared').update(`${old}.`).update(request.wire).digest('hex');
    const now = String(request.headers['x-signature-timestamp']);
    expect(await play(request, {}, other)).toBe(401);
    expect(await play(request, { 'x-signature-timestamp': String(Number(now) + 1) })).toBe(401);
    expect(await play(request, { 'x-signature-256': 'sha256=00' })).toBe(401);
    expect(await play(request, { 'x-signature-timestamp': old, 'x-signature-256': `sha256=${mac}` })).toBe(401);
    expect(await play(request, { 'x-signature-timestamp': 'soon' })).toBe(401);
    expect(stored).toThrow('ENOENT');
  });

  it('refuses what is too large', async () => {
    expect(await play(await recorded(), {}, Buffer.alloc(9 * 1024 ** 2)).catch(() => 413)).toBe(413);
    expect(await open().send(someEvents(1), signal)).toMatchObject({ rejected: [] });
  });
});
