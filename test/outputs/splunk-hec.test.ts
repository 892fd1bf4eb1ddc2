import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import { cef } from '../../src/formats/cef.ts';
import { buildFormat, type Format } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import type { Output, OutputContext } from '../../src/outputs/output.ts';
import { splunkHec } from '../../src/outputs/splunk-hec.ts';
import { Secret } from '../../src/secret.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { SplunkHec } from '../fakes/splunk-hec.ts';
import { eventOf, hostileRecord, hostileRecords, ID } from '../formats/records.ts';

let hec: SplunkHec;
const outputs: Output[] = [];
const { signal } = new AbortController();

beforeEach(async () => {
  hec = await SplunkHec.start();
  hec.tokens.set('plain', {});
  hec.tokens.set('acking', { useAck: true });
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await hec.close();
});

describe('the request', () => {
  it('is what Splunk documents', async () => {
    const record = { result: 'malicious' };
    const event = { ...someEvents(1)[0], id: ID, time: 1634237672_000, raw: Buffer.from(JSON.stringify(record)) };
    await open({ gzip: false, host: 'relay01' }).send([event as ForwarderEvent], signal);
    const request = hec.requests.event?.[0];
    expect(request?.text).toBe(
      `{"time":1634237672,"host":"relay01","source":"mimecast:ttp:ap","sourcetype":"mimecast:ttp:attachment","event":{"result":"malicious"},"fields":{"event_id":"${ID}"}}`,
    );
    expect(request?.headers).toMatchObject({ authorization: 'Splunk plain', 'content-type': 'application/json' });
    expect(request?.headers).not.toHaveProperty('content-encoding');
    expect(request?.headers).not.toHaveProperty('x-splunk-request-channel');
  });

  it('has the objects one after the other, compressed, each with all of its metadata', async () => {
    hec.tokens.set('plain', { indexes: ['mail'] });
    const options = { index: 'mail', source: 'a "source"', sourcetype: 'b', host: 'höst' };
    expect(await open(options).send(someEvents(3), signal)).toEqual({ rejected: [], shortened: 0 });
    expect(hec.requests.event?.[0]?.headers['content-encoding']).toBe('gzip');
    const [first] = someEvents(1);
    expect(hec.indexed).toHaveLength(3);
    expect(hec.indexed[0]).toEqual({
      time: (first?.time ?? 0) / 1000,
      ...options,
      event: first?.record,
      fields: { event_id: first?.id },
    });
  });

  it("has this machine's name as host, and a format that is not JSON as a string", async () => {
    const format = { ...rawFormat, mediaType: 'text/plain', render: () => ({ text: 'CEF:0|"\\a', shortened: false }) };
    await open({}, { format }).send(someEvents(1), signal);
    expect(hec.indexed).toMatchObject([{ host: 'forwarder.example', event: 'CEF:0|"\\a' }]);
  });

  it.each([
    '',
    '/',
    '/services/collector',
    '/services/collector/event',
    '/services/collector/event/',
    '/services/collector/event/1.0',
    '/services/collector/raw',
  ])('goes to the event endpoint from a url that ends in "%s"', async (path) => {
    await open({ url: `${hec.origin}${path}` }).send(someEvents(1), signal);
    expect(hec.indexed).toHaveLength(1);
  });

  it('keeps the way through a gateway: a path before it, and a query', async () => {
    const paths: string[] = [];
    hec.react = ({ path }) => {
      paths.push(path);
      return undefined;
    };
    await open({ url: `${hec.origin}/?key=k` }).send(someEvents(1), signal);
    expect(paths).toEqual(['/services/collector/event?key=k']);
    const below = open({ url: `${hec.origin}/splunk/` }).send(someEvents(1), signal);
    await expect(below).rejects.toMatchObject({ disposition: 'halt', hint: expect.stringContaining('path') });
  });
});

