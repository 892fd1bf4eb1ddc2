import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { leef as leefType } from '../../src/formats/leef.ts';
import { parseLeef, readAsProperty, readAsSc4s } from './leef-readers.ts';
import { eventOf, hostileRecord, hostileText, ID, plainRecord } from './records.ts';

const leef = buildFormat(leefType);
const caret = buildFormat(leefType, { version: '2.0' });

/** What LEEF should carry of a text, worked out character by character. */
function expectedValue(text: string, delimiter = '\t', maxLength = Number.POSITIVE_INFINITY): string {
  let plain = '';
  for (const character of text.replaceAll('\r\n', '\n')) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '|') plain += '/';
    else if (code >= 0xd800 && code <= 0xdfff) plain += '\ufffd';
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029) plain += ' ';
    else plain += character === delimiter ? ' ' : character;
  }
  return Array.from(plain.trim()).slice(0, maxLength).join('').trimEnd();
}

/** LEEF key, Mimecast key, what `truncated` calls it. */
const TEXTS = [
  ['usrName', 'recipientAddress', 'recipient'],
  ['action', 'actionTriggered', 'action'],
  ['fileHash', 'fileHash', 'fileHash'],
  ['definition', 'definition', 'definition'],
  ['details', 'details', 'details'],
  ['sender', 'senderAddress', 'sender'],
  ['messageId', 'messageId', 'messageId'],
  ['fileType', 'fileType', 'fileType'],
  ['fileName', 'fileName', 'fileName'],
  ['subject', 'subject', 'subject'],
] as const;
const LONGEST = new Map<string, number>([['usrName', 255]]);
/** What the sender of a mail chooses freely. */
const SENDERS_CHOICE = ['senderAddress', 'messageId', 'fileType', 'fileName', 'subject'];

function expectedAttributes(record: Readonly<Record<string, unknown>>, delimiter: string): Map<string, string> {
  const expected = new Map<string, string>();
  for (const [key, name] of TEXTS) {
    const sent = record[name];
    const value = typeof sent === 'string' ? expectedValue(sent, delimiter, LONGEST.get(key)) : '';
    if (value !== '') expected.set(key, value);
  }
  return expected;
}

/** Less the four that every event has, and the mark: 255 characters are all that QRadar takes of `usrName`. */
function withoutFixed(attributes: ReadonlyMap<string, string>): Map<string, string> {
  const fixed = ['devTime', 'cat', 'sev', 'eventId', 'truncated'];
  return new Map([...attributes].filter(([key]) => !fixed.includes(key)));
}

