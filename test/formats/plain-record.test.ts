import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { json as jsonType } from '../../src/formats/json.ts';
import { isPlainRecord, isPlainUsual, NAMES_OF_OURS } from '../../src/formats/plain-record.ts';
import { eventOf, feed, hostileRecord, ID, plainRecord } from './records.ts';

const json = buildFormat(jsonType);

/** What is left of a JSON message when our members are taken from its front. */
function behindOurs(text: string): string {
  return `{${text.slice(text.indexOf('"feed":"attachment",') + '"feed":"attachment",'.length)}`;
}

describe('a plain record', () => {
  it.each([
    ['a line end between tokens', '{"a":1,\n"b":2}'],
    ['a tab between tokens', '{"a":1,\t"b":2}'],
    ['an escape', '{"a":"\\u0000"}'],
    ['the start of CEF', '{"a":"CEF:0|x"}'],
    ['one of our names', '{"a":1,"feed":"x"}'],
    ['one of our names as a value', '{"a":"eventId"}'],
  ])('does not have %s', (_, text) => {
    expect(isPlainRecord(text)).toBe(false);
  });

  it('may have anything else', () => {
    expect(isPlainRecord('{"subject":"Zürich \\r\\n | = ] 請求書","feeds":"CEF:1"}')).toBe(true);
  });

  it('is one in UTF-8 and in UTF-8 that was read as Latin-1, and needs nothing mended', () => {
    let plain = 0;
    const calm = fc.record({ date: fc.constant(plainRecord.date), subject: fc.string({ unit: 'grapheme' }) });
    fc.assert(
      fc.property(fc.oneof(calm, hostileRecord), (record) => {
        const event = eventOf(record);
        const isPlain = isPlainRecord(event.raw.toString());
        expect(isPlainRecord(event.raw.toString('latin1'))).toBe(isPlain);
        if (!isPlain) return;
        plain += 1;
        expect(behindOurs(json.render(event).text)).toBe(event.raw.toString());
      }),
    );
    expect(plain).toBeGreaterThan(0);
  });

  it('is told with one look where only a word of CEF can be the matter', () => {
    const calm = fc.string({ unit: 'grapheme' }).map((subject) => ({ ...plainRecord, subject, fileName: 'a.pdf' }));
    const sly = calm.map((record) => ({ ...record, details: 'CEF:0|' }));
    fc.assert(
      fc.property(fc.oneof(calm, sly), (record) => {
        const text = JSON.stringify(record);
        fc.pre(!text.includes('\\u') && Object.keys(record).every((name) => !NAMES_OF_OURS.has(name)));
        // A value that reads like one of our names is looked at closely for nothing: that is all that may differ.
        if (isPlainRecord(text) !== isPlainUsual(text)) expect(text).toMatch(/"(?:eventId|eventTime|feed|truncated)"/);
      }),
    );
    expect([isPlainUsual('{"a":"CEF:0"}'), isPlainUsual('{"a":"CEF:1"}')]).toEqual([false, true]);
  });

  it('has none of the names that the formats put before it', () => {
    const head = json.render(eventOf(plainRecord)).text;
    const ours = Object.keys(JSON.parse(head)).slice(0, 3);
    expect([...NAMES_OF_OURS]).toEqual([...ours, 'truncated']);
    for (const name of NAMES_OF_OURS) expect(isPlainRecord(`{"${name}":1}`)).toBe(false);
  });

  it('is looked at where nobody has, and only there', () => {
    const raw = Buffer.from('{"a":"\\ud800"}');
    const event = (isPlain?: boolean) => new ForwarderEvent({ seq: 1, id: ID, source: feed, time: 0, raw, isPlain });
    for (const mended of [event(), event(false)]) expect(behindOurs(json.render(mended).text)).toBe('{"a":"\\ufffd"}');
    expect(behindOurs(json.render(event(true)).text)).toBe(raw.toString());
  });
});
