import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attachment } from '../../src/feeds/attachment.ts';
import { hostileRecord, hostileRecords, plainRecord, realLines } from '../formats/records.ts';

const feed = attachment.create({ name: 'mail', key: attachment.defaultKey });

const plainStrings = plainRecord as Readonly<Record<string, string>>;

function identify(record: unknown, key: readonly string[] = attachment.defaultKey) {
  return attachment.create({ name: 'mail', key }).identify(record);
}

function partsOf(record: unknown, key?: readonly string[]): readonly string[] {
  const identity = identify(record, key);
  if ('malformed' in identity) throw new Error(identity.malformed);
  return identity.parts;
}

function timeOf(date: unknown): number | string {
  const identity = identify({ ...plainRecord, date });
  return 'time' in identity ? identity.time : identity.malformed;
}

describe('the request', () => {
  it('asks for everything of a window, oldest first, in whole seconds without a colon', () => {
    const window = { from: Date.UTC(2015, 10, 16, 14, 49, 18), to: Date.UTC(2017, 9, 13, 23, 59, 59) };
    expect(feed.filter(window)).toEqual({
      from: '2015-11-16T14:49:18+0000',
      to: '2017-10-13T23:59:59+0000',
      oldestFirst: true,
      route: 'all',
      result: 'all',
    });
    expect(feed).toMatchObject({
      name: 'mail',
      type: 'attachment',
      path: '/api/ttp/attachment/get-logs',
      recordsKey: 'attachmentLogs',
    });
  });

  it('is dated as the records are, so that a window can be asked for again by their dates', () => {
    const date = '2024-11-17T20:16:00+0000';
    expect(feed.filter({ from: Number(timeOf(date)), to: 0 })).toMatchObject({ from: date });
  });
});

describe('the time of a record', () => {
  const AT = Date.UTC(2024, 10, 17, 20, 16, 0);

  it.each([
    '2024-11-17T20:16:00+0000',
    '2024-11-17T20:16:00+00:00',
    '2024-11-17T20:16:00-0000',
    '2024-11-17T20:16:00Z',
    '2024-11-17T20:16:00.9Z',
    '2024-11-17T20:16:00.0000000+00:00',
    `2024-11-17T20:16:00.${'9'.repeat(1000)}+0000`,
    '2024-11-17T22:16:00+0200',
    '2024-11-18T01:46:00+05:30',
    '2024-11-17T16:46:00-03:30',
  ])('is read from %s', (date) => {
    expect(timeOf(date)).toBe(AT);
  });

  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01T01:00:00+0100', 0],
    ['2106-02-07T06:28:15Z', 0xffff_ffff * 1000],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
  ])('%s is %i', (date, expected) => {
    expect(timeOf(date)).toBe(expected);
  });

  it.each([['1969-12-31T23:59:59Z'], ['1970-01-01T00:59:59+0100'], ['2106-02-07T06:28:16Z'], ['9999-12-31T23:59:59Z']])(
    '%s does not fit an event id',
    (date) => {
      expect(timeOf(date)).toBe('date is outside the years 1970 to 2106');
    },
  );

  it.each([
    '',
    '   ',
    'yesterday',
    '2024-11-17',
    '2024-11-17T20:16:00',
    '2024-11-17 20:16:00+0000',
    ' 2024-11-17T20:16:00Z',
    '2024-11-17T20:16:00Z\n',
    '2024-11-17T20:16Z',
    '2024-11-17T20:16:00.Z',
    '2024-11-17T20:16:00+00',
    '2023-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2024-02-30T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00+2400',
    '2024-01-01T00:00:00+0060',
    '0070-01-01T00:00:00Z',
    '+2024-01-01T00:00:00Z',
    '２０２４-01-01T00:00:00Z',
  ])('is not read from %j', (date) => {
    expect(timeOf(date)).toBe('date is not a time such as 2024-11-17T20:16:00+0000');
  });

  it('agrees with Date for every instant and offset', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: -1439, max: 1439 }),
        (seconds, offset) => {
          const local = new Date((seconds + offset * 60) * 1000).toISOString().slice(0, 19);
          fc.pre(/^\d/.test(local));
          const two = (n: number): string => String(n).padStart(2, '0');
          const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
          expect(timeOf(local + zone)).toBe(seconds * 1000);
        },
      ),
    );
  });
});

