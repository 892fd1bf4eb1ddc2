import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cef } from '../../src/formats/cef.ts';
import { buildFormat, type Format } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import { sentinel as rows } from '../../src/formats/sentinel.ts';
import type { Output } from '../../src/outputs/output.ts';
import { sentinel } from '../../src/outputs/sentinel.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents } from '../contract/output-harness.ts';
import { AzureIngestion, azureError, type Column } from '../fakes/azure-ingestion.ts';
import type { Reaction, ReceivedRequest } from '../fakes/http-receiver.ts';
import { eventOf, hostileRecords, plainRecord } from '../formats/records.ts';

const rule = JSON.parse(readFileSync(new URL('../../config/sentinel/dcr.json', import.meta.url), 'utf8'));
const columns: readonly Column[] = rule.properties.streamDeclarations['Custom-Ttp_Attachment_CL'].columns;
const account = {
  tenantId: 'contoso.onmicrosoft.com',
  clientId: 'c0ffee00-0000-4000-8000-000000000002',
  clientSecret: 'hush~.&=+ secret',
  dcrImmutableId: 'dcr-000a00a000a00000a000000aa000a0aa',
};
const { signal } = new AbortController();

let azure: AzureIngestion;
const outputs: Output[] = [];

beforeEach(async () => {
  azure = await startAzure(columns);
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await azure.http.close();
});

function startAzure(columns: readonly Column[]): Promise<AzureIngestion> {
  const scope = 'https://monitor.azure.com/.default';
  return AzureIngestion.start({ columns, ...account, streamName: 'Custom-Ttp_Attachment_CL', scope });
}

function open(changes = {}, format: Format = buildFormat(rows)): Output {
  const { origin } = azure.http;
  const options = sentinel.options.parse({ endpoint: origin, authority: origin, ...account, ...changes });
  const output = sentinel.create(options, outputContext({ format }));
  outputs.push(output);
  return output;
}

/** Requests for the stream, whatever became of them. */
function watched(): ReceivedRequest[] {
  const seen: ReceivedRequest[] = [];
  azure.interfere = (what, request) => {
    if (what === 'ingest') seen.push(request);
    return undefined;
  };
  return seen;
}

function answerWith(...reactions: Reaction[]): void {
  azure.interfere = (what) => (what === 'ingest' ? reactions.shift() : undefined);
}

describe('a batch', () => {
  it('becomes rows of the table', async () => {
    const now = Math.floor(Date.now() / 1000) * 1000;
    const date = new Date(now).toISOString().replace('.000Z', '+0000');
    const sent = await open().send([eventOf({ ...plainRecord, date })], signal);
    expect(sent).toEqual({ rejected: [], shortened: 0 });
    const { date: _, ...others } = plainRecord;
    const [row] = azure.table();
    expect(row).toEqual({
      ...others,
      Date: date,
      TimeGenerated: new Date(now).toISOString(),
      EventId: expect.any(String),
    });
  });

  it('that is older than two days keeps its time in Date only', async () => {
    await open().send([eventOf(plainRecord)], signal);
    const [row] = azure.table();
    expect(Date.now() - Date.parse(String(row?.TimeGenerated))).toBeLessThan(10_000);
    expect(row?.Date).toBe(plainRecord.date);
  });

  it('loses the columns that the rule does not declare, and is accepted', async () => {
    await azure.http.close();
    azure = await startAzure(columns.filter(({ name }) => name !== 'EventId'));
    await open().send([eventOf(plainRecord)], signal);
    expect(azure.table()[0]).not.toHaveProperty('EventId');
    expect(azure.table()[0]).toHaveProperty('result', 'malicious');
  });

  it.each([true, false])('is an array of JSON, gzip %s', async (gzip) => {
    const seen = watched();
    await open({ gzip }).send(someEvents(3), signal);
    const [request] = seen;
    expect(request?.path).toBe(
      `/dataCollectionRules/${account.dcrImmutableId}/streams/Custom-Ttp_Attachment_CL?api-version=2023-01-01`,
    );
    expect(JSON.parse(request?.text ?? '')).toHaveLength(3);
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(request?.wire.length),
    });
    expect(request?.headers['content-encoding']).toBe(gzip ? 'gzip' : undefined);
    expect(request?.headers['x-ms-client-request-id']).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  });

  it('may be of another JSON format', async () => {
    await open({}, buildFormat(json)).send([eventOf(plainRecord)], signal);
    expect(azure.calls.flat()).toEqual([expect.objectContaining({ ...plainRecord, eventId: expect.any(String) })]);
  });

  it('can be looked at before: the row as it is sent', async () => {
    const seen = watched();
    const output = open();
    const event = eventOf(plainRecord);
    await output.send([event], signal);
    expect(`[${output.preview?.(event).text}]`).toBe(seen[0]?.text);
  });

  it('of hostile records is taken, each as one row', async () => {
    const events = Object.values(hostileRecords).map((record) => eventOf(record));
    const { rejected } = await open().send(events, signal);
    expect(rejected).toEqual([]);
    expect(azure.calls.flat()).toHaveLength(events.length);
  });
});

