import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/mistakes.ts';
import { damaged, fuzz } from './fuzzing.ts';

/** Whatever stands in the file: a config, or a `ConfigError` that names every place and shows no secret. */

const SECRET = 'canary-77ab10';
const folder = mkdtempSync(join(tmpdir(), 'fuzz-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const EXAMPLES = new URL('../../config/examples/', import.meta.url);
const texts = [
  ...readdirSync(EXAMPLES).map((name) => readFileSync(new URL(name, EXAMPLES), 'utf8')),
  readFileSync(new URL('../../config/container.yaml', import.meta.url), 'utf8'),
];
const names = new Set(texts.flatMap((text) => [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name = '']) => name)));
/** The others are names, hosts and paths, which a message may show. */
const isSecret = (name: string) => /(SECRET|TOKEN|PASSWORD|KEY)$/.test(name);
const env = Object.fromEntries([...names].map((name) => [name, isSecret(name) ? SECRET : join(folder, 'key')]));
writeFileSync(join(folder, 'key'), SECRET);

describe('a config file', () => {
  it('is taken, or refused with places, and never in another way', () => {
    let taken = 0;
    fuzz(
      fc.property(damaged(texts), (bytes) => {
        const file = join(folder, 'fuzz.yaml');
        writeFileSync(file, bytes);
        try {
          loadConfig({ file, env });
          taken += 1;
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).not.toContain(SECRET);
          expect(error.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
          const lines = bytes.toString().split('\n').length;
          for (const { line, column, message } of error.mistakes) {
            expect(line).toBeGreaterThan(0);
            expect(line).toBeLessThanOrEqual(lines + 1);
            expect(column).toBeGreaterThan(0);
            expect(message).not.toBe('');
          }
        }
      }),
    );
    expect(taken).toBeGreaterThan(0);
  });
});
