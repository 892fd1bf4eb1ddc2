import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import { datadog } from '../../src/outputs/datadog.ts';
import type { Output } from '../../src/outputs/output.ts';
import { outputContext, rawFormat, someEvents, textsOf } from '../contract/output-harness.ts';
import { DatadogIntake } from '../fakes/datadog-intake.ts';
import { Authority } from '../fakes/http-certificates.ts';
import type { Reaction } from '../fakes/http-receiver.ts';
import { eventOf, hostileRecords } from '../formats/records.ts';

const never = new AbortController().signal;
let intake: DatadogIntake;
const outputs: Output[] = [];

beforeEach(async () => {
  intake = await DatadogIntake.start({ apiKey: 'key' });
});
afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await intake.http.close();
});

function open(options: object = {}, context = {}): Output {
  const output = datadog.create(
    datadog.options.parse({ apiKey: 'key', url: intake.url, ...options }),
    outputContext(context),
  );
  outputs.push(output);
  return output;
}

/** Each request gets the next reaction; after the last one the intake answers for itself. */
function react(...reactions: Reaction[]): void {
  intake.http.react = (request) => reactions.shift() ?? intake.answer(request);
}

describe('a log', () => {
  it('has the reserved attributes, the event time in milliseconds, and our id', async () => {
    await open({ service: 'mail', ddtags: 'env:test,team:soc' }).send(someEvents(1), never);
    expect(intake.logs).toEqual([
      {
        message: textsOf(someEvents(1))[0],
        ddsource: 'mimecast',
        ddtags: 'env:test,team:soc',
        service: 'mail',
        hostname: 'forwarder.example',
        status: 'info',
        timestamp: Date.UTC(2026, 0, 1, 0, 0, 1),
        eventId: '00000000000000000000000000000001',
      },
    ]);
  });

  it('has the host and source of the config, and no tags when there are none', async () => {
    await open({ hostname: 'relay', ddsource: 'custom' }).send(someEvents(1), never);
    expect(intake.logs[0]).toMatchObject({ hostname: 'relay', ddsource: 'custom' });
    expect(intake.logs[0]).not.toHaveProperty('ddtags');
  });

  it.each([
    [0, 'info'],
    [3, 'info'],
    [4, 'notice'],
    [6, 'notice'],
    [7, 'warning'],
    [8, 'warning'],
    [9, 'critical'],
    [10, 'critical'],
  ] as const)('of severity %i has the status %s', async (severity, status) => {
    const describe = () => ({ eventClass: 'c', title: 't', severity });
    const source = { name: 'a', type: 'a', eventClass: 'c', describe, severityOf: () => severity };
    const event = new ForwarderEvent({ seq: 1, id: '1'.repeat(32), time: 0, raw: Buffer.from('{}'), source });
    await open().send([event], never);
    expect(intake.logs.at(-1)).toMatchObject({ status });
  });

  it.each(Object.entries(hostileRecords))('survives %s', async (_, record) => {
    const format = buildFormat(json);
    const event = eventOf(record);
    await open({ maxMessageBytes: 4000 }, { format }).send([event], never);
    const [log] = intake.logs;
    expect(Buffer.byteLength(JSON.stringify(log))).toBeLessThanOrEqual(4000);
    expect(JSON.parse(log?.message ?? '')).toMatchObject({ eventId: event.id });
  });
});

describe('limits', () => {
  it('puts at most 1000 logs into one request', async () => {
    expect(await open().send(someEvents(1001), never)).toEqual({ rejected: [], shortened: 0 });
    const counts = intake.http.requests.map(({ text }) => JSON.parse(text).length);
    expect(counts).toEqual([1000, 1]);
    expect(intake.logs.map(({ message }) => message)).toEqual(textsOf(someEvents(1001)));
  });

  it('puts at most 5 MB, before compression, into one request', async () => {
    const format = { ...rawFormat, render: () => ({ text: 'x'.repeat(900_000), shortened: false }) };
    await open({}, { format }).send(someEvents(12), never);
    const sizes = intake.http.requests.map(({ text }) => Buffer.byteLength(text));
    expect(sizes).toHaveLength(3);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(5_000_000);
    expect(intake.logs).toHaveLength(12);
  });

  it('counts what escaping adds: a log of quotes and control characters stays under 1 MB', async () => {
    const format = {
      ...rawFormat,
      render: (_: unknown, room = 0) => ({ text: '"\u0001'.repeat(room / 2), shortened: true }),
    };
    expect(await open({}, { format }).send(someEvents(1), never)).toEqual({ rejected: [], shortened: 1 });
    expect(intake.cut).toBe(0);
    // A pair costs 8 bytes: of 1 000 000, 500 000 and 250 000 characters, only the last fits, less what is around it: 125 000.
    expect(intake.logs[0]?.message).toHaveLength(125_000);
  });

  it('tells what was taken when a later request fails', async () => {
    react(...([undefined, { status: 503 }] as Reaction[]));
    const { unsettled, rejected } = await open().send(someEvents(1500), never);
    expect(rejected).toEqual([]);
    expect(unsettled?.events.map(({ seq }) => seq)).toEqual(someEvents(500, { first: 1001 }).map(({ seq }) => seq));
    expect(unsettled?.error).toMatchObject({ disposition: 'retry', reason: 'server' });
  });
});