describe('hostile events', () => {
  it.each(Object.entries(hostileRecords))('arrive, each as one event: %s', async (_, record) => {
    for (const type of [json, cef]) {
      const output = open({ maxMessageBytes: '16KiB' }, { format: buildFormat(type) });
      const { rejected } = await output.send([eventOf(record), eventOf({ ...record, subject: 'after it' })], signal);
      expect(rejected).toEqual([]);
    }
    expect(hec.indexed).toHaveLength(4);
    expect(hec.indexed.every(({ fields }) => fields?.event_id === ID)).toBe(true);
  });

  it('cannot add or change a key of the envelope', async () => {
    await fc.assert(
      fc.asyncProperty(hostileRecord, async (record) => {
        hec.indexed.length = 0;
        const event = eventOf(record);
        await open({}, { format: buildFormat(json) }).send([event], signal);
        expect(hec.indexed).toHaveLength(1);
        expect(hec.indexed[0]).toMatchObject({ time: event.time / 1000, host: 'forwarder.example' });
      }),
      { numRuns: 40 },
    );
  });
});

describe('limits', () => {
  it('one request holds at most maxRequestBytes before compression, and as much as fits', async () => {
    const size = await bodySizeOf(10);
    for (const [maxRequestBytes, requests] of [
      [10_000 + size, 1],
      [10_000, Math.ceil((size * 20) / 10_000)],
    ] as const) {
      hec.requests.event = [];
      await open({ maxRequestBytes }).send(someEvents(10), signal);
      expect(hec.requests.event).toHaveLength(1);
      hec.requests.event = [];
      await open({ maxRequestBytes }).send(someEvents(200), signal);
      for (const { text } of hec.requests.event) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxRequestBytes);
      expect(hec.requests.event.length).toBeGreaterThanOrEqual(requests);
    }
    expect(new Set(hec.indexed.map(({ fields }) => fields?.event_id)).size).toBe(200);
  });

  it('is counted in bytes, at its edge', async () => {
    const size = await bodySizeOf(60);
    expect(size).toBeGreaterThan(10_000);
    hec.requests.event = [];
    // Each object is counted with the line end that may follow it.
    await open({ maxRequestBytes: size + 1 }).send(someEvents(60), signal);
    await open({ maxRequestBytes: size }).send(someEvents(60), signal);
    expect(hec.requests.event.map(({ text }) => text.split('\n').length)).toEqual([60, 59, 1]);
  });

  it('an event is shortened to maxMessageBytes', async () => {
    const asked: (number | undefined)[] = [];
    const format: Format = {
      ...rawFormat,
      render: (_event, maxBytes) => {
        asked.push(maxBytes);
        return { text: '{}', shortened: true };
      },
    };
    const output = open({ maxMessageBytes: 5000 }, { format });
    expect(await output.send(someEvents(2), signal)).toEqual({ rejected: [], shortened: 2 });
    expect(asked).toEqual([5000, 5000]);
  });

  it('an event that is larger than a request once its quotes are escaped is shortened again', async () => {
    hec.maxContentLength = 10_000;
    const format: Format = {
      ...rawFormat,
      mediaType: 'text/plain',
      render: (_event, maxBytes = 1e6) => ({
        text: '\u0001'.repeat(Math.min(maxBytes, 1e6)),
        shortened: maxBytes < 1e6,
      }),
    };
    const output = open({ maxRequestBytes: 10_000 }, { format });
    expect(await output.send(someEvents(2), signal)).toEqual({ rejected: [], shortened: 2 });
    expect(hec.indexed).toHaveLength(2);
    expect(String(hec.indexed[0]?.event).length).toBeGreaterThan(1500);
  });

  it('an event at the limit of a request fits into it', async () => {
    hec.maxContentLength = 10_000;
    const format: Format = {
      ...rawFormat,
      render: (_event, maxBytes = 0) => ({ text: `"${'ü'.repeat((maxBytes - 2) / 2)}"`, shortened: true }),
    };
    await open({ maxRequestBytes: 10_000 }, { format }).send(someEvents(3), signal);
    expect(hec.requests.event).toHaveLength(3);
    const sizes = hec.requests.event?.map(({ text }) => Buffer.byteLength(text)) ?? [];
    expect(Math.min(...sizes)).toBeGreaterThan(9990);
  });
});

