import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { cef as cefType } from '../../src/formats/cef.ts';
import type { Format } from '../../src/formats/format.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { json as jsonType } from '../../src/formats/json.ts';
import type { Output, OutputContext } from '../../src/outputs/output.ts';
import { syslog } from '../../src/outputs/syslog.ts';
import { RelpServer } from '../fakes/relp-server.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';

const cef = buildFormat(cefType);
const json = buildFormat(jsonType);

const never = new AbortController().signal;

function eventOf(record: Record<string, unknown>, seq = 1): ForwarderEvent {
  return new ForwarderEvent({
    seq,
    id: seq.toString(16).padStart(32, '0'),
    source: {
      name: 'attachment',
      type: 'attachment',
      eventClass: 'ttp-ap',
      severityOf: () => 8,
      describe: ({ subject }) => ({
        eventClass: 'ttp-ap',
        title: 'Attachment Protect',
        severity: 8,
        subject: String(subject),
      }),
    },
    time: Date.UTC(2026, 9, 4, 18, 54, 32),
    raw: Buffer.from(JSON.stringify(record)),
  });
}

function create(options: Record<string, unknown>, format: Format = json): Output {
  const context: OutputContext = {
    name: 'siem',
    format,
    hostname: 'relay01',
    userAgent: 'mimecast-forwarder/0.0.0',
    pid: 4711,
    stdout: new Writable(),
  };
  return syslog.create(syslog.options.parse({ host: '127.0.0.1', protocol: 'tcp', ...options }), context);
}

let receiver: SyslogReceiver;
let output: Output | undefined;

async function send(options: Record<string, unknown>, record: Record<string, unknown>, format?: Format) {
  output = create({ port: receiver.port, ...options }, format);
  const sent = await output.send([eventOf(record)], never);
  return { sent, message: receiver.messages[0] ?? '' };
}

beforeEach(async () => {
  receiver = await SyslogReceiver.start();
});
afterEach(async () => {
  await output?.close();
  await receiver.stop();
});

