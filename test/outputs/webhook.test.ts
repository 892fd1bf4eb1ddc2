import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Output } from '../../src/outputs/output.ts';
import { webhook } from '../../src/outputs/webhook.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { HttpReceiver, type ReceivedRequest } from '../fakes/http-receiver.ts';

let receiver: HttpReceiver;
const outputs: Output[] = [];

beforeEach(async () => {
  receiver = await HttpReceiver.start();
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await receiver.close();
});

describe('a batch', () => {
  it('is NDJSON, each line ended, and compressed', async () => {
    const request = await sent({});
    expect(request.method).toBe('POST');
    expect(request.text).toBe(
      textsOf(someEvents(3))
        .map((text) => `${text}\n`)
        .join(''),
    );
    expect(request.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
      'content-length': String(request.wire.length),
      'user-agent': 'mimecast-forwarder/0.0.0',
    });
  });

  it('is a JSON array when that is wanted', async () => {
    const request = await sent({ encoding: 'array', gzip: false });
    expect(JSON.parse(request.text)).toEqual(someEvents(3).map(({ record }) => record));
    expect(request.headers['content-type']).toBe('application/json');
    expect(request.headers['content-encoding']).toBeUndefined();
  });

  it('is an array of strings, or plain lines, in a format that is not JSON', async () => {
    const cef = {
      ...rawFormat,
      name: 'cef',
      mediaType: 'text/plain',
      render: () => ({ text: 'CEF:0|"a"', shortened: false }),
    };
    const array = await sent({ encoding: 'array' }, { format: cef });
    expect(JSON.parse(array.text)).toEqual(Array(3).fill('CEF:0|"a"'));
    const lines = await sent({}, { format: cef });
    expect(lines.text).toBe('CEF:0|"a"\n'.repeat(3));
    expect(lines.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  it('has each event shortened that is longer than maxMessageBytes', async () => {
    const long = {
      ...rawFormat,
      render: (_event: unknown, maxBytes = 0) => ({ text: String(maxBytes), shortened: true }),
    };
    const output = open({ maxMessageBytes: '2KiB' }, { format: long });
    expect(await output.send(someEvents(2), new AbortController().signal)).toEqual({ rejected: [], shortened: 2 });
    expect(receiver.requests[0]?.text).toBe('2048\n2048\n');
  });
});

describe('Idempotency-Key', () => {
  it('is made of the ids: the same for the same batch, another for another', async () => {
    const output = open({});
    for (const count of [3, 3, 2]) await output.send(someEvents(count), new AbortController().signal);
    const [first, again, other] = receiver.requests.map(({ headers }) => headers['idempotency-key']);
    const ids = someEvents(3).map(({ id }) => `${id}\n`);
    expect(first).toBe(createHash('sha256').update(ids.join('')).digest('hex'));
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe('a signature', () => {
  it.each([true, false])('covers timestamp and body as they are on the wire, gzip %s', async (gzip) => {
    const { headers, wire } = await sent({ gzip, signingSecret: 'key' });
    const timestamp = String(headers['x-signature-timestamp']);
    const mac = createHmac('sha256', 'key').update(`${timestamp}.`).update(wire).digest('hex');
    expect(headers['x-signature-256']).toBe(`sha256=${mac}`);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('is missing without a secret', async () => {
    expect((await sent({})).headers).not.toHaveProperty('x-signature-256');
  });

  it('follows its secret file when the receiver refuses the old one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webhook-'));
    writeFileSync(join(folder, 'key'), 'old');
    const output = open({ signingSecret: Secret.fromFile(join(folder, 'key')) });
    receiver.react = () => ({ status: 401 });
    writeFileSync(join(folder, 'key'), 'new');
    const sending = output.send(someEvents(1), new AbortController().signal);
    await expect(sending).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    rmSync(folder, { recursive: true });
  });
});

it('adds the headers of the config, in any case, over its own', async () => {
  const { headers } = await sent({
    headers: { 'X-API-Key': 'k', 'User-Agent': 'mine', 'CONTENT-TYPE': 'application/json' },
  });
  expect(headers).toMatchObject({ 'x-api-key': 'k', 'user-agent': 'mine', 'content-type': 'application/json' });
});

it('is probed with HEAD, whatever the answer', async () => {
  const methods: string[] = [];
  receiver.react = ({ method }) => {
    methods.push(method);
    return { status: 405 };
  };
  expect(await open({}).probe(new AbortController().signal)).toContain('405 Method Not Allowed');
  expect(methods).toEqual(['HEAD']);
});

describe('options', () => {
  const good = { url: 'https://siem.example/in?key=k' };

  it('have defaults', () => {
    expect(webhook.options.parse(good)).toEqual({
      ...good,
      headers: {},
      encoding: 'ndjson',
      gzip: true,
      maxMessageBytes: 1024 ** 2,
      timeout: 30_000,
    });
  });

  it.each([
    [{ url: 'siem.example' }, 'url'],
    [{ url: 'ftp://siem.example' }, 'url'],
    [{ url: 'https://user:password@siem.example' }, 'url'],
    [{ headers: { 'X Y': 'z' } }, 'headers'],
    [{ headers: { 'Content-Length': '5' } }, 'headers'],
    [{ headers: { Authorization: '' } }, 'headers'],
    [{ encoding: 'csv' }, 'encoding'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
    [{ proxy: 'proxy.example' }, 'proxy'],
    [{ tls: { certFile: 'a' } }, 'tls'],
    [{ tls: { servername: 'a' } }, 'tls'],
  ])('refuse %o', (wrong, path) => {
    const { error } = webhook.options.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
    expect(JSON.stringify(error?.issues)).not.toContain('password@');
  });

  it('show only the origin of the url as the target', () => {
    expect(webhook.target(webhook.options.parse(good))).toBe('https://siem.example');
  });
});

function open(options: object, context: object = {}): Output {
  const url = `${receiver.origin}/in`;
  const output = webhook.create(webhook.options.parse({ url, ...options }), outputContext(context));
  outputs.push(output);
  return output;
}

/** The request that a batch of three events becomes. */
async function sent(options: object, context: object = {}): Promise<ReceivedRequest> {
  await open(options, context).send(someEvents(3), new AbortController().signal);
  const request = receiver.requests.at(-1);
  return request ?? expect.unreachable('nothing arrived');
}