describe('an answer', () => {
  it.each([
    [400, 'split', 'refused'],
    [401, 'halt', 'auth'],
    [403, 'halt', 'auth'],
    [404, 'halt', 'refused'],
    [408, 'retry', 'timeout'],
    [413, 'split', 'refused'],
    [429, 'retry', 'rate_limited'],
    [500, 'retry', 'server'],
    [503, 'retry', 'server'],
    [301, 'halt', 'refused'],
  ] as const)('%i means %s', async (status, disposition, reason) => {
    react({ status, body: '{"errors":[{"detail":"quarterly figures"}]}' });
    const error = await open()
      .send(someEvents(1), never)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ disposition, reason });
    expect(error.message).not.toContain('quarterly');
  });

  it('of 403 names the key and the site', async () => {
    await expect(open({ apiKey: 'other' }).send(someEvents(1), never)).rejects.toMatchObject({
      hint: expect.stringMatching(/apiKey.*site/),
    });
  });
});

it.each([true, false])('is compressed only when wanted (%s)', async (gzip) => {
  await open({ gzip }).send(someEvents(2), never);
  expect(intake.http.requests[0]?.headers['content-encoding']).toBe(gzip ? 'gzip' : undefined);
  expect(intake.logs).toHaveLength(2);
});

describe('the site', () => {
  /** Stands for all of Datadog: a proxy whose tunnels all lead to one TLS server, and what was asked of it. */
  let authority: Authority;
  let proxy: Server;
  let behind: ReturnType<typeof createTlsServer>;
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  let status = 200;

  beforeEach(async () => {
    asked.length = 0;
    status = 200;
    authority = new Authority();
    const { cert, key } = authority.issue('*.us5.datadoghq.com');
    behind = createTlsServer({ cert, key }, (request, response) => {
      asked.push(`${request.method} ${request.headers.host}${request.url} ${request.headers['dd-api-key']}`);
      request.resume().on('end', () => response.writeHead(status).end('{}'));
    });
    await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
    proxy = createServer();
    proxy.on('connect', (_request, socket: Socket) => {
      const onward = connect((behind.address() as AddressInfo).port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
      });
      for (const one of [socket, onward]) sockets.add(one.on('error', () => {}));
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const output of outputs.splice(0)) await output.close();
    for (const socket of sockets) socket.destroy();
    for (const server of [behind, proxy]) await new Promise((resolve) => server.close(resolve));
    authority.remove();
  });

  const atSite = () =>
    open({
      url: undefined,
      site: 'us5.datadoghq.com',
      proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      tls: { caFile: authority.caFile },
    });

  it('names the intake, and the endpoint that checks the key', async () => {
    // One label only stands for the star in a certificate: the API is asked, the intake has two.
    const output = atSite();
    expect(await output.probe(never)).toContain('https://api.us5.datadoghq.com');
    expect(asked).toEqual(['GET api.us5.datadoghq.com/api/v1/validate key']);
    const options = datadog.options.parse({ apiKey: 'key', site: 'us5.datadoghq.com' });
    expect(datadog.target(options)).toBe('https://http-intake.logs.us5.datadoghq.com');
  });

  it('that does not know the key fails the probe', async () => {
    status = 403;
    await expect(atSite().probe(never)).rejects.toMatchObject({ disposition: 'halt', reason: 'auth' });
  });
});

describe('options', () => {
  it('have defaults', () => {
    const { apiKey, ...rest } = datadog.options.parse({ apiKey: 'key' });
    expect(rest).toEqual({
      site: 'datadoghq.com',
      service: 'mimecast',
      ddsource: 'mimecast',
      gzip: true,
      maxMessageBytes: 1_000_000,
      timeout: 30_000,
    });
    expect(String(apiKey)).toBe('***');
  });

  it.each([
    [{ apiKey: '' }, 'apiKey'],
    [{ site: 'https://app.datadoghq.eu' }, 'site'],
    [{ site: 'eu' }, 'site'],
    [{ url: 'intake' }, 'url'],
    [{ maxMessageBytes: '1MiB' }, 'maxMessageBytes'],
    [{ maxMessageBytes: 3999 }, 'maxMessageBytes'],
    [{ ddtags: '' }, 'ddtags'],
  ])('refuse %j', (wrong, key) => {
    const { error } = datadog.options.safeParse({ apiKey: 'key', ...wrong });
    expect(error?.issues[0]?.path[0]).toBe(key);
  });
});