describe('a syslog message', () => {
  it('has an RFC 5424 header with the event id before the text', async () => {
    const { sent, message } = await send({}, { subject: 'größer' });
    const id = '1'.padStart(32, '0');
    expect(message).toMatch(
      `<108>1 2026-10-04T18:54:32.000Z relay01 mimecast-forwarder 4711 ttp-ap [mimecast@32473 eventId="${id}"] {`,
    );
    expect(message).toContain('größer');
    expect(sent).toEqual({ rejected: [], shortened: 0 });
  });

  it('has what the options say in its header', async () => {
    const own = { facility: 16, hostname: 'gw.example', appName: 'mail', enterpriseId: 99 };
    const { message } = await send(own, { subject: 'x' });
    expect(message).toMatch(/^<132>1 \S+ gw\.example mail 4711 ttp-ap \[mimecast@99 /);
  });

  it('has an RFC 3164 header in the time zone of the options', async () => {
    const { message } = await send({ envelope: 'rfc3164', timezone: 'Europe/Vienna' }, { subject: 'x' });
    expect(message).toMatch(/^<108>Oct {2}4 20:54:32 relay01 mimecast-forwarder\[4711\]: \{/);
  });

  it('has no tag of ours before a CEF text', async () => {
    const { message } = await send({ envelope: 'rfc3164' }, { subject: 'x' }, cef);
    expect(message).toMatch(/^<108>Oct {2}4 18:54:32 relay01 CEF:0\|/);
  });

  it.each([1024, 2048])('is at most %i octets, header included, and says that it was shortened', async (limit) => {
    const { sent, message } = await send({ maxMessageBytes: limit }, { subject: 'ü'.repeat(5_000) });
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(limit);
    expect(Buffer.byteLength(message)).toBeGreaterThan(limit - 100);
    expect(message).toContain('truncated="1"');
    expect(sent.shortened).toBe(1);
  });

  it('fits even when saying that it was shortened makes the header longer', async () => {
    // The text alone fits to the octet; with `truncated="1"` in the header it no longer would.
    const greedy: Format = {
      name: 'greedy',
      mediaType: 'text/plain',
      render: (_event, maxBytes = 0) => ({ text: 'x'.repeat(maxBytes), shortened: true }),
    };
    const { message } = await send({ maxMessageBytes: 1024 }, {}, greedy);
    expect(Buffer.byteLength(message)).toBe(1024);
  });

  it('stays one line with newline framing, whatever a format does', async () => {
    await receiver.stop();
    receiver = await SyslogReceiver.start({ framing: 'newline' });
    const careless: Format = {
      name: 'careless',
      mediaType: 'text/plain',
      render: () => ({ text: 'one\r\n<13>two', shortened: false }),
    };
    await send({ framing: 'newline' }, {}, careless);
    expect(receiver.messages).toHaveLength(1);
    expect(receiver.messages[0]).toMatch(/ one <13>two$/);
  });
});

describe('syslog options', () => {
  const parse = (options: Record<string, unknown>) => syslog.options.safeParse(options);
  const tls = { host: 'siem.example', protocol: 'tls' };

  it('need no more than host and protocol', () => {
    expect(parse(tls).data).toMatchObject({
      envelope: 'rfc5424',
      framing: 'octet-counting',
      facility: 13,
      timezone: 'UTC',
      enterpriseId: 32473,
      confirm: 'close',
      appName: 'mimecast-forwarder',
      connectTimeout: 10_000,
      sendTimeout: 60_000,
    });
  });

  it.each([
    [{ ...tls, protocol: 'sctp' }, 'protocol'],
    [{ ...tls, hostname: 'two words' }, 'hostname'],
    [{ ...tls, envelope: 'rfc3164', hostname: 'fe80::1' }, 'hostname'],
    [{ ...tls, appName: '' }, 'appName'],
    [{ ...tls, timezone: 'Mars/Olympus' }, 'timezone'],
    [{ ...tls, facility: 24 }, 'facility'],
    [{ ...tls, maxMessageBytes: 500 }, 'maxMessageBytes'],
    [{ ...tls, enterpriseId: 0 }, 'enterpriseId'],
    [{ ...tls, protocol: 'tcp', tls: { caFile: 'ca.pem' } }, 'tls'],
    [{ ...tls, protocol: 'relp', tls: { caFile: 'ca.pem' } }, 'tls'],
    [{ ...tls, protocol: 'relp-tls', confirm: 'write' }, 'confirm'],
    [{ ...tls, tls: { keyFile: 'key.pem' } }, 'tls'],
    [{ ...tls, surprise: 1 }, ''],
  ])('%j are refused, at the right place', (options, place) => {
    expect(parse(options).error?.issues.map(({ path }) => path.join('.'))).toEqual([place]);
  });
});

it.each(['octet-counting', 'newline'])('relp lets stand what a profile or `config print` wrote: %s', (framing) => {
  const relp = { host: 'siem.example', protocol: 'relp-tls', framing, confirm: 'close', tls: {} };
  expect(syslog.options.safeParse(relp).success).toBe(true);
});

describe('what syslog says of itself', () => {
  const options = (more: Record<string, unknown>) => syslog.options.parse({ host: 'siem.example', ...more });

  it.each([
    [{ protocol: 'udp' }, 'udp://siem.example:514', false],
    [{ protocol: 'tcp', host: '::1' }, 'tcp://[::1]:514', true],
    [{ protocol: 'tcp', port: 601, confirm: 'write' }, 'tcp://siem.example:601', false],
    [{ protocol: 'tls' }, 'tls://siem.example:6514', true],
    [{ protocol: 'tls', confirm: 'write' }, 'tls://siem.example:6514', false],
  ])('%j', (more, target, lossless) => {
    expect(syslog.target(options(more))).toBe(target);
    expect(syslog.lossless(options(more))).toBe(lossless);
    expect(syslog.accepted(options(more))).toMatch(lossless ? /has read/ : /lost/);
  });

  it.each(['relp', 'relp-tls'])('%s', (protocol) => {
    expect(syslog.target(options({ protocol }))).toBe(`${protocol}://siem.example:2514`);
    expect(syslog.lossless(options({ protocol }))).toBe(true);
    expect(syslog.accepted(options({ protocol }))).toMatch(/acknowledged each event.*queue.*not on its disk/);
  });
});

describe('over RELP', () => {
  let server: RelpServer;

  beforeEach(async () => {
    server = await RelpServer.start();
  });
  afterEach(() => server.stop());

  /** Every second text does not fit. */
  const shortening: Format = {
    name: 'shortening',
    mediaType: 'text/plain',
    render: ({ seq }) => ({ text: `event ${seq}`, shortened: seq % 2 === 0 }),
  };
  const events = (count: number) => Array.from({ length: count }, (_, index) => eventOf({}, index + 1));
  const relp = () => {
    output = create({ protocol: 'relp', port: server.port, sendTimeout: '300ms' }, shortening);
    return output;
  };

  it('the refused events are told one by one, and only accepted ones count as shortened', async () => {
    server.codeFor = (message) => (/event [23]$/.test(message) ? 500 : 200);
    const all = events(5);
    const reason = 'the receiver refused it with code 500';
    expect(await relp().send(all, never)).toEqual({
      rejected: [
        { event: all[1], reason },
        { event: all[2], reason },
      ],
      shortened: 1,
    });
    expect(server.sessions[0]?.offers).toContain('relp_software=mimecast-forwarder,0.0.0\n');
  });

  it('the events without an acknowledgement are left over, in order, and none else', async () => {
    server.codeFor = (message) => (message.endsWith('event 2') ? 500 : 200);
    server.beforeEach = (acknowledged) => {
      if (acknowledged === 2) server.manner = 'hangs';
    };
    const all = events(8);
    const sent = await relp().send(all, never);
    // The third acknowledged one is event 4: the fake has it in its hands when it begins to hang.
    expect(sent).toMatchObject({ rejected: [{ event: all[1] }], shortened: 1 });
    expect(sent.unsettled?.events).toEqual(all.slice(4));
    expect(sent.unsettled?.error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
  });

  it('a message has header and text within the limit, 8000 octets if nothing else is said', async () => {
    output = create({ protocol: 'relp', port: server.port });
    await output.send([eventOf({ subject: 'ü'.repeat(9_000) })], never);
    const [message = ''] = server.messages;
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(8_000);
    expect(Buffer.byteLength(message)).toBeGreaterThan(7_900);
    expect(message).toContain('truncated="1"');
  });
});