describe('an answer', () => {
  it.each([
    [403, 1, 'halt', 'auth'],
    [401, 2, 'halt', 'auth'],
    [401, 3, 'halt', 'auth'],
    [403, 4, 'halt', 'auth'],
    [400, 5, 'halt', 'refused'],
    [400, 6, 'split', 'refused'],
    [400, 7, 'halt', 'refused'],
    [500, 8, 'retry', 'server'],
    [503, 9, 'retry', 'server'],
    [400, 10, 'halt', 'refused'],
    [400, 11, 'halt', 'refused'],
    [400, 12, 'split', 'refused'],
    [400, 13, 'split', 'refused'],
    [400, 14, 'halt', 'refused'],
    [400, 15, 'split', 'refused'],
    [400, 16, 'halt', 'auth'],
    [503, 18, 'retry', 'server'],
    [503, 19, 'retry', 'server'],
    [503, 20, 'retry', 'server'],
    [400, 21, 'halt', 'auth'],
    [400, 22, 'halt', 'auth'],
    [503, 23, 'retry', 'server'],
    [429, 26, 'retry', 'rate_limited'],
    [429, 27, 'retry', 'rate_limited'],
    [200, 9, 'retry', 'server'],
    [404, 404, 'halt', 'refused'],
    [400, 999, 'split', 'refused'],
    [200, 17, 'halt', 'refused'],
  ] as const)('%i with code %i means %s, %s', async (status, code, disposition, reason) => {
    hec.react = () => ({ status, body: JSON.stringify({ text: 'text of theirs', code }) });
    const sending = open({}).send(someEvents(2), signal);
    await expect(sending).rejects.toMatchObject({ disposition, reason });
    if (code < 30 && code !== 17)
      await expect(sending).rejects.toMatchObject({ hint: expect.stringMatching(`code ${code}\\b`) });
    await expect(sending).rejects.not.toThrow('theirs');
  });

  it.each([0, 24, 25] as const)('200 with code %i is accepted', async (successCode) => {
    hec.successCode = successCode;
    expect(await open({}).send(someEvents(2), signal)).toEqual({ rejected: [], shortened: 0 });
  });

  it('of a busy Splunk is waited for as long as it asks', async () => {
    hec.react = () => ({ status: 503, headers: { 'retry-after': '7' }, body: '{"text":"busy","code":9}' });
    await expect(open({}).send(someEvents(1), signal)).rejects.toMatchObject({ retryAfterMs: 7000 });
  });

  it.each([
    [413, 'split', 'batch.maxBytes'],
    [415, 'halt', 'gzip: false'],
    [405, 'halt', 'path'],
    [302, 'halt', 'Redirects'],
    [502, 'retry', undefined],
    [408, 'retry', undefined],
    [200, 'halt', 'HTTP Event Collector'],
  ] as const)('%i in HTML means %s', async (status, disposition, hint) => {
    hec.react = () => ({ status, headers: { location: `${hec.origin}/services/collector/event` }, body: '<html>' });
    const expected = { disposition, ...(hint && { hint: expect.stringContaining(hint) }) };
    await expect(open({}).send(someEvents(2), signal)).rejects.toMatchObject(expected);
    expect(hec.requests.event).toHaveLength(1);
  });

  it('that breaks off confirms nothing', async () => {
    hec.react = () => 'half';
    const sending = open({ timeout: '300ms' }).send(someEvents(1), signal);
    await expect(sending).rejects.toMatchObject({ disposition: 'retry' });
  });

  it('of a Splunk that takes smaller bodies only halves the batch', async () => {
    hec.maxContentLength = 1000;
    await expect(open({}).send(someEvents(20), signal)).rejects.toMatchObject({ disposition: 'split' });
    await open({}).send(someEvents(2), signal);
  });
});

