import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { buildFormat, type Format } from '../../src/formats/format.ts';
import { raw } from '../../src/formats/raw.ts';
import { googleSecops } from '../../src/outputs/google-secops.ts';
import type { Output } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { GoogleSecops, oauthError, rpcError, serviceAccountKey } from '../fakes/google-secops.ts';
import type { Answer, ReceivedRequest } from '../fakes/http-receiver.ts';
import { eventOf, eventOfLine, hostileRecords, realLines } from '../formats/records.ts';

const place = { project: 'soc-project', region: 'us', instance: 'c0ffee00-0000-4000-8000-000000000001' };
const { signal } = new AbortController();

let google: GoogleSecops;
let key: Readonly<Record<string, string>>;
const outputs: Output[] = [];

beforeEach(async () => {
  google = await GoogleSecops.start();
  key = serviceAccountKey(google.tokenUrl);
  google.trust(key);
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await google.http.close();
});

function open(changes = {}, format: Format = rawFormat): Output {
  const endpoint = google.http.origin;
  const options = googleSecops.options.parse({ serviceAccount: JSON.stringify(key), ...place, endpoint, ...changes });
  const output = googleSecops.create(options, outputContext({ format }));
  outputs.push(output);
  return output;
}

function watched(): ReceivedRequest[] {
  const seen: ReceivedRequest[] = [];
  google.interfere = (what, request) => {
    if (what === 'import') seen.push(request);
    return undefined;
  };
  return seen;
}

function answerWith(...answers: Answer[]): void {
  google.interfere = (what) => (what === 'import' ? answers.shift() : undefined);
}

describe('a log', () => {
  it("is Mimecast's record in base64, to the byte", async () => {
    const events = [...realLines.map(eventOfLine), eventOf({}, '{"result":"malicious"}')];
    await open({}, buildFormat(raw)).send(events, signal);
    expect(google.texts()).toEqual(events.map((event) => event.raw.toString()));
    expect(google.imports.flat().at(-1)?.data).toBe('eyJyZXN1bHQiOiJtYWxpY2lvdXMifQ==');
  });

  it('has the time of the event, the time of now, and the id of the event', async () => {
    const [event] = someEvents(1);
    const before = Date.now();
    await open().send(someEvents(1), signal);
    const [log] = google.imports.flat();
    expect(log).toMatchObject({ logEntryTime: '2026-01-01T00:00:01.000Z', labels: { eventId: { value: event?.id } } });
    expect(Date.parse(log?.collectionTime ?? '')).toBeGreaterThanOrEqual(before);
    expect(Date.parse(log?.collectionTime ?? '')).toBeLessThanOrEqual(Date.now());
  });

  it('from the future, by our clock, was still collected after it was written', async () => {
    const [event] = someEvents(1);
    const ahead = new ForwarderEvent({
      ...(event as ForwarderEvent),
      raw: Buffer.from('{}'),
      time: Date.now() + 60_000,
    });
    expect(await open().send([ahead], signal)).toEqual({ rejected: [], shortened: 0 });
  });

  it('of a hostile record is taken', async () => {
    const events = Object.values(hostileRecords).map((record) => eventOf(record));
    const { rejected, unsettled } = await open({}, buildFormat(raw)).send(events, signal);
    expect([rejected, unsettled]).toEqual([[], undefined]);
    expect(google.texts()).toHaveLength(events.length);
  });
});

