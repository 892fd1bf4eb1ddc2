import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Severity } from '../../../src/event.ts';
import { type EnvelopeContext, headerName, priority } from '../../../src/formats/envelopes/envelope.ts';
import { rfc3164 } from '../../../src/formats/envelopes/rfc3164.ts';
import { rfc5424 } from '../../../src/formats/envelopes/rfc5424.ts';
import { parseRfc5424 } from '../parsers.ts';
import { eventOf, hostileRecord, hostileRecords, hostileText, ID, plainRecord } from '../records.ts';

const context: EnvelopeContext = {
  facility: 13,
  hostname: 'relay01.example.net',
  appName: 'mimecast-forwarder',
  procId: '4711',
  enterpriseId: 32473,
  timezone: 'UTC',
  tag: true,
};

function headerAt(date: string, timezone: string): string {
  return rfc3164.header(eventOf({ ...plainRecord, date }), { ...context, timezone }, false);
}

describe('PRI', () => {
  it.each<[Severity, number]>([
    [0, 110],
    [1, 110],
    [3, 110],
    [4, 109],
    [6, 109],
    [7, 108],
    [8, 108],
    [9, 106],
    [10, 106],
  ])('of severity %i with facility 13 is %i', (severity, expected) => {
    expect(priority(13, severity)).toBe(expected);
  });
});

describe('headerName', () => {
  it.each([
    ['relay01.example.net', 'relay01.example.net'],
    ['my host\r\n<1>', 'my_host__<1>'],
    ['zürich', 'z_rich'],
    ['', '-'],
    ['fe80::1', 'fe80::1'],
  ])('makes %j into %j', (text, expected) => {
    expect(headerName(text)).toBe(expected);
  });

  it('is never too long, empty or outside printable ASCII', () => {
    fc.assert(
      fc.property(hostileText, fc.constantFrom(32, 48, 128, 255), (text, max) => {
        expect(headerName(text, max)).toMatch(new RegExp(`^[!-~]{1,${max}}$`));
      }),
    );
  });
});

describe('the RFC 5424 header', () => {
  it('is this', () => {
    expect(rfc5424.header(eventOf(plainRecord), context, false)).toBe(
      `<106>1 2021-10-14T18:54:32.000Z relay01.example.net mimecast-forwarder 4711 ttp-ap [mimecast@32473 eventId="${ID}"] `,
    );
  });

  it('says that the text was shortened', () => {
    const { data, message } = parseRfc5424(`${rfc5424.header(eventOf(plainRecord), context, true)}{}`);
    expect(data).toEqual(
      new Map([
        [
          'mimecast@32473',
          new Map([
            ['eventId', ID],
            ['truncated', '1'],
          ]),
        ],
      ]),
    );
    expect(message).toBe('{}');
  });

  it('takes nothing from a record but its time and severity', () => {
    fc.assert(
      fc.property(hostileRecord, fc.boolean(), (record, shortened) => {
        const header = rfc5424.header(eventOf(record), context, shortened);
        const pri = /^<(?:106|108|109|110)>/.exec(header)?.[0] ?? '';
        const expected = rfc5424.header(eventOf({ date: plainRecord.date }), context, shortened);
        expect(header).toBe(expected.replace(/^<\d+>/, pri));
      }),
    );
  });

  it('is ASCII and parses for each hostile record', () => {
    for (const record of Object.values(hostileRecords)) {
      const header = rfc5424.header(eventOf(record), context, true);
      expect(header).toMatch(/^[ -~]+$/);
      expect(parseRfc5424(header)).toMatchObject({ facility: 13, msgId: 'ttp-ap', message: '' });
    }
  });
});

describe('the RFC 3164 header', () => {
  it('has a tag before text that brings none', () => {
    expect(rfc3164.header(eventOf(plainRecord), context, false)).toBe(
      '<106>Oct 14 18:54:32 relay01.example.net mimecast-forwarder[4711]: ',
    );
  });

  it('has no tag before CEF and LEEF', () => {
    expect(rfc3164.header(eventOf(plainRecord), { ...context, tag: false }, true)).toBe(
      '<106>Oct 14 18:54:32 relay01.example.net ',
    );
  });

  it.each([
    ['2021-10-04T18:54:32Z', 'UTC', 'Oct  4 18:54:32'],
    ['2021-10-04T18:54:32Z', 'Europe/Vienna', 'Oct  4 20:54:32'],
    ['2021-12-31T23:30:01Z', 'Europe/Vienna', 'Jan  1 00:30:01'],
    ['2024-03-31T00:59:59Z', 'Europe/Vienna', 'Mar 31 01:59:59'],
    ['2024-03-31T01:00:00Z', 'Europe/Vienna', 'Mar 31 03:00:00'],
    ['2024-10-27T00:30:00Z', 'Europe/Vienna', 'Oct 27 02:30:00'],
    ['2024-10-27T01:30:00Z', 'Europe/Vienna', 'Oct 27 02:30:00'],
    ['2024-02-29T20:00:05Z', 'Asia/Kolkata', 'Mar  1 01:30:05'],
    ['2024-02-29T20:00:05Z', 'America/St_Johns', 'Feb 29 16:30:05'],
    ['2024-05-05T00:00:00Z', 'UTC', 'May  5 00:00:00'],
    ['2024-09-05T00:00:00Z', 'UTC', 'Sep  5 00:00:00'],
  ])('writes %s in %s as %s', (date, timezone, expected) => {
    expect(headerAt(date, timezone).slice('<106>'.length, '<106>'.length + 15)).toBe(expected);
  });

  it('keeps zones, minutes and seconds apart when events of many come mixed', () => {
    const zones = ['UTC', 'Asia/Kathmandu', 'America/New_York'];
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 7200 }), fc.constantFrom(...zones))), (drawn) => {
        for (const [seconds, timezone] of drawn) {
          const at = new Date(Date.UTC(2024, 10, 3, 5) + seconds * 1000);
          const local = new Intl.DateTimeFormat('en-GB', {
            timeZone: timezone,
            timeStyle: 'medium',
            hourCycle: 'h23',
          }).format(at);
          expect(headerAt(at.toISOString(), timezone)).toContain(` ${local} `);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('never has the colons of an IPv6 address for a host', () => {
    expect(rfc3164.header(eventOf(plainRecord), { ...context, hostname: 'fe80::1' }, false)).toContain(
      ' fe80--1 mimecast',
    );
  });

  it('has a tag that receivers read as one', () => {
    const header = rfc3164.header(eventOf(plainRecord), { ...context, appName: `my:app[1]${'x'.repeat(39)}` }, false);
    expect(header).toContain(` my_app_1_${'x'.repeat(23)}[4711]: `);
  });
});
