import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { FakeCluster } from '../fakes/elasticsearch.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { SplunkHec } from '../fakes/splunk-hec.ts';
import {
  type Certificates,
  closedPort,
  es,
  greeting,
  hook,
  http,
  json,
  keys,
  listen,
  mimecast,
  receiver,
  refusesPages,
  type Setting,
  silent,
  splunk,
  splunkAt,
  syslog,
  tlsAlert,
  web,
  webPage,
  withFault,
} from './listeners.ts';

/** What is wrong in a config, and what the person who made it has to read. */
export interface Mistake {
  /** What was done, from the side of the one who did it. */
  readonly done: string;
  /** What the config says that matters; started listeners end with the test. */
  setUp(certificates: Certificates): Promise<Setting>;
  /** Whether it takes an event to see it. */
  readonly sendTest?: true;
  /** The words of the fault, and of its cure. */
  readonly says: readonly string[];
}

/** A name that the resolver refuses without asking anybody: a label may not be empty. */
const NO_HOST = 'siem..example';

export const MIMECAST_MISTAKES: readonly Mistake[] = [
  {
    done: 'client id or secret of another application, or of another region',
    setUp: async () => ({ mimecast: { auth: { type: 'oauth2', clientId: 'wrong', clientSecret: 'wrong' } } }),
    says: ['the client id or the client secret is wrong', 'region'],
  },
  {
    done: 'the host of API 1.0 with a client id of API 2.0',
    setUp: async () => mimecast((await http({ status: 404 })).origin),
    says: ['status 404', 'mimecast.baseUrl', 'https://api.services.mimecast.com'],
  },
  {
    done: 'an application without the product',
    setUp: async () => {
      const { url } = await withFault('forbidden');
      return mimecast(url);
    },
    says: ['no product of the API application covers it', 'Security Events', 'create a new application'],
  },
  {
    done: 'a role without the permission',
    setUp: async () => {
      const fail = [{ errors: [{ code: 'err_xdk_client_unauthorized', message: 'Forbidden', retryable: false }] }];
      return mimecast((await refusesPages(json(403, { meta: { status: 403 }, data: [], fail }))).origin);
    },
    says: ['was forbidden', 'Monitoring | Attachment Protection | Read'],
  },
  {
    done: 'a port where nobody listens',
    setUp: async () => mimecast(`http://127.0.0.1:${await closedPort()}`),
    says: ['ECONNREFUSED', 'mimecast.baseUrl'],
  },
  {
    done: 'a host name that does not exist',
    setUp: async () => mimecast(`https://${NO_HOST}`),
    says: ['ENOTFOUND', 'the spelling of mimecast.baseUrl', 'DNS'],
  },
  {
    done: 'https to a port without TLS',
    setUp: async () => mimecast(`https://localhost:${await web()}`),
    says: ['does not speak TLS'],
  },
  {
    done: 'no way out but through a proxy, and none is set',
    setUp: async () => mimecast(`http://127.0.0.1:${await silent()}`, { requestTimeout: '150ms' }),
    says: ['was not answered in full within 150ms', 'proxy', 'HTTPS_PROXY'],
  },
  {
    done: 'a proxy that wants a password',
    setUp: async () => {
      const proxy = createHttpServer();
      proxy.on('connect', (_, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'));
      const port = await listen(proxy);
      return mimecast('https://api.services.mimecast.com', { proxy: `http://127.0.0.1:${port}` });
    },
    says: ['407', 'user name and a password', 'mimecast.proxy'],
  },
  {
    done: 'a proxy where none listens',
    setUp: async () =>
      mimecast('https://api.services.mimecast.com', { proxy: `http://127.0.0.1:${await closedPort()}` }),
    says: ['the proxy', 'mimecast.proxy'],
  },
  {
    done: 'a proxy that inspects TLS with its own authority',
    setUp: async ({ good }) => mimecast((await http({ status: 200 }, keys(good))).origin),
    says: ['the certificate is not trusted', 'inspects TLS', 'mimecast.caFile'],
  },
  {
    done: 'a certificate of Mimecast that is out of date by a wrong clock',
    setUp: async ({ expired, authority }) =>
      mimecast((await http({ status: 200 }, keys(expired))).origin, { caFile: authority.caFile }),
    says: ['expired', "this machine's clock"],
  },
  {
    done: 'an address with a certificate for another name',
    setUp: async ({ otherName, authority }) =>
      mimecast((await http({ status: 200 }, keys(otherName))).origin, { caFile: authority.caFile }),
    says: ['siem.example', 'mimecast.baseUrl names the right host'],
  },
  {
    done: 'a proxy that answers with a page of its own',
    setUp: async () => mimecast((await http(webPage)).origin),
    says: ['an HTML page', 'mimecast.baseUrl', 'proxy'],
  },
];

export const OUTPUT_MISTAKES: readonly Mistake[] = [
  {
    done: 'syslog: a port where nobody listens',
    setUp: async () => syslog(await closedPort(), { host: '127.0.0.1' }),
    says: ['ECONNREFUSED', 'check host and port'],
  },
  {
    done: 'syslog: a host name that does not exist',
    setUp: async () => syslog(514, { host: NO_HOST }),
    says: ['ENOTFOUND', 'the spelling of host', 'DNS'],
  },
  {
    done: 'syslog: the port of something else that speaks first',
    setUp: async () => syslog(await greeting()),
    sendTest: true,
    says: ['sent data, which a syslog receiver never does', 'check host and port'],
  },
  {
    done: 'syslog: the port of a web server',
    setUp: async () => syslog(await web()),
    sendTest: true,
    says: ['sent data, which a syslog receiver never does', 'check host and port'],
  },
  {
    done: 'syslog: tls to a plain port',
    setUp: async () => syslog(await silent(), { protocol: 'tls', connectTimeout: '150ms' }),
    says: ['did not answer in time', 'check that the port is the TLS port'],
  },
  {
    done: 'syslog: tls to a port that speaks something else',
    setUp: async () => syslog(await web(), { protocol: 'tls' }),
    says: ['does not speak TLS', 'TLS port'],
  },
  {
    done: 'syslog: tcp to a TLS port',
    setUp: async () => syslog(await tlsAlert()),
    sendTest: true,
    says: ['answered with TLS', 'set protocol to tls'],
  },
  {
    done: 'syslog: tcp to a TLS port that closes without a word',
    setUp: async ({ good }) => syslog(await receiver({ tls: keys(good) })),
    sendTest: true,
    says: ['did not confirm the batch', 'set protocol to tls', 'framing'],
  },
  {
    done: 'syslog: tcp to a TLS port that resets',
    setUp: async () => syslog(await receiver({ manner: 'resets' })),
    sendTest: true,
    says: ['did not confirm the batch', 'protocol to tls', 'framing'],
  },
  {
    done: 'syslog: relp to a plain syslog port',
    setUp: async () => syslog(await silent(), { protocol: 'relp', connectTimeout: '150ms' }),
    says: ['did not open a RELP session in time', 'a plain syslog port is not'],
  },
  {
    done: 'syslog: relp to a TLS port',
    setUp: async ({ good }) => syslog(await receiver({ tls: keys(good) }), { protocol: 'relp' }),
    says: ['closed the connection before a RELP session was open', 'set protocol to relp-tls'],
  },
  {
    done: 'syslog: udp where nobody listens',
    setUp: async () => syslog(await closedPort(), { protocol: 'udp', host: '127.0.0.1' }),
    sendTest: true,
    says: ['ECONNREFUSED', 'check host and port'],
  },
  {
    done: 'syslog: a self-signed certificate',
    setUp: async ({ selfSigned }) => syslog(await receiver({ tls: keys(selfSigned) }), { protocol: 'tls' }),
    says: ['not signed by an authority that is trusted here', 'tls.caFile', 'of a self-signed certificate: to itself'],
  },
  {
    done: 'syslog: an authority of the company',
    setUp: async ({ good }) => syslog(await receiver({ tls: keys(good) }), { protocol: 'tls' }),
    says: ['not signed by an authority that is trusted here', 'tls.caFile'],
  },
  {
    done: 'syslog: a certificate for another name',
    setUp: async ({ otherName, authority }) =>
      syslog(await receiver({ tls: keys(otherName) }), { protocol: 'tls', tls: { caFile: authority.caFile } }),
    says: ['for another name', 'it holds DNS:siem.example', 'tls.servername'],
  },
  {
    done: 'syslog: an expired certificate',
    setUp: async ({ expired, authority }) =>
      syslog(await receiver({ tls: keys(expired) }), { protocol: 'tls', tls: { caFile: authority.caFile } }),
    says: ['has expired', 'Renew', 'clock'],
  },
  {
    done: 'syslog: a receiver that wants a client certificate',
    setUp: async ({ good, authority }) => {
      const wants = { ...keys(good), ca: authority.ca, requestCert: true, rejectUnauthorized: true };
      return syslog(await receiver({ tls: wants }), { protocol: 'tls', tls: { caFile: authority.caFile } });
    },
    says: ['client certificate', 'tls.certFile and tls.keyFile'],
  },
  {
    done: 'syslog: a receiver that never closes',
    setUp: async () => syslog(await receiver({ manner: 'never closes' }), { sendTimeout: '150ms' }),
    sendTest: true,
    says: ['did not confirm the batch in time', 'set confirm to write'],
  },
  {
    done: 'http: a port where nobody listens',
    setUp: async () => hook(`http://127.0.0.1:${await closedPort()}`),
    says: ['ECONNREFUSED', 'check host and port'],
  },
  {
    done: 'http: a host name that does not exist',
    setUp: async () => hook(`http://${NO_HOST}`),
    says: ['ENOTFOUND', 'check its spelling'],
  },
  {
    done: 'http: http to a port with TLS, which says so',
    setUp: async () =>
      hook((await http({ status: 400, body: 'Client sent an HTTP request to an HTTPS server.' })).origin),
    sendTest: true,
    says: ['speaks TLS', 'use https:// in the url'],
  },
  {
    done: 'http: http to a port with TLS, which closes',
    setUp: async ({ good }) => hook((await http({ status: 200 }, keys(good))).origin.replace('https', 'http')),
    sendTest: true,
    says: ['use https:// in the url'],
  },
  {
    done: 'http: https to a plain port',
    setUp: async () => hook((await http({ status: 200 })).origin.replace('http://127.0.0.1', 'https://localhost')),
    says: ['does not speak TLS', 'http:// in the url'],
  },
  {
    done: 'http: an authority of the company',
    setUp: async ({ good }) => hook((await http({ status: 200 }, keys(good))).origin),
    says: ['its authority is not known here', 'tls.caFile'],
  },
  {
    done: 'http: a self-signed certificate',
    setUp: async ({ selfSigned }) => hook((await http({ status: 200 }, keys(selfSigned))).origin),
    says: ['self-signed', 'tls.caFile'],
  },
  {
    done: 'http: a certificate for another name',
    setUp: async ({ otherName, authority }) =>
      hook((await http({ status: 200 }, keys(otherName))).origin, { tls: { caFile: authority.caFile } }),
    says: ['for another name', 'siem.example', 'Use in the url the name that the certificate is for'],
  },
  {
    done: 'http: an expired certificate',
    setUp: async ({ expired, authority }) =>
      hook((await http({ status: 200 }, keys(expired))).origin, { tls: { caFile: authority.caFile } }),
    says: ['has expired', 'Renew', 'clock'],
  },
  {
    done: 'http: no way but through a proxy',
    setUp: async () => hook(`http://127.0.0.1:${await silent()}`, { timeout: '150ms' }),
    sendTest: true,
    says: ['has not answered within', 'proxy'],
  },
  {
    done: 'http: an SSH port',
    setUp: async () => hook(`http://127.0.0.1:${await greeting()}`),
    sendTest: true,
    says: ['does not answer in HTTP', 'Check the port'],
  },
  {
    done: 'http: a path that is not there',
    setUp: async () => hook((await http({ status: 404 })).origin),
    sendTest: true,
    says: ['404 Not Found', 'check the path of the url'],
  },
  {
    done: 'http: wrong credentials',
    setUp: async () => hook((await http({ status: 401 })).origin),
    sendTest: true,
    says: ['401 Unauthorized', 'Check the credentials'],
  },
  {
    done: 'splunk: a token that Splunk does not know',
    setUp: () => splunk('mistyped', { known: { useAck: true } }),
    says: ['Splunk does not know the token', 'Settings > Data inputs > HTTP Event Collector'],
  },
  {
    done: 'splunk: a token that is disabled',
    setUp: () => splunk('known', { known: { useAck: true, disabled: true } }),
    says: ['The token is disabled', 'Settings > Data inputs > HTTP Event Collector'],
  },
  {
    done: 'splunk: a token without indexer acknowledgement',
    setUp: () => splunk('known', { known: {} }),
    says: ['Indexer acknowledgement is off for this token', 'turn it on there', 'acknowledgement: false'],
  },
  {
    done: 'splunk: an index that the token may not write to',
    setUp: () => splunk('known', { known: { useAck: true, indexes: ['main'] } }, { index: 'mimecast' }),
    sendTest: true,
    says: ['may not write to this index', 'check index'],
  },
  {
    done: 'splunk: the port of Splunk Web',
    setUp: async () => splunkAt((await http(webPage)).origin),
    says: ['check the url', '8088'],
  },
  {
    done: 'splunk: a port where nobody listens, since HEC is off',
    setUp: async () => splunkAt(`http://127.0.0.1:${await closedPort()}`),
    says: ['ECONNREFUSED', 'check host and port'],
  },
  {
    done: 'splunk: a collector that is not well',
    setUp: async () => {
      const hec = await SplunkHec.start();
      onTestFinished(() => hec.close());
      hec.healthy = { status: 503, code: 18 };
      return splunkAt(hec.origin);
    },
    says: ['503', "Splunk's queues are full"],
  },
  {
    done: 'elasticsearch: http to a node with TLS',
    setUp: async () => {
      // Elasticsearch closes such a connection, and says so in its own log only.
      const port = await listen(createServer((socket) => void socket.once('data', () => socket.end())));
      return es(`http://127.0.0.1:${port}`);
    },
    says: ['use https:// in the url'],
  },
  {
    done: 'elasticsearch: https to a node without TLS',
    setUp: async () => es((await http({ status: 200 })).origin.replace('http://127.0.0.1', 'https://localhost')),
    says: ['does not speak TLS', 'http:// in the url'],
  },
  {
    done: 'elasticsearch: the port of Kibana',
    setUp: async () => es((await http(webPage)).origin),
    says: ['not as Elasticsearch or OpenSearch would', 'not to Kibana'],
  },
  {
    done: 'elasticsearch: a key that is not known',
    setUp: async () => {
      const cluster = new FakeCluster();
      cluster.authorization = 'ApiKey right';
      const server = await HttpReceiver.start();
      onTestFinished(() => server.close());
      server.react = (request) => cluster.answer(request);
      return es(server.origin, { apiKey: 'wrong' });
    },
    says: ['401 Unauthorized', 'apiKey'],
  },
  {
    done: 'elasticsearch: a key without the privilege for the index',
    setUp: async () => {
      const cluster = new FakeCluster();
      cluster.faultOf = () => ({ status: 403, type: 'security_exception' });
      const server = await HttpReceiver.start();
      onTestFinished(() => server.close());
      server.react = (request) => cluster.answer(request);
      return es(server.origin);
    },
    sendTest: true,
    says: ['403 security_exception', 'may create documents in logs-mimecast_ttp_ap-default', 'create_doc'],
  },
];
