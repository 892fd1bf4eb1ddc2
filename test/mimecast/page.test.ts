import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutPage, nextPageToken, parsePage, parseWholePage, UnknownShape } from '../../src/mimecast/page.ts';

const KEY = 'attachmentLogs';

const pageText = (records: unknown, rest: object = { fail: [] }) =>
  JSON.stringify({ meta: { status: 200, pagination: { next: 'n' } }, data: [{ [KEY]: records }], ...rest });

const asParsed = { read: (record: unknown) => record };
const valuesOf = (text: string) => parsePage(Buffer.from(text), KEY, asParsed)?.records.map((record) => record.value);

describe('a page of the usual shape', () => {
  it('is cut at its records, each with the very text that was sent', () => {
    const texts = ['{"a":1.0,"u":"\\/\\u003c"}', '{"b":[{"c":"}]"},{"d":"},{"}]}', '{}'];
    const text = `{"meta":{"status":200},"data":[{"${KEY}":[${texts.join(',')}]}],"fail":[{"code":"x"},{"code":"y"}]}`;
    const page = cutPage(Buffer.from(text), KEY, asParsed);
    expect(page?.records.map((record) => record.raw.toString())).toEqual(texts);
    expect(page?.records[1]?.value).toEqual({ b: [{ c: '}]' }, { d: '},{' }] });
    expect(page?.envelope.fail).toEqual([{ code: 'x' }, { code: 'y' }]);
  });

  it('puts a record on one line without touching its strings', () => {
    const text = `{"data":[{"${KEY}":[{"a":"x\\r\\ny",\r\n  "b":2}]}]}`;
    expect(cutPage(Buffer.from(text), KEY, asParsed)?.records[0]?.raw.toString()).toBe('{"a":"x\\r\\ny",   "b":2}');
  });
});

describe('the reader', () => {
  const RECORDS = ['{"a":"plain"}', '{"a":"Zürich 請求書"}', '{"a":"\\u003c"}'];
  const kept = { read: (_: unknown, text: string) => text };

  it.each([
    ['cut', `{"data":[{"${KEY}":[${RECORDS.join(',')}]}]}`],
    ['parsed whole', `{"data":[{"${KEY}":[]},{"${KEY}":[${RECORDS.join(',')}]}]}`],
  ])("is given each record's own text, of a page that is %s", (_, text) => {
    const records = parsePage(Buffer.from(text), KEY, kept)?.records ?? [];
    expect(records).toHaveLength(3);
    // From UTF-8, or from UTF-8 that was read as Latin-1.
    for (const { raw, value } of records) expect([raw.toString(), raw.toString('latin1')]).toContain(value);
  });
});