describe('a record that does not fit', () => {
  it.each([
    [null, 'the record is null, expected an object'],
    [undefined, 'the record is undefined, expected an object'],
    ['text', 'the record is a string, expected an object'],
    [7, 'the record is a number, expected an object'],
    [[], 'the record is an array, expected an object'],
    [{}, 'date is missing'],
    [{ ...plainRecord, date: null }, 'date is missing'],
    [{ ...plainRecord, date: 1731874560000 }, 'date is a number, expected text'],
    [{ ...plainRecord, subject: 1 }, 'subject is a number, expected text'],
    [{ ...plainRecord, details: [] }, 'details is an array, expected text'],
    [{ ...plainRecord, result: { a: 1 } }, 'result is an object, expected text'],
    [{ ...plainRecord, fileHash: true }, 'fileHash is a boolean, expected text'],
  ])('%j: %s', (record, expected) => {
    expect(identify(record)).toEqual({ malformed: expected });
  });

  it.each(attachment.keys)('has %s of another type', (key) => {
    expect(identify({ ...plainRecord, [key]: 0 })).toEqual({ malformed: `${key} is a number, expected text` });
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(identify(value)).toHaveProperty('malformed');
      }),
    );
  });

  it('is none of those that are odd but whole', () => {
    for (const record of [...realLines.map((line) => JSON.parse(line)), ...Object.values(hostileRecords)]) {
      expect(identify(record)).toHaveProperty('time');
    }
  });
});

