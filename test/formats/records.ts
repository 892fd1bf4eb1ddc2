import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { canonicalJson } from '../../src/canonical.ts';
import { ForwarderEvent, type RawRecord } from '../../src/event.ts';
import { attachment } from '../../src/feeds/attachment.ts';

export const ID = '673a4f20d1c7e2a94f0b6c3d8e5a7192';
export const feed = attachment.create({ name: 'attachment', key: attachment.defaultKey });

/** Records of a real tenant, as sent. */
export const realLines: readonly string[] = readFileSync(
  new URL('../fixtures/records/attachment.ndjson', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n');

/** A record that a poller would have let in, as an event. `raw` is its text as Mimecast wrote it. */
export function eventOf(record: RawRecord, raw = canonicalJson(record)): ForwarderEvent {
  const identity = feed.identify(record);
  const time = 'time' in identity ? identity.time : 0;
  return new ForwarderEvent({ seq: 1, id: ID, source: feed, time, raw: Buffer.from(raw) });
}

export function eventOfLine(line: string): ForwarderEvent {
  return eventOf(JSON.parse(line), line);
}

export const plainRecord: RawRecord = {
  senderAddress: '<>',
  recipientAddress: 'johndoe@example.com',
  fileName: 'num|be=rs "Q1"\\x].pdf',
  fileType: 'application/pdf',
  result: 'malicious',
  actionTriggered: 'user release, none',
  date: '2021-10-14T18:54:32+0000',
  details: 'Malicious   \r\nTime taken: 0 hrs, 0 min, 4 sec',
  route: 'inbound',
  messageId: '<20200806044148.F35F813B435@mail.example.com>',
  subject: 'Zürich 100% = ok',
  fileHash: 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3',
  definition: 'Inbound - Safe file with On-Demand Sandbox',
};

const MIB = 1024 * 1024;

/** What a sender could put into a mail to break a log line, one trick each. All have a date and are let in. */
export const hostileRecords: Readonly<Record<string, RawRecord>> = {
  'line ends': { ...plainRecord, subject: 'a\r\nb\nc\rd\u2028e\u2029f\u0085g\u000bh' },
  'a forged line': { ...plainRecord, subject: `x\n<13>1 2024-01-01T00:00:00Z evil app - - - forged\n` },
  separators: { ...plainRecord, fileName: '|=]\\"[{}<>\',;\t^', subject: ' lead  and trail \\' },
  'a forged field': { ...plainRecord, subject: 'x act=none outcome=safe cs1=evil eventId=0', result: 'safe|9|rt=1' },
  'control characters': {
    ...plainRecord,
    fileName: Array.from({ length: 0xa0 }, (_, c) => String.fromCharCode(c)).join(''),
  },
  'a name written backwards': { ...plainRecord, fileName: 'invoice\u202efdp.exe\u2066\u200b\ufeff' },
  'lone surrogates': { ...plainRecord, subject: '\ud800', fileName: 'a\udc00b\ud83d', details: '\udc00\ud800' },
  'text of another format': { ...plainRecord, subject: 'CEF:0|x|y', details: 'LEEF:1.0|a|b', fileName: '{"a":1}' },
  'a very long subject': { ...plainRecord, subject: '\u{1f600}=\\"'.repeat(MIB / 4) },
  'everything very long': Object.fromEntries(
    Object.entries(plainRecord).map(([key, value]) => [
      key,
      key === 'date' ? value : `${value}${'ü\n'.repeat(MIB / 12)}`,
    ]),
  ),
  'a date with a very long fraction': { ...plainRecord, date: `2021-10-14T18:54:32.${'0'.repeat(MIB)}Z` },
  'nested unknown values': { ...plainRecord, more: { a: [1, { b: 'x\r\n\ud800CEF:0' }, null] }, n: 1e21, t: true },
  'our own names': { ...plainRecord, eventId: 'theirs', eventTime: 'theirs', feed: 'theirs', truncated: 'theirs' },
  'names of Object': { ...plainRecord, route: 'constructor', result: '__proto__', ...JSON.parse('{"__proto__":"x"}') },
  'very many unknown keys': {
    ...plainRecord,
    ...Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i])),
  },
  'a very long unknown key': { ...plainRecord, ['k"\n'.repeat(MIB / 3)]: 'v' },
  'nesting without end': { ...plainRecord, deep: JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) },
  'a date and nothing else': { date: plainRecord.date },
  'nulls and blanks': {
    ...Object.fromEntries(Object.keys(plainRecord).map((key) => [key, null])),
    date: plainRecord.date,
    subject: ' \r\n ',
  },
};

/** Text as a hostile sender would write it: any UTF-16, dense in what means something to some format. */
export const hostileText = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('\r', '\n', '\r\n', '|', '=', ']', '\\', '"', '\0', '\t', ' ', '  ') },
      { weight: 2, arbitrary: fc.constantFrom('\u202e', '\ud800', '\udc00', '\u2028', '\u0085', '\u007f', '\ufeff') },
      {
        weight: 2,
        arbitrary: fc.constantFrom('CEF:0', 'LEEF:1.0', ' act=', '\\n', '\\u0000', '"feed":', '",', 'é', '😀'),
      },
      { weight: 3, arbitrary: fc.string({ maxLength: 30 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) },
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join(''));

const longText = fc.tuple(hostileText, fc.integer({ min: 1, max: 200 })).map(([text, times]) => text.repeat(times));
const fieldValue = fc.oneof(
  { weight: 6, arbitrary: hostileText },
  { weight: 1, arbitrary: longText },
  { weight: 1, arbitrary: fc.constant(null) },
);
const KNOWN = Object.keys(plainRecord).filter((key) => key !== 'date');

/** Any record that is let in: known keys in any number, unknown ones of any type. */
export const hostileRecord: fc.Arbitrary<RawRecord> = fc
  .tuple(
    fc.record(Object.fromEntries(KNOWN.map((key) => [key, fieldValue])), { requiredKeys: [] }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('eventId', 'feed', 'truncated', 'a"b')), fc.jsonValue(), {
      maxKeys: 3,
    }),
  )
  .map(([known, unknown]) => {
    const clear = Object.entries(unknown).filter(([key]) => !(key in plainRecord));
    return { ...Object.fromEntries(clear), ...known, date: plainRecord.date };
  });

/** Characters that break a line, or that no encoder should be given. */
export const UNSAFE_ON_A_LINE = /[\u0000-\u001f]/;
