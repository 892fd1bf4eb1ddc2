import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { formats } from '../../src/formats/index.ts';
import { outputTypes } from '../../src/outputs/index.ts';
import { syslogProfiles } from '../../src/outputs/syslog/profiles.ts';
import { syslog } from '../../src/outputs/syslog.ts';
import { outputContext } from '../contract/output-harness.ts';
import { eventOf, plainRecord } from '../formats/records.ts';

describe('every profile', () => {
  const all = Object.values(outputTypes).flatMap(({ type, profiles = {}, options }) =>
    Object.entries(profiles).flatMap(([name, { options: set, cases = [] }]) =>
      [set, ...cases.map((one) => one.options)].map((set) => [`${type}: ${name}`, { options: set }, options] as const),
    ),
  );

  it.each(all)('%s sets options that its type has, and a format of the table', (_name, { options: set }, options) => {
    const { format, ...own } = set;
    const shared = ['batch', 'filter', 'retry', 'startFrom'];
    for (const [key, value] of Object.entries(own)) {
      if (!shared.includes(key)) expect(options.shape[key]?.safeParse(value)?.success, key).toBe(true);
    }
    if (format !== undefined) expect(buildChosen(format).name).toBeTruthy();
  });

  // A profile that sets what must be given would have editors ask for it all the same.
  it.each(all)('%s leaves to the operator what must be given', (_name, { options: set }, options) => {
    for (const key of Object.keys(set)) {
      if (options.shape[key]) expect(options.shape[key]?.safeParse(undefined)?.success, key).toBe(true);
    }
  });
});

describe('a message by the profile', () => {
  it.each([
    ['qradar', /^<106>Nov 17 20:16:00 relay01 LEEF:1\.0\|Mimecast\|/],
    ['splunk-sc4s', /^<106>Nov 17 20:16:00 relay01 CEF:0\|Mimecast\|/],
    [
      'splunk-tcp',
      /^<106>1 2024-11-17T20:16:00\.000Z relay01 mimecast-forwarder 4711 \S+ \[mimecast@32473 eventId="\w+"\] eventTime="/,
    ],
    ['sentinel', /^<162>Nov 17 20:16:00 relay01 CEF:0\|Mimecast\|/],
    [
      'elastic',
      /^<106>1 2024-11-17T20:16:00\.000Z relay01 mimecast-forwarder 4711 \S+ \[[^\]]+\] \{"@timestamp":"2024-11-17T20:16:00\.000Z",/,
    ],
    ['rsyslog', /^<106>1 2024-11-17T20:16:00\.000Z relay01 mimecast-forwarder 4711 \S+ \[[^\]]+\] \{"eventId":"/],
  ])('%s', (name, shape) => {
    expect(messageBy(name)).toMatch(shape);
    const longest = Math.max(
      ...['details', 'subject'].map((key) => Buffer.byteLength(messageBy(name, { [key]: 'ä'.repeat(9000) }))),
    );
    expect(longest).toBeLessThanOrEqual(name === 'qradar' ? 4000 : 8000);
  });

  it('is covered for each of them', () => {
    expect(Object.keys(syslogProfiles).sort()).toEqual([
      'elastic',
      'qradar',
      'rsyslog',
      'sentinel',
      'splunk-sc4s',
      'splunk-tcp',
    ]);
  });
});

it('what a message is shown as is what is sent', async () => {
  const receiver = createSocket('udp4').bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const output = syslog.create(
    syslog.options.parse({ host: '127.0.0.1', port: receiver.address().port, protocol: 'udp', maxMessageBytes: 1024 }),
    outputContext({ format: buildChosen('json') }),
  );
  for (const event of [eventOf(plainRecord), eventOf({ ...plainRecord, details: 'ä'.repeat(900) })]) {
    const arrival = once(receiver, 'message');
    await output.send([event], AbortSignal.timeout(5000));
    expect(String((await arrival)[0])).toBe(output.preview?.(event).text);
  }
  await output.close();
  receiver.close();
});

function messageBy(name: string, changes: object = {}): string {
  const { format, ...options } = syslogProfiles[name]?.options ?? expect.unreachable();
  const output = syslog.create(
    syslog.options.parse({ host: 'siem.example', protocol: 'tls', ...options }),
    outputContext({ format: buildChosen(format), hostname: 'relay01' }),
  );
  const record = { ...plainRecord, result: 'malicious', date: '2024-11-17T20:16:00+0000', ...changes };
  return output.preview?.(eventOf(record)).text ?? expect.unreachable('it shows nothing');
}

function buildChosen(format: unknown) {
  const { type, ...options } = typeof format === 'string' ? { type: format } : (format as { type: string });
  return buildFormat(formats[type] ?? expect.unreachable(`there is no format ${type}`), options);
}
