import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { config as command } from '../../src/commands/config.ts';
import { printConfig } from '../../src/config/effective.ts';
import { jsonSchemaOf } from '../../src/config/json-schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configReference } from '../../src/config/reference.ts';
import { configSchema } from '../../src/config/schema.ts';
import { tables as realTables } from '../../src/config/tables.ts';
import { maskUrl } from '../../src/config/words.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/options.ts';
import { tables } from './members.ts';

const ROOT = new URL('../../', import.meta.url);
const EXAMPLE = new URL('config/forwarder.example.yaml', ROOT).pathname;
const EXAMPLE_ENV = { MIMECAST_CLIENT_ID: 'an-id', MIMECAST_CLIENT_SECRET: 's3cr3t-value' };

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-print-'));
  file = join(folder, 'forwarder.yaml');
  writeFileSync(join(folder, 'token.txt'), 's3cr3t-value');
  writeFileSync(
    file,
    `mimecast: { auth: { type: oauth2, clientId: id, clientSecret: s3cr3t-value }, proxy: "http://u:s3cr3t-value@proxy:1" }
feeds: [{ type: attachment, overlap: 90s, sweep: { span: 36h } }, { type: url, sweep: false }]
outputs:
  - { type: socket, name: a, host: siem, maxMessageBytes: 64KiB, batch: { maxBytes: 1500 }, protocol: tls, tls: {} }
  - { name: b, type: hook, url: "https://u:s3cr3t-value@x/a?k=s3cr3t-value", tokenFile: token.txt, acknowledgement: {},
      timeout: 1500ms, headers: { AuthorizationFile: token.txt, X-Key: s3cr3t-value } }
store: { retention: 45d }
http: { token: s3cr3t-value }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('config print', () => {
  it('writes units back, fills defaults in, and masks', () => {
    const { effective } = loadConfig({ file, env: {}, tables });
    const printed = printConfig(effective, 'yaml');
    expect(printed).not.toContain('s3cr3t-value');
    expect(JSON.parse(printConfig(effective, 'json'))).toEqual(parse(printed));
    expect(parse(printed)).toMatchObject({
      mimecast: { auth: { clientId: 'id', clientSecret: '***' }, proxy: '***', requestTimeout: '30s' },
      feeds: [
        { name: 'attachment', overlap: '90s', maxWindow: '6h', sweep: { schedule: '17 3 * * *', span: '36h' } },
        { name: 'url', sweep: false, dedupe: { key: ['hash', 'date'], variants: 'suppress' } },
      ],
      outputs: [
        { maxMessageBytes: '64KiB', batch: { maxEvents: 500, maxBytes: 1500 }, format: 'cef', tls: {} },
        {
          ...{ url: 'https://***@x/a?k=***', tokenFile: join(folder, 'token.txt'), acknowledgement: { timeout: '5m' } },
          ...{ timeout: '1500ms', headers: { AuthorizationFile: join(folder, 'token.txt'), 'X-Key': '***' } },
        },
      ],
      ...{ store: { retention: '45d', maxSize: '10GiB' }, http: { token: '***' }, log: { level: 'info' } },
    });
  });

  it('shows what a profile sets, keeps its name, and a format with options as a map', () => {
    const profiled = join(folder, 'profiled.yaml');
    writeFileSync(
      profiled,
      `mimecast: { auth: { type: oauth2, clientId: id, clientSecretFile: token.txt } }
feeds: [{ type: attachment }]
outputs:
  - { name: a, type: socket, host: siem, profile: qradar, batch: { maxBytes: 1500 } }
  - { name: b, type: screen, format: { type: json } }
`,
    );
    const { effective } = loadConfig({ file: profiled, env: {}, tables });
    const { outputs } = parse(printConfig(effective, 'yaml')) as { outputs: Record<string, unknown>[] };
    expect(outputs).toMatchObject([
      {
        ...{ profile: 'qradar', maxMessageBytes: 4000, batch: { maxEvents: 50, maxBytes: 1500 } },
        format: { type: 'leef', version: '1.0', header: { vendor: 'Mimecast' } },
      },
      { format: 'json' },
    ]);
    expect(Object.keys(outputs[0] ?? {}).slice(0, 3)).toEqual(['name', 'type', 'profile']);
    writeFileSync(profiled, printConfig(effective, 'yaml'));
    expect(loadConfig({ file: profiled, env: {}, tables }).effective).toEqual(effective);
  });

  it('can be loaded again and means the same', () => {
    const first = loadConfig({ file: EXAMPLE, env: EXAMPLE_ENV });
    const again = join(folder, 'again.yaml');
    writeFileSync(again, printConfig(first.effective, 'yaml'));
    const second = loadConfig({ file: again, env: {} });
    expect(second.effective).toEqual(first.effective);
    expect({ ...second.config, mimecast: null }).toEqual({ ...first.config, mimecast: null });
  });
});

describe('the command', () => {
  async function run(what: string, options: Record<string, unknown>): Promise<string> {
    const stdout = new PassThrough();
    const shell = {
      ...{ stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: EXAMPLE_ENV, pid: 1, hostname: 'h' },
      ...{ version: '1.2.3', node: 'v24', cwd: folder, signal: AbortSignal.abort() },
      ...{
        interrupt: () => undefined,
        onKey: () => () => undefined,
        onReload: () => undefined,
        readText: async () => '',
      },
    };
    expect(await command.run(shell, [what], options)).toBe(0);
    stdout.end();
    return text(stdout);
  }

  it('prints the effective config as YAML and as JSON', async () => {
    const yaml = await run('print', { config: EXAMPLE });
    expect(yaml).toContain('clientSecret: "***"');
    expect(JSON.parse(await run('print', { config: EXAMPLE, json: true }))).toEqual(parse(yaml));
  });

  it('prints the schema', async () => {
    expect(JSON.parse(await run('schema', {}))).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
    });
  });
});

describe('JSON Schema', () => {
  // Zod reads no rules over keys (`allOf` with `required`): those of the secrets are looked at further down.
  const json = JSON.stringify(jsonSchemaOf(configSchema(tables)), (key, value) =>
    key === 'allOf' ? undefined : value,
  );
  const validator = z.fromJSONSchema(JSON.parse(json));
  const accepts = (yaml: string) => validator.safeParse(parse(yaml)).success;
  const base = (output: string) => `mimecast: { auth: { type: oauth2, clientId: id, clientSecretFile: x } }
feeds: [{ type: attachment }]
outputs: [{ name: q, ${output} }]
`;

  it('accepts what the loader accepts, before anything is replaced', () => {
    expect(accepts(readFileSync(file, 'utf8'))).toBe(true);
    expect(
      accepts(base(`type: socket, host: "\${H}", port: "\${PORT:-514}", protocol: "\${P}", maxMessageBytes: 8000`)),
    ).toBe(true);
    expect(accepts(base(`type: hook, url: "\${URL}", tokenFile: x, timeout: "\${T}"`))).toBe(true);
    for (const format of ['leef', `"\${FORMAT}"`, `{ type: leef, version: "\${V}", delimiter: "^" }`]) {
      expect(accepts(base(`type: socket, host: h, profile: qradar, format: ${format}`)), format).toBe(true);
    }
  });

  it.each([
    ['an unknown key', 'type: socket, host: h, prt: 1'],
    ['a missing key', 'type: socket'],
    ['a port out of range', 'type: socket, host: h, port: 70000'],
    ['a text that is no reference', 'type: socket, host: h, port: "514"'],
    ['a wrong choice', 'type: socket, host: h, protocol: tsl'],
    ['a bad duration', 'type: hook, url: "https://x", token: x, timeout: 30'],
    ['an unknown type', 'type: pigeon'],
    ['an unknown key further in', 'type: screen, batch: { maxEvent: 1 }'],
    ['an unknown format', 'type: screen, format: xml'],
    ['an unknown type of format', 'type: screen, format: { type: xml }'],
    ['an option of another format', 'type: screen, format: { type: json, version: "2.0" }'],
    ['a wrong option of a format', 'type: screen, format: { type: leef, version: "3.0" }'],
    ['an unknown profile', 'type: socket, host: h, profile: qrader'],
    ['a profile of another type', 'type: screen, profile: qradar'],
  ])('refuses %s', (_name, output) => {
    expect(accepts(base('type: screen'))).toBe(true);
    expect(accepts(base(output))).toBe(false);
  });

  it('gives each secret its twin, one of the two and never both', () => {
    const schema = JSON.stringify(jsonSchemaOf(configSchema(tables)));
    expect(schema).toContain('{"oneOf":[{"required":["token"]},{"required":["tokenFile"]}]}');
    expect(schema).toContain('{"not":{"required":["signingSecret","signingSecretFile"]}}');
    expect(schema).not.toMatch(/"(unit|secret|profiles)":/);
  });

  it('describes each format once', () => {
    expect(json.match(/The format leef\./g)?.length).toBeLessThanOrEqual(2);
    expect(json.match(/"#\/\$defs\/format"/g)).toHaveLength(3);
  });
});

describe('the reference', () => {
  const reference = configReference(configSchema(tables));

  it('has a section for each format, with its options, and outputs that lead there', () => {
    expect(reference).toContain('| `format` | [format](#formats) | `cef` |');
    const [, formats = ''] = reference.split('\n## Formats\n');
    expect([...formats.matchAll(/^### format `type: (\w+)`$/gm)].map(([, name]) => name)).toEqual([
      'json',
      'cef',
      'leef',
    ]);
    expect(formats).toContain('| `header.vendor` | text | `Mimecast` |');
  });

  it('tells what each profile sets', () => {
    expect(reference).toContain(
      '| `qradar` | `format: { type: leef, version: "1.0" }`, `maxMessageBytes: 4000`, `batch: { maxEvents: 50 }` | QRadar. |',
    );
    expect(reference).toContain('| TLS \\| always. |');
  });
});

describe('what is committed follows from the schema', () => {
  const schema = configSchema(realTables);
  const advice = 'run `node scripts/config-reference.ts`';

  it('docs/config.md', () => {
    expect(readFileSync(new URL('docs/config.md', ROOT), 'utf8'), advice).toBe(configReference(schema));
  });

  it('config/forwarder.schema.json', () => {
    const committed: unknown = JSON.parse(readFileSync(new URL('config/forwarder.schema.json', ROOT), 'utf8'));
    expect(committed, advice).toEqual(JSON.parse(JSON.stringify(jsonSchemaOf(schema))));
  });

  it('the reference tells every key of every member', () => {
    const reference = configReference(schema);
    for (const { type, options } of Object.values(realTables.outputTypes)) {
      const [, section = ''] = reference.split(`\`type: ${type}\``);
      for (const key of Object.keys(options.shape)) expect(section.split('\n## ')[0], type).toContain(`| \`${key}\` |`);
    }
  });

  it('has a description for every key', () => {
    const rows = configReference(schema)
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => /\|\s*\|$/.test(row))).toEqual([]);
  });

  it('the example is a good config', () => {
    const { config, warnings } = loadConfig({ file: EXAMPLE, env: EXAMPLE_ENV });
    expect(config.outputs.map(({ name }) => name)).toEqual(['disk']);
    expect(warnings).toEqual([]);
  });
});

describe('units', () => {
  it('are read back as they were', () => {
    fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms));
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(formatSize(bytes)) === bytes));
  });

  it.each([
    [0, '0s'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [900_000, '15m'],
    [129_600_000, '36h'],
    [2_592_000_000, '30d'],
  ])('%i ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('maskUrl', () => {
  it.each([
    ['no url', 'no url'],
    ['https://siem.example/services/collector?channel=1#x', 'https://siem.example/services/collector?channel=***#x'],
    ['http://user:pa/ss@w@host:8/x', 'http://***@host:8/x'],
    ['https://hooks.example/T0/B0/abcdefghijklmnopqrstuvwx', 'https://hooks.example/T0/B0/***'],
  ])('%s', (url, shown) => expect(maskUrl(url)).toBe(shown));
});