describe('the way of cutting', () => {
  const piece = fc.constantFrom('},{', '}]', '"', '\\', '{', '[', ']}],', `"${KEY}":[`, 'ü', '\u2028', '\n', 'x', '請');
  const hostile = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  // Keys without escapes: JSON.parse of Node 24 (V8 13.6) now and then misreads a key that contains one, `{"a":1,"\\n":2}`.
  const name = hostile.map((text) => text.replace(/["\\\n]/g, ''));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      hostile,
      fc.integer(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(name, tie('any'), { maxKeys: 3 }),
    ),
  })).any;
  const records = fc.array(fc.oneof({ weight: 4, arbitrary: fc.dictionary(name, value, { maxKeys: 4 }) }, value), {
    maxLength: 6,
  });
  const spacing = fc.constantFrom(0, 0, 0, 1, '\t', '\r\n ');

  it('gives what parsing the whole page gives, on hostile pages too', () => {
    let cut = 0;
    fc.assert(
      fc.property(records, value, spacing, (list, meta, space) => {
        const text = JSON.stringify({ meta, data: [{ [KEY]: list }], fail: [] }, null, space);
        const page = parsePage(Buffer.from(text), KEY, asParsed);
        expect(page?.records.map((record) => record.value)).toEqual(list);
        for (const record of page?.records ?? []) {
          expect(record.raw.toString()).not.toMatch(/[\r\n]/);
          expect(JSON.parse(record.raw.toString())).toEqual(record.value);
        }
        expect(page?.envelope.meta).toEqual(meta);
        if (cutPage(Buffer.from(text), KEY, asParsed)) cut += 1;
      }),
      { numRuns: 1500 },
    );
    expect(cut).toBeGreaterThan(200);
  });

  it('agrees with JSON.parse when the key is met elsewhere or twice', () => {
    const texts = [
      `{"x":{"${KEY}":[{"no":1}]},"data":[{"${KEY}" :[{"a":1}]}]}`,
      `{"data":[{"${KEY}":[{"a":1}],"${KEY}":[{"b":1}]}]}`,
      `{"data":[{"${KEY}":[{"a":1}],"${KEY}" :[]}]}`,
      `{"data":[{"${KEY}":[{"a":1}],"attachment\\u004cogs":[{"b":1}]}]}`,
      `{"data":[{"x\\"${KEY}":[{"a":1}]}]}`.replace('x\\"', 'x\\\\'),
      `{"data":[{"${KEY}":[{"a":1}]},{"${KEY}":[{"b":1}]}]}`,
      `{"data":[{"${KEY}":[{"a":1}]}],"data":[{"${KEY}" :[{"c":1}]}]}`,
    ];
    for (const text of texts) {
      let whole: unknown;
      try {
        whole = parseWholePage(text, KEY, asParsed.read)?.records.map((record) => record.value);
      } catch (error) {
        whole = error;
      }
      if (whole instanceof UnknownShape)
        expect(() => parsePage(Buffer.from(text), KEY, asParsed)).toThrow(UnknownShape);
      else expect(valuesOf(text)).toEqual(whole);
    }
  });

  it('does not take longer for a subject full of false ends', () => {
    const text = pageText(Array.from({ length: 20 }, () => ({ subject: '},{'.repeat(20_000) })));
    const started = performance.now();
    expect(parsePage(Buffer.from(text), KEY, asParsed)?.records).toHaveLength(20);
    // Cutting alone would parse 20 x 20,000 candidates of 30 KB on average: minutes.
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('odd pages', () => {
  it.each([
    ['no data', '{"meta":{"status":200},"fail":[]}', []],
    ['null data', '{"data":null}', []],
    ['empty data', '{"data":[],"fail":[]}', []],
    ['empty list', pageText([]), []],
    ['null list', pageText(null), []],
    ['an element without the list', '{"data":[{"source":"cloud","folders":[]}]}', []],
    ['a null element', `{"data":[null,{"${KEY}":[{"a":1}]}]}`, [{ a: 1 }]],
    ['several elements', `{"data":[{"${KEY}":[{"a":1}]},{"${KEY}":[{"b":2}]}]}`, [{ a: 1 }, { b: 2 }]],
    ['records that are no objects', pageText([{ a: 1 }, null, 7, 'x', [1]]), [{ a: 1 }, null, 7, 'x', [1]]],
    ['only a number', pageText([7]), [7]],
    ['truncated', pageText([{ a: 1 }]).slice(0, -3), undefined],
    ['not an object', '[1]', undefined],
    ['nothing', '', undefined],
  ])('%s', (_name, text, expected) => {
    expect(valuesOf(text)).toEqual(expected);
  });

  it.each([
    ['data is an object', '{"data":{}}'],
    ['an element is a text', '{"data":["x"]}'],
    ['the list is an object', pageText({ a: 1 })],
    ['the list has another name', '{"data":[{"renamedLogs":[{"a":1}]}]}'],
  ])('is refused aloud, because records may hide in it: %s', (_name, text) => {
    expect(() => parsePage(Buffer.from(text), KEY, asParsed)).toThrow(UnknownShape);
  });
});

describe('the next page token', () => {
  it.each([
    [{ next: 'abc' }, 'abc'],
    [{ next: '' }, undefined],
    [{ next: null }, undefined],
    [{}, undefined],
    [undefined, undefined],
  ])('%j', (pagination, expected) => {
    expect(nextPageToken({ meta: { pagination } })).toBe(expected);
  });

  it('must be a text', () => {
    expect(() => nextPageToken({ meta: { pagination: { next: { pageToken: 'x' } } } })).toThrow(UnknownShape);
  });
});