describe('one bad event among good ones', () => {
  /** Its text is blank, which HEC refuses with code 13. */
  const blankThird: Partial<OutputContext> = {
    format: {
      ...rawFormat,
      render: (event) => (event.seq === 3 ? { text: '" "', shortened: false } : rawFormat.render(event)),
    },
  };

  it('is rejected; those before it are in, those after it go again', async () => {
    const events = someEvents(5);
    const { rejected, unsettled, shortened } = await open({}, blankThird).send(events, signal);
    expect(rejected).toEqual([{ event: events[2], reason: expect.stringContaining('code 13') }]);
    expect(unsettled).toEqual({ events: events.slice(3) });
    expect(shortened).toBe(0);
    expect(hec.indexed.map(({ event }) => JSON.stringify(event))).toEqual(textsOf(events.slice(0, 2)));
  });

  it('with acknowledgement: those before it have no id to ask by, and go again too', async () => {
    const events = someEvents(5);
    const { rejected, unsettled } = await open(acking, blankThird).send(events, signal);
    expect(rejected).toHaveLength(1);
    expect(unsettled?.events.map(({ seq }) => seq)).toEqual([1, 2, 4, 5]);
    expect(unsettled?.error).toBeUndefined();
  });

  it('ends the batch there: later requests are not sent', async () => {
    const { rejected, unsettled } = await open({ maxRequestBytes: 10_000 }, blankThird).send(someEvents(100), signal);
    expect(rejected).toHaveLength(1);
    expect(unsettled?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 97 }, (_, at) => at + 4));
    expect(hec.requests.event).toHaveLength(1);
  });

  it('is a reject when it is alone, and leaves nothing to send', async () => {
    const sent = await open({}, blankThird).send(someEvents(1, { first: 3 }), signal);
    expect(sent).toEqual({ rejected: [{ event: expect.anything(), reason: expect.any(String) }], shortened: 0 });
  });

  it.each([5, -1, 1.5, '2', null])('is not believed to be number %s of five', async (number) => {
    hec.react = () => ({ status: 400, body: JSON.stringify({ text: '', code: 6, 'invalid-event-number': number }) });
    await expect(open({}).send(someEvents(5), signal)).rejects.toMatchObject({ disposition: 'split' });
  });

  it('is not meant by a number in an answer about something else', async () => {
    for (const [status, code] of [
      [503, 9],
      [400, 7],
      [500, 6],
    ] as const) {
      hec.react = () => ({ status, body: JSON.stringify({ text: '', code, 'invalid-event-number': 1 }) });
      await expect(open({}).send(someEvents(5), signal)).rejects.toThrow();
    }
  });

  it('is not meant when the token may not write to the index: no event is rejected for that', async () => {
    hec.tokens.set('plain', { indexes: ['mail'] });
    await expect(open({ index: 'other' }).send(someEvents(3), signal)).rejects.toMatchObject({
      disposition: 'halt',
      hint: expect.stringContaining('index'),
    });
    expect(hec.indexed).toEqual([]);
  });
});