it('a format that is not JSON is refused, and what to do is said', () => {
  const options = sentinel.options.parse({ endpoint: azure.http.origin, ...account });
  expect(sentinel.refuses?.(options, buildFormat(cef))).toMatch(/^expected no format, .*JSON rows only$/);
  expect(sentinel.refuses?.(options, rawFormat)).toBeUndefined();
});

describe('a call', () => {
  /** Rows of exactly so many bytes. */
  const sized = (bytes: readonly number[]): Format => ({
    ...rawFormat,
    render: ({ seq }) => ({ text: `{"a":"${'x'.repeat((bytes[seq - 1] ?? 0) - 8)}"}`, shortened: false }),
  });

  it.each([
    // Two brackets, and a comma counted with each row.
    [[474_999, 474_997], 1],
    [[474_999, 474_998], 2],
  ])('holds at most 950,000 bytes: rows of %j take %i', async (bytes, calls) => {
    const seen = watched();
    await open({}, sized(bytes)).send(someEvents(2), signal);
    expect(seen).toHaveLength(calls);
    expect(Math.max(...seen.map(({ text }) => text.length))).toBeLessThanOrEqual(950_000);
  });

  it('is counted before compression, and a batch becomes several in order', async () => {
    const seen = watched();
    const events = someEvents(40);
    await open({}, sized(Array(40).fill(100_000))).send(events, signal);
    expect(seen.map(({ text }) => JSON.parse(text).length)).toEqual([9, 9, 9, 9, 4]);
    expect(Math.max(...seen.map(({ wire }) => wire.length))).toBeLessThan(5000);
  });

  it('has room for one row, however long the record', async () => {
    const limits: (number | undefined)[] = [];
    const long: Format = {
      ...rawFormat,
      render: (event, maxBytes) => {
        limits.push(maxBytes);
        return rawFormat.render(event);
      },
    };
    await open({}, long).send(someEvents(1), signal);
    expect(limits).toEqual([949_997]);
    const seen = watched();
    const escaped = Object.fromEntries(
      Object.entries(plainRecord).map(([key, value]) => [key, `${value}${'\u0001'.repeat(64_000)}`]),
    );
    expect(await open().send([eventOf({ ...escaped, date: plainRecord.date })], signal)).toMatchObject({
      shortened: 1,
    });
    expect(seen[0]?.text.length).toBeLessThanOrEqual(950_000);
    expect(seen[0]?.text.length).toBeGreaterThan(900_000);
  });

  it('that fails after others were taken leaves the rest unsettled', async () => {
    const events = someEvents(25);
    let count = 0;
    azure.interfere = (what) =>
      what === 'ingest' && ++count === 2 ? azureError(503, 'ServiceUnavailable') : undefined;
    const sent = await open({}, sized(Array(25).fill(100_000))).send(events, signal);
    expect(sent).toMatchObject({ rejected: [], unsettled: { error: { disposition: 'retry', reason: 'server' } } });
    expect(sent.unsettled?.events).toEqual(events.slice(9));
  });
});

