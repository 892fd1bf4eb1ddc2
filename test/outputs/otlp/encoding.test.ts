import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Encoding, encodings } from '../../../src/outputs/otlp/encoding.ts';
import { type LogRecord, logRecordOf, type Origin } from '../../../src/outputs/otlp/record.ts';
import { messages, readJson, readProtobuf } from '../../fakes/otlp-messages.ts';
import { eventOf, hostileRecords, ID, plainRecord } from '../../formats/records.ts';

const origin: Origin = {
  resource: { 'service.name': 'mimecast-ttp-ap', 'host.name': 'größer' },
  scope: { name: 'mimecast-forwarder', version: '1.0.0' },
};

const decoders: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  protobuf: (bytes) => readProtobuf(messages.request, bytes),
  json: (bytes) => readJson(messages.request, JSON.parse(bytes.toString())),
};

describe.each(Object.entries<Encoding>(encodings))('a request in %s', (name, encoding) => {
  const decoded = (records: readonly LogRecord[]) =>
    decoders[name]?.(
      encoding.request(
        origin,
        records.map((record) => encoding.record(record)),
      ),
    );

  it('says what an event is, in the words of OpenTelemetry', () => {
    const record = logRecordOf(eventOf(plainRecord), '{"a":"ü"}', Date.UTC(2026, 0, 1, 0, 0, 0, 5));
    expect(decoded([record])).toEqual({
      resourceLogs: [
        {
          resource: { attributes: [pair('service.name', 'mimecast-ttp-ap'), pair('host.name', 'größer')] },
          scopeLogs: [
            {
              scope: { name: 'mimecast-forwarder', version: '1.0.0' },
              logRecords: [
                {
                  timeUnixNano: '1634237672000000000',
                  observedTimeUnixNano: '1767225600005000000',
                  severityNumber: 17,
                  severityText: 'malicious',
                  eventName: 'mimecast.ttp_ap',
                  body: { stringValue: '{"a":"ü"}' },
                  attributes: [
                    pair('log.record.uid', ID),
                    pair('mimecast.feed', 'attachment'),
                    pair('mimecast.result', 'malicious'),
                    pair('event.action', 'user release, none'),
                    pair('email.from.address', '<>'),
                    pair('email.to.address', 'johndoe@example.com'),
                    pair('email.subject', 'Zürich 100% = ok'),
                    pair('email.message_id', '<20200806044148.F35F813B435@mail.example.com>'),
                    pair('email.direction', 'inbound'),
                    pair('file.name', 'num|be=rs "Q1"\\x].pdf'),
                    pair('file.mime_type', 'application/pdf'),
                    pair('file.hash.sha256', 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3'),
                    pair('rule.name', 'Inbound - Safe file with On-Demand Sandbox'),
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it.each(Object.entries(hostileRecords))('survives %s', (_, hostile) => {
    const record = logRecordOf(eventOf(hostile), 'text', 0);
    expect(decoded([record, record])).toMatchObject({
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'text' } }, {}] }] }],
    });
    for (const value of Object.values(record.attributes)) expect(value.length).toBeLessThanOrEqual(2050);
  });

  it('says of any record what was put in', () => {
    const word = fc.string({ unit: 'binary' }).map((text) => text.toWellFormed());
    const records = fc.array(
      fc.record({
        timeUnixNano: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
        observedTimeUnixNano: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
        severityNumber: fc.integer({ min: 1, max: 24 }),
        severityText: word.filter((text) => text !== ''),
        eventName: word.filter((text) => text !== ''),
        body: word,
        attributes: fc.dictionary(
          word.filter((text) => text !== '' && text !== '__proto__'),
          word,
        ),
      }),
    );
    fc.assert(
      fc.property(records, (given) => {
        const written = JSON.parse(JSON.stringify(decoded(given))) as Written;
        const read = written.resourceLogs[0]?.scopeLogs[0]?.logRecords ?? [];
        expect(read).toEqual(
          given.map((record) => ({
            ...record,
            timeUnixNano: String(record.timeUnixNano),
            observedTimeUnixNano: String(record.observedTimeUnixNano),
            body: { stringValue: record.body },
            ...attributesAsRead(name, record),
          })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('without telemetry is an empty one', () => {
    expect(JSON.parse(JSON.stringify(decoders[name]?.(encoding.empty)))).toEqual(
      name === 'json' ? { resourceLogs: [] } : {},
    );
  });

  it('costs no more for each record than it says', () => {
    const record = encoding.record({ ...logRecordOf(eventOf(plainRecord), 'x'.repeat(300_000), 0) });
    const frame = encoding.request(origin, []).length;
    const size = encoding.request(origin, [record, record, record]).length;
    // The lengths of the three messages around the records grow too, once, by a few bytes.
    expect(size - frame - 3 * record.length).toBeLessThanOrEqual(3 * encoding.recordOverhead + 12);
  });
});

it.each([
  ['safe', 9],
  ['timeout', 13],
  ['never heard of', 13],
  ['suspicious', 14],
  ['malicious', 17],
])('a verdict %s has the severity %i', (result, severityNumber) => {
  const record = logRecordOf(eventOf({ ...plainRecord, result }), '', 0);
  expect(record).toMatchObject({ severityNumber, severityText: result });
});

it('leaves out what a record has not, and a hash that is no SHA-256', () => {
  const record = logRecordOf(eventOf({ date: plainRecord.date, fileHash: 'd41d8cd98f00b204e9800998ecf8427e' }), '', 0);
  expect(record.attributes).toEqual({ 'log.record.uid': ID, 'mimecast.feed': 'attachment' });
  expect(record.severityText).toBe('');
});

it('shortens an attribute between characters and marks it', () => {
  const subject = '😀'.repeat(2000);
  const { attributes } = logRecordOf(eventOf({ ...plainRecord, subject }), '', 0);
  expect(attributes['email.subject']).toBe(`${'😀'.repeat(1024)}…`);
});

interface Written {
  readonly resourceLogs: readonly { readonly scopeLogs: readonly { readonly logRecords?: readonly unknown[] }[] }[];
}

function pair(key: string, stringValue: string) {
  return { key, value: { stringValue } };
}

/** A list without members is nothing in Protobuf, and an empty list in our JSON. */
function attributesAsRead(name: string, { attributes }: LogRecord) {
  const pairs = Object.entries(attributes).map(([key, value]) => pair(key, value));
  return pairs.length > 0 || name === 'json' ? { attributes: pairs } : { attributes: undefined };
}
