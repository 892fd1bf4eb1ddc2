import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical.ts';
import type { RawRecord } from '../../src/event.ts';
import { buildFormat, type Rendered } from '../../src/formats/format.ts';
import { kv as kvType } from '../../src/formats/kv.ts';
import { parseLogfmt, readAsSplunk } from './logfmt-readers.ts';
import { eventOf, hostileRecord, hostileText, ID, plainRecord } from './records.ts';

const kv = buildFormat(kvType);
const OURS = ['eventTime', 'eventId', 'feed', 'truncated'];

/** With the record's members in the order in which they are given. */
function render(record: RawRecord): Rendered {
  return kv.render(eventOf(record, JSON.stringify(record)));
}

/** Members whose keys need no change, as a reader should get them. */
function expectedPairs(record: object): Map<string, string> {
  const members = Object.entries(record).filter(
    ([key, value]) => value !== null && !OURS.includes(key) && /^[A-Za-z]\w*$/.test(key),
  );
  return new Map(
    members.map(([key, value]) => [key, typeof value === 'string' ? value.toWellFormed() : canonicalJson(value)]),
  );
}

/** The rest: how many there are, and their values in order. */
function oddValues(record: object): string[] {
  return Object.entries(record)
    .filter(([key, value]) => value !== null && !/^[A-Za-z]\w*$/.test(key))
    .map(([, value]) => (typeof value === 'string' ? value.toWellFormed() : canonicalJson(value)));
}

function keyOf(key: string): string | undefined {
  const pairs = parseLogfmt(kv.render(eventOf({ [key]: 'the value' })).text);
  return [...pairs].find(([, value]) => value === 'the value')?.[0];
}

describe('the kv format', () => {
  it('writes a record that needs every escape', () => {
    expect(render(plainRecord)).toEqual({
      text:
        `eventTime="2021-10-14T18:54:32Z" eventId="${ID}" feed="attachment" senderAddress="<>" ` +
        'recipientAddress="johndoe@example.com" fileName="num|be=rs \\"Q1\\"\\\\x].pdf" fileType="application/pdf" ' +
        'result="malicious" actionTriggered="user release, none" date="2021-10-14T18:54:32+0000" ' +
        'details="Malicious   \\r\\nTime taken: 0 hrs, 0 min, 4 sec" route="inbound" ' +
        'messageId="<20200806044148.F35F813B435@mail.example.com>" subject="Zürich 100% = ok" ' +
        'fileHash="eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3" ' +
        'definition="Inbound - Safe file with On-Demand Sandbox"',
      shortened: false,
    });
  });

  it.each([
    ['a "quoted" text', 'a \\"quoted\\" text'],
    ['C:\\temp\\', 'C:\\\\temp\\\\'],
    ['\\n', '\\\\n'],
    ['a\r\nb\nc\td', 'a\\r\\nb\\nc\\td'],
    ['\0\u001b\u007f\u0085\u2028', '\\u0000\\u001b\\u007f\\u0085\\u2028'],
    ['\ud800a\udc00', '\ufffda\ufffd'],
    ['x" result="safe', 'x\\" result=\\"safe'],
    ['', ''],
    [42, '42'],
    [false, 'false'],
    [{ b: ['x"y', null], a: 1 }, '{\\"a\\":1,\\"b\\":[\\"x\\\\\\"y\\",null]}'],
  ])('writes %j as %s', (more, written) => {
    expect(kv.render(eventOf({ more, subject: 'Re' })).text).toContain(` more="${written}" subject="Re"`);
  });

  it('shows Splunk the text with quotes and backslashes, and line ends as they are written', () => {
    const subject = 'a "b" \\ c\r\nd';
    const { text } = kv.render(eventOf({ ...plainRecord, subject }));
    expect(readAsSplunk(text).get('subject')).toBe('a "b" \\ c\\r\\nd');
  });

  it.each([
    ['fileName', 'fileName'],
    ['file name', 'file_name'],
    ['file.name-2', 'file_name_2'],
    ['_result', 'x__result'],
    ['2nd', 'x_2nd'],
    ['', 'x_'],
    ['a="b" c', 'a__b__c'],
    ['größe', 'gr__e'],
    ['name\n', 'name_'],
  ])('makes %j the key %s', (key, safe) => {
    expect(keyOf(key)).toBe(safe);
  });

  it('gives keys that became one and the same a number', () => {
    const { text } = render({ 'a b': '1', 'a-b': '2', a_b: '3', a_b_2: '4', 'a.b': '5' });
    expect([...parseLogfmt(text)].slice(3)).toEqual([
      ['a_b_3', '1'],
      ['a_b_4', '2'],
      ['a_b', '3'],
      ['a_b_2', '4'],
      ['a_b_5', '5'],
    ]);
  });

  it('takes no long time over many keys that become one and the same', () => {
    const record = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [String.fromCharCode(0x4e00 + i), i]));
    const started = performance.now();
    expect(parseLogfmt(kv.render(eventOf(record)).text).size).toBe(20_003);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('leaves out what is null, and a record’s own members by our names', () => {
    const record = {
      subject: null,
      eventId: 'theirs',
      feed: 'theirs',
      truncated: 'theirs',
      eventTime: 'theirs',
      a: 'b',
    };
    expect(kv.render(eventOf(record)).text).toBe(
      `eventTime="1970-01-01T00:00:00Z" eventId="${ID}" feed="attachment" a="b"`,
    );
  });

  it('reads back what was sent, whatever it is', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const { text, shortened } = render(record);
        expect(shortened).toBe(false);
        expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        const pairs = new Map(parseLogfmt(text));
        expect(pairs.get('eventId')).toBe(ID);
        for (const name of OURS) pairs.delete(name);
        const expected = expectedPairs(record);
        const odd = [...pairs].filter(([key]) => !expected.has(key));
        expect(new Map([...pairs].filter(([key]) => expected.has(key)))).toEqual(expected);
        expect(odd.map(([, value]) => value)).toEqual(oddValues(record));
      }),
      { numRuns: 300 },
    );
  });

  it('lets no text forge a pair, for either reader', () => {
    const forging = hostileText.map((text) => `${text}" result="safe" eventId="0`);
    fc.assert(
      fc.property(forging, forging, (subject, fileName) => {
        const record = { ...plainRecord, subject, fileName };
        const { text } = kv.render(eventOf(record));
        const keys = ['eventTime', 'eventId', 'feed', ...Object.keys(eventOf(record).record)];
        for (const read of [parseLogfmt(text), readAsSplunk(text)]) {
          expect([...read.keys()].toSorted()).toEqual(keys.toSorted());
          expect(read.get('result')).toBe('malicious');
          expect(read.get('eventId')).toBe(ID);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('says what it cut, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = kv.render(eventOf(record), maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const pairs = parseLogfmt(text);
        expect(pairs.has('truncated')).toBe(shortened);
        const lost = pairs.get('truncated')?.split(',') ?? [];
        for (const [key, whole] of expectedPairs(record)) {
          const written = pairs.get(key);
          if (written === whole) continue;
          expect(lost.includes(key) || lost.includes('*')).toBe(true);
          if (written !== undefined) expect(whole.startsWith(written)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
