import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cef as cefType } from '../../src/formats/cef.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { parseCef } from './parsers.ts';
import { eventOf, hostileRecord, hostileText, ID, plainRecord } from './records.ts';

const cef = buildFormat(cefType);

/** What CEF should carry of a text, worked out character by character. */
function expectedValue(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  let plain = '';
  for (const character of text.replaceAll('\r\n', '\n')) {
    const code = character.codePointAt(0) ?? 0;
    let next = character;
    if (code === 0x0d) next = '\n';
    else if (code >= 0xd800 && code <= 0xdfff) next = '\ufffd';
    else if ((code < 0x20 && code !== 0x0a) || (code >= 0x7f && code < 0xa0)) next = ' ';
    else if (code === 0x2028 || code === 0x2029) next = ' ';
    if (next !== ' ' || !plain.endsWith(' ')) plain += next;
  }
  return Array.from(plain.trim()).slice(0, maxLength).join('').trimEnd();
}

function extensionOf(record: object, maxBytes?: number): ReadonlyMap<string, string> {
  return parseCef(cef.render(eventOf(record as Record<string, unknown>), maxBytes).text).extension;
}

/** CEF key, Mimecast key, most characters. */
const TEXTS = [
  ['outcome', 'result', 63],
  ['suser', 'senderAddress', 1023],
  ['duser', 'recipientAddress', 1023],
  ['fname', 'fileName', 1023],
  ['fileType', 'fileType', 1023],
  ['fileHash', 'fileHash', 255],
  ['msg', 'details', 1023],
  ['cs1', 'definition', 4000],
  ['cs2', 'messageId', 4000],
  ['cs3', 'subject', 4000],
  ['cs4', 'route', 4000],
] as const;