describe('indexer acknowledgement', () => {
  it('is what send waits for, for all batches in one question', async () => {
    hec.indexesAtOnce = false;
    const output = open(acking);
    const batches = [someEvents(2), someEvents(3, { first: 3 }), someEvents(1, { first: 6 })];
    let settled = 0;
    const sends = batches.map(async (batch) => {
      const sent = await output.send(batch, signal);
      settled += 1;
      return sent;
    });
    await until(() => askedIds().at(-1)).toEqual([0, 1, 2]);
    expect(settled).toBe(0);
    hec.index();
    expect(await Promise.all(sends)).toEqual(batches.map(() => ({ rejected: [], shortened: 0 })));
    expect(hec.indexed).toHaveLength(6);
    const channels = new Set(hec.requests.event?.map(({ headers }) => headers['x-splunk-request-channel']));
    expect(channels.size).toBe(1);
    const [channel] = channels;
    expect(hec.requests.ack?.at(-1)).toMatchObject({
      path: `/services/collector/ack?channel=${channel}`,
      headers: { 'x-splunk-request-channel': channel },
    });
  });

  it('of a batch in several requests is waited for once all of them are out', async () => {
    hec.indexesAtOnce = false;
    const sending = open({ ...acking, maxRequestBytes: 10_000 }).send(someEvents(60), signal);
    await until(() => askedIds().at(-1)).toEqual([0, 1]);
    hec.index();
    expect(await sending).toEqual({ rejected: [], shortened: 0 });
    expect(hec.indexed).toHaveLength(60);
  });

  it('of the first request counts when the second fails', async () => {
    const ids: unknown[] = [];
    hec.react = ({ text }, endpoint) => {
      if (endpoint !== 'event' || ids.push(text.length) < 2) return undefined;
      return { status: 503, body: '{"text":"","code":9}' };
    };
    const { unsettled } = await open({ ...acking, maxRequestBytes: 10_000 }).send(someEvents(100), signal);
    expect(unsettled).toMatchObject({ error: { disposition: 'retry' } });
    expect((unsettled?.events.length ?? 0) + hec.indexed.length).toBe(100);
  });

  it('that does not come in time fails the batch, which goes again on a new channel', async () => {
    hec.indexesAtOnce = false;
    const output = open({ token: 'acking', acknowledgement: { timeout: '1s', pollInterval: '100ms' } });
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({
      reason: 'unconfirmed',
      disposition: 'retry',
      message: expect.stringContaining('within 1s'),
    });
    hec.indexesAtOnce = true;
    await output.send(someEvents(1), signal);
    const [before, after] = hec.requests.event?.map(({ headers }) => headers['x-splunk-request-channel']) ?? [];
    expect(after).not.toBe(before);
  });

  it('of a Splunk that was restarted is believed for no batch', async () => {
    hec.indexesAtOnce = false;
    const output = open(acking);
    const lost = output.send(someEvents(1), signal);
    lost.catch(() => {});
    await until(() => askedIds().at(-1)).toEqual([0]);
    hec.forget();
    hec.indexesAtOnce = true;
    // Its id is 0 again, and true: it must not confirm the batch that was lost.
    await expect(output.send(someEvents(1, { first: 2 }), signal)).rejects.toMatchObject({ reason: 'unconfirmed' });
    await expect(lost).rejects.toMatchObject({
      reason: 'unconfirmed',
      message: expect.stringContaining('begun to count'),
    });
    await output.send(someEvents(2), signal);
  });

  it('goes on when Splunk has dropped the idle channel', async () => {
    const output = open(acking);
    for (const first of [1, 2]) await output.send(someEvents(1, { first }), signal);
    hec.cleanUpIdle();
    await Promise.all([3, 4].map((first) => output.send(someEvents(1, { first }), signal)));
    expect(hec.indexed).toHaveLength(4);
  });

  it('survives a 403 and a 404 in the place of an answer: nothing that Splunk has is sent again', async () => {
    hec.indexesAtOnce = false;
    const blocks = [403, 404].map((status) => ({ status, body: '<html>blocked</html>' }));
    const output = open(acking);
    const sending = Promise.all([1, 2].map((first) => output.send(someEvents(1, { first }), signal)));
    await until(() => askedIds().at(-1)).toEqual([0, 1]);
    hec.react = (_, endpoint) => (endpoint === 'ack' ? blocks.pop() : undefined);
    await until(() => blocks.length).toBe(0);
    hec.index();
    await sending;
    expect(hec.indexed).toHaveLength(2);
    expect(hec.requests.event).toHaveLength(2);
  });

  it('that finds no question answered any more halts, and sends nothing again until one is', async () => {
    const output = open({ token: 'acking', acknowledgement: { timeout: '1s', pollInterval: '100ms' } });
    await output.send(someEvents(1), signal);
    hec.react = (_, endpoint) => (endpoint === 'ack' ? { status: 404, body: '' } : undefined);
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(output.send(someEvents(1, { first: 2 }), signal)).rejects.toMatchObject({ disposition: 'halt' });
    }
    expect(hec.requests.event).toHaveLength(2);
  });

  it('survives failing questions, and halts new batches when the token is revoked', async () => {
    hec.indexesAtOnce = false;
    let failing = false;
    hec.react = (_, endpoint) =>
      failing && endpoint === 'ack' ? { status: 503, body: '{"text":"","code":19}' } : undefined;
    const output = open(acking);
    const sending = output.send(someEvents(1), signal);
    await until(() => askedIds().at(-1)).toEqual([0]);
    failing = true;
    const asked = hec.requests.ack?.length ?? 0;
    await until(() => hec.requests.ack?.length).toBeGreaterThan(asked + 1);
    hec.index();
    failing = false;
    await sending;

    hec.tokens.set('acking', { useAck: true, disabled: true });
    const revoked = output.send(someEvents(1), signal);
    await expect(revoked).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
  });

  it('that the token does not have halts before any event is sent', async () => {
    const sending = open({ ...acking, token: 'plain' }).send(someEvents(1), signal);
    await expect(sending).rejects.toMatchObject({
      disposition: 'halt',
      hint: expect.stringContaining('acknowledgement: false'),
    });
    expect(hec.requests.event).toEqual([]);
  });

  it('that is turned off later halts, and doubles one batch at most', async () => {
    const output = open(acking);
    await output.send(someEvents(1), signal);
    hec.tokens.set('acking', {});
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(output.send(someEvents(1, { first: 2 }), signal)).rejects.toMatchObject({ disposition: 'halt' });
    }
    expect(hec.indexed).toHaveLength(2);
  });

  it('that the token insists on halts when it is off here', async () => {
    await expect(open({ token: 'acking' }).send(someEvents(1), signal)).rejects.toMatchObject({
      disposition: 'halt',
      hint: expect.stringContaining('acknowledgement: true'),
    });
  });

  it('that the collector knows nothing of halts', async () => {
    for (const answer of [
      { status: 404, body: '' },
      { status: 200, body: '{"text":"Success","code":0}' },
    ]) {
      hec.react = (_, endpoint) => (endpoint === 'ack' ? answer : undefined);
      await expect(open(acking).send(someEvents(1), signal)).rejects.toMatchObject({
        disposition: 'halt',
        hint: expect.stringContaining('acknowledgement: false'),
      });
    }
    hec.react = (_, endpoint) => (endpoint === 'ack' ? { status: 400, body: '<html>' } : undefined);
    await expect(open(acking).send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'retry' });
  });

  it('is waited for no longer once the send is aborted', async () => {
    hec.indexesAtOnce = false;
    const output = open({ ...acking, maxRequestBytes: 10_000 });
    const stop = new AbortController();
    const sending = output.send(someEvents(60), stop.signal);
    sending.catch(() => {});
    await until(() => askedIds().at(-1)).toEqual([0, 1]);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(sending).rejects.toBe(reason);
    hec.indexesAtOnce = true;
    await output.send(someEvents(1), signal);
  });
});

