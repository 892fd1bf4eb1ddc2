import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { json as jsonType } from '../../src/formats/json.ts';
import { topLevelKeys } from './parsers.ts';
import { eventOf, eventOfLine, hostileRecord, ID, plainRecord, realLines } from './records.ts';

const json = buildFormat(jsonType);

const OURS = ['eventId', 'eventTime', 'feed', 'truncated'];

/** What a receiver should read: text well-formed at every depth, Mimecast's own `eventId` and the like gone. */
function expectedMembers(record: object): Map<string, unknown> {
  const sent = JSON.parse(JSON.stringify(record), (_, value) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  );
  return new Map(Object.entries(sent).filter(([key]) => !OURS.includes(key)));
}

function read(text: string): Map<string, unknown> {
  return new Map(Object.entries(JSON.parse(text)));
}

describe('the JSON format', () => {
  it('puts three members before the record and leaves its text as it was sent', () => {
    const line = realLines[0] ?? '';
    expect(json.render(eventOfLine(line))).toMatchObject({
      text: `{"eventId":"${ID}","eventTime":"2024-11-17T20:16:00Z","feed":"attachment",${line.slice(1)}`,
      shortened: false,
    });
  });

  it.each([
    ['no members', '{}'],
    ['no members but a space', '{ }'],
    ['white space before the first member', '{ "a" : 1 }'],
    ['white space round it', ' {"a":1} '],
    ['line ends between tokens', '{"a":1,\r\n\t"b":[1,\n2]}'],
    ['numbers past 2^53', '{"a":12345678901234567890}'],
  ])('reads back a record with %s', (_, raw) => {
    const { text } = json.render(eventOf({}, raw));
    expect(text).not.toMatch(/[\r\n\t]/);
    const ours = { eventId: ID, eventTime: '1970-01-01T00:00:00Z', feed: 'attachment' };
    expect(JSON.parse(text)).toEqual({ ...ours, ...JSON.parse(raw) });
  });

  it('keeps digits that a number in JavaScript would lose', () => {
    expect(json.render(eventOf({}, '{"a":12345678901234567890}')).text).toContain('"a":12345678901234567890');
  });

  it.each([
    ['as they are', '{"a":1,"eventId":"x","feed":{"y":1},"eventTime":null,"truncated":[]}'],
    ['with white space', '{"a":1,"eventId" : "x","truncated"\t: 1}'],
    ['spelt with escapes', '{"a":1,"event\\u0049d":"x","f\\u0065ed":"y"}'],
    ['first', '{"eventId":"x","a":1}'],
  ])('lets our names win over a record that has them %s', (_, raw) => {
    const { text, shortened } = json.render(eventOf({}, raw));
    expect(topLevelKeys(text)).toEqual(['eventId', 'eventTime', 'feed', 'a']);
    expect(JSON.parse(text)).toMatchObject({ eventId: ID, feed: 'attachment' });
    expect(shortened).toBe(false);
  });

  it('leaves our names alone where they are values or nested keys', () => {
    const record = { subject: 'feed', fileName: '"eventId":"x"', more: { feed: 1, eventId: 2 } };
    expect(read(json.render(eventOf(record)).text)).toEqual(
      new Map<string, unknown>([
        ['eventId', ID],
        ['eventTime', '1970-01-01T00:00:00Z'],
        ['feed', 'attachment'],
        ...Object.entries(record),
      ]),
    );
  });

  it('hides CEF:0 from receivers that look for it in any message', () => {
    const { text } = json.render(eventOf({ subject: 'a CEF:0|b', 'CEF:0': ['CEF:0'] }));
    expect(text).not.toContain('CEF:0');
    expect(JSON.parse(text)).toMatchObject({ subject: 'a CEF:0|b', 'CEF:0': ['CEF:0'] });
  });

  it.each([
    ['escaped', '{"a":"x\\ud800y","b":"\\uDC00\\ud83d\\ude00","c":"\\\\ud800"}'],
    ['raw', '{"a":"x\ud800y","b":"\udc00\ud83d\ude00","c":"\\\\ud800"}'],
    ['half and half', '{"a":"x\ud800y","b":"\udc00\\uD83D\\uDE00","c":"\\\\ud800"}'],
  ])('replaces lone surrogates, %s, and nothing that looks like them', (_, raw) => {
    const { text } = json.render(eventOf({}, raw));
    expect(text.isWellFormed()).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ a: 'x\ufffdy', b: '\ufffd😀', c: '\\ud800' });
  });

  it('reads back what was sent, whatever it is', () => {
    fc.assert(
      fc.property(hostileRecord, fc.boolean(), (record, indented) => {
        const { text, shortened } = json.render(eventOf(record, JSON.stringify(record, null, indented ? 1 : 0)));
        expect(shortened).toBe(false);
        expect(text).not.toMatch(/[\u0000-\u001f]|CEF:0/);
        const members = read(text);
        expect(topLevelKeys(text)).toHaveLength(members.size);
        for (const name of ['eventId', 'eventTime', 'feed']) members.delete(name);
        expect(members).toEqual(expectedMembers(record));
      }),
    );
  });

  it('says what it cut, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = json.render(eventOf(record), maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const members = read(text);
        const truncated = (members.get('truncated') ?? []) as string[];
        expect(truncated.length > 0).toBe(shortened);
        const missing = (name: string): boolean => truncated.includes(name) || truncated.includes('*');
        for (const [name, sent] of expectedMembers(record)) {
          const written = members.get(name);
          if (isDeepStrictEqual(written, sent)) continue;
          expect(missing(name)).toBe(true);
          if (written !== undefined) expect(isCutOf(String(sent), String(written))).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('cuts the longest text first and leaves the others whole', () => {
    const record = { ...plainRecord, details: 'd'.repeat(3000), subject: 's'.repeat(500) };
    const { text } = json.render(eventOf(record), 2000);
    const { eventId, eventTime, feed, truncated, details, ...rest } = JSON.parse(text);
    expect(truncated).toEqual(['details']);
    expect({ ...rest, details: record.details }).toEqual(record);
    expect(details).toMatch(/^d{100,}$/);
  });

  it('drops unknown members before known ones, and the verdict and the recipient last', () => {
    const record = {
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x${i}`, 'y'.repeat(20)])),
      ...plainRecord,
    };
    const { truncated, ...rest } = JSON.parse(json.render(eventOf(record), 400).text);
    expect(rest).toMatchObject({ eventId: ID, result: 'malicious', recipientAddress: 'johndoe@example.com' });
    expect(Object.keys(rest).filter((key) => key.startsWith('x'))).toEqual([]);
    expect(truncated).toContain('x0');
    expect(truncated.at(-1)).toBe('*');
  });
});

function isCutOf(sent: string, written: string): boolean {
  return sent.startsWith(written) && written.isWellFormed();
}
