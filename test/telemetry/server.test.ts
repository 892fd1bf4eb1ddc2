import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { ForwarderError } from '../../src/errors.ts';
import { Secret } from '../../src/secret.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { type ServerOptions, type StatusServer, startServer } from '../../src/telemetry/server.ts';
import { healthyView } from '../page/views.ts';
import { snapshot, troubled } from '../status/snapshots.ts';

const TOKEN = 'a-long-token-for-tests';
const OPENMETRICS = { accept: 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4' };

const open: StatusServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(changes: Partial<ServerOptions> = {}): Promise<StatusServer> {
  const server = await startServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: new Metrics(),
    snapshot: () => snapshot(),
    view: healthyView,
    healthy: () => ({ ok: true }),
    ...changes,
  });
  open.push(server);
  return server;
}

/** Metrics in which every family has a value, with the odd label. */
function filledMetrics(): Metrics {
  const metrics = new Metrics();
  metrics.apiRequests.inc({ feed: 'attachment' }, 3);
  metrics.apiErrors.inc({ feed: '-', reason: 'auth' });
  metrics.apiRequestDuration.observe({ feed: 'attachment' }, 0.4);
  metrics.outputEvents.inc({ output: 'odd "name" \\ with\nbreaks', outcome: 'delivered' }, 12);
  metrics.outputUp.set({ output: 'splunk' }, 1);
  metrics.deliveryLatency.observe({ output: 'splunk' }, 22);
  metrics.collectingPaused.set({ reason: 'store_full' }, 0);
  metrics.buildInfo.set({ version: '1.0.0', node: 'v24.0.0' }, 1);
  return metrics;
}