describe('the token', () => {
  it.each([16, 21, 22])('follows its file when Splunk refuses it with code %i and status 400', async (code) => {
    const folder = mkdtempSync(join(tmpdir(), 'hec-'));
    writeFileSync(join(folder, 'token'), 'old\n');
    const output = open({ token: Secret.fromFile(join(folder, 'token')) });
    hec.react = ({ headers }) =>
      headers.authorization === 'Splunk old' ? { status: 400, body: JSON.stringify({ text: 'no', code }) } : undefined;
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(join(folder, 'token'), 'plain\n');
    const next = output.send(someEvents(1), signal);
    await expect(next).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), signal);
    rmSync(folder, { recursive: true });
  });

  it('follows its file when Splunk refuses the old one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hec-'));
    writeFileSync(join(folder, 'token'), 'old\n');
    const output = open({ token: Secret.fromFile(join(folder, 'token')) });
    await expect(output.send(someEvents(1), signal)).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(join(folder, 'token'), 'plain\n');
    const next = output.send(someEvents(1), signal);
    await expect(next).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await output.send(someEvents(1), signal);
    rmSync(folder, { recursive: true });
  });
});

describe('probe', () => {
  it.each([
    ['acking', acknowledging(true), 'acknowledges what it has indexed'],
    ['plain', false, 'without indexer acknowledgement'],
  ])('with token %s reaches the collector and sends no event', async (token, acknowledgement, words) => {
    expect(await open({ token, acknowledgement }).probe(signal)).toContain(words);
    expect(hec.indexed).toEqual([]);
    expect(hec.requests.health?.[0]?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    ['wrong', false, 'auth', 'does not know the token'],
    ['disabled', true, 'auth', 'disabled'],
    ['plain', true, 'refused', 'acknowledgement: false'],
    ['acking', false, 'refused', 'acknowledgement: true'],
  ])('with token %s and acknowledgement %s halts', async (token, acknowledgement, reason, hint) => {
    hec.tokens.set('disabled', { useAck: true, disabled: true });
    await expect(open({ token, acknowledgement }).probe(signal)).rejects.toMatchObject({
      disposition: 'halt',
      reason,
      hint: expect.stringContaining(hint),
    });
  });

  it('tells that Splunk is not healthy, or not there', async () => {
    hec.healthy = { status: 503, code: 18 };
    await expect(open({}).probe(signal)).rejects.toMatchObject({ hint: expect.stringContaining('queues are full') });
    await expect(open({ url: `${hec.origin}/elsewhere` }).probe(signal)).rejects.toMatchObject({ disposition: 'halt' });
    await hec.close();
    await expect(open({}).probe(signal)).rejects.toMatchObject({ reason: 'connect' });
  });

  it('is content with a collector that has no acknowledgement endpoint, when none is wanted', async () => {
    hec.react = (_, endpoint) => (endpoint === 'ack' ? { status: 404, body: '' } : undefined);
    expect(await open({}).probe(signal)).toContain('takes the token');
  });
});

describe('options', () => {
  const good = { url: 'https://splunk.example:8088', token: 't' };

  it('have defaults', () => {
    expect(splunkHec.options.parse(good)).toMatchObject({
      sourcetype: 'mimecast:ttp:attachment',
      source: 'mimecast:ttp:ap',
      acknowledgement: true,
      gzip: true,
      maxMessageBytes: 256 * 1024,
      maxRequestBytes: 900_000,
      timeout: 30_000,
    });
    expect(splunkHec.options.parse({ ...good, acknowledgement: {} })).toMatchObject({
      acknowledgement: { timeout: 300_000, pollInterval: 5000 },
    });
  });

  it.each([
    [{ url: 'splunk.example' }, 'url'],
    [{ url: 'https://user:secret@splunk.example' }, 'url'],
    [{ token: '' }, 'token'],
    [{ index: '' }, 'index'],
    [{ acknowledgement: 'yes' }, 'acknowledgement'],
    [{ acknowledgement: { pollInterval: '10ms' } }, 'acknowledgement'],
    [{ acknowledgement: { timeout: '5s' } }, 'acknowledgement'],
    [{ maxMessageBytes: 399 }, 'maxMessageBytes'],
    [{ maxRequestBytes: 9999 }, 'maxRequestBytes'],
  ])('refuse %o', (wrong, path) => {
    const { error } = splunkHec.options.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
  });

  it('promise no more than they keep', () => {
    const withAcks = splunkHec.options.parse(good);
    const without = splunkHec.options.parse({ ...good, acknowledgement: false });
    expect([withAcks, without].map((options) => splunkHec.lossless(options))).toEqual([true, false]);
    expect([withAcks, without].map((options) => splunkHec.inFlight?.(options))).toEqual([8, 1]);
    expect(splunkHec.accepted(withAcks)).toContain('acknowledged by the indexer');
    expect(splunkHec.accepted(without)).toContain('can still lose');
    expect(splunkHec.target(splunkHec.options.parse({ ...good, url: `${good.url}/x?key=k` }))).toBe(good.url);
  });
});

const acking = { token: 'acking', acknowledgement: { timeout: '10s', pollInterval: '100ms' } };

/** A machine under load may be slow to come round to it. */
function until<T>(read: () => T) {
  return expect.poll(read, { timeout: 5000 });
}

function acknowledging(on: boolean) {
  return on && acking.acknowledgement;
}

function open(options: object, context: Partial<OutputContext> = {}): Output {
  const parsed = splunkHec.options.parse({ url: hec.origin, token: 'plain', acknowledgement: false, ...options });
  const output = splunkHec.create(parsed, outputContext(context));
  outputs.push(output);
  return output;
}

/** Ids of the questions so far, without those that only ask whether there is acknowledgement. */
function askedIds(): number[][] {
  const channels = hec.requests.event?.map(({ headers }) => headers['x-splunk-request-channel']);
  const asked = hec.requests.ack?.filter(({ headers }) => channels?.includes(headers['x-splunk-request-channel']));
  return asked?.map(({ text }) => JSON.parse(text).acks) ?? [];
}

/** Of one request with so many events. */
async function bodySizeOf(count: number): Promise<number> {
  await open({}).send(someEvents(count), signal);
  return Buffer.byteLength(hec.requests.event?.at(-1)?.text ?? '');
}
