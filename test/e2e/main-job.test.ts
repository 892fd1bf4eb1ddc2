import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaults } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { rsyslogIsInstalled, startRsyslog } from '../receivers/rsyslog.ts';
import { Forwarder } from './forwarder.ts';
import { compare, EXACTLY_ONCE, expectedIds, idsOf } from './truth.ts';

const HOUR = 3_600_000;
const DEADLINE = { timeout: 40_000, interval: 100 };

let simulator: Simulator;
let forwarder: Forwarder;

beforeEach(async () => {
  simulator = await Simulator.start({ seed: 'main-job', pageSize: 50 });
  forwarder = new Forwarder();
});

afterEach(async () => {
  await forwarder.remove();
  await simulator.stop();
});

function mail(count: number): void {
  const now = simulator.now();
  simulator.seed(count, { from: now - 20 * HOUR, to: now - 1000 });
}

describe('the main job, with the real daemon', () => {
  it.skipIf(!rsyslogIsInstalled)(
    'delivers every record exactly once to a real rsyslog over TLS while every fault of the API is on [rsyslog]',
    { timeout: 90_000 },
    async () => {
      const rsyslog = await startRsyslog();
      try {
        mail(2000);
        simulator.inject(
          ...parseFaults(
            '429:every=17,by=1s,401:every=23,5xx:p=0.05,cut:p=0.03,html:p=0.03,reset:p=0.03,empty-body:p=0.02,' +
              'fail-in-200:p=0.03,status-in-200:p=0.03,token-expiry:every=29,page-token-expiry:every=13,' +
              'duplicate-pages:p=0.2,shuffle:p=0.3,empty-with-next:p=0.05,repeated-next:p=0.03,slow:p=0.02,by=300ms',
          ),
        );
        forwarder.configure({
          simulator,
          outputs: [
            {
              name: 'siem',
              type: 'syslog',
              host: '127.0.0.1',
              port: rsyslog.tlsPort,
              protocol: 'tls',
              tls: {
                caFile: rsyslog.tls.ca,
                certFile: rsyslog.tls.cert,
                keyFile: rsyslog.tls.key,
                servername: 'collector.lab',
              },
            },
          ],
        });
        const daemon = forwarder.start();
        const received = async () =>
          compare(expectedIds(simulator), idsOf((await rsyslog.lines()).map(({ msg }) => msg)));
        await vi.waitFor(async () => expect(await received(), daemon.stderr.slice(-2000)).toEqual(EXACTLY_ONCE), {
          timeout: 80_000,
          interval: 250,
        });
        expect(Object.keys(simulator.stats.byFault).length).toBeGreaterThan(8);
        expect((await daemon.stop()).code).toBe(0);
        expect(await received()).toEqual(EXACTLY_ONCE);
      } finally {
        await rsyslog.stop();
      }
    },
  );

  it('serves each output on its own: one that is dead, and one that refuses, hold nothing else back', async () => {
    const syslog = await SyslogReceiver.start();
    const hook = await HttpReceiver.start();
    const dead = await SyslogReceiver.start();
    const deadPort = dead.port;
    await dead.stop();
    try {
      mail(600);
      const poison = [...expectedIds(simulator)][300] ?? '';
      hook.react = ({ text }) => ({ status: text.includes(poison) ? 422 : 200 });
      forwarder.configure({
        simulator,
        outputs: [
          { name: 'tcp', type: 'syslog', host: '127.0.0.1', port: syslog.port, protocol: 'tcp' },
          { name: 'hook', type: 'webhook', url: `${hook.origin}/in`, batch: { maxEvents: 64 } },
          { name: 'dead', type: 'syslog', host: '127.0.0.1', port: deadPort, protocol: 'tcp' },
        ],
      });
      const daemon = forwarder.start();
      const expected = expectedIds(simulator);
      const overHttp = () => idsOf(hook.requests.flatMap(({ text }) => text.split('\n').filter((line) => line !== '')));
      await vi.waitFor(() => {
        expect(compare(expected, idsOf(syslog.messages)), daemon.stderr).toEqual(EXACTLY_ONCE);
        expect(compare(expected, overHttp())).toEqual({ missing: 1, unknown: 0, repeated: 0 });
      }, DEADLINE);
      expect(overHttp()).not.toContain(poison);

      const rejects = await forwarder.command('rejects', 'list', '--json', '--config', forwarder.configFile);
      expect(JSON.parse(rejects.stdout)).toMatchObject({
        rejects: [{ output: 'hook', eventId: poison }],
        malformed: [],
      });

      // Mended: the reject is sent again by the running daemon.
      hook.react = () => ({ status: 200 });
      const retried = await forwarder.command('rejects', 'retry', 'all', '--config', forwarder.configFile);
      expect(retried).toMatchObject({ code: 0 });
      await vi.waitFor(() => expect(compare(expected, overHttp())).toEqual(EXACTLY_ONCE), DEADLINE);

      const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
      expect(metrics).toContain('mimecast_forwarder_output_events_total{output="tcp",outcome="delivered"} 600');
      expect(metrics).toContain('mimecast_forwarder_output_up{output="dead"} 0');
      expect(metrics).toContain('mimecast_forwarder_output_backlog_events{output="dead"} 600');
      expect(metrics).toMatch(/mimecast_forwarder_output_errors_total\{output="dead",reason="connect"\} [1-9]/);

      // It comes back: all that waited arrives.
      const back = await SyslogReceiver.start({ port: deadPort });
      try {
        await vi.waitFor(() => expect(compare(expected, idsOf(back.messages))).toEqual(EXACTLY_ONCE), DEADLINE);
      } finally {
        await back.stop();
      }
      expect((await daemon.stop()).code).toBe(0);
    } finally {
      await syslog.stop();
      await hook.close();
    }
  });

  it('finds what surfaces late, and reads records in the same second across pages, without a double', async () => {
    const syslog = await SyslogReceiver.start();
    try {
      const now = Math.floor(simulator.now() / 1000) * 1000;
      simulator.seed(200, { from: now - 30_000, to: now - 29_500 });
      forwarder.configure({
        simulator,
        outputs: [{ name: 'tcp', type: 'syslog', host: '127.0.0.1', port: syslog.port, protocol: 'tcp' }],
        feed: { overlap: '5m' },
      });
      const daemon = forwarder.start();
      await vi.waitFor(
        () => expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE),
        DEADLINE,
      );
      // Dated well before the checkpoint, shown only now.
      simulator.seed(50, { from: now - 120_000, to: now - 60_000 });
      await vi.waitFor(
        () => expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE),
        DEADLINE,
      );
      const polls = simulator.stats.requests;
      await vi.waitFor(() => expect(simulator.stats.requests).toBeGreaterThan(polls + 8), DEADLINE);
      expect(compare(expectedIds(simulator), idsOf(syslog.messages))).toEqual(EXACTLY_ONCE);
      await daemon.stop();
    } finally {
      await syslog.stop();
    }
  });
});
