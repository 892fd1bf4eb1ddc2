import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { envelopes } from '../../src/formats/envelopes/index.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { formats } from '../../src/formats/index.ts';
import { eventOf, eventOfLine, hostileRecord, hostileRecords, ID, plainRecord, realLines } from '../formats/records.ts';

/** What every format promises, whatever it writes. A new one joins by its line in the table and a golden file. */
describe.each(Object.entries(formats))('the format %s', (name, type) => {
  const format = buildFormat(type);

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  function expectLine(text: string, maxBytes: number): void {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
    expect(text).not.toMatch(/[\0\r\n]/);
    expect(text.isWellFormed()).toBe(true);
    // A format that says it carries no event id must not half do so: outputs rely on the one or the other.
    expect(text.includes(ID)).toBe(format.carriesId !== false);
  }

  it('writes real records as it always has', async () => {
    const lines = realLines.map((line) => format.render(eventOfLine(line)).text);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`../formats/golden/${name}.txt`);
  });

  it('does not shorten without need', () => {
    for (const line of realLines) {
      const { text } = format.render(eventOfLine(line));
      const bytes = Buffer.byteLength(text);
      expect(format.render(eventOfLine(line), bytes)).toMatchObject({ text, shortened: false });
      expect(format.render(eventOfLine(line), bytes - 1).shortened).toBe(true);
    }
  });

  describe.each(Object.entries(hostileRecords))('given %s', (_, record) => {
    it.each([400, 480, 1024, 8000, 65_536, undefined])('writes one line of at most %s bytes', (maxBytes) => {
      const rendered = format.render(eventOf(record), maxBytes);
      expectLine(rendered.text, maxBytes ?? Number.POSITIVE_INFINITY);
      const { line } = rendered;
      if (line) expect(line.head + line.tail.toString()).toBe(rendered.text);
      expect(format.render(eventOf(record), maxBytes)).toEqual(rendered);
    });
  });

  it('writes one line at every limit, for any record', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 3000 }), (record, maxBytes) => {
        const whole = format.render(eventOf(record));
        expectLine(whole.text, Number.POSITIVE_INFINITY);
        const limited = format.render(eventOf(record), maxBytes);
        expectLine(limited.text, maxBytes);
        if (!limited.shortened) expect(limited).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  it.each(Array.from({ length: 30 }, (_, i) => 400 + i * 20))('keeps verdict and recipient in %i bytes', (maxBytes) => {
    for (const record of [plainRecord, hostileRecords['a very long subject'], JSON.parse(realLines[2] ?? '')]) {
      const { text } = format.render(eventOf(record), maxBytes);
      expect(text).toContain('malicious');
      expect(text).toContain(record.recipientAddress);
    }
  });

  it('writes the same in any time zone', () => {
    const lines = (): string[] => realLines.map((line) => format.render(eventOfLine(line)).text);
    const here = lines();
    vi.stubEnv('TZ', 'Pacific/Kiritimati');
    expect(lines()).toEqual(here);
  });
});

describe.each([
  ['formats', '../../src/formats/', 'create', formats],
  ['envelopes', '../../src/formats/envelopes/', 'header', envelopes],
])('the table of %s', (_, folder, method, table) => {
  it('has every member of the folder, under its name', async () => {
    const files = readdirSync(fileURLToPath(new URL(folder, import.meta.url))).filter((file) =>
      /(?<!^index)\.ts$/.test(file),
    );
    const modules: object[] = await Promise.all(files.map((file) => import(`${folder}${file}`)));
    const members = modules.flatMap((module) =>
      Object.values(module).filter((value) => value?.[method] instanceof Function),
    );
    expect(new Set(Object.values(table))).toEqual(new Set(members));
    for (const [name, member] of Object.entries(table)) expect(member.name).toBe(name);
  });
});
