import { X509Certificate } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import type { Daemon } from '../../src/daemon/daemon.ts';
import { refreshGauges } from '../../src/daemon/snapshot.ts';
import { assess } from '../../src/status/assess.ts';
import { recordAt, startSimulator } from '../collect/reading.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { Authority, type Pair } from '../fakes/http-certificates.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { openDaemon } from './running.ts';

const DAY = 86_400_000;
const METRIC = 'mimecast_forwarder_certificate_not_after_timestamp_seconds';

const authority = new Authority();
afterAll(() => authority.remove());

async function receiverWith({ cert, key }: Pair, port?: number): Promise<SyslogReceiver> {
  const receiver = await SyslogReceiver.start({ tls: { cert, key }, ...(port !== undefined && { port }) });
  onTestFinished(() => receiver.stop());
  return receiver;
}

/** What it tells of certificates, judged so many days later. */
function told(daemon: Daemon, days: number): string[] {
  const snapshot = daemon.snapshot();
  const later = { ...snapshot, now: snapshot.now + days * DAY, asOf: snapshot.asOf + days * DAY };
  return assess(later)
    .problems.map(({ what }) => what)
    .filter((what) => /certificate|authority/.test(what));
}

/** The series as they are scraped now: peer, certificate, seconds. */
async function series(daemon: Daemon): Promise<[string, string, number][]> {
  refreshGauges(daemon.metrics, daemon.snapshot());
  const values = (await daemon.metrics.registry.getSingleMetric(METRIC)?.get())?.values ?? [];
  return values.map(({ labels, value }) => {
    const { peer, certificate } = labels as Readonly<Record<string, string>>;
    return [peer ?? '', certificate ?? '', value];
  });
}

function endOf({ cert }: Pick<Pair, 'cert'>): number {
  return Date.parse(new X509Certificate(cert).validTo) / 1000;
}

it('certificates are known from the start or the first handshake on, and no more when they were renewed', async () => {
  const simulator = await startSimulator();
  const folder = temporaryFolder();
  const first = authority.issue('localhost', 90);
  const client = { old: authority.issue('forwarder', 90), renewed: authority.issue('forwarder', 180) };
  const installed = { certFile: join(folder, 'own.pem'), keyFile: join(folder, 'own.key') };
  const install = ({ certFile, keyFile }: Pair): void => {
    copyFileSync(certFile, installed.certFile);
    copyFileSync(keyFile, installed.keyFile);
  };
  install(client.old);
  const receiver = await receiverWith(first);
  const { port } = receiver;
  const siem = {
    ...{ name: 'siem', type: 'syslog', protocol: 'tls', host: 'localhost', port },
    ...{ startFrom: 'beginning', tls: { caFile: authority.caFile, ...installed } },
  };
  const { daemon } = openDaemon(simulator, { config: { outputs: [siem] } });
  const deliver = async (name: string): Promise<void> => {
    simulator.add(recordAt(Date.now() - 60_000, name));
    expect(await daemon.runOnce(1)).toEqual([]);
    // As the heartbeat does.
    daemon.configAccepted();
  };

  daemon.configAccepted();
  expect(await series(daemon)).toEqual([
    ['siem', 'client', endOf(client.old)],
    ['siem', 'ca', endOf({ cert: authority.ca })],
  ]);
  await deliver('a');
  expect(receiver.messages).toHaveLength(1);
  expect(await series(daemon)).toContainEqual(['siem', 'receiver', endOf(first)]);
  expect(told(daemon, 1)).toEqual([]);
  expect(told(daemon, 85)).toEqual([
    'An authority in tls.caFile of output siem has ended',
    expect.stringMatching(/^(The client certificate of output siem|Output siem's receiver certificate) ends in 4 d$/),
    expect.stringMatching(/^(The client certificate of output siem|Output siem's receiver certificate) ends in 4 d$/),
  ]);

  await receiver.stop();
  install(client.renewed);
  const renewed = authority.issue('localhost', 180);
  await receiverWith(renewed, port);
  await deliver('b');
  expect(told(daemon, 85)).toEqual(['An authority in tls.caFile of output siem has ended']);
  expect(await series(daemon)).toEqual([
    ['siem', 'receiver', endOf(renewed)],
    ['siem', 'client', endOf(client.renewed)],
    ['siem', 'ca', endOf({ cert: authority.ca })],
  ]);
  // With the output its series go: the gauges are what the snapshot holds, and nothing besides.
  refreshGauges(daemon.metrics, { ...daemon.snapshot(), certificates: [] });
  expect((await daemon.metrics.registry.getSingleMetric(METRIC)?.get())?.values).toEqual([]);
});