describe('an answer', () => {
  const send = () => open().send(someEvents(2), signal);

  it.each([
    [400, 'InvalidRequestContent', 'refused', 'split'],
    [400, 'RecordsTimeRangeIsMoreThan30Minutes', 'refused', 'split'],
    [400, 'InvalidStream', 'refused', 'halt'],
    [400, 'InvalidDcrImmutableId', 'refused', 'halt'],
    [403, 'OperationFailed', 'auth', 'halt'],
    [404, 'NotFound', 'refused', 'halt'],
    [408, 'RequestTimeout', 'timeout', 'retry'],
    [413, 'ContentLengthLimitExceeded', 'refused', 'split'],
    [429, 'TooManyRequests', 'rate_limited', 'retry'],
    [500, 'InternalServerError', 'server', 'retry'],
    [503, 'ServiceUnavailable', 'server', 'retry'],
    [301, 'Moved', 'refused', 'halt'],
    // A proxy that says yes in Azure's place.
    [200, 'OK', 'server', 'retry'],
    [202, 'Accepted', 'server', 'retry'],
  ])('%i %s: %s, %s', async (status, code, reason, disposition) => {
    answerWith(azureError(status, code));
    await expect(send()).rejects.toMatchObject({ reason, disposition });
  });

  it.each([
    [403, 'Monitoring Metrics Publisher'],
    [404, 'dcrImmutableId'],
    [400, 'streamName'],
    [200, 'proxy'],
  ])('%i says what to look at: %s', async (status, hint) => {
    answerWith(azureError(status, 'StreamNotFound'));
    await expect(send()).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
  });

  it('429 says when to come back', async () => {
    answerWith(azureError(429, 'TooManyRequests', '', { 'retry-after': '42' }));
    await expect(send()).rejects.toMatchObject({ retryAfterMs: 42_000 });
  });

  it.each(['<html>', '', '{"error":null}', '{"error":{"code":7}}', '[]'])(
    '400 with the body %j is no reason to fail',
    async (body) => {
      answerWith({ status: 400, body });
      await expect(send()).rejects.toMatchObject({ disposition: 'split' });
    },
  );

  it('of any length is read to a bound', async () => {
    answerWith({ status: 500, body: Buffer.alloc(10_000_000, 'x') });
    await expect(send()).rejects.toMatchObject({ disposition: 'retry' });
  });
});

describe('the token', () => {
  it('serves many sends', async () => {
    const output = open();
    await Promise.all([output.send(someEvents(1), signal), output.send(someEvents(1), signal)]);
    await output.send(someEvents(1), signal);
    expect(azure.tokenRequests).toBe(1);
    expect(azure.calls).toHaveLength(3);
  });

  it('is fetched anew within the send that it is refused to', async () => {
    const output = open();
    await output.send(someEvents(1), signal);
    azure.revokeTokens();
    expect(await output.send(someEvents(2), signal)).toEqual({ rejected: [], shortened: 0 });
    expect(azure.tokenRequests).toBe(2);
  });

  it('that is refused again stops the output', async () => {
    answerWith(azureError(401, 'AuthenticationFailed'), azureError(401, 'AuthenticationFailed'));
    await expect(open().send(someEvents(1), signal)).rejects.toMatchObject({ reason: 'auth', disposition: 'halt' });
    expect(azure.tokenRequests).toBe(2);
  });

  it('is of another audience with another scope, and refused', async () => {
    const sending = open({ scope: 'https://monitor.azure.us/.default' }).send(someEvents(1), signal);
    await expect(sending).rejects.toMatchObject({ reason: 'auth', message: expect.stringContaining('invalid_scope') });
  });

  it.each([
    [{ clientSecret: 'wrong' }, 'invalid_client, AADSTS7000215'],
    [{ clientId: 'wrong' }, 'unauthorized_client, AADSTS700016'],
    [{ tenantId: 'wrong' }, 'invalid_request, AADSTS90002'],
  ])('is not given for %j', async (changes, words) => {
    const error = await open(changes)
      .send(someEvents(1), signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'auth', disposition: 'halt', message: expect.stringContaining(words) });
    expect(String(error)).not.toContain('hush');
    expect(azure.calls).toEqual([]);
  });

  it('is had with the secret that has taken the place of an old one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sentinel-'));
    const file = join(folder, 'secret');
    writeFileSync(file, 'old\n');
    const output = open({ clientSecret: Secret.fromFile(file) });
    writeFileSync(file, `${account.clientSecret}\n`);
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), signal);
    expect(azure.calls).toHaveLength(1);
    rmSync(folder, { recursive: true });
  });
});

