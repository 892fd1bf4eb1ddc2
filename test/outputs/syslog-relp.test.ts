import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Rsyslog, rsyslogSpeaksRelp, startRsyslog } from '../receivers/rsyslog.ts';
import { eventsOf, HOSTILE, never, open, plainFormat } from './syslog-senders.ts';

/** Real rsyslog over RELP: what it stores, and whom it turns away. */
describe.skipIf(!rsyslogSpeaksRelp)('rsyslog over RELP', () => {
  let rsyslog: Rsyslog;

  beforeAll(async () => {
    rsyslog = await startRsyslog({ relp: true });
  });
  afterAll(() => rsyslog.stop());

  const clientCertificate = () => {
    const { ca, cert, key } = rsyslog.tls;
    return { caFile: ca, certFile: cert, keyFile: key };
  };
  const plain = () => ({ protocol: 'relp', port: rsyslog.relpPort });
  const overTls = () => ({ protocol: 'relp-tls', port: rsyslog.relpTlsPort, tls: clientCertificate() });
  /** The events that came after `before`, once there are as many as wanted. */
  const arrivals = async (before: number, count: number) => {
    const lines = async () => (await rsyslog.lines()).slice(before);
    await expect.poll(async () => (await lines()).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    return lines();
  };

  describe.each([
    ['plain', plain],
    ['inside TLS, with a client certificate', overTls],
  ])('%s', (_name, options) => {
    it('stores hostile texts to the octet, in order, with their header', async () => {
      const before = (await rsyslog.lines()).length;
      const output = open(options(), plainFormat);
      const events = eventsOf(HOSTILE);
      expect(await output.send(events, never)).toEqual({ rejected: [], shortened: 0 });
      await output.close();
      const lines = await arrivals(before, HOSTILE.length);
      expect(lines.map(({ msg }) => msg)).toEqual(HOSTILE);
      lines.forEach((line, index) => {
        expect(line).toMatchObject({ version: '1', host: 'relay01', app: 'mimecast-forwarder', input: 'imrelp' });
        expect(line.sd).toBe(`[mimecast@32473 eventId="${events[index]?.id}"]`);
      });
    });

    it('stores each event of many batches once, in order', async () => {
      const before = (await rsyslog.lines()).length;
      const output = open(options(), plainFormat);
      const texts = Array.from({ length: 2_000 }, (_, index) => `event ${index} ${'.'.repeat(index % 900)}`);
      for (let first = 0; first < texts.length; first += 500) {
        expect(await output.send(eventsOf(texts.slice(first, first + 500)), never)).toMatchObject({ rejected: [] });
      }
      await output.close();
      expect((await arrivals(before, texts.length)).map(({ msg }) => msg)).toEqual(texts);
    });

    it('is closed in good order: it has nothing to complain of', async () => {
      const [before, complaints] = [(await rsyslog.lines()).length, rsyslog.complaints()];
      const output = open(options(), plainFormat);
      await output.send(eventsOf(['good bye']), never);
      await output.close();
      await arrivals(before, 1);
      expect(rsyslog.complaints()).toBe(complaints);
    });
  });

  it('acknowledges what it cuts: its limit has to be kept here', async () => {
    const before = (await rsyslog.lines()).length;
    const output = open({ ...plain(), maxMessageBytes: '100KiB' }, plainFormat);
    expect(await output.send(eventsOf(['x'.repeat(70_000)]), never)).toEqual({ rejected: [], shortened: 0 });
    await output.close();
    const [stored] = await arrivals(before, 1);
    expect(stored?.msg.length).toBeLessThan(65_536);
  });

  it('is said by a probe to be there, with its software and its certificate', async () => {
    await expect(open(plain()).probe(never)).resolves.toMatch(
      /^connected to 127\.0\.0\.1:\d+, RELP session with librelp 1\./,
    );
    await expect(open(overTls()).probe(never)).resolves.toMatch(
      /TLSv1\.3, certificate CN=collector\.lab until \d{4}-\d\d-\d\d, RELP session with librelp 1\./,
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
  ])('%s takes nothing and acknowledges nothing', async (_name, tls) => {
    const before = (await rsyslog.lines()).length;
    const output = open({ ...overTls(), tls: tls() }, plainFormat);
    const refusal = { reason: 'tls', disposition: 'halt' };
    await expect(output.send(eventsOf(['refused']), never)).rejects.toMatchObject(refusal);
    await expect(output.probe(never)).rejects.toMatchObject(refusal);
    await output.close();
    // What comes now is all that came.
    const good = open(overTls(), plainFormat);
    await good.send(eventsOf(['accepted']), never);
    await good.close();
    expect((await arrivals(before, 1)).map(({ msg }) => msg)).toEqual(['accepted']);
  });

  it('reached on its TLS port without TLS, or the other way round, opens no session', async () => {
    const mixed = { protocol: 'relp', port: rsyslog.relpTlsPort, connectTimeout: '500ms' };
    await expect(open(mixed).send(eventsOf(['x']), never)).rejects.toMatchObject({
      hint: expect.stringContaining('relp-tls'),
    });
    const reversed = { ...overTls(), port: rsyslog.relpPort };
    await expect(open(reversed).send(eventsOf(['x']), never)).rejects.toMatchObject({
      hint: expect.stringContaining('port'),
    });
  });

  it('reached on a port of plain syslog opens no session', async () => {
    const output = open({ protocol: 'relp', port: rsyslog.newlinePort, connectTimeout: '300ms' });
    await expect(output.send(eventsOf(['x']), never)).rejects.toMatchObject({
      reason: 'timeout',
      disposition: 'retry',
    });
  });
});
