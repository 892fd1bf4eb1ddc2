import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    ['too small a size', ['--max-bytes', '100'], '', 'from 480 on'],
    ['a size that is none', ['--max-bytes', 'many'], '', 'whole number'],
  ])('%s is a mistake of usage', async (_, args, text, reason) => {
    const { code, stdout, stderr } = await type(['format', ...args, 'records'], { files: { records: text } });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(reason);
  });

  describe('--option', () => {
    const files = { records: JSON.stringify(RECORD) };
    const leef = (...args: string[]) => type(['format', '--as', 'leef', ...args, 'records'], { files });

    it('sets options of the format, as text where it takes text', async () => {
      const { stdout } = await leef('--option', 'version=2.0', '--option', 'delimiter=^');
      expect(stdout).toMatch(/^LEEF:2\.0\|.*\|\^\|/);
      expect(stdout).toContain('^usrName=');
      expect((await leef()).stdout).toMatch(/^LEEF:1\.0\|/);
    });

    it.each([
      [
        'an unknown one',
        ['--option', 'delimeter=^'],
        '--option delimeter: the format leef has no such option, did you mean delimiter?',
      ],
      ['a wrong value', ['--option', 'version=3.0'], '--option version: is 3, expected one of 1.0, 2.0'],
      ['no pair', ['--option', 'version'], '--option version is no KEY=VALUE'],
      ['no key', ['--option', '=2.0'], '--option =2.0 is no KEY=VALUE'],
    ])('%s is a mistake of usage', async (_, args, message) => {
      const { code, stdout, stderr } = await leef(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(message);
    });
  });

  describe('--output', () => {
    let folder: string;
    let config: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'format-'));
      config = join(folder, 'forwarder.yaml');
      writeFileSync(
        config,
        `mimecast: { auth: { type: oauth2, clientId: id, clientSecretFile: secret } }
feeds: [{ type: attachment, dedupe: { key: [messageId, fileName] } }]
outputs:
  - { name: siem, type: syslog, host: siem.example, protocol: tls, envelope: rfc3164, format: cef, hostname: relay7,
      facility: 16, timezone: Europe/Vienna, maxMessageBytes: 1024 }
  - { name: hook, type: webhook, url: "https://siem.example", encoding: array, format: cef }
  - { name: screen, type: stdout }
`,
      );
      writeFileSync(join(folder, 'secret'), 'x', { mode: 0o600 });
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const long = JSON.stringify({ ...RECORD, details: 'ä'.repeat(5000), messageId: '<1@x>' });
    const render = (...args: string[]) =>
      type(['format', '--config', config, ...args, 'records'], { files: { records: long } });

    it('writes as the output would: format, header and its options, limit', async () => {
      const { code, stdout, stderr } = await render('--output', 'siem');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const [line = ''] = lines(stdout);
      expect(line).toMatch(/^<130>Nov 23 11:00:00 relay7 CEF:0\|/);
      expect(line).toMatch(/ MimecastTruncated=details$/);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(1024);
      expect(Buffer.byteLength(line)).toBeGreaterThan(900);
    });

    it('writes what stands in the body of a webhook, and what stdout prints', async () => {
      expect(JSON.parse((await render('--output', 'hook')).stdout)).toMatch(/^CEF:0\|/);
      expect(JSON.parse((await render('--output', 'screen')).stdout)).toMatchObject({ messageId: '<1@x>' });
    });

    it('gives the event the id that it has there: the config says what makes records the same', async () => {
      const idOf = async (...args: string[]) => /"eventId":"(\w+)"/.exec((await render(...args)).stdout)?.[1];
      expect(await idOf('--output', 'screen')).not.toBe(await idOf());
    });

    it.each([
      ['an output that is not there', ['--output', 'sim'], 'there is no output sim'],
      ['a format besides', ['--output', 'siem', '--as', 'json'], 'cannot be used with'],
      ['a header besides', ['--output', 'siem', '--envelope', 'rfc5424'], 'cannot be used with'],
    ])('%s is a mistake of usage', async (_, args, message) => {
      const { code, stdout, stderr } = await render(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(message);
    });
  });

  it('of a file that is not there ends with 1, and no stack of ours is the answer', async () => {
    const { code, stderr } = await type(['format', 'nowhere']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('nowhere');
  });
});
