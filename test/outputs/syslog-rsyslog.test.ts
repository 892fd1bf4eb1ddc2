import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OutputError } from '../../src/outputs/output.ts';
import { type ReceivedByRsyslog, type Rsyslog, rsyslogIsInstalled, startRsyslog } from '../receivers/rsyslog.ts';
import { eventsOf, HOSTILE, never, open, plainFormat } from './syslog-senders.ts';

/** Real rsyslog: what it stores, and what our confirmation is worth when it is stopped, killed or hung. */

const messagesOf = (lines: readonly ReceivedByRsyslog[]) => lines.map(({ msg }) => msg);

describe.skipIf(!rsyslogIsInstalled)('rsyslog', () => {
  let rsyslog: Rsyslog;

  beforeAll(async () => {
    rsyslog = await startRsyslog();
  });
  afterAll(() => rsyslog.stop());

  const clientCertificate = () => {
    const { ca, cert, key } = rsyslog.tls;
    return { caFile: ca, certFile: cert, keyFile: key };
  };
  /** The messages that came after `before`, once there are as many as wanted. */
  const arrivals = async (before: number, count: number) => {
    const lines = async () => (await rsyslog.lines()).slice(before);
    await expect.poll(async () => (await lines()).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    return lines();
  };

  describe.each([
    ['udp', 'imudp', () => ({ protocol: 'udp', port: rsyslog.udpPort })],
    ['tcp with octet counting', 'imptcp', () => ({ protocol: 'tcp', port: rsyslog.tcpPort })],
    ['tcp with newlines', 'imptcp', () => ({ protocol: 'tcp', port: rsyslog.newlinePort, framing: 'newline' })],
    ['tcp, confirmed by write', 'imptcp', () => ({ protocol: 'tcp', port: rsyslog.tcpPort, confirm: 'write' })],
    [
      'tls with a client certificate',
      'imtcp',
      () => ({ protocol: 'tls', port: rsyslog.tlsPort, tls: { ...clientCertificate(), servername: 'collector.lab' } }),
    ],
  ])('over %s', (_name, input, options) => {
    it('stores hostile texts to the octet, in order, with their header', async () => {
      const before = (await rsyslog.lines()).length;
      const output = open(options(), plainFormat);
      const events = eventsOf(HOSTILE);
      await output.send(events, never);
      await output.close();
      const lines = await arrivals(before, HOSTILE.length);
      expect(messagesOf(lines)).toEqual(HOSTILE);
      lines.forEach((line, index) => {
        expect(line).toMatchObject({
          version: '1',
          host: 'relay01',
          app: 'mimecast-forwarder',
          msgid: 'ttp-ap',
          input,
        });
        expect(line.sd).toBe(`[mimecast@32473 eventId="${events[index]?.id}"]`);
      });
    });
  });

  it('is said by a probe to be there, with its certificate', async () => {
    const output = open({ protocol: 'tls', port: rsyslog.tlsPort, tls: clientCertificate() });
    await expect(output.probe(never)).resolves.toMatch(
      new RegExp(
        `^connected to 127\\.0\\.0\\.1:${rsyslog.tlsPort}, TLSv1\\.3, certificate CN=collector\\.lab until \\d{4}-`,
      ),
    );
  });

  it.each([
    ['without a client certificate', () => ({ caFile: rsyslog.tls.ca })],
    [
      'with a client certificate of another name',
      () => {
        const { cert, key } = rsyslog.certificates.wrong;
        return { caFile: rsyslog.tls.ca, certFile: cert, keyFile: key };
      },
    ],
    [
      'with a client certificate of another authority',
      () => {
        const { cert, key } = rsyslog.certificates.stranger.client;
        return { caFile: rsyslog.tls.ca, certFile: cert, keyFile: key };
      },
    ],
    ['whose own authority is not ours', () => ({ ...clientCertificate(), caFile: rsyslog.certificates.stranger.ca })],
    ['whose name is not the one we want', () => ({ ...clientCertificate(), servername: 'elsewhere.lab' })],
  ])('%s gets nothing and confirms nothing', async (_name, tls) => {
    const before = (await rsyslog.lines()).length;
    for (const confirm of ['close', 'write']) {
      const output = open({ protocol: 'tls', port: rsyslog.tlsPort, confirm, tls: tls() }, plainFormat);
      await expect(output.send(eventsOf(['refused']), never)).rejects.toMatchObject({
        reason: 'tls',
        disposition: 'halt',
      });
      await output.close();
    }
    // What comes now is all that came.
    const good = open({ protocol: 'tls', port: rsyslog.tlsPort, tls: clientCertificate() }, plainFormat);
    await good.send(eventsOf(['accepted']), never);
    expect(messagesOf(await arrivals(before, 1))).toEqual(['accepted']);
  });

  it('reached with plain TCP on its TLS port confirms nothing', async () => {
    const output = open({ protocol: 'tcp', port: rsyslog.tlsPort });
    await expect(output.send(eventsOf(['x']), never)).rejects.toBeInstanceOf(OutputError);
  });
});