describe('the CEF format', () => {
  it('writes a record that needs every escape', () => {
    expect(cef.render(eventOf(plainRecord))).toEqual({
      text:
        'CEF:0|Mimecast|Targeted Threat Protection|2.0|ttp-ap:malicious|Attachment Protect: malicious|9|' +
        `rt=1634237672000 externalId=${ID} act=user release, none outcome=malicious suser=<> duser=johndoe@example.com ` +
        'fname=num|be\\=rs "Q1"\\\\x].pdf fileType=application/pdf ' +
        'fileHash=eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3 deviceDirection=0 cat=attachment_protect ' +
        'msg=Malicious \\nTime taken: 0 hrs, 0 min, 4 sec cs1Label=definition cs1=Inbound - Safe file with On-Demand Sandbox ' +
        'cs2Label=messageId cs2=<20200806044148.F35F813B435@mail.example.com> cs3Label=subject cs3=Zürich 100% \\= ok ' +
        'cs4Label=route cs4=inbound',
      shortened: false,
    });
  });

  it.each([
    ['a|b\\c=d', 'a|b\\\\c\\=d'],
    ['\\', '\\\\'],
    ['\\n', '\\\\n'],
    ['a\r\n\r\nb\rc', 'a\\n\\nb\\nc'],
    ['a\tb\0c\u0085d\u2028e', 'a b c d e'],
    ['  a   b  ', 'a b'],
    ['a \t b', 'a b'],
    ['\ud800a\udc00', '\ufffda\ufffd'],
    ['a\u202eb\u200bc', 'a\u202eb\u200bc'],
  ])('writes %j as %j', (subject, written) => {
    expect(cef.render(eventOf({ ...plainRecord, subject })).text).toContain(
      ` cs3Label=subject cs3=${written} cs4Label=`,
    );
  });

  it('writes an event the same whatever was written before it', () => {
    const verdicts = ['safe', 'malicious', undefined, 'Safe', 'unknown'];
    const records = Array.from({ length: 2500 }, (_, index) => ({
      ...plainRecord,
      result: verdicts[index % verdicts.length],
      details: `${' '.repeat(index % 7)}=${index % 1300}`,
    }));
    for (const record of records) {
      const { text } = cef.render(eventOf(record));
      const verdict = record.result ?? 'unknown';
      const severity = { safe: 1, malicious: 9, unknown: 5 }[verdict.toLowerCase()];
      expect(text).toContain(
        `|ttp-ap:${verdict.toLowerCase()}|Attachment Protect: ${verdict.toLowerCase()}|${severity}|`,
      );
      expect(text).toContain(` msg=\\=${record.details.split('=')[1]} cs1Label`);
    }
  });

  it('keeps the header free of anything that would need an escape', () => {
    const { header } = parseCef(
      cef.render(eventOf({ ...plainRecord, result: ' Ev|il\\ = Ünd\n so weiter, und so fort …' })).text,
    );
    expect(header.slice(4)).toEqual([
      'ttp-ap:ev_il_nd_so_weiter_und_so_',
      'Attachment Protect: ev_il_nd_so_weiter_und_so_',
      '5',
    ]);
  });

  it('calls a record without a verdict unknown', () => {
    const { header, extension } = parseCef(cef.render(eventOf({ date: plainRecord.date })).text);
    expect(header.slice(4)).toEqual(['ttp-ap:unknown', 'Attachment Protect: unknown', '5']);
    expect([...extension.keys()]).toEqual(['rt', 'externalId', 'cat']);
  });

  it.each([
    ['inbound', '0'],
    ['Outbound', '1'],
    ['internal', undefined],
    ['external', undefined],
    ['constructor', undefined],
  ])('gives route %s direction %s', (route, expected) => {
    const extension = extensionOf({ ...plainRecord, route });
    expect(extension.get('deviceDirection')).toBe(expected);
    expect(extension.get('cs4')).toBe(route);
  });

  it('cuts a long list of actions in act and has it whole in cs6', () => {
    const actionTriggered = Array.from({ length: 12 }, () => 'user release').join(', ');
    const { text, shortened } = cef.render(eventOf({ ...plainRecord, actionTriggered }));
    const { extension } = parseCef(text);
    expect(extension.get('act')).toBe(actionTriggered.slice(0, 63).trimEnd());
    expect(extension.get('cs6Label')).toBe('action');
    expect(extension.get('cs6')).toBe(actionTriggered);
    expect(shortened).toBe(false);
  });

  it('cuts a value to what its key may hold, in characters, and says so', () => {
    const fileName = '😀'.repeat(1200);
    const { text, shortened } = cef.render(eventOf({ ...plainRecord, fileName, subject: 'x'.repeat(4001) }));
    const { extension } = parseCef(text);
    expect(extension.get('fname')).toBe('😀'.repeat(1023));
    expect(extension.get('cs3')).toBe('x'.repeat(4000));
    expect(extension.get('MimecastTruncated')).toBe('fileName,subject');
    expect(shortened).toBe(true);
  });

  it('measures a value before it is escaped', () => {
    const fileName = '='.repeat(1023);
    const { text, shortened } = cef.render(eventOf({ ...plainRecord, fileName }));
    expect(parseCef(text).extension.get('fname')).toBe(fileName);
    expect(shortened).toBe(false);
  });

  it('reads back every field, whatever it holds', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const extension = extensionOf(record);
        expect(extension.get('externalId')).toBe(ID);
        for (const [key, name, maxLength] of TEXTS) {
          const sent = record[name];
          const expected = typeof sent === 'string' ? expectedValue(sent, maxLength) : '';
          expect(extension.get(key) ?? '').toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads back one text in every field', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const record = Object.fromEntries(TEXTS.map(([, name]) => [name, text]));
        const extension = extensionOf({ ...record, date: plainRecord.date });
        for (const [key, , maxLength] of TEXTS) expect(extension.get(key) ?? '').toBe(expectedValue(text, maxLength));
      }),
    );
  });

  it('says what it cut, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = cef.render(eventOf(record), maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const { extension } = parseCef(text);
        expect(extension.has('MimecastTruncated')).toBe(shortened);
        const lost = extension.get('MimecastTruncated')?.split(',') ?? [];
        for (const [key, name] of TEXTS) {
          const sent = record[name];
          const whole = typeof sent === 'string' ? expectedValue(sent) : '';
          const written = extension.get(key) ?? '';
          if (written === whole) continue;
          expect(whole.startsWith(written)).toBe(true);
          expect(lost.includes('*') || lost.includes(OUR_NAMES[name] ?? name)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const OUR_NAMES: Readonly<Record<string, string>> = { senderAddress: 'sender', recipientAddress: 'recipient' };
