import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { sentinel } from '../../src/formats/sentinel.ts';
import { type Column, RESERVED_COLUMNS } from '../fakes/azure-ingestion.ts';
import { eventOf, eventOfLine, hostileRecord, hostileRecords, ID, plainRecord, realLines } from './records.ts';

const format = buildFormat(sentinel);
const shipped = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../config/sentinel/${file}`, import.meta.url), 'utf8')).properties;
const tableColumns: readonly Column[] = shipped('table.json').schema.columns;
const streams: Readonly<Record<string, { columns: readonly Column[] }>> = shipped('dcr.json').streamDeclarations;
const types = new Map(tableColumns.map(({ name, type }) => [name, type]));

/** What Azure asks of a row, checked without the format: names, types, sizes, and the table that we ship. */
function expectRow(text: string): Record<string, string> {
  const row: Record<string, string> = JSON.parse(text);
  for (const [name, value] of Object.entries(row)) {
    expect(name).toMatch(/^[A-Za-z]\w{0,44}$/);
    expect(RESERVED_COLUMNS).not.toContain(name);
    expect(typeof value).toBe('string');
    expect(value.isWellFormed()).toBe(true);
    expect(Buffer.byteLength(value)).toBeLessThanOrEqual(64_000);
    if (types.get(name) === 'datetime') expect(value).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    else expect(types.get(name), name).toBe('string');
  }
  expect(row).toMatchObject({ TimeGenerated: expect.any(String), EventId: ID });
  return row;
}

describe('a row', () => {
  it("has Mimecast's values in the columns that Mimecast's parser for Sentinel reads", () => {
    const row = expectRow(format.render(eventOf(plainRecord)).text);
    const { date, ...others } = plainRecord;
    expect(row).toEqual({ TimeGenerated: '2021-10-14T18:54:32Z', EventId: ID, Date: date, ...others });
  });

  it('of a real record keeps to the table', () => {
    for (const line of realLines) {
      const { text, shortened } = format.render(eventOfLine(line));
      expect(shortened).toBe(false);
      const { TimeGenerated: _, EventId: __, Date: date, ...others } = expectRow(text);
      expect({ ...others, date }).toEqual(JSON.parse(line));
    }
  });

  it('leaves out what the record has not, and what the table has no column for', () => {
    const { text, shortened } = format.render(
      eventOf({ date: plainRecord.date, subject: null, route: '', extra: 'x' }),
    );
    expect(expectRow(text)).toEqual({
      TimeGenerated: '2021-10-14T18:54:32Z',
      EventId: ID,
      Date: plainRecord.date,
      route: '',
    });
    expect(shortened).toBe(false);
  });

  it('cannot be given another id or time by a record', () => {
    const forged = { ...plainRecord, EventId: 'theirs', TimeGenerated: 'theirs', Truncated: 'theirs', Date: 'theirs' };
    expect(format.render(eventOf(forged)).text).not.toContain('theirs');
  });

  it('has a value of another type as its JSON text', () => {
    const { text } = format.render(eventOf({ ...plainRecord, details: { b: 1, a: [true] }, subject: 7 }));
    expect(expectRow(text)).toMatchObject({ details: '{"a":[true],"b":1}', subject: '7' });
  });
});

describe('a value', () => {
  it.each([
    ['a', 64_000, 64_000],
    ['a', 64_001, 64_000],
    ['ü', 32_000, 32_000],
    ['ü', 32_001, 32_000],
    ['😀', 16_001, 16_000],
  ])('of %s is cut to 64,000 bytes: %i become %i', (letter, count, kept) => {
    const { text, shortened } = format.render(eventOf({ ...plainRecord, subject: letter.repeat(count) }));
    const row = expectRow(text);
    expect(row.subject).toBe(letter.repeat(kept));
    expect(shortened).toBe(kept < count);
    expect(row.Truncated).toBe(kept < count ? 'subject' : undefined);
  });

  it('that is cut is named once, beside those that the room of the row takes from', () => {
    const record = { ...plainRecord, subject: 's'.repeat(70_000), details: 'd'.repeat(5000) };
    const { text, shortened } = format.render(eventOf(record), 4000);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4000);
    expect(expectRow(text).Truncated).toBe('subject,details');
    expect(shortened).toBe(true);
  });
});

it.each(Object.entries(hostileRecords))('of a record with %s a row is a row', (_, record) => {
  for (const maxBytes of [400, 2000, 949_997, undefined]) expectRow(format.render(eventOf(record), maxBytes).text);
});

it('of any record a row is a row', () => {
  fc.assert(
    fc.property(hostileRecord, (record) => {
      expectRow(format.render(eventOf(record)).text);
    }),
    { numRuns: 200 },
  );
});

describe('what we ship for Azure', () => {
  it('has every column that a row can have, and no other', () => {
    const { text } = format.render(eventOf({ ...plainRecord, details: 'd'.repeat(70_000) }));
    expect([...types.keys()].sort()).toEqual(Object.keys(JSON.parse(text)).sort());
  });

  it('declares in the rule what it declares in the table', () => {
    const columns = tableColumns.map(({ name, type }) => ({ name, type }));
    expect(streams).toEqual({ 'Custom-Ttp_Attachment_CL': { columns } });
  });

  it('leads from the stream to the table', () => {
    const { dataFlows, destinations } = shipped('dcr.json');
    expect(dataFlows).toEqual([
      {
        streams: Object.keys(streams),
        destinations: [destinations.logAnalytics[0].name],
        transformKql: 'source',
        outputStream: `Custom-${shipped('table.json').schema.name}`,
      },
    ]);
  });
});