describe('the identity of a record', () => {
  it('is the key, by name, with the date as an instant', () => {
    expect(partsOf(plainRecord)).toEqual([
      'fileHash,date,recipientAddress',
      plainRecord.fileHash,
      '1634237672',
      'johndoe@example.com',
    ]);
    expect(partsOf(plainRecord, ['messageId', 'subject'])).toEqual([
      'messageId,subject',
      plainRecord.messageId,
      plainRecord.subject,
    ]);
  });

  it('is the same however the same instant is written', () => {
    const again = { ...plainRecord, date: '2021-10-14T20:54:32.000+02:00' };
    expect(identify(again)).toEqual(identify(plainRecord));
    expect(identify({ ...again, fileHash: '' })).toEqual(identify({ ...plainRecord, fileHash: '' }));
  });

  it('does not know the name of the feed', () => {
    const renamed = attachment.create({ name: 'other', key: attachment.defaultKey });
    expect(renamed.identify(plainRecord)).toEqual(feed.identify(plainRecord));
  });

  it('takes values as they are sent', () => {
    const shouted = { ...plainRecord, recipientAddress: 'JohnDoe@Example.com' };
    expect(identify(shouted)).not.toEqual(identify(plainRecord));
    expect(partsOf(shouted)[3]).toBe('JohnDoe@Example.com');
  });

  it.each([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['blank', ' \t\r\n'],
  ])('is the whole record when a part of the key is %s', (_, fileHash) => {
    const { fileHash: __, ...rest } = plainRecord;
    const record = fileHash === undefined ? rest : { ...rest, fileHash };
    const parts = partsOf(record);
    expect(parts[0]).toBe('record');
    expect(JSON.parse(parts[1] ?? '')).toEqual({ ...record, date: 1634237672 });
    expect(partsOf({ ...record, subject: 'another' })).not.toEqual(parts);
    expect(partsOf(Object.fromEntries(Object.entries(record).reverse()))).toEqual(parts);
  });

  it('is the whole record when the key is empty or names nothing that is there', () => {
    expect(partsOf(plainRecord, [])[0]).toBe('record');
    expect(partsOf(plainRecord, ['nonesuch'])[0]).toBe('record');
    expect(partsOf(plainRecord, ['toString'])[0]).toBe('record');
  });

  it('ignores what the key does not name', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const { fileHash, date, recipientAddress } = plainRecord;
        const parts = partsOf({ ...record, fileHash, date, recipientAddress });
        expect(parts).toEqual(partsOf({ fileHash, date, recipientAddress }));
      }),
    );
  });

  it('and the severity need no more of a record of text than what is looked at', () => {
    const text = fc.string({ minLength: 1 }).filter((value) => value.trim() !== '');
    const record = fc.record({ fileHash: text, recipientAddress: text, subject: fc.string(), messageId: fc.string() });
    const result = fc.constantFrom('safe', 'Malicious', 'timeout', 'of a new kind');
    const keys = fc.subarray(['fileHash', 'date', 'recipientAddress', 'subject', 'messageId'], { minLength: 1 });
    fc.assert(
      fc.property(record, result, keys, (drawn, verdict, key) => {
        const whole: Record<string, string> = { ...plainStrings, ...drawn, result: verdict };
        const built = attachment.create({ name: 'mail', key });
        const { looksAt = new Set<string>() } = built;
        fc.pre([...looksAt].every((name) => whole[name]?.trim() !== ''));
        const seen = Object.fromEntries([...looksAt].map((name) => [name, whole[name]]));
        expect(built.identify(seen)).toEqual(built.identify(whole));
        expect(built.severityOf(seen)).toBe(built.severityOf(whole));
      }),
    );
    expect(attachment.create({ name: 'mail', key: [] }).looksAt).toBeUndefined();
  });

  it('differs between the two forms, whatever the record holds', () => {
    fc.assert(
      fc.property(hostileRecord, hostileRecord, (a, b) => {
        const [first, second] = [partsOf(a), partsOf(b)];
        if (first[0] === second[0]) return;
        expect([first[0], second[0]].sort()).toEqual(['fileHash,date,recipientAddress', 'record']);
      }),
    );
  });
});

describe('the description of a record', () => {
  it('has every known field as sent', () => {
    expect(feed.describe(plainRecord)).toEqual({
      eventClass: 'ttp-ap',
      title: 'Attachment Protect',
      severity: 9,
      result: 'malicious',
      action: 'user release, none',
      sender: '<>',
      recipient: 'johndoe@example.com',
      subject: 'Zürich 100% = ok',
      messageId: '<20200806044148.F35F813B435@mail.example.com>',
      fileName: 'num|be=rs "Q1"\\x].pdf',
      fileType: 'application/pdf',
      fileHash: 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3',
      route: 'inbound',
      policy: 'Inbound - Safe file with On-Demand Sandbox',
      details: 'Malicious   \r\nTime taken: 0 hrs, 0 min, 4 sec',
    });
  });

  it('leaves out what is missing, null, blank or no text', () => {
    expect(feed.describe({ subject: ' ', details: null, fileName: 7, route: '' })).toEqual({
      eventClass: 'ttp-ap',
      title: 'Attachment Protect',
      severity: 5,
    });
  });

  it.each([
    ['safe', 1],
    ['clean', 1],
    ['SAFE ', 1],
    ['unknown', 5],
    ['timeout', 5],
    ['error', 5],
    ['quarantined', 5],
    ['constructor', 5],
    [undefined, 5],
    [' ', 5],
    ['suspicious', 7],
    ['unsafe', 7],
    ['Malicious', 9],
  ])('rates %j %i', (result, severity) => {
    expect(feed.describe({ result }).severity).toBe(severity);
  });
});

describe('the type', () => {
  it('has a key by default that its records have', () => {
    expect(attachment.keys).toEqual(expect.arrayContaining([...attachment.defaultKey]));
    expect([...attachment.keys].sort()).toEqual(Object.keys(plainRecord).sort());
  });
});