describe('routes', () => {
  it('serves the status as JSON and as a page', async () => {
    const { url } = await serve();
    const status = await fetch(`${url}/api/status`);
    expect(status.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await status.json()).toMatchObject({
      verdict: 'ok',
      host: 'soc-fwd-01',
      outputs: [{ name: 'splunk' }, {}, {}, {}],
    });
    const page = await fetch(`${url}/?span=7d`);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toMatch(/^<!doctype html>\n(?:.*\n)*.*<span class="sentence">All is well\.<\/span>/);
  });

  it('serves the page under a policy that lets nothing in but its own files, and those for ever', async () => {
    const { url } = await serve();
    const page = await fetch(url);
    const policy = page.headers.get('content-security-policy')?.split('; ') ?? [];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy.join()).not.toMatch(/unsafe|http|\*/);
    const files = [...(await page.text()).matchAll(/(?:href|src)="(assets\/[^"]*)"/g)].map(([, path]) => path);
    expect(files.map((path) => path?.split('/').at(-1))).toEqual(['ok.svg', 'page.css', 'page.js']);
    for (const path of [...files, files[2]?.replace('page.js', 'patch.js')]) {
      const file = await fetch(`${url}/${path}`);
      expect([file.status, file.headers.get('cache-control')]).toEqual([200, 'private, max-age=31536000, immutable']);
      expect(file.headers.get('content-type')).toMatch(
        /^(image\/svg\+xml|text\/css; charset=utf-8|text\/javascript; charset=utf-8)$/,
      );
    }
  });

  it('answers the probes', async () => {
    let given = snapshot();
    let healthy: { ok: boolean; reason?: string } = { ok: true };
    const { url } = await serve({ snapshot: () => given, healthy: () => healthy });
    expect([(await fetch(`${url}/healthz`)).status, (await fetch(`${url}/readyz`)).status]).toEqual([200, 200]);
    given = troubled();
    healthy = { ok: false, reason: 'the store cannot be written to' };
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([503, healthy]);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { ready: false, reasons: [{ reason: 'output_refusing', output: 'splunk', since: '2026-11-23T14:02:11.000Z' }] },
    ]);
  });

  it('is read-only, and says what there is not', async () => {
    const { url } = await serve();
    const post = await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/%2e%2e/etc/passwd`)).status).toBe(404);
    const head = await fetch(`${url}/api/status`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(100);
  });

  it('lets nothing be stored or guessed, whatever it answers', async () => {
    const { url } = await serve({ token: Secret.of(TOKEN) });
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/api/status', '/nothing']) {
      const { headers } = await fetch(url + path);
      expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff']);
    }
  });

  it('answers 500 without a reason when the status cannot be read, tells the log, and goes on', async () => {
    const failures: unknown[] = [];
    const { url } = await serve({
      failed: (error) => failures.push(error),
      snapshot: () => {
        throw new Error(`database ${TOKEN} is locked`);
      },
    });
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain(TOKEN);
    expect(failures).toEqual([new Error(`database ${TOKEN} is locked`)]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('names of people and files', () => {
  it.each([
    ['127.0.0.1', undefined, true],
    ['0.0.0.0', undefined, false],
    ['0.0.0.0', Secret.of(TOKEN), true],
  ])('on %s with the token %s are shown: %s', async (host, token, shown) => {
    const { url } = await serve({ listen: { host, port: 0 }, token });
    const headers = { authorization: `Bearer ${TOKEN}` };
    const page = await (await fetch(url, { headers })).text();
    expect(page.includes('billing')).toBe(shown);
    const stop = new AbortController();
    const live = await fetch(`${url}/live?mask=0`, { headers, signal: stop.signal });
    const first = await live.body?.getReader().read();
    expect(Buffer.from(first?.value ?? []).includes('billing')).toBe(shown);
    stop.abort();
  });
});

describe('the bearer token', () => {
  it.each(['/', '/metrics', '/api/status', '/nothing'])('guards %s', async (path) => {
    const { url } = await serve({ token: Secret.of(TOKEN) });
    const wrong = [{}, { authorization: TOKEN }, { authorization: `Bearer ${TOKEN}x` }, { authorization: 'Bearer ' }];
    for (const headers of wrong) {
      const refused = await fetch(url + path, { headers: { ...headers } });
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer, Basic realm="mimecast-forwarder", charset="UTF-8"',
      ]);
      expect(await refused.text()).not.toContain(TOKEN);
    }
    const right = await fetch(url + path, { headers: { authorization: `bearer ${TOKEN}` } });
    expect(right.status).toBe(path === '/nothing' ? 404 : 200);
  });

  it.each([
    [`:${TOKEN}`, 200],
    [`anybody:${TOKEN}`, 200],
    [`anybody:${TOKEN} `, 401],
    [`${TOKEN}:`, 401],
    [TOKEN, 401],
    ['anybody:', 401],
  ])('may be the password of a sign-in in a browser: %j is answered with %i', async (credentials, status) => {
    const { url } = await serve({ token: Secret.of(TOKEN) });
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    expect((await fetch(url, { headers: { authorization } })).status).toBe(status);
  });

  it.each(['/live', '/assets/x'])('guards %s too', async (path) => {
    const { url } = await serve({ token: Secret.of(TOKEN) });
    expect((await fetch(url + path)).status).toBe(401);
  });

  it.each(['/healthz', '/readyz'])('is not asked for by %s', async (path) => {
    const { url } = await serve({ token: Secret.of(TOKEN) });
    expect((await fetch(url + path)).status).toBe(200);
  });
});

describe('the host name that a request goes by', () => {
  /** As a browser sends it; `fetch` does not let its Host be chosen. */
  async function asked(server: StatusServer, path: string, host: string, headers: Record<string, string> = {}) {
    const request = httpRequest(server.url + path, { headers: { host, ...headers } });
    request.end();
    const [response]: IncomingMessage[] = await once(request, 'response');
    if (response === undefined) throw new Error('no answer');
    return { status: response.statusCode, body: await readAll(response) };
  }

  it.each(['/', '/metrics', '/api/status', '/readyz', '/nothing'])(
    'is looked at before %s is answered',
    async (path) => {
      const server = await serve();
      const { status, body } = await asked(server, path, 'evil.example:9464');
      expect([status, body]).toEqual([421, expect.stringContaining('http.allowedHosts')]);
      expect(body).not.toContain('evil');
    },
  );

  it('is nothing to the health probe, which tells nothing', async () => {
    expect((await asked(await serve(), '/healthz', 'probe.example')).status).toBe(200);
  });

  it('may be what the operator allows, and what it listens to', async () => {
    const server = await serve({ allowedHosts: ['relay01.corp.example'] });
    expect((await asked(server, '/metrics', 'relay01.corp.example:9464')).status).toBe(200);
    expect((await asked(server, '/metrics', `localhost:${new URL(server.url).port}`)).status).toBe(200);
    const named = await serve({ listen: { host: 'localhost', port: 0 } });
    expect((await asked(named, '/metrics', 'LOCALHOST')).status).toBe(200);
  });

  it('may be any for who has the token: no page in a browser has it', async () => {
    const server = await serve({ token: Secret.of(TOKEN) });
    const scrape = (authorization: string) => asked(server, '/metrics', 'relay01.corp.example', { authorization });
    expect((await scrape(`Bearer ${TOKEN}`)).status).toBe(200);
    expect((await scrape('Bearer wrong')).status).toBe(421);
  });
});

describe('/metrics', () => {
  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

  it.skipIf(!hasPromtool)('is accepted by promtool check metrics (needs promtool)', async () => {
    const { url } = await serve({ metrics: filledMetrics() });
    const body = await (await fetch(`${url}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });

  it('brings the gauges up to date first', async () => {
    const metrics = new Metrics();
    const { url } = await serve({ metrics, collect: () => metrics.storeEvents.set(42) });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('mimecast_forwarder_store_events 42\n');
  });

  it('speaks OpenMetrics to who asks, and the other format keeps its names', async () => {
    const { url } = await serve({ metrics: filledMetrics() });
    const plain = async () => (await fetch(`${url}/metrics`)).text();
    const before = await plain();
    const scrapes = Array.from({ length: 10 }, async (_, index) =>
      index % 2 ? plain() : (await fetch(`${url}/metrics`, { headers: OPENMETRICS })).text(),
    );
    for (const [index, body] of (await Promise.all(scrapes)).entries()) {
      if (index % 2) expect(body).toBe(before);
      else
        expect(body).toMatch(
          /# TYPE mimecast_forwarder_api_requests counter\n.*_api_requests_total\{feed="attachment"\} 3\n(.*\n)*# EOF\n$/,
        );
    }
    expect(await plain()).toBe(before);
    expect(before).toContain('# TYPE mimecast_forwarder_api_requests_total counter');
    const { headers } = await fetch(`${url}/metrics`, { headers: OPENMETRICS });
    expect(headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  });
});