describe('the probe', () => {
  it('goes the way of a batch, without a row', async () => {
    const seen = watched();
    expect(await open().probe(signal)).toContain('204 No Content to an array without rows');
    expect(seen.map(({ text }) => text)).toEqual(['[]']);
  });

  it('takes a complaint about the content for an answer from behind the role', async () => {
    answerWith(azureError(400, 'InvalidRequestContent'));
    expect(await open().probe(signal)).toContain('400 Bad Request');
  });

  const probeFails = (error: object) => expect(open().probe(signal)).rejects.toMatchObject(error);

  it('tells of a missing role, and that a new one takes its time', async () => {
    azure.hasRole = false;
    await probeFails({ reason: 'auth', hint: expect.stringContaining('30 minutes') });
  });

  it('tells of a wrong secret', async () => {
    azure.secret = 'other';
    await probeFails({ reason: 'auth', disposition: 'halt' });
  });

  it('tells of an overload', async () => {
    answerWith(azureError(503, 'ServiceUnavailable'));
    await probeFails({ reason: 'server', disposition: 'retry' });
  });

  it('tells of a rule or a stream that is not there', async () => {
    for (const changes of [{ dcrImmutableId: 'dcr-ff' }, { streamName: 'Custom-Other' }]) {
      await expect(open(changes).probe(signal)).rejects.toMatchObject({ reason: 'refused', disposition: 'halt' });
    }
  });
});

it('an endpoint may end in a slash', async () => {
  await open({ endpoint: `${azure.http.origin}/`, authority: `${azure.http.origin}/` }).send(someEvents(1), signal);
  expect(azure.calls).toHaveLength(1);
});

describe('options', () => {
  const good = { endpoint: 'https://dcr-x.eastus-1.ingest.monitor.azure.com', ...account };

  it('have defaults', () => {
    expect(sentinel.options.parse(good)).toEqual({
      ...good,
      clientSecret: expect.any(Secret),
      streamName: 'Custom-Ttp_Attachment_CL',
      authority: 'https://login.microsoftonline.com',
      scope: 'https://monitor.azure.com/.default',
      gzip: true,
      timeout: 30_000,
    });
  });

  it.each([
    [{ endpoint: 'http://dce.eastus-1.ingest.monitor.azure.com' }, 'endpoint'],
    [{ authority: 'http://login.microsoftonline.com' }, 'authority'],
    [{ dcrImmutableId: '/subscriptions/a/dataCollectionRules/b' }, 'dcrImmutableId'],
    [{ dcrImmutableId: 'dcr-1/../x' }, 'dcrImmutableId'],
    [{ streamName: 'Ttp_Attachment_CL' }, 'streamName'],
    [{ streamName: 'Custom-a?b' }, 'streamName'],
    [{ tenantId: 'a/b' }, 'tenantId'],
    [{ clientSecret: '' }, 'clientSecret'],
    [{ scope: '' }, 'scope'],
  ])('refuse %j', (changes, key) => {
    const { error } = sentinel.options.safeParse({ ...good, ...changes });
    expect(error?.issues.map(({ path }) => path[0])).toEqual([key]);
  });
});

it('is told where it goes without what is secret', () => {
  const options = sentinel.options.parse({ endpoint: 'https://a.example/x', ...account });
  expect(sentinel.target(options)).toBe('https://a.example Custom-Ttp_Attachment_CL');
});
