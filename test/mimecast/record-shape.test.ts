import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutPage, parsePage, type Reading } from '../../src/mimecast/page.ts';
import { hostileRecord, plainRecord, realLines } from '../formats/records.ts';

const KEY = 'attachmentLogs';
const USUAL: Readonly<Record<string, unknown>> = { ...plainRecord, subject: 'Offer', fileName: 'a.pdf' };

/** What a record came as: parsed, or recognised, with the members that were looked at. */
interface Read {
  readonly members?: object;
  readonly record: unknown;
}

const reading: Reading<Read> = {
  read: (record) => ({ record }),
  usual: {
    looksAt: new Set(['fileHash', 'date', 'recipientAddress', 'result']),
    lacks: new Set(['eventId']),
    // The text alone must say what the record is.
    read: (members, text) => ({ members, record: JSON.parse(Buffer.from(text, 'latin1').toString()) }),
  },
};

function read(texts: readonly string[]) {
  return parsePage(Buffer.from(`{"data":[{"${KEY}":[${texts.join(',')}]}],"fail":[]}`), KEY, reading)?.records ?? [];
}

/** Is this record recognised by the one before it? */
function isRecognised(text: string): boolean {
  const [, second] = read([JSON.stringify(USUAL), text]);
  expect(second?.value.record).toEqual(JSON.parse(text));
  return second?.value.members !== undefined;
}

describe('a record that looks like one before it', () => {
  it('is recognised, whatever its other members say', () => {
    const record = {
      ...USUAL,
      subject: 'Zürich \\ "請求書" },{ }]',
      details: 'Safe   \r\n\t/\b\f',
      messageId: '',
      route: '',
    };
    expect(isRecognised(JSON.stringify(record))).toBe(true);
    const [, second] = read([JSON.stringify(USUAL), JSON.stringify(record)]);
    const { fileHash, date, recipientAddress, result } = plainRecord;
    expect(second?.value.members).toEqual({ fileHash, date, recipientAddress, result });
    expect(second?.raw.toString()).toBe(JSON.stringify(record));
  });

  it('is recognised behind others of another shape: mail without a Message-ID, members in another order', () => {
    const { messageId, ...without } = USUAL;
    const shapes = [USUAL, without, { ...without, messageId }, Object.fromEntries(Object.entries(USUAL).reverse())];
    const texts = shapes.map((record) => JSON.stringify(record));
    const again = Array.from({ length: 200 }, (_, index) => texts[(index * 7) % texts.length] as string);
    const records = read([...texts, ...again]);
    expect(records.map(({ raw }) => raw.toString())).toEqual([...texts, ...again]);
    expect(records.slice(4).every(({ value }) => value.members)).toBe(true);
  });

  it.each([
    ['a member that is looked at is blank', { fileHash: '   ' }],
    ['it is empty', { fileHash: '' }],
    ['it begins with a space', { recipientAddress: ' a@b.example' }],
    ['it is more than ASCII', { recipientAddress: 'müller@example.com' }],
    ['it has an escape', { recipientAddress: '"a b"@example.com' }],
    ['a member is no text', { route: null }],
    ['a member is a number', { route: 7 }],
    ['a member is an object', { route: { a: 1 } }],
    ['a text has an escape of four digits', { subject: 'a\u0001' }],
    ['a text has very many escapes', { subject: '"'.repeat(101) }],
  ])('is parsed when %s', (_, change) => {
    expect(isRecognised(JSON.stringify({ ...USUAL, ...change }))).toBe(false);
  });

  it.each([
    ['white space between tokens', JSON.stringify(USUAL).replace('":"', '": "')],
    ['a line end between tokens', JSON.stringify(USUAL).replace(',"', ',\n"')],
    ['a member twice', JSON.stringify(USUAL).replace('{', '{"result":"safe",')],
    ['an escaped name', JSON.stringify(USUAL).replace('"route"', '"\\u0072oute"')],
  ])('is parsed when it has %s', (_, text) => {
    expect(isRecognised(text)).toBe(false);
  });

  it('is parsed when it has a name that none may have', () => {
    const texts = Array(3).fill(JSON.stringify({ ...USUAL, eventId: 'x' }));
    expect(read(texts).some(({ value }) => value.members)).toBe(false);
  });

  it('is recognised wherever it stands and however long it is, up to 4 KiB', () => {
    const texts = Array.from({ length: 600 }, (_, index) =>
      JSON.stringify({ ...USUAL, subject: 'ü'.repeat((index * 37) % 1500) }),
    );
    const records = read(texts);
    expect(records.map(({ raw }) => raw.toString())).toEqual(texts);
    expect(records.slice(1).every(({ value }) => value.members)).toBe(true);
  });

  it('is parsed when it is longer than what is read at once', () => {
    const texts = [USUAL, { ...USUAL, subject: 'x'.repeat(1024 * 1024) }, USUAL].map((record) =>
      JSON.stringify(record),
    );
    const records = read(texts);
    expect(records.map(({ raw }) => raw.toString())).toEqual(texts);
    expect(records.map(({ value }) => value.members !== undefined)).toEqual([false, false, true]);
  });
});

describe('broken JSON', () => {
  const text = JSON.stringify({ ...USUAL, details: 'a\r\nb' });
  const page = (records: string): Buffer => Buffer.from(`{"data":[{"${KEY}":[${records}]}],"fail":[]}`);

  it.each([
    ['a bare line end in a text', `${text.slice(0, -2)}\n"}`],
    ['an escape that there is not', text.replace('\\r', '\\x')],
    ['a text without an end', text.slice(0, -2)],
    ['no end', text.slice(0, -1)],
    ['a comma too many', `${text},`],
    ['no comma', `${text}${text}`],
  ])('is not taken for a record: %s', (_, broken) => {
    expect(cutPage(page(`${text},${broken}`), KEY, reading)).toBeUndefined();
    expect(cutPage(page(`${text},${broken},${text}`), KEY, reading)).toBeUndefined();
  });
});

it('gives what parsing gives, whatever a page is made of', () => {
  let recognised = 0;
  const usual = fc
    .record({ subject: fc.string({ unit: 'binary' }), details: fc.string({ unit: 'grapheme' }), fileHash: fc.string() })
    .map((change): Record<string, unknown> => ({ ...USUAL, ...change }));
  const without = usual.map(({ messageId: _, ...rest }) => rest);
  const real = fc.constantFrom(...realLines).map((line) => JSON.parse(line) as object);
  const list = fc.array(fc.oneof({ weight: 4, arbitrary: usual }, without, real, hostileRecord), { maxLength: 12 });
  fc.assert(
    fc.property(list, (records) => {
      const texts = records.map((record) => JSON.stringify(record));
      const found = read(texts);
      expect(found.map(({ raw }) => raw.toString())).toEqual(texts);
      found.forEach(({ value }, index) => {
        const record = JSON.parse(texts[index] ?? '');
        expect(value.record).toEqual(record);
        if (value.members === undefined) return;
        recognised += 1;
        expect(record).toMatchObject(value.members);
        expect(Object.values(value.members).every((text: string) => text.trim() !== '')).toBe(true);
        expect(texts[index]).not.toMatch(/[\t\r\n]|\\u/);
      });
    }),
    { numRuns: 500 },
  );
  expect(recognised).toBeGreaterThan(200);
});