describe('a request', () => {
  it('names the forwarder when there is one', async () => {
    await open().send(someEvents(1), signal);
    await open({ forwarder: 'f0f0' }).send(someEvents(1), signal);
    const forwarders = google.requests.map(({ text }) => JSON.parse(text).inlineSource.forwarder);
    expect(forwarders).toEqual([undefined, `${google.parent}/forwarders/f0f0`]);
  });

  it.each([
    [{ apiVersion: 'v1alpha' }, '/v1alpha/projects/soc-project/locations/us/'],
    [{ logType: 'MIMECAST_MAIL_V2' }, '/logTypes/MIMECAST_MAIL_V2/logs:import'],
    [{ region: 'europe-west2' }, '/locations/europe-west2/'],
  ])('goes where %j says', async (changes, path) => {
    const seen = watched();
    await expect(open(changes).send(someEvents(1), signal)).rejects.toMatchObject({ reason: 'refused' });
    expect(seen[0]?.path).toContain(path);
  });

  it.each([
    [1_000_000, {}],
    [200_000, { maxRequestBytes: '200000' }],
    [4 * 1024 ** 2, { maxRequestBytes: '4MiB' }],
  ])('has at most %i bytes with %j', async (most, changes) => {
    const text = 'x'.repeat(30_000);
    const long = { ...rawFormat, render: () => ({ text, shortened: false }) };
    await open(changes, long).send(someEvents(150), signal);
    const sizes = google.requests.map(({ wire }) => wire.length);
    expect(google.texts()).toEqual(Array(150).fill(text));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
    expect(Math.max(...sizes)).toBeGreaterThan(most - 41_000);
  });

  it('has room for one log, however long the record: it fits to the byte', async () => {
    const greedy: Format = {
      ...rawFormat,
      render: (_, maxBytes = 0) => ({ text: 'x'.repeat(maxBytes), shortened: true }),
    };
    expect(await open({ maxRequestBytes: 20_000 }, greedy).send(someEvents(2), signal)).toEqual({
      rejected: [],
      shortened: 2,
    });
    const sizes = google.requests.map(({ wire }) => wire.length);
    expect(sizes).toHaveLength(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000);
    expect(Math.min(...sizes)).toBeGreaterThan(19_990);
  });

  it('that fails after others were taken leaves the rest unsettled', async () => {
    const long = { ...rawFormat, render: () => ({ text: 'x'.repeat(300_000), shortened: false }) };
    let count = 0;
    google.interfere = (what) => (what === 'import' && ++count === 2 ? rpcError(503, 'UNAVAILABLE') : undefined);
    const events = someEvents(5);
    const sent = await open({}, long).send(events, signal);
    expect(sent).toMatchObject({ unsettled: { error: { disposition: 'retry', reason: 'server' } } });
    expect(sent.unsettled?.events).toEqual(events.slice(2));
  });
});

describe('an answer', () => {
  const send = () => open().send(someEvents(1), signal);

  it.each([
    [400, 'INVALID_ARGUMENT', 'refused', 'split'],
    [400, 'OUT_OF_RANGE', 'refused', 'split'],
    [400, 'FAILED_PRECONDITION', 'refused', 'halt'],
    [403, 'PERMISSION_DENIED', 'auth', 'halt'],
    [404, 'NOT_FOUND', 'refused', 'halt'],
    [409, 'ABORTED', 'server', 'retry'],
    [413, 'INVALID_ARGUMENT', 'refused', 'split'],
    [429, 'RESOURCE_EXHAUSTED', 'rate_limited', 'retry'],
    [499, 'CANCELLED', 'server', 'retry'],
    [500, 'INTERNAL', 'server', 'retry'],
    [500, 'UNKNOWN', 'server', 'retry'],
    [501, 'UNIMPLEMENTED', 'refused', 'halt'],
    [503, 'UNAVAILABLE', 'server', 'retry'],
    [504, 'DEADLINE_EXCEEDED', 'server', 'retry'],
    [302, 'x', 'refused', 'halt'],
    // Names that every object has are no codes.
    [400, 'constructor', 'refused', 'split'],
  ])('%i %s: %s, %s', async (code, status, reason, disposition) => {
    answerWith(rpcError(code, status));
    await expect(send()).rejects.toMatchObject({ reason, disposition });
  });

  it.each([
    [403, 'PERMISSION_DENIED', 'chronicle.logs.import'],
    [404, 'NOT_FOUND', 'instance'],
    [400, 'INVALID_ARGUMENT', 'logType'],
  ])('%i says what to look at', async (code, status, hint) => {
    answerWith(rpcError(code, status));
    await expect(send()).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
  });

  const retryIn = (retryDelay: unknown) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay });
  it.each([
    ['12s', 12_000],
    ['0.250s', 250],
    ['3.000000001s', 3000],
    ['999999999s', 900_000],
    ['soon', undefined],
    [7, undefined],
    ['-3s', undefined],
  ])('may ask to wait for %j', async (retryDelay, retryAfterMs) => {
    answerWith(rpcError(429, 'RESOURCE_EXHAUSTED', [null, { '@type': 'other' }, retryIn(retryDelay)]));
    const error = await send().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'rate_limited', disposition: 'retry' });
    expect(error).toHaveProperty('retryAfterMs', retryAfterMs);
  });

  it('may ask to wait in a header, which counts', async () => {
    answerWith({ ...rpcError(503, 'UNAVAILABLE', [retryIn('12s')]), headers: { 'retry-after': '5' } });
    await expect(send()).rejects.toMatchObject({ retryAfterMs: 5000 });
  });

  it('of 10 MB is not read to its end, and counts for nothing', async () => {
    answerWith({ status: 200, body: `{"x":"${'x'.repeat(10_000_000)}"}` });
    await expect(send()).rejects.toMatchObject({ disposition: 'halt', hint: expect.stringContaining('JSON object') });
  });

  it.each(['', '<html>', '[]', '{"error":"x"}', '{"error":{"details":7}}'])(
    'with the body %j is told by its status',
    async (body) => {
      answerWith({ status: 429, body });
      await expect(send()).rejects.toMatchObject({ reason: 'rate_limited', disposition: 'retry' });
    },
  );
});

