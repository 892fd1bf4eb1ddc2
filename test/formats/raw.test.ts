import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { raw as rawType } from '../../src/formats/raw.ts';
import { topLevelKeys } from './parsers.ts';
import { eventOf, eventOfLine, hostileRecord, ID, plainRecord, realLines } from './records.ts';

const raw = buildFormat(rawType);

describe('the raw format', () => {
  it('hands on the very bytes of a record', () => {
    for (const line of realLines) {
      const event = eventOfLine(line);
      const { text, line: bytes, shortened } = raw.render(event);
      expect(text).toBe(line);
      expect(bytes).toEqual({ head: '', tail: event.raw });
      expect(bytes?.tail).toBe(event.raw);
      expect(shortened).toBe(false);
    }
  });

  it.each([
    ['escapes that spell what need not be escaped', '{"a":"\\u0041\\/\\ud800"}'],
    ['numbers past 2^53', '{"a":12345678901234567890,"b":1.0}'],
    ['keys that stand twice', '{"a":1,"a":2}'],
    ['spaces and tabs between tokens', '{ "a"\t: 1 }'],
    ['our own names', '{"eventId":"x","truncated":["a"]}'],
    ['text that is dear to SC4S', '{"subject":"CEF:0|x"}'],
    ['no members', '{}'],
  ])('changes nothing of %s', (_, text) => {
    expect(raw.render(eventOf({}, text)).text).toBe(text);
  });

  it('makes a space of a line end between tokens', () => {
    const text = '{\r\n "a": "ü\\n",\n "b": 1\r}\n';
    const rendered = raw.render(eventOf({}, text));
    expect(rendered.text).toBe('{   "a": "ü\\n",  "b": 1 } ');
    expect(rendered.line?.tail.toString()).toBe(rendered.text);
  });

  it('has no event id, and says so', () => {
    expect(raw.carriesId).toBe(false);
    expect(raw.render(eventOf(plainRecord)).text).not.toContain(ID);
  });

  it('is the record or is marked, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const event = eventOf(record);
        const { text, shortened } = raw.render(event, maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const read = JSON.parse(text);
        expect(new Set(topLevelKeys(text)).size).toBe(topLevelKeys(text).length);
        if (event.raw.length <= maxBytes) expect(text).toBe(event.raw.toString());
        else if (shortened) expect(read.truncated.length).toBeGreaterThan(0);
        else expect(read).toEqual(JSON.parse(event.raw.toString().toWellFormed()));
      }),
      { numRuns: 300 },
    );
  });

  it('cuts the longest text first and leaves the others whole', () => {
    const record = { ...plainRecord, details: 'd'.repeat(3000), subject: 's'.repeat(500) };
    const { text } = raw.render(eventOf(record), 2000);
    const { truncated, details, ...rest } = JSON.parse(text);
    expect(truncated).toEqual(['details']);
    expect({ ...rest, details: record.details }).toEqual(record);
    expect(details).toMatch(/^d{100,}$/);
  });

  it('marks a record whose own member has the name of the mark, and keeps room for it', () => {
    const record = { ...plainRecord, truncated: 't'.repeat(200) };
    const whole = eventOf(record).raw.length;
    for (let maxBytes = 480; maxBytes < whole; maxBytes += 1) {
      const { text, shortened } = raw.render(eventOf(record), maxBytes);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
      expect(JSON.parse(text).truncated).toContain('truncated');
      expect(shortened).toBe(true);
    }
    expect(JSON.parse(raw.render(eventOf(record), whole - 1).text)).toEqual({
      ...plainRecord,
      truncated: ['truncated'],
    });
  });
});
