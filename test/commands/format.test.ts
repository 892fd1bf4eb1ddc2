import { describe, expect, it } from 'vitest';
import { type } from './shell.ts';

const RECORD = {
  senderAddress: 'a@example.com',
  recipientAddress: 'b@example.net',
  fileName: 'invoice|"x"\n.pdf',
  result: 'malicious',
  date: '2026-11-23T10:00:00+0000',
  fileHash: 'f'.repeat(64),
  subject: 'hello',
};
const OTHER = { ...RECORD, recipientAddress: 'c@example.net' };

function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

describe('format', () => {
  const asNdjson = `${JSON.stringify(RECORD)}\n\n${JSON.stringify(OTHER)}\n`;
  const answer = (records: unknown) =>
    JSON.stringify({ meta: { status: 200 }, data: [{ attachmentLogs: records }], fail: [] });

  it.each([
    ['NDJSON', asNdjson],
    ['an answer of the API', answer([RECORD, OTHER])],
    ['an answer on several lines', JSON.stringify(JSON.parse(answer([RECORD, OTHER])), undefined, 2)],
    ['an array', JSON.stringify([RECORD, OTHER])],
  ])('reads %s, and writes one line an event', async (_, text) => {
    const { code, stdout, stderr } = await type(['format', 'records'], { files: { records: text } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const written = lines(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(written).toMatchObject([RECORD, OTHER]);
    expect(new Set(written.map(({ eventId }) => eventId)).size).toBe(2);
  });

  it.each([
    ['one record', JSON.stringify(RECORD), 1],
    ['an answer without records', JSON.stringify({ meta: { status: 200 }, data: [], fail: [] }), 0],
    ['an answer whose data has another list', JSON.stringify({ data: [{ urlLogs: [RECORD] }] }), 0],
    ['nothing', '', 0],
  ])('reads %s', async (_, text, count) => {
    const { code, stdout } = await type(['format', 'records'], { files: { records: text } });
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(count);
  });

  it('reads standard input without a file, and for -', async () => {
    const files = { '-': asNdjson };
    const without = await type(['format'], { files });
    expect(lines(without.stdout)).toHaveLength(2);
    expect(await type(['format', '-'], { files })).toEqual(without);
  });

  it('writes in the format that is asked for, on one line whatever the record holds', async () => {
    const { stdout } = await type(['format', '--as', 'cef', 'records'], { files: { records: asNdjson } });
    expect(lines(stdout)).toHaveLength(2);
    expect(stdout).toMatch(/^CEF:0\|Mimecast\|/);
  });

  it.each([
    ['rfc5424', /^<\d+>1 2026-11-23T10:00:00\S* test-host mimecast-forwarder 4711 /],
    ['rfc3164', /^<\d+>Nov 23 10:00:00 test-host /],
  ])('puts a header of %s before it', async (envelope, header) => {
    const { code, stdout } = await type(['format', '--as', 'cef', '--envelope', envelope, 'records'], {
      files: { records: asNdjson },
    });
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(2);
    for (const line of lines(stdout)) {
      expect(line).toMatch(header);
      expect(line).toContain('CEF:0|Mimecast|');
    }
  });

  it('shortens to --max-bytes, header included', async () => {
    const long = JSON.stringify({ ...RECORD, details: 'ä'.repeat(5000) });
    const { stdout } = await type(['format', '--envelope', 'rfc5424', '--max-bytes', '700', 'records'], {
      files: { records: long },
    });
    const [line = ''] = lines(stdout);
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(700);
    expect(line).toContain('"truncated":["details"]');
  });

  it('tells of each record that cannot be read, writes the others and ends with 1', async () => {
    const { date: _, ...undated } = RECORD;
    const { code, stdout, stderr } = await type(['format', 'records'], {
      files: { records: `${JSON.stringify(undated)}\n42\n${JSON.stringify(RECORD)}\n` },
    });
    expect(code).toBe(1);
    expect(lines(stdout)).toHaveLength(1);
    expect(lines(stderr)).toEqual([
      'a record could not be read: date is missing',
      'a record could not be read: the record is a number, expected an object',
    ]);
  });

  it.each([
    ['a line that is not JSON', [], `${JSON.stringify(RECORD)}\n{broken\n`, 'line 2 of records is not JSON'],
    ['too small a size', ['--max-bytes', '100'], '', 'at least 480'],
    ['a size that is none', ['--max-bytes', 'many'], '', 'whole number'],
  ])('%s is a mistake of usage', async (_, args, text, reason) => {
    const { code, stdout, stderr } = await type(['format', ...args, 'records'], { files: { records: text } });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(reason);
  });

  it('of a file that is not there ends with 1, and no stack of ours is the answer', async () => {
    const { code, stderr } = await type(['format', 'nowhere']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('nowhere');
  });
});