describe('the token', () => {
  it('serves many sends, and is fetched anew within the send that it is refused to', async () => {
    const output = open();
    await Promise.all([output.send(someEvents(1), signal), output.send(someEvents(1), signal)]);
    expect(google.tokenRequests).toBe(1);
    google.revokeTokens();
    await output.send(someEvents(1), signal);
    expect(google.tokenRequests).toBe(2);
    expect(google.imports).toHaveLength(3);
  });

  it('that is refused again stops the output', async () => {
    answerWith(rpcError(401, 'UNAUTHENTICATED'), rpcError(401, 'UNAUTHENTICATED'));
    await expect(open().send(someEvents(1), signal)).rejects.toMatchObject({ reason: 'auth', disposition: 'halt' });
  });

  it('is not given to a key that Google does not know', async () => {
    const other = { ...serviceAccountKey(google.tokenUrl, 'other'), private_key_id: key.private_key_id };
    const failing = open({ serviceAccount: JSON.stringify(other) }).send(someEvents(1), signal);
    const error = await failing.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      reason: 'auth',
      disposition: 'halt',
      message: expect.stringContaining('(invalid_grant)'),
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/PRIVATE KEY|gserviceaccount|eyJ/);
  });

  it('is refused when the clock is wrong, and the clock is what to look at', async () => {
    google.interfere = () => oauthError('invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes)');
    await expect(open().send(someEvents(1), signal)).rejects.toMatchObject({ hint: expect.stringContaining('clock') });
  });
});