describe('the LEEF format', () => {
  it('writes what replaces the escapes that LEEF does not have', () => {
    expect(leef.render(eventOf(plainRecord))).toEqual({
      text: [
        `LEEF:1.0|Mimecast|TTP Attachment Protect|2.0|malicious|devTime=1634237672\tcat=inbound\tsev=9\teventId=${ID}`,
        'usrName=johndoe@example.com',
        'action=user release, none',
        'fileHash=eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3',
        'definition=Inbound - Safe file with On-Demand Sandbox',
        'details=Malicious    Time taken: 0 hrs, 0 min, 4 sec',
        'sender=<>',
        'messageId=<20200806044148.F35F813B435@mail.example.com>',
        'fileType=application/pdf',
        'fileName=num/be=rs "Q1"\\x].pdf',
        'subject=Zürich 100% = ok',
      ].join('\t'),
      shortened: false,
    });
  });

  it.each([
    ['a|b', 'a/b'],
    ['a\tb', 'a b'],
    ['a\r\nb\rc\nd', 'a b c d'],
    ['a\0b\u0085c\u2028d\u007fe', 'a b c d e'],
    ['  a   b  ', 'a   b'],
    ['a=b==c', 'a=b==c'],
    ['a^b', 'a^b'],
    ['\ud800a\udc00', '\ufffda\ufffd'],
    ['a\u202eb\u200bc', 'a\u202eb\u200bc'],
    ['x\tsev=1|y', 'x sev=1/y'],
  ])('writes %j as %j', (subject, written) => {
    const { text } = leef.render(eventOf({ ...plainRecord, subject }));
    expect(text.slice(text.indexOf('\tsubject='))).toBe(`\tsubject=${written}`);
  });

  it('keeps EventID and category to plain words, for QRadar looks both up in a map', () => {
    const { text } = leef.render(
      eventOf({ ...plainRecord, result: ' Ev|il\t= Ünd\n so weiter', route: 'In bound|sev=1' }),
    );
    const { eventId, attributes } = parseLeef(text);
    expect(eventId).toBe('ev_il_nd_so_weiter');
    expect(attributes.get('cat')).toBe('in_bound_sev_1');
  });

  it('has EventID, category and four attributes even of a record with a date alone', () => {
    const { text } = leef.render(eventOf({ date: plainRecord.date }));
    expect(text).toBe(
      `LEEF:1.0|Mimecast|TTP Attachment Protect|2.0|unknown|devTime=1634237672\tcat=unknown\tsev=5\teventId=${ID}`,
    );
    expect(readAsSc4s(text)).toEqual(parseLeef(text).attributes);
  });

  it.each([
    ['safe', '1'],
    ['timeout', '5'],
    ['unsafe', '7'],
    ['malicious', '9'],
  ])('gives %s the severity %s', (result, sev) => {
    expect(parseLeef(leef.render(eventOf({ ...plainRecord, result })).text).attributes.get('sev')).toBe(sev);
  });

  it('never writes severity 0, which QRadar does not know', () => {
    const event = eventOf(plainRecord);
    Object.defineProperty(event, 'fields', { value: { ...event.fields, severity: 0 } });
    expect(parseLeef(leef.render(event).text).attributes.get('sev')).toBe('1');
  });

  it('cuts the recipient to what QRadar takes of a user name, in characters, and says so', () => {
    const recipientAddress = `${'😀'.repeat(300)}@example.com`;
    const { text, shortened } = leef.render(eventOf({ ...plainRecord, recipientAddress }));
    const { attributes } = parseLeef(text);
    expect(attributes.get('usrName')).toBe('😀'.repeat(255));
    expect(attributes.get('truncated')).toBe('recipient');
    expect(shortened).toBe(true);
  });

  it('reads back every field, whatever it holds, and nothing else', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const { text } = leef.render(eventOf(record));
        const { attributes } = parseLeef(text);
        expect(attributes.get('eventId')).toBe(ID);
        expect(withoutFixed(attributes)).toEqual(expectedAttributes(record, '\t'));
        expect(readAsSc4s(text)).toEqual(attributes);
      }),
      { numRuns: 300 },
    );
  });

  it('reads back one text in every field', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const record = { ...Object.fromEntries(TEXTS.map(([, name]) => [name, text])), date: plainRecord.date };
        const written = leef.render(eventOf(record)).text;
        expect(withoutFixed(parseLeef(written).attributes)).toEqual(expectedAttributes(record, '\t'));
        expect(readAsSc4s(written)).toEqual(parseLeef(written).attributes);
      }),
      { numRuns: 200 },
    );
  });

  it('lets no choice of the sender imitate an attribute, even for a reader that searches for its name', () => {
    const imitation = fc
      .tuple(fc.constantFrom('sev', 'cat', 'action', 'usrName', 'eventId', 'truncated', 'fileHash'), hostileText)
      .map(([key, text]) => `${text}\t${key}=evil|${key}=evil\n${key}=evil`);
    const chosen = fc.record(Object.fromEntries(SENDERS_CHOICE.map((name) => [name, imitation])));
    fc.assert(
      fc.property(chosen, fc.option(fc.integer({ min: 400, max: 2000 }), { nil: undefined }), (choice, maxBytes) => {
        const record = { ...plainRecord, ...choice };
        const { text } = leef.render(eventOf(record), maxBytes);
        const { attributes } = parseLeef(text);
        for (const key of ['devTime', 'cat', 'sev', 'eventId', 'truncated', 'usrName', 'action', 'fileHash']) {
          if (attributes.has(key)) expect(readAsProperty(text, key)).toBe(attributes.get(key));
          expect(attributes.get(key) ?? '').not.toContain('evil');
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([leef, caret])('says what it cut, at every limit', (format) => {
    const delimiter = format === leef ? '\t' : '^';
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = format.render(eventOf(record), maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const { attributes } = parseLeef(text);
        expect(readAsSc4s(text)).toEqual(attributes);
        expect(attributes.has('truncated')).toBe(shortened);
        const lost = attributes.get('truncated')?.split(',') ?? [];
        for (const [key, name, called] of TEXTS) {
          const sent = record[name];
          const whole = typeof sent === 'string' ? expectedValue(sent, delimiter) : '';
          const written = attributes.get(key) ?? '';
          if (written === whole) continue;
          expect(whole.startsWith(written)).toBe(true);
          expect(lost.includes('*') || lost.includes(called)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('LEEF 2.0', () => {
  const DELIMITERS = [...'!#$%&;?^`~()[]{}'];

  it('names its delimiter in the header, as a character, for SC4S does not decode hex', () => {
    const { text } = caret.render(eventOf({ date: plainRecord.date, subject: 'a^b\tc' }));
    expect(text).toBe(
      `LEEF:2.0|Mimecast|TTP Attachment Protect|2.0|unknown|^|devTime=1634237672^cat=unknown^sev=5^eventId=${ID}^subject=a b c`,
    );
  });

  it.each([
    ['^', '^'],
    ['x5E', '^'],
    ['0x5e', '^'],
    ['x007E', '~'],
    ['0x23', '#'],
    ['!', '!'],
  ])('takes %s for %s', (delimiter, written) => {
    const { text } = buildFormat(leefType, { version: '2.0', delimiter }).render(eventOf(plainRecord));
    expect(text).toContain(`|malicious|${written}|devTime=`);
  });

  it.each([
    '',
    '^^',
    ' ',
    '\t',
    'x09',
    'x20',
    '|',
    'x7c',
    '=',
    '.',
    '@',
    '/',
    ',',
    '*',
    '-',
    '_',
    'x',
    '0',
    'é',
    'x5G',
    'x12345',
  ])('refuses %j, which would break more than it separates', (delimiter) => {
    expect(() => buildFormat(leefType, { version: '2.0', delimiter })).toThrow(/expected one of ! # /);
  });

  it('refuses a delimiter that would have no effect, and versions that do not exist', () => {
    expect(() => buildFormat(leefType, { delimiter: '^' })).toThrow(/only with version: \\"2.0\\"/);
    expect(() => buildFormat(leefType, { version: '1.0', delimiter: '^' })).toThrow(/only with version/);
    expect(() => buildFormat(leefType, { version: '3.0' })).toThrow();
  });

  it('reads back every field, whatever it holds and whatever the delimiter is', () => {
    fc.assert(
      fc.property(hostileRecord, fc.constantFrom(...DELIMITERS), (record, delimiter) => {
        const { text } = buildFormat(leefType, { version: '2.0', delimiter }).render(eventOf(record));
        const { attributes } = parseLeef(text);
        expect(withoutFixed(attributes)).toEqual(expectedAttributes(record, delimiter));
        expect(readAsSc4s(text)).toEqual(attributes);
      }),
      { numRuns: 300 },
    );
  });

  it('has the mark whole, whatever the delimiter is', () => {
    for (const delimiter of DELIMITERS) {
      const format = buildFormat(leefType, { version: '2.0', delimiter });
      const { text } = format.render(
        eventOf({ ...plainRecord, details: 'd'.repeat(900), subject: 's'.repeat(900) }),
        1000,
      );
      expect(parseLeef(text).attributes.get('truncated')).toBe('details,subject');
      expect(readAsSc4s(text).get('truncated')).toBe('details,subject');
    }
  });
});

/** Worked out by hand from IBM's pages, in another order; the order of attributes is not enforced. */
const VECTOR = [
  'devTime=1634237672',
  'cat=inbound',
  'sev=9',
  'usrName=johndoe@example.com',
  'sender=<>',
  'fileName=num/be=rs "Q1"\\x].pdf',
  'fileType=application/pdf',
  'fileHash=eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3',
  'action=user release, none',
  'messageId=<20200806044148.F35F813B435@mail.example.com>',
  'subject=Zürich 100% = ok',
  'details=Malicious    Time taken: 0 hrs, 0 min, 4 sec',
  'definition=Inbound - Safe file with On-Demand Sandbox',
  `eventId=${ID}`,
];

it('an event that was worked out by hand has the same attributes', () => {
  const read = parseLeef(`LEEF:1.0|Mimecast|TTP Attachment Protect|2.0|malicious|${VECTOR.join('\t')}`);
  expect(parseLeef(leef.render(eventOf(plainRecord)).text)).toEqual({ ...read, version: 'LEEF:1.0' });
});
