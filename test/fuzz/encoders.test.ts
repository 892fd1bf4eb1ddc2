import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelopes } from '../../src/formats/envelopes/index.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { formats } from '../../src/formats/index.ts';
import { bulkBody, documentOf } from '../../src/outputs/elasticsearch/bulk.ts';
import { envelopeWriter } from '../../src/outputs/hec/envelope.ts';
import { encodeBody } from '../../src/outputs/http/body.ts';
import { encodings } from '../../src/outputs/otlp/encoding.ts';
import { logRecordOf } from '../../src/outputs/otlp/record.ts';
import { frameAll } from '../../src/outputs/wire/framing.ts';
import { encodeFrame, RelpFrames } from '../../src/outputs/wire/relp-frames.ts';
import { messages } from '../fakes/otlp-messages.ts';
import { SyslogFrames } from '../fakes/syslog-frames.ts';
import { parseLeef } from '../formats/leef-readers.ts';
import { parseLogfmt } from '../formats/logfmt-readers.ts';
import { parseCef, parseRfc5424, topLevelKeys } from '../formats/parsers.ts';
import { eventOf, hostileRecord, ID } from '../formats/records.ts';
import { fuzz, fuzzAsync } from './fuzzing.ts';

/** Whatever a mail says, what is written is read back as one event with our id, by readers that share nothing with the writers. */

/** Each of some eighty tests does so many in the suite. */
const RUNS = 30;

/** Reads the text of a format to its end; gives its event id. Throws where a receiver would guess. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  json: (text) => idOf(text, (object) => object.eventId),
  ecs: (text) => idOf(text, (object) => object.event?.id),
  ocsf: (text) => idOf(text, (object) => object.metadata?.uid),
  cim: (text) => idOf(text, (object) => object.event_id ?? object.eventId ?? object.id),
  sentinel: (text) => idOf(text, (object) => object.EventId ?? object.EventID),
  cef: (text) => parseCef(text).extension.get('externalId'),
  leef: (text) => parseLeef(text).attributes.get('eventId'),
  kv: (text) => parseLogfmt(text).get('eventId'),
};

interface Parsed {
  readonly [key: string]: unknown;
  readonly event?: { readonly id?: unknown };
  readonly metadata?: { readonly uid?: unknown };
}

function idOf(text: string, pick: (object: Parsed) => unknown): unknown {
  const keys = topLevelKeys(text);
  expect(new Set(keys).size).toBe(keys.length);
  return pick(JSON.parse(text));
}

const context = {
  ...{ facility: 13, hostname: 'relay01', appName: 'mimecast-forwarder', procId: '4711', enterpriseId: 32473 },
  timezone: 'UTC',
};
const limit = fc.option(fc.integer({ min: 400, max: 3000 }), { nil: undefined });
const records = fc.array(hostileRecord, { minLength: 1, maxLength: 5 });

describe.each(Object.entries(formats))('format %s', (name, type) => {
  const format = buildFormat(type);
  const read = READERS[name];

  it.skipIf(format.carriesId === false)('is read back, whole or shortened', () => {
    fuzz(
      fc.property(hostileRecord, limit, (record, maxBytes) => {
        expect(read?.(format.render(eventOf(record), maxBytes).text)).toBe(ID);
      }),
      RUNS,
    );
  });

  const ways = Object.entries(envelopes).flatMap(([envelope, { header }]) =>
    (['octet-counting', 'newline'] as const).map((framing) => ({ envelope, framing, header })),
  );

  it.each(ways)(
    'in $envelope, with $framing, is as many messages as there are events',
    ({ envelope, framing, header }) => {
      fuzz(
        fc.property(records, limit, fc.nat(2000), (list, maxBytes, cut) => {
          const sent = list.map((record) => {
            const event = eventOf(record);
            const { text, shortened } = format.render(event, maxBytes);
            return { head: header(event, { ...context, tag: format.tagged !== true }, shortened), text };
          });
          const bytes = frameAll(
            sent.map(({ head, text }) => head + text),
            framing,
          );
          const frames = new SyslogFrames(framing);
          frames.push(bytes.subarray(0, cut));
          frames.push(bytes.subarray(cut));
          expect(frames.messages).toEqual(sent.map(({ head, text }) => head + text));
          expect(frames.isBetweenFrames).toBe(true);
          if (envelope !== 'rfc5424') return;
          for (const [index, message] of frames.messages.entries()) {
            const parsed = parseRfc5424(message);
            expect(parsed.message).toBe(sent[index]?.text);
            expect(parsed.data.get('mimecast@32473')?.get('eventId')).toBe(ID);
          }
        }),
        RUNS,
      );
    },
  );

  it('in RELP is one command', () => {
    fuzz(
      fc.property(hostileRecord, (record) => {
        const { text } = format.render(eventOf(record));
        const [frame, ...others] = new RelpFrames().push(encodeFrame(1, 'syslog', text.slice(0, 4000)));
        expect([frame?.data.toString(), others]).toEqual([Buffer.from(text.slice(0, 4000)).toString(), []]);
      }),
      RUNS,
    );
  });

  it("in HEC's envelope is one object with seven keys at most", () => {
    const metadata = { host: 'h', source: 's', sourcetype: 't', index: 'i' };
    const write = envelopeWriter(metadata, format, { maxMessageBytes: 100_000, maxRequestBytes: 800_000 });
    fuzz(
      fc.property(hostileRecord, (record) => {
        const { text } = write(eventOf(record));
        expect(topLevelKeys(text)).toEqual(['time', 'host', 'source', 'sourcetype', 'index', 'event', 'fields']);
        expect(JSON.parse(text).fields).toEqual({ event_id: ID });
        expect(text).not.toMatch(/[\r\n]/);
      }),
      RUNS,
    );
  });

  it('in a bulk request is an action and a document', async () => {
    const isJson = format.mediaType === 'application/json';
    await fuzzAsync(
      fc.asyncProperty(records, async (list) => {
        const items = list.map((record) => {
          const event = eventOf(record);
          return { event, text: documentOf(event, format.render(event), isJson), shortened: false };
        });
        const { body } = await encodeBody(bulkBody(items), true);
        const lines = gunzipSync(body).toString().split('\n');
        expect(lines).toHaveLength(2 * list.length + 1);
        for (const [index, line] of lines.slice(0, -1).entries()) {
          if (index % 2 === 0) expect(JSON.parse(line)).toEqual({ create: { _id: ID } });
          else expect(JSON.parse(line)['@timestamp']).toMatch(/^2021-10-14T18:54:32/);
        }
      }),
      RUNS,
    );
  });

  it('in OTLP is one record, in both encodings', () => {
    const origin = { resource: { 'service.name': 'x' }, scope: { name: 's', version: '1' } };
    fuzz(
      fc.property(records, (list) => {
        const texts = list.map((record) => format.render(eventOf(record)).text);
        const logs = list.map((record, index) => logRecordOf(eventOf(record), texts[index] ?? '', 0));
        const { protobuf, json } = encodings;
        const binary = messages.request.decode(protobuf.request(origin, logs.map(protobuf.record))).toJSON();
        const written = JSON.parse(json.request(origin, logs.map(json.record)).toString());
        for (const { resourceLogs } of [binary, written]) {
          const bodies = resourceLogs[0].scopeLogs[0].logRecords.map(
            (log: { body: { stringValue: string } }) => log.body.stringValue,
          );
          expect(bodies).toEqual(texts);
        }
      }),
      RUNS,
    );
  });
});