describe('the key', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'google-'));
    file = join(folder, 'key.json');
    writeFileSync(file, JSON.stringify(key, null, 2));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is read again from its file when it is refused, and may name another issuer', async () => {
    const output = open({ serviceAccount: Secret.fromFile(file) });
    await output.send(someEvents(1), signal);
    const next = serviceAccountKey(google.tokenUrl.replace('127.0.0.1', 'localhost'), 'next');
    google.trust(next);
    google.revokeTokens();
    writeFileSync(file, JSON.stringify(next));
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), signal);
    expect(google.texts()).toEqual([...textsOf(someEvents(1)), ...textsOf(someEvents(1))]);
  });

  it('is read again from its file when it may not import, and its token goes with it', async () => {
    const output = open({ serviceAccount: Secret.fromFile(file) });
    google.mayImport = false;
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
    const next = serviceAccountKey(google.tokenUrl, 'next');
    google.trust(next);
    writeFileSync(file, JSON.stringify(next));
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    google.mayImport = true;
    google.revokeTokens();
    await output.send(someEvents(1), signal);
    expect(google.tokenRequests).toBe(2);
  });

  it('that cannot be used is read again from its file', async () => {
    const secret = Secret.fromFile(file);
    const output = open({ serviceAccount: secret });
    writeFileSync(file, '{}');
    secret.refresh();
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(file, JSON.stringify(key));
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), signal);
  });

  it('that names an issuer which is down is told of by the name of that issuer', async () => {
    const output = open({ serviceAccount: Secret.fromFile(file) });
    await output.send(someEvents(1), signal);
    const elsewhere = serviceAccountKey('http://127.0.0.1:1/token', 'next');
    google.trust(elsewhere);
    google.revokeTokens();
    writeFileSync(file, JSON.stringify(elsewhere));
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry', reason: 'auth' });
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({
      reason: 'connect',
      message: expect.stringContaining('http://127.0.0.1:1'),
    });
  });

  it('that was replaced by something else stops the output, and shows nothing of it', async () => {
    const secret = Secret.fromFile(file);
    const output = open({ serviceAccount: secret });
    writeFileSync(file, '{"private_key":"canary"}');
    secret.refresh();
    const error = await output.send(someEvents(1), signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'auth', disposition: 'halt', hint: expect.stringContaining('JSON key') });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
  });
});

describe('the probe', () => {
  it('goes the way of a batch, without a log', async () => {
    const seen = watched();
    expect(await open().probe(signal)).toContain('400 Bad Request to an import without logs');
    expect(seen.map(({ text }) => text)).toEqual(['{"inlineSource":{"logs":[]}}']);
    answerWith({ status: 200, body: '{}' });
    expect(await open().probe(signal)).toContain('200 OK');
  });

  it('tells of a missing permission', async () => {
    google.mayImport = false;
    await expect(open().probe(signal)).rejects.toMatchObject({ reason: 'auth', disposition: 'halt' });
  });

  it('tells of an instance that is not there', async () => {
    await expect(open({ instance: 'other' }).probe(signal)).rejects.toMatchObject({
      reason: 'refused',
      disposition: 'halt',
    });
  });
});

describe('options', () => {
  const good = () => ({ serviceAccount: JSON.stringify(key), ...place });

  it('have defaults', () => {
    const options = googleSecops.options.parse(good());
    expect(options).toEqual({
      ...place,
      serviceAccount: expect.any(Secret),
      logType: 'MIMECAST_MAIL',
      apiVersion: 'v1beta',
      maxRequestBytes: 1_000_000,
      timeout: 30_000,
    });
    expect(googleSecops.target(options)).toBe('https://chronicle.us.rep.googleapis.com MIMECAST_MAIL');
  });

  it.each([
    [() => ({ serviceAccount: 'x' }), 'serviceAccount'],
    [() => ({ serviceAccount: JSON.stringify({ ...key, type: 'authorized_user' }) }), 'serviceAccount'],
    [() => ({ serviceAccount: JSON.stringify({ ...key, private_key: 'x' }) }), 'serviceAccount'],
    [
      () => ({ serviceAccount: JSON.stringify({ ...key, token_uri: 'http://oauth2.example/token' }) }),
      'serviceAccount',
    ],
    [() => ({ project: 'a/b' }), 'project'],
    [() => ({ region: 'us.evil.example/' }), 'region'],
    [() => ({ instance: '../x' }), 'instance'],
    [() => ({ logType: 'mimecast' }), 'logType'],
    [() => ({ forwarder: 'a/b' }), 'forwarder'],
    [() => ({ apiVersion: 'v2' }), 'apiVersion'],
    [() => ({ endpoint: 'http://chronicle.example' }), 'endpoint'],
    [() => ({ maxRequestBytes: '5MiB' }), 'maxRequestBytes'],
    [() => ({ maxRequestBytes: 100 }), 'maxRequestBytes'],
  ])('refuse %o', (changes, name) => {
    const { error } = googleSecops.options.safeParse({ ...good(), ...changes() });
    expect(error?.issues.map(({ path }) => path[0])).toEqual([name]);
    expect(JSON.stringify(error?.issues)).not.toContain('PRIVATE');
  });
});
