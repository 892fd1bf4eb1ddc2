import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import type { Output } from '../../src/outputs/output.ts';
import { sumologic } from '../../src/outputs/sumologic.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import type { Reaction } from '../fakes/http-receiver.ts';
import { SumoLogicSource } from '../fakes/sumologic-source.ts';
import { eventOf, hostileRecords } from '../formats/records.ts';

const never = new AbortController().signal;
let source: SumoLogicSource;
const outputs: Output[] = [];

beforeEach(async () => {
  source = await SumoLogicSource.start({ token: 'ZaVnC4dhaV' });
});
afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await source.http.close();
});

function open(options: object = {}, context = {}): Output {
  const output = sumologic.create(sumologic.options.parse({ url: source.url, ...options }), outputContext(context));
  outputs.push(output);
  return output;
}

function react(...reactions: (Reaction | undefined)[]): void {
  source.http.react = (request) => reactions.shift() ?? source.answer(request);
}

describe('an upload', () => {
  it('is lines, each ended, with no metadata unless asked for', async () => {
    await open().send(someEvents(3), never);
    const [request] = source.http.requests;
    expect(request?.text).toBe(`${textsOf(someEvents(3)).join('\n')}\n`);
    expect(request?.headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'text/plain; charset=utf-8' });
    expect(source.uploads[0]?.metadata).toEqual({});
  });

  it('has category, name, host and fields as headers', async () => {
    const fields = { env: 'prod', team: 'soc eu' };
    await open({ category: 'mail/mimecast', sourceName: 'ttp', host: 'relay01', fields }).send(someEvents(1), never);
    expect(source.uploads[0]?.metadata).toEqual({
      'x-sumo-category': 'mail/mimecast',
      'x-sumo-name': 'ttp',
      'x-sumo-host': 'relay01',
      'x-sumo-fields': 'env=prod,team=soc eu',
    });
  });

  it('is plain when compression is off', async () => {
    await open({ gzip: false }).send(someEvents(1), never);
    expect(source.http.requests[0]?.headers).not.toHaveProperty('content-encoding');
    expect(source.lines).toEqual(textsOf(someEvents(1)));
  });

  it.each(Object.entries(hostileRecords))('keeps one line for %s', async (_, record) => {
    await open({}, { format: buildFormat(json) }).send([eventOf(record)], never);
    expect(source.lines).toHaveLength(1);
    expect(Buffer.byteLength(source.lines[0] ?? '')).toBeLessThanOrEqual(64_000);
  });
});

describe('limits', () => {
  it('puts at most 1 MB, before compression, into one request, and what was taken stays taken', async () => {
    const format = { ...rawFormat, render: () => ({ text: 'x'.repeat(49_999), shortened: false }) };
    react(undefined, undefined, { status: 503 });
    // 20 lines of 50 000 bytes are exactly the limit.
    const { unsettled } = await open({}, { format }).send(someEvents(50), never);
    expect(source.uploads.map(({ lines }) => lines.length)).toEqual([20, 20]);
    expect(unsettled?.events).toHaveLength(10);
    expect(unsettled?.error).toMatchObject({ disposition: 'retry' });
  });

  it('lets a format shorten to less than the 64 KB that Sumo Logic slices at', async () => {
    const format = { ...rawFormat, render: (_: unknown, room = 0) => ({ text: String(room), shortened: true }) };
    expect(await open({}, { format }).send(someEvents(1), never)).toEqual({ rejected: [], shortened: 1 });
    expect(source.lines).toEqual(['64000']);
  });
});

describe('an answer', () => {
  it.each([
    [400, 'split', 'refused'],
    [401, 'halt', 'auth'],
    [404, 'halt', 'refused'],
    [408, 'retry', 'timeout'],
    [413, 'split', 'refused'],
    [429, 'retry', 'rate_limited'],
    [500, 'retry', 'server'],
    [503, 'retry', 'server'],
    [504, 'retry', 'server'],
    [302, 'halt', 'refused'],
  ] as const)('%i means %s', async (status, disposition, reason) => {
    react({ status });
    await expect(open().send(someEvents(1), never)).rejects.toMatchObject({ disposition, reason });
  });

  it('of 401 says where to find the address, and not what it was', async () => {
    const error = await open({ url: source.urlWith('wrong-token') })
      .send(someEvents(1), never)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ hint: expect.stringContaining('Show URL') });
    expect(inspect(error, { depth: 9, showHidden: true }) + error.hint).not.toContain('wrong-token');
  });
});

describe('the address', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sumologic-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('shows its host only', () => {
    const options = sumologic.options.parse({
      url: 'https://endpoint4.collection.sumologic.com/receiver/v1/http/Token',
    });
    expect(sumologic.target(options)).toBe('https://endpoint4.collection.sumologic.com');
    expect(JSON.stringify(options)).not.toContain('Token');
  });

  it('is read again from its file when it is refused', async () => {
    const file = join(folder, 'url');
    writeFileSync(file, `${source.urlWith('old')}\n`);
    const output = open({ url: Secret.fromFile(file) });
    writeFileSync(file, `${source.url}\n`);
    await expect(output.send(someEvents(1), never)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), never);
    expect(source.lines).toEqual(textsOf(someEvents(1)));
  });

  it('that has become no URL halts, without being shown', async () => {
    const file = join(folder, 'url');
    writeFileSync(file, source.urlWith('old'));
    const output = open({ url: Secret.fromFile(file) });
    writeFileSync(file, 'not-a-url-but-secret');
    await output.send(someEvents(1), never).catch(() => {});
    const error = await output.send(someEvents(1), never).catch((thrown) => thrown);
    expect(error).toMatchObject({ disposition: 'halt', reason: 'auth' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('but-secret');
    writeFileSync(file, source.url);
    await expect(output.send(someEvents(1), never)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), never);
  });

  it('that is refused fails the probe', async () => {
    await expect(open({ url: source.urlWith('wrong') }).probe(never)).rejects.toMatchObject({ reason: 'auth' });
  });
});

describe('options', () => {
  it('have defaults', () => {
    const { url, ...rest } = sumologic.options.parse({ url: 'https://sumo.example/receiver/v1/http/T' });
    expect(rest).toEqual({ fields: {}, gzip: true, maxMessageBytes: 64_000, timeout: 30_000 });
    expect(url).toBeInstanceOf(Secret);
  });

  it.each([
    [{ url: 'sumo.example' }, 'url'],
    [{ url: 'ftp://sumo.example' }, 'url'],
    [{ category: 'a\nb' }, 'category'],
    [{ host: 'größe' }, 'host'],
    [{ sourceName: ' ' }, 'sourceName'],
    [{ fields: { a: 'b,c=d' } }, 'fields'],
    [{ fields: { 'a b': 'c' } }, 'fields'],
    [{ maxMessageBytes: '1MiB' }, 'maxMessageBytes'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
  ])('refuse %j', (wrong, key) => {
    const { error } = sumologic.options.safeParse({ url: 'https://sumo.example/receiver/v1/http/T', ...wrong });
    expect(error?.issues[0]?.path[0]).toBe(key);
    expect(JSON.stringify(error?.issues)).not.toContain('sumo.example');
  });
});
