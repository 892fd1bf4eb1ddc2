import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { startSimulator } from '../collect/reading.ts';
import { Authority, type Pair } from '../fakes/http-certificates.ts';
import { type Answer, HttpReceiver } from '../fakes/http-receiver.ts';
import { type HecToken, SplunkHec } from '../fakes/splunk-hec.ts';
import { type Manner, SyslogReceiver } from '../fakes/syslog-receiver.ts';

/** Listeners that are not what a config takes them for, and the sections of the config that lead there. */

/** Certificates as operators meet them; one set for all tests, since each costs a run of openssl. */
export class Certificates {
  readonly authority = new Authority();
  readonly good = this.authority.issue('localhost');
  readonly otherName = this.authority.issue('siem.example');
  readonly expired = this.authority.issue('localhost', -1);
  readonly selfSigned = this.authority.selfSigned('localhost');
}

export interface Setting {
  readonly mimecast?: object;
  readonly output?: object;
}

/** Nobody listens there: the port was just given back. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Listens on a loopback port until the test is over. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** Takes connections and says nothing: a firewall that swallows, a plain syslog port that is spoken to in TLS. */
export const silent = () => listen(createServer((socket) => void socket.resume()));
/**
 * What OpenSSL's server answers to a first byte that begins no TLS record: a record of type alert, fatal, unexpected_message (RFC 8446
 * §6.2), and then the end.
 */
export const tlsAlert = () =>
  listen(createServer((socket) => void socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex')))));
/** Greets as a mail or SSH server does. */
export const greeting = () => listen(createServer((socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n')));
/** A plain web server, as on port 80 or 8000. */
export const web = () => listen(createHttpServer((_, response) => void response.writeHead(404).end()) as Server);

export async function receiver(
  setup: { tls?: TlsOptions; framing?: 'newline'; manner?: Manner } = {},
): Promise<number> {
  const { manner = 'well', ...rest } = setup;
  const syslog = await SyslogReceiver.start(rest);
  syslog.manner = manner;
  onTestFinished(() => syslog.stop());
  return syslog.port;
}

export async function http(answer: Answer | ((path: string) => Answer), tls?: TlsOptions): Promise<HttpReceiver> {
  const server = await HttpReceiver.start(tls ? { tls } : {});
  server.react = ({ path }) => (typeof answer === 'function' ? answer(path) : answer);
  onTestFinished(() => server.close());
  return server;
}

export const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const keys = ({ cert, key }: Pair): TlsOptions => ({ cert, key });
export const webPage: Answer = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' };

export const syslog = (port: number, more: object = {}): Setting => ({
  output: { name: 'siem', type: 'syslog', host: 'localhost', protocol: 'tcp', port, ...more },
});
export const hook = (url: string, more: object = {}): Setting => ({
  output: { name: 'hook', type: 'webhook', url, ...more },
});
export const es = (url: string, more: object = {}): Setting => ({
  output: { name: 'es', type: 'elasticsearch', url, ...more },
});

export async function splunk(
  token: string,
  kept: Readonly<Record<string, HecToken>>,
  more: object = {},
): Promise<Setting> {
  const hec = await SplunkHec.start();
  onTestFinished(() => hec.close());
  for (const [name, settings] of Object.entries(kept)) hec.tokens.set(name, settings);
  return splunkAt(hec.origin, { token, ...more });
}

export const splunkAt = (url: string, more: object = {}): Setting => ({
  output: { name: 'splunk', type: 'splunk-hec', url, token: 'known', ...more },
});

export const mimecast = (baseUrl: string, more: object = {}): Setting => ({ mimecast: { baseUrl, ...more } });

/** A Mimecast that signs in and refuses the page like this. */
export function refusesPages(answer: Answer): Promise<HttpReceiver> {
  return http((path) =>
    path === '/oauth/token' ? json(200, { access_token: 'a', token_type: 'Bearer', expires_in: 1799 }) : answer,
  );
}

export async function withFault(name: 'forbidden'): Promise<Simulator> {
  const simulator = await startSimulator({ faults: [{ name }] });
  return simulator;
}
