import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ForwarderError } from '../src/errors.ts';
import { Secret } from '../src/secret.ts';

const VALUE = 'pa55-word';

function secretFile(content?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'secret-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'secret');
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

describe('a secret', () => {
  it('is told by read() alone', () => {
    const secret = Secret.of(VALUE);
    expect(secret.read()).toBe(VALUE);
    let logged = '';
    const logger = pino({ base: null }, { write: (line) => (logged += line) });
    logger.info({ secret, nested: [{ secret }] }, 'a secret');
    const printed = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret, list: [secret] }),
      inspect(secret),
      inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
      format('%s %o %O %j', secret, secret, secret, secret),
      JSON.stringify(Object.entries(secret)),
      JSON.stringify({ ...secret }),
      JSON.stringify(structuredClone(secret)),
      logged,
    ];
    for (const text of printed) expect(text).not.toContain(VALUE);
    expect(printed[0]).toBe('***');
    expect(printed[2]).toBe('{"secret":"***","list":["***"]}');
    expect(inspect(secret)).toBe('***');
  });

  it('of a file is its content less one line end', () => {
    expect(Secret.fromFile(secretFile(`${VALUE}\n`)).read()).toBe(VALUE);
    expect(Secret.fromFile(secretFile(`${VALUE}\r\n`)).read()).toBe(VALUE);
    expect(Secret.fromFile(secretFile(`  ${VALUE}\n\n`)).read()).toBe(`  ${VALUE}\n`);
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['one line end', '\n'],
  ])('cannot come from a file that is %s', (_, content) => {
    const path = secretFile(content);
    const reading = (): Secret => Secret.fromFile(path);
    expect(reading).toThrow(ForwarderError);
    expect(reading).toThrow(
      expect.objectContaining({ code: 'SECRET_UNREADABLE', message: expect.stringContaining(path) }),
    );
  });
});

describe('a secret that was refused', () => {
  it('is worth another try only when its file has changed', () => {
    const path = secretFile('old');
    const secret = Secret.fromFile(path);
    expect(secret.refresh()).toBe(false);
    writeFileSync(path, 'new\n');
    expect(secret.refresh()).toBe(true);
    expect(secret.read()).toBe('new');
    expect(secret.refresh()).toBe(false);
  });

  it('stays as it is while its file cannot be read', () => {
    const path = secretFile('old');
    const secret = Secret.fromFile(path);
    writeFileSync(path, '');
    expect(secret.refresh()).toBe(false);
    rmSync(path);
    expect(secret.refresh()).toBe(false);
    expect(secret.read()).toBe('old');
  });

  it('stays as it is when it has no file', () => {
    expect(Secret.of(VALUE).refresh()).toBe(false);
  });
});
