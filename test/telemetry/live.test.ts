import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { SpanName, View } from '../../src/status/view.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { type ServerOptions, type StatusServer, startServer } from '../../src/telemetry/server.ts';
import { healthyView, troubledView } from '../page/views.ts';

const open: StatusServer[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(changes: Partial<ServerOptions> = {}): Promise<StatusServer> {
  const server = await startServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: new Metrics(),
    snapshot: () => healthyView().report,
    view: healthyView,
    healthy: () => ({ ok: true }),
    refresh: 30,
    ...changes,
  });
  open.push(server);
  return server;
}

interface Update {
  readonly verdict: string;
  readonly clock: string;
  readonly parts: Readonly<Record<string, string>>;
}

/** A stream as a client without a browser sees it. */
class Listener {
  text = '';
  readonly socket: Socket;

  constructor(server: StatusServer, query = '', headers = '') {
    const { hostname, port } = new URL(server.url);
    this.socket = connect(Number(port), hostname);
    sockets.push(this.socket);
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
    this.socket.on('error', () => undefined);
    this.socket.write(`GET /live${query} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`);
  }

  get updates(): Update[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].flatMap(([, json = '']) => {
      // The last one may not have come to its end.
      return json.endsWith('}}') ? [JSON.parse(json)] : [];
    });
  }
}

describe('/live', () => {
  it('sends the whole page at once, and then only what has changed', async () => {
    let view: (span: SpanName) => View = healthyView;
    const listener = new Listener(await serve({ view: (span) => view(span) }));
    await expect.poll(() => listener.updates.length).toBeGreaterThan(1);
    expect(listener.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(listener.text).toMatch(/content-type: text\/event-stream; charset=utf-8/);
    const [first, second] = listener.updates;
    expect(Object.keys(first?.parts ?? {})).toContain('kept');
    expect(second?.parts).toEqual({});
    view = troubledView;
    await expect.poll(() => listener.updates.at(-1)?.verdict, { timeout: 5000 }).toBe('bad');
    const changed = listener.updates.find(({ verdict }) => verdict === 'bad');
    expect(Object.keys(changed?.parts ?? {})).toContain('outputs');
    expect(changed?.clock).toBe('15:47:08');
  });

  it('is rendered once for all who look at the same, and not at all when nobody does', async () => {
    const asked: SpanName[] = [];
    const view = (span: SpanName): View => {
      asked.push(span);
      return healthyView(span);
    };
    const server = await serve({ view, refresh: 700 });
    const listeners = ['', '?theme=dark', '?theme=light'].map((query) => new Listener(server, query));
    const other = new Listener(server, '?span=7d');
    await expect.poll(() => listeners.map(({ updates }) => updates.length)).toEqual([1, 1, 1]);
    await expect.poll(() => other.updates.length, { timeout: 5000 }).toBe(2);
    expect(asked.toSorted()).toEqual(['24h', '24h', '7d', '7d']);
    for (const { socket } of [...listeners, other]) socket.destroy();
    // That nothing happens can only be seen by waiting, longer than the time between two updates.
    const left = performance.now();
    await expect.poll(() => performance.now() - left, { timeout: 5000 }).toBeGreaterThan(900);
    expect(asked).toHaveLength(4);
  });

  it('is bounded', async () => {
    const server = await serve({ refresh: 5000 });
    const listeners = Array.from({ length: 26 }, () => new Listener(server));
    await expect
      .poll(() => listeners.map(({ text }) => text.slice(9, 12)).toSorted(), { timeout: 10_000 })
      .toEqual([...Array.from({ length: 24 }, () => '200'), '503', '503']);
    expect((await fetch(server.url)).status).toBe(200);
    listeners.find(({ text }) => text.startsWith('HTTP/1.1 200'))?.socket.destroy();
    await expect.poll(async () => (await headOf(server)).status).toBe(200);
  });

  /** A stream that is let go of as soon as it is there. */
  async function headOf(server: StatusServer, headers: Record<string, string> = {}): Promise<Response> {
    const stop = new AbortController();
    const answer = await fetch(`${server.url}/live`, { headers, signal: stop.signal });
    stop.abort();
    return answer;
  }

  it('cuts off who does not read', async () => {
    // Larger than what the kernel holds for a connection.
    const long = 'x'.repeat(4_000_000);
    let round = 0;
    const view = (): View => {
      round += 1;
      const calm = healthyView();
      return { ...calm, report: { ...calm.report, headline: `${round} ${long}` } };
    };
    const server = await serve({ view, refresh: 150 });
    const listener = new Listener(server);
    listener.socket.pause();
    const closed = once(listener.socket, 'close');
    await expect.poll(() => round, { timeout: 9000 }).toBeGreaterThan(3);
    listener.socket.resume();
    await closed;
  });

  it('ends with the server, at once', async () => {
    const server = await serve();
    const listener = new Listener(server);
    await expect.poll(() => listener.updates.length).toBeGreaterThan(0);
    const began = performance.now();
    const ended = once(listener.socket, 'end');
    await server.close();
    await ended;
    expect(performance.now() - began).toBeLessThan(900);
  });

  it('says nothing while nothing can be known, and keeps the connection', async () => {
    let isBroken = false;
    const view = (span: SpanName): View => {
      if (isBroken) throw new Error('database is locked');
      return healthyView(span);
    };
    const failures: unknown[] = [];
    const listener = new Listener(await serve({ view, failed: (error) => failures.push(error) }));
    await expect.poll(() => listener.updates.length).toBeGreaterThan(0);
    isBroken = true;
    await expect.poll(() => /\n:\n/.test(listener.text.replaceAll('\r', '')), { timeout: 5000 }).toBe(true);
    expect(listener.text).not.toContain('locked');
    expect(String(failures[0])).toContain('locked');
    const before = listener.updates.length;
    isBroken = false;
    await expect.poll(() => listener.updates.length).toBeGreaterThan(before);
  });

  it('is for the page alone', async () => {
    const server = await serve();
    expect((await headOf(server, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await headOf(server, { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await fetch(`${server.url}/live`, { method: 'HEAD' })).status).toBe(200);
  });
});
