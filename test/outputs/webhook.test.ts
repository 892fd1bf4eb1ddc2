import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Output, OutputError } from '../../src/outputs/output.ts';
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

  it('of each half of a refused batch is its own, and stays when the half comes again', async () => {
    const [whole, left, right] = [someEvents(4), someEvents(2), someEvents(2, { first: 3 })];
    const output = open({ encoding: 'array' });
    for (const batch of [whole, left, right, left, right]) await output.send(batch, new AbortController().signal);
    const keys = receiver.requests.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys.slice(0, 3)).size).toBe(3);
    expect(keys.slice(3)).toEqual(keys.slice(1, 3));
  });

  it('does not hang on how the batch is written', async () => {
    const keys = [];
    for (const options of [{}, { encoding: 'array' }, { gzip: false }, { signingSecret: 'key' }]) {
      keys.push((await sent(options)).headers['idempotency-key']);
    }
    expect(new Set(keys).size).toBe(1);
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

  it('is of this try: the same batch again has a time and a signature of its own', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) });
    try {
      const output = open({ signingSecret: 'key' });
      const signed = [];
      for (const seconds of [0, 0, 301]) {
        vi.setSystemTime(Date.UTC(2026, 0, 1, 0, 0, seconds));
        await output.send(someEvents(3), new AbortController().signal);
        const { headers } = receiver.requests.at(-1) ?? expect.unreachable();
        signed.push([headers['x-signature-timestamp'], headers['x-signature-256']]);
      }
      expect(signed[1]).toEqual(signed[0]); // What lets a receiver know a request that somebody sends it twice.
      expect(signed.map(([timestamp]) => timestamp)).toEqual(['1767225600', '1767225600', '1767225901']);
      expect(signed[2]?.[1]).not.toBe(signed[0]?.[1]);
    } finally {
      vi.useRealTimers();
    }
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

describe('a redirect is not followed', () => {
  const secrets = { headers: { Authorization: 'Bearer canary' }, signingSecret: 'canary' };

  it.each([301, 302, 303, 307, 308])('%i to another host: nothing goes there', async (status) => {
    const elsewhere = await HttpReceiver.start();
    try {
      const location = `http://localhost:${elsewhere.port}/in`;
      receiver.react = () => ({ status, headers: { location } });
      const error = await refused(open(secrets));
      expect(error).toMatchObject({
        disposition: 'halt',
        reason: 'refused',
        hint: expect.stringContaining('Redirects'),
      });
      expect(JSON.stringify([error.message, error.hint])).not.toContain(String(elsewhere.port));
      expect(elsewhere.connections).toBe(0);
    } finally {
      await elsewhere.close();
    }
  });

  it.each([301, 302, 303, 307, 308])('%i to the same host: no second request', async (status) => {
    const paths: string[] = [];
    receiver.react = ({ path }) => {
      paths.push(path);
      return { status, headers: { location: '/elsewhere' } };
    };
    expect(await refused(open(secrets))).toMatchObject({ disposition: 'halt' });
    expect(paths).toEqual(['/in']);
  });

  it.each(['accepted', 'retry'])('not even with the word %s', async (word) => {
    const elsewhere = await HttpReceiver.start();
    receiver.react = () => ({ status: 307, headers: { location: elsewhere.origin } });
    await open({ ...secrets, statuses: { 307: word } })
      .send(someEvents(1), new AbortController().signal)
      .catch(() => undefined);
    expect(elsewhere.connections).toBe(0);
    await elsewhere.close();
  });
});

describe('statuses', () => {
  it('accepted is as good as 2xx', async () => {
    receiver.react = () => ({ status: 409 });
    const output = open({ statuses: { 409: 'accepted' } });
    expect(await output.send(someEvents(3), new AbortController().signal)).toEqual({ rejected: [], shortened: 0 });
    receiver.react = () => ({ status: 422 });
    expect(await refused(output)).toMatchObject({ disposition: 'split' });
  });

  it('leave 409 for an earlier try that is still at work, unless they say more', async () => {
    receiver.react = () => ({ status: 409, headers: { 'retry-after': '7' } });
    expect(await refused(open({}))).toMatchObject({
      disposition: 'retry',
      reason: 'server',
      retryAfterMs: 7000,
      hint: expect.stringContaining('409: accepted'),
    });
    for (const word of ['split', 'halt']) {
      expect(await refused(open({ statuses: { 409: word } }))).toMatchObject({ disposition: word });
    }
  });

  it.each([
    [403, 'retry', 'auth'],
    [400, 'retry', 'refused'],
    [422, 'halt', 'refused'],
    [500, 'split', 'server'],
    [202, 'retry', 'refused'],
  ])('%i may mean %s', async (status, word, reason) => {
    receiver.react = () => ({ status, headers: { 'retry-after': '7' } });
    const retryAfterMs = word === 'retry' ? 7000 : undefined;
    const error = await refused(open({ statuses: { [status]: word } }));
    expect(error).toMatchObject({ disposition: word, reason, retryAfterMs });
  });

  it('obeys no Retry-After of a day', async () => {
    receiver.react = () => ({ status: 403, headers: { 'retry-after': '86400' } });
    expect(await refused(open({ statuses: { 403: 'retry' } }))).toMatchObject({ retryAfterMs: 15 * 60_000 });
  });

  it.each([
    [{}, 'answered with 2xx', true],
    [{ 409: 'accepted', 403: 'retry' }, 'answered with 2xx, or 409', true],
    [{ 202: 'retry', 207: 'split', 409: 'accepted' }, 'answered with 2xx but 202 and 207, or 409', true],
    [{ 500: 'accepted' }, 'answered with 2xx, or 500', false],
  ])('%o: what accepted means then, and whether it proves anything', (statuses, accepted, lossless) => {
    const options = webhook.options.parse({ url: 'https://siem.example', statuses });
    expect([webhook.accepted(options), webhook.lossless(options)]).toEqual([accepted, lossless]);
  });
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
      statuses: {},
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
    [{ statuses: { 99: 'retry' } }, 'statuses'],
    [{ statuses: { 600: 'retry' } }, 'statuses'],
    [{ statuses: { '4xx': 'retry' } }, 'statuses'],
    [{ statuses: { 409: 'rejected' } }, 'statuses'],
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

async function refused(output: Output): Promise<OutputError> {
  return output.send(someEvents(1), new AbortController().signal).then(
    () => expect.unreachable('it was accepted'),
    (error: OutputError) => error,
  );
}

/** The request that a batch of three events becomes. */
async function sent(options: object, context: object = {}): Promise<ReceivedRequest> {
  await open(options, context).send(someEvents(3), new AbortController().signal);
  const request = receiver.requests.at(-1);
  return request ?? expect.unreachable('nothing arrived');
}
