import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReceivedBySyslogNg, type SyslogNg, startSyslogNg, syslogNgIsInstalled } from '../receivers/syslog-ng.ts';
import { eventsOf, HOSTILE, never, open, plainFormat } from './syslog-senders.ts';

/** Real syslog-ng, stricter than rsyslog: it takes structured data apart, and hangs up on a frame that is not octet-counted. */

describe.skipIf(!syslogNgIsInstalled)('syslog-ng', () => {
  let syslogNg: SyslogNg;

  beforeAll(async () => {
    syslogNg = await startSyslogNg();
  });
  afterAll(() => syslogNg.stop());

  const clientCertificate = () => {
    const { ca, cert, key } = syslogNg.tls;
    return { caFile: ca, certFile: cert, keyFile: key };
  };
  const arrivals = async (before: number, count: number): Promise<ReceivedBySyslogNg[]> => {
    const lines = async () => (await syslogNg.lines()).slice(before);
    await expect.poll(async () => (await lines()).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    return lines();
  };

  it.each([
    ['udp', () => ({ protocol: 'udp', port: syslogNg.udpPort })],
    ['tcp with octet counting', () => ({ protocol: 'tcp', port: syslogNg.tcpPort })],
    ['tcp with newlines', () => ({ protocol: 'tcp', port: syslogNg.newlinePort, framing: 'newline' })],
    ['tls', () => ({ protocol: 'tls', port: syslogNg.tlsPort, tls: clientCertificate() })],
  ])('over %s stores hostile texts to the octet and parses the structured data', async (_name, options) => {
    const before = (await syslogNg.lines()).length;
    const output = open(options(), plainFormat);
    const events = eventsOf(HOSTILE);
    await output.send(events, never);
    await output.close();
    const lines = await arrivals(before, HOSTILE.length);
    expect(lines.map(({ MESSAGE }) => MESSAGE)).toEqual(HOSTILE);
    expect(lines.map(({ _SDATA }) => _SDATA)).toEqual(events.map(({ id }) => ({ 'mimecast@32473': { eventId: id } })));
    expect(lines[0]).toMatchObject({ HOST: 'relay01', PROGRAM: 'mimecast-forwarder', PID: '4711', MSGID: 'ttp-ap' });
  });

  it.each([
    ['without a client certificate', () => ({ caFile: syslogNg.tls.ca })],
    [
      'with a client certificate of another authority',
      () => {
        const { cert, key } = syslogNg.certificates.stranger.client;
        return { caFile: syslogNg.tls.ca, certFile: cert, keyFile: key };
      },
    ],
  ])('%s takes nothing, and its alert is explained', async (_name, tls) => {
    const output = open({ protocol: 'tls', port: syslogNg.tlsPort, tls: tls() }, plainFormat);
    await expect(output.send(eventsOf(['refused']), never)).rejects.toMatchObject({
      reason: 'tls',
      disposition: 'halt',
      message: expect.stringContaining('wants a client certificate'),
    });
    expect((await syslogNg.lines()).map(({ MESSAGE }) => MESSAGE)).not.toContain('refused');
  });

  it.each([
    ['newlines where it counts octets', () => ({ protocol: 'tcp', port: syslogNg.tcpPort, framing: 'newline' })],
    ['plain TCP where it speaks TLS', () => ({ protocol: 'tcp', port: syslogNg.tlsPort })],
  ])('sent %s confirms nothing, by close or by write', async (_name, options) => {
    for (const confirm of ['close', 'write']) {
      const output = open({ ...options(), confirm }, plainFormat);
      await expect(output.send(eventsOf(['unreadable']), never)).rejects.toMatchObject({
        reason: 'unconfirmed',
        hint: expect.stringContaining('framing'),
      });
      await output.close();
    }
  });
});