describe('listening', () => {
  it('takes IPv6', async () => {
    const { url } = await serve({ listen: { host: '::1', port: 0 } });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('says what to do when the port is taken', async () => {
    const { url } = await serve();
    const failure = serve({ listen: { host: '127.0.0.1', port: Number(new URL(url).port) } });
    await expect(failure).rejects.toThrow(ForwarderError);
    await expect(failure).rejects.toMatchObject({
      code: 'HTTP_LISTEN',
      message: `cannot serve status and metrics on ${new URL(url).host}`,
      hint: expect.stringContaining('Another process listens there'),
    });
  });
});

describe('bad clients', () => {
  async function dial(url: string): Promise<Socket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  it('refuses headers without end, and garbage', async () => {
    const { url } = await serve();
    const long = await dial(url);
    long.write(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(await readAll(long)).toMatch(/^HTTP\/1\.1 431 /);
    const garbage = await dial(url);
    garbage.write('\u0016\u0003\u0001 this is TLS, or worse\r\n\r\n');
    expect(await readAll(garbage)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    ['GET /../metrics', 404],
    ['GET /./metrics', 404],
    ['GET //metrics', 404],
    ['GET /metrics/', 404],
    ['GET /METRICS', 404],
    ['GET /%6detrics', 404],
    ['GET /metrics%00', 404],
    ['GET /healthz/../metrics', 404],
    ['GET /healthz;/../metrics', 404],
    ['GET /healthz\\..\\metrics', 404],
    ['GET http://evil.example/metrics', 404],
    ['GET /metrics#fragment', 404],
    ['GET *', 404],
    ['OPTIONS *', 404],
    ['TRACE /metrics', 405],
    ['DELETE /api/status', 405],
    ['PUT /', 405],
    ['GET /metrics\u0000', 400],
    ['get /metrics', 400],
    ['FETCH /metrics', 400],
  ])('%s is nothing here: %i', async (line, status) => {
    const { url } = await serve();
    const socket = await dial(url);
    socket.write(`${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    const answer = await readAll(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).not.toContain('mimecast_forwarder_');
  });

  it.each([
    ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n'],
    ['a length beside chunks', 'content-length: 5\r\ntransfer-encoding: chunked\r\n'],
    ['a folded header', 'x: a\r\n b\r\nhost : localhost\r\n'],
    ['no host', ''],
  ])('refuses what servers read differently: %s', async (_name, headers) => {
    const { url } = await serve();
    const socket = await dial(url);
    const host = headers === '' ? '' : 'host: localhost\r\n';
    socket.write(`GET /metrics HTTP/1.1\r\n${host}${headers}\r\nhelloGET /api/status HTTP/1.1\r\n\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('answers only so many requests that were sent in a row', async () => {
    const metrics = filledMetrics();
    let asked = 0;
    const collect = () => {
      asked += 1;
    };
    const { url } = await serve({ metrics, collect });
    const greedy = await dial(url);
    let answers = '';
    greedy.setEncoding('utf8').on('data', (text: string) => {
      answers += text;
    });
    greedy.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(1400));
    await expect.poll(() => answers).toContain('HTTP/1.1 503 ');
    expect([asked, answers.match(/HTTP\/1\.1 200 /g)?.length]).toEqual([16, 16]);
    greedy.destroy();
  });

  it('cuts off who never ends the request, and who sends its body drop by drop', async () => {
    const { url } = await serve();
    const began = performance.now();
    const slow = await dial(url);
    slow.write('GET / HTTP/1.1\r\nhost: x\r\n');
    const dripping = await dial(url);
    dripping.write('POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n');
    const drip = setInterval(() => dripping.write('x'), 200);
    const answer = readAll(dripping);
    await readAll(slow);
    expect(performance.now() - began).toBeLessThan(9000);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    // It was answered at once; only its connection had to be waited for.
    expect(await answer).toMatch(/^HTTP\/1\.1 405 /);
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(14_000);
  });

  it('takes no more connections than it can serve', async () => {
    const { url } = await serve();
    const sockets = await Promise.all(Array.from({ length: 80 }, () => dial(url)));
    await expect.poll(() => sockets.filter((socket) => socket.closed || socket.destroyed).length).toBe(16);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('is closed within two seconds, whoever is still connected', async () => {
    const server = await serve();
    const idle = await dial(server.url);
    idle.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(idle, 'data');
    const halfway = await dial(server.url);
    halfway.write('GET / HTTP/1.1\r\nhost: x\r\n');
    const upload = httpRequest(`${server.url}/`, { method: 'POST', headers: { 'content-length': 1_000_000 } });
    upload.on('error', () => undefined);
    upload.write('a little');
    const began = performance.now();
    await Promise.all([server.close(), server.close()]);
    expect(performance.now() - began).toBeLessThan(2000);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });
});
