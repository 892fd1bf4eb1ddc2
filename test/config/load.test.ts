import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/mistakes.ts';
import { Secret } from '../../src/secret.ts';
import { tables } from './members.ts';

const FIXTURES = new URL('../fixtures/config/', import.meta.url);
const HEAD = `mimecast: { auth: { type: oauth2, clientId: id, clientSecret: "\${SECRET}" } }\nfeeds: [{ type: attachment }]\n`;
const ENV = { SECRET: 's3cr3t-value', LARGE: '70000' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string | Uint8Array, env: Record<string, string> = {}): LoadedConfig {
  const file = join(folder, 'forwarder.yaml');
  writeFileSync(file, text);
  return loadConfig({ file, env: { ...ENV, ...env }, tables });
}

function loadOutput(yaml: string, env: Record<string, string> = {}) {
  const [output] = load(`${HEAD}outputs:\n  - ${yaml.trim().replaceAll('\n', '\n    ')}\n`, env).config.outputs;
  return output ?? expect.unreachable();
}

function mistakeOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  return expect.unreachable('the config was accepted');
}

describe('every mistake has its message', () => {
  it.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.yaml')))('%s', (name) => {
    const file = new URL(name, FIXTURES).pathname;
    const expected = [...readFileSync(file, 'utf8').matchAll(/^# expect (.*)$/gm)].map(([, line]) => line);
    const error = mistakeOf(() => loadConfig({ file, env: ENV, tables }));
    expect(error.message.split('\n').map((line) => line.replace(`${file}:`, ''))).toEqual(expected);
    expect(error.code).toBe('CONFIG');
    expect(JSON.stringify([error.message, error.mistakes, error.hint])).not.toContain('s3cr3t-value');
  });
});

describe('finding the file', () => {
  const text = `${HEAD}outputs: [{ name: screen, type: screen }]\n`;

  it('takes --config, then the environment, then config/forwarder.yaml', () => {
    const cwd = mkdtempSync(join(folder, 'cwd-'));
    mkdirSync(join(cwd, 'config'));
    for (const name of ['a.yaml', 'b.yaml', 'config/forwarder.yaml']) writeFileSync(join(cwd, name), text);
    const env = { ...ENV, MIMECAST_FORWARDER_CONFIG: 'b.yaml' };
    expect(loadConfig({ file: 'a.yaml', env, cwd, tables }).file).toBe(join(cwd, 'a.yaml'));
    expect(loadConfig({ env, cwd, tables }).file).toBe(join(cwd, 'b.yaml'));
    expect(loadConfig({ env: ENV, cwd, tables }).file).toBe(join(cwd, 'config/forwarder.yaml'));
  });

  it('takes no other file when the named one is not there', () => {
    expect(mistakeOf(() => loadConfig({ file: join(folder, 'no.yaml'), env: ENV, tables })).message).toMatch(
      /^the config file .*no\.yaml does not exist$/,
    );
  });

  it.each([
    [
      '{',
      'mimecast: { auth: { type: oauth2 }\nfeeds: []\n',
      /:2:1: a \{ further up is not closed, expected its } above/,
    ],
    ['[', 'feeds:\n  - filter: [a, b\n  - type: x\n', /:3:3: a \[ further up is not closed, expected its ] above/],
    ['indentation', 'mimecast:\n   auth: 1\n  proxy: 2\n', /the indentation does not fit/],
  ])('tells an open bracket from a bad indentation: %s', (_, text, said) => {
    expect(mistakeOf(() => load(text)).message).toMatch(said);
  });

  it('names the one choice once', () => {
    const file = join(folder, 'one-choice.yaml');
    const outputs = 'outputs: [{ name: screen, type: stdout }]\n';
    writeFileSync(file, HEAD.replace('type: attachment', 'type: attachments') + outputs);
    const { message } = mistakeOf(() => loadConfig({ file, env: ENV }));
    expect(message).toMatch(/is "attachments", expected attachment$/);
  });

  it('says where it looked', () => {
    const cwd = mkdtempSync(join(folder, 'empty-'));
    const error = mistakeOf(() => loadConfig({ env: ENV, cwd, tables }));
    expect(error.message).toContain('./config/forwarder.yaml');
    expect(error.hint).toContain('--config');
  });

  it('refuses a folder, an empty file, other encodings and a huge file', () => {
    expect(mistakeOf(() => loadConfig({ file: folder, env: ENV, tables })).message).toContain('is a folder');
    expect(mistakeOf(() => load('\n# nothing\n')).message).toContain('is empty');
    expect(mistakeOf(() => load(' \n')).message).toContain('is empty');
    expect(mistakeOf(() => load(Buffer.from(text, 'utf16le'))).message).toContain('UTF-8');
    expect(mistakeOf(() => load(Buffer.from([0x61, 0xff, 0x3a]))).message).toContain('not UTF-8');
    expect(mistakeOf(() => load(`#${'x'.repeat(1024 ** 2)}`)).message).toContain('at most 1MiB');
  });

  it('reads a file with a byte order mark and Windows line ends', () => {
    expect(load(`\uFEFF${text.replaceAll('\n', '\r\n')}`).config.outputs).toHaveLength(1);
  });
});

describe('defaults and units', () => {
  it('fills in what the contract names', () => {
    const { config } = load(`${HEAD}outputs: [{ name: q, type: socket, host: siem }]\n`);
    const [feed] = config.feeds;
    expect(feed).toMatchObject({
      ...{
        name: 'attachment',
        schedule: '* * * * *',
        startFrom: { ago: 86_400_000 },
        overlap: 900_000,
        settle: 10_000,
      },
      ...{ maxWindow: 21_600_000, pageSize: 500, sweep: { schedule: '17 3 * * *', span: 172_800_000 } },
      dedupe: { key: ['hash', 'date'], variants: 'suppress' },
    });
    expect(feed?.type).toBe(tables.feedTypes.attachment);
    const [output] = config.outputs;
    expect(output).toMatchObject({
      ...{ name: 'q', filter: {}, startFrom: 'now', batch: { maxEvents: 500, maxBytes: 1_048_576 } },
      retry: { initialDelay: 1000, maxDelay: 300_000 },
    });
    expect(output?.options).toEqual({ host: 'siem', port: 514, protocol: 'udp', maxMessageBytes: 8000 });
    expect(output?.type).toBe(tables.outputTypes.socket);
    expect(output?.format).toEqual({ type: tables.formats.cef, options: {} });
    expect(config.store).toEqual({
      ...{ path: './data/forwarder.db', retention: 2_592_000_000 },
      ...{ maxSize: 10 * 1024 ** 3, minFreeDisk: 512 * 1024 ** 2 },
    });
    expect(config.http).toEqual({ listen: { host: '127.0.0.1', port: 9464 }, public: false, allowedHosts: [] });
    expect(config.log).toEqual({ level: 'info', format: 'auto' });
  });

  it('turns parts off and reads points in time', () => {
    const { config } = load(`mimecast: { auth: { type: oauth2, clientId: id, clientSecret: x } }
feeds: [{ type: attachment, sweep: false, startFrom: 2026-01-31 }, { type: url, startFrom: "2026-01-31T01:00:00+01:00" }]
outputs: [{ name: q, type: screen, startFrom: beginning, filter: { result: [malicious, 7, true] } }]
http: false
`);
    expect(config.http).toBe(false);
    expect(config.feeds.map(({ sweep }) => sweep !== false)).toEqual([false, true]);
    expect(config.feeds.map(({ startFrom }) => startFrom)).toEqual([
      { time: Date.UTC(2026, 0, 31) },
      { time: Date.UTC(2026, 0, 31) },
    ]);
    expect(config.outputs[0]).toMatchObject({ startFrom: 'beginning', filter: { result: ['malicious', '7', 'true'] } });
  });

  it('takes anchors, aliases, merge keys and comments', () => {
    const { config } = load(
      `${HEAD}outputs:
  - &siem
    name: a # comment
    type: socket
    host: \${HOST:-siem}
    port: \${PORT:-6514}
    batch: &batch { maxEvents: 7 }
  - { <<: *siem, name: b, batch: *batch }
`,
    );
    expect(
      config.outputs.map(({ name, options, batch }) => [name, options.host, options.port, batch.maxEvents]),
    ).toEqual([
      ['a', 'siem', 6514, 7],
      ['b', 'siem', 6514, 7],
    ]);
  });
});

describe('a format', () => {
  const formatOf = (format: string, env: Record<string, string> = {}) => {
    const { type, options } = loadOutput(`name: q\ntype: screen\nformat: ${format}`, env).format;
    return [type.name, options];
  };
  const defaults = { version: '1.0', header: { vendor: 'Mimecast' } };

  it.each([
    ['json', ['json', {}]],
    ['{ type: json }', ['json', {}]],
    ['leef', ['leef', defaults]],
    ['{ type: leef }', ['leef', defaults]],
    ["{ type: leef, version: '2.0', delimiter: ^ }", ['leef', { ...defaults, version: '2.0', delimiter: '^' }]],
    ['{ type: leef, header: { vendor: Acme } }', ['leef', { ...defaults, header: { vendor: 'Acme' } }]],
    [`\${FORMAT}`, ['leef', defaults]],
    [`{ type: "\${FORMAT}", version: "\${VERSION}" }`, ['leef', { ...defaults, version: '2.0' }]],
  ])('%s', (written, expected) => {
    expect(formatOf(written, { FORMAT: 'leef', VERSION: '2.0' })).toEqual(expected);
  });
});

describe('a profile', () => {
  const base = 'name: q\ntype: socket\nhost: siem\n';

  it('sets what the config leaves open, and maps key by key', () => {
    const { options, format, batch } = loadOutput(`${base}profile: qradar\nport: 515\nbatch: { maxBytes: 64KiB }`);
    expect(options).toEqual({ host: 'siem', port: 515, protocol: 'udp', maxMessageBytes: 4000 });
    expect(format).toMatchObject({ type: { name: 'leef' }, options: { version: '1.0' } });
    expect(batch).toEqual({ maxEvents: 50, maxBytes: 65_536 });
  });

  it('gives way to what the config says itself, a format whole', () => {
    const { options, format, batch } = loadOutput(
      `${base}profile: qradar\nmaxMessageBytes: 1KiB\nformat: { type: leef, version: '2.0' }\nbatch: { maxEvents: 7 }`,
    );
    expect([options.maxMessageBytes, format.options.version, batch.maxEvents]).toEqual([1024, '2.0', 7]);
    for (const json of ['json', '{ type: json }']) {
      expect(loadOutput(`${base}profile: qradar\nformat: ${json}`).format.type.name).toBe('json');
    }
  });

  it('may come from the environment or an anchor, and sets what others require', () => {
    const { options } = loadOutput(`${base}profile: \${PROFILE}\ntls: {}`, { PROFILE: 'secure' });
    expect(options).toMatchObject({ protocol: 'tls', tls: { caFile: '/ca.pem' } });
    const { config } = load(`${HEAD}outputs:
  - &siem { name: a, type: socket, host: siem, profile: qradar }
  - { <<: *siem, name: b }
`);
    expect(config.outputs.map(({ format }) => format.type.name)).toEqual(['leef', 'leef']);
  });

  it('changes no other entry', () => {
    const { config } = load(`${HEAD}outputs:
  - { name: a, type: socket, host: siem, profile: qradar }
  - { name: b, type: socket, host: siem }
`);
    expect(config.outputs.map(({ options }) => options.maxMessageBytes)).toEqual([4000, 8000]);
  });
});

describe('environment', () => {
  it('lets no value change the structure', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'binary' }), (value) => {
        const output = loadOutput(`name: q\ntype: hook\nurl: https://siem\ntoken: \${VALUE}\nindex: a\${VALUE}b`, {
          VALUE: value,
        });
        expect(output.options.token).toBeInstanceOf(Secret);
        expect((output.options.token as Secret).read()).toBe(value);
        expect(output.options.index).toBe(`a${value}b`);
      }),
      { numRuns: 60 },
    );
  });

  it('makes numbers and booleans of plain scalars where the schema wants them, and only there', () => {
    const env = { PORT: '6514', NUMBER: '2026', YES: 'true' };
    const socket = loadOutput(`name: q\ntype: socket\nhost: \${NUMBER}\nport: \${PORT}\nkeepAlive: \${YES}`, env);
    expect(socket.options).toMatchObject({ host: '2026', port: 6514, keepAlive: true });
    const hook = loadOutput(`name: q\ntype: hook\nurl: https://siem\ntoken: \${NUMBER}\nacknowledgement: \${YES}`, env);
    expect((hook.options.token as Secret).read()).toBe('2026');
    expect(hook.options.acknowledgement).toBe(true);
  });

  it(`takes defaults for what is unset or empty, and leaves $\${ alone`, () => {
    const yaml = `name: q\ntype: hook\nurl: https://siem\ntoken: \${NONE:-a:-b}\${EMPTY:-c}\${EMPTY}\nindex: $\${X} \${NONE:-}$`;
    const output = loadOutput(yaml, { EMPTY: '' });
    expect((output.options.token as Secret).read()).toBe('a:-bc');
    expect(output.options.index).toBe(`\${X} $`);
  });

  it('is not looked at in keys and comments', () => {
    const output = loadOutput(`name: q\ntype: screen # \${NONE}\nfilter: { "\${NONE}": [a] }`);
    expect(Object.keys(output.filter)).toEqual([`\${NONE}`]);
  });
});

describe('secrets', () => {
  it('come from files beside the config, at any depth, and can be read again', () => {
    writeFileSync(join(folder, 'token.txt'), 'first\n');
    const { config } = load(`mimecast: { auth: { type: oauth2, clientId: id, clientSecretFile: token.txt } }
feeds: [{ type: attachment }]
outputs:
  - name: q
    type: hook
    url: https://siem
    tokenFile: ${join(folder, 'token.txt')}
    headers: { AuthorizationFile: token.txt, X-Other: plain }
`);
    const { auth } = config.mimecast;
    const secret = auth.type === 'oauth2' ? auth.clientSecret : expect.unreachable();
    const options = config.outputs[0]?.options as { token: Secret; headers: Record<string, Secret> };
    const headers = Object.fromEntries(Object.entries(options.headers).map(([name, value]) => [name, value.read()]));
    expect([secret.read(), options.token.read(), headers]).toEqual([
      ...['first', 'first'],
      { Authorization: 'first', 'X-Other': 'plain' },
    ]);
    writeFileSync(join(folder, 'token.txt'), 'second\n');
    expect([secret.refresh(), secret.read()]).toEqual([true, 'second']);
  });

  it('that their member refuses are told apart from others by place, not by value', () => {
    writeFileSync(join(folder, 'short.txt'), 's3cr3t');
    const hook = 'name: q\ntype: hook\nurl: https://siem\ntoken: t\nsigningSecret';
    const byFile = mistakeOf(() => loadOutput(`${hook}File: short.txt`)).message;
    expect(byFile).toMatch(
      /:8:24 outputs\[0\]\(q\)\.signingSecretFile: is not accepted, expected at least 8 characters$/,
    );
    const literal = mistakeOf(() => loadOutput(`${hook}: s3cr3t`)).message;
    expect(literal).toMatch(/:8:20 outputs\[0\]\(q\)\.signingSecret: is not accepted, expected at least 8 characters$/);
  });

  it('other files are found beside the config too', () => {
    const output = loadOutput('name: q\ntype: socket\nhost: siem\nprotocol: tls\ntls: { caFile: ca.pem }');
    expect(output.options.tls).toEqual({ caFile: join(folder, 'ca.pem') });
  });

  it('never show in the mistakes of a random config', () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.object(),
    );
    fc.assert(
      fc.property(value, value, value, (port, timeout, headers) => {
        const output = { name: 'q', type: 'hook', token: { a: 's3cr3t-value' }, signingSecret: ['s3cr3t-value'] };
        const text = stringify({
          mimecast: { auth: { type: 'hmac', applicationKey: 's3cr3t-value', secretKey: { x: 's3cr3t-value' }, port } },
          feeds: timeout,
          outputs: [
            { ...output, url: 'x', timeout, headers },
            { ...output, type: 'socket', port },
          ],
        });
        expect(mistakeOf(() => load(text)).message).not.toContain('s3cr3t-value');
      }),
      { numRuns: 100 },
    );
  });
});

describe('warnings', () => {
  const screen = 'outputs: [{ name: screen, type: screen }]\n';
  const warningsOf = (text: string) => load(text).warnings.map((line) => line.replace(/^.*forwarder.yaml:/, ''));

  it('has none for a good config', () => {
    expect(warningsOf(HEAD + screen)).toEqual([]);
  });

  it('API 1.0 is being retired', () => {
    const keys = `applicationId: a, applicationKey: "\${SECRET}", accessKey: "\${SECRET}", secretKey: "\${SECRET}"`;
    const text = `mimecast: { auth: { type: hmac, ${keys} } }\nfeeds: [{ type: attachment }]\n${screen}`;
    expect(warningsOf(text)).toEqual([expect.stringMatching(/^1:27 mimecast\.auth\.type: .*retired/)]);
  });

  it.skipIf(process.platform === 'win32')('a literal secret in a file that everybody can read', () => {
    const text = `${HEAD}outputs: [{ name: q, type: hook, url: "https://siem", token: literal }]\n`;
    const file = join(folder, 'open.yaml');
    writeFileSync(file, text);
    const warnings = (mode: number) => {
      chmodSync(file, mode);
      return loadConfig({ file, env: ENV, tables }).warnings;
    };
    expect(warnings(0o640)).toEqual([]);
    expect(warnings(0o644)).toEqual([expect.stringContaining(':3:62 outputs[0](q).token: a secret stands in a file')]);
    expect(warnings(0o644).join()).not.toContain('literal');
  });

  it.skipIf(process.platform === 'win32')('none about the made-up secret of a simulator', () => {
    const auth = '{ type: oauth2, clientId: id, clientSecret: literal }';
    const file = join(folder, 'simulated.yaml');
    const warnings = (baseUrl: string) => {
      writeFileSync(file, `mimecast: { baseUrl: ${baseUrl}, auth: ${auth} }\nfeeds: [{ type: attachment }]\n${screen}`);
      chmodSync(file, 0o644);
      return loadConfig({ file, env: ENV, tables }).warnings;
    };
    expect(warnings('"http://127.0.0.1:8787"')).toEqual([]);
    expect(warnings('"https://127.0.0.1:8787"')).toEqual([expect.stringContaining('mimecast.auth.clientSecret')]);
  });

  it.each(['0.0.0.0:9464', '"[::]:9464"', 'forwarder.example:80', '127.0.0.1.evil.example:1'])(
    '%s needs a token, or that somebody says public',
    (listen) => {
      const http = (more: string) => `${HEAD}${screen}http: { listen: ${listen}${more} }\n`;
      expect(mistakeOf(() => load(http(''))).message).toMatch(/:4:17 http\.listen: .*expected a token.*public: true/);
      expect(mistakeOf(() => load(http(', public: false'))).message).toContain('http.listen');
      for (const more of [`, token: "\${SECRET}"`, ', public: true']) expect(warningsOf(http(more))).toEqual([]);
    },
  );

  it.each(['"evil.example:9464"', '"*"', '"*.*.x"', '"http://x"', '""'])('%s is no name to allow', (name) => {
    const text = `${HEAD}${screen}http: { allowedHosts: [relay.example, "*.corp.example", ${name}] }\n`;
    expect(mistakeOf(() => load(text)).message).toMatch(/http\.allowedHosts\[2\].*expected a host name/);
  });

  const hook = (options: string) => `${HEAD}outputs: [{ name: q, type: hook, ${options} }]\n`;

  it.each(['http://siem.example/in', 'HTTP://10.0.0.1:8088'])('credentials that go to %s in clear text', (url) => {
    expect(warningsOf(hook(`url: "${url}", token: "\${SECRET}"`))).toEqual([
      expect.stringMatching(/^3:39 outputs\[0\]\(q\)\.url: http carries the credentials/),
    ]);
  });

  it.each(['https://siem.example', 'http://127.0.0.1:1', 'http://localhost', 'http://[::1]:8088/in'])(
    'not for %s',
    (url) => {
      expect(warningsOf(hook(`url: "${url}", token: "\${SECRET}"`))).toEqual([]);
    },
  );

  it.each(['127.0.0.1:0', '"[::1]:9464"', 'localhost:9464'])('not for %s', (listen) => {
    expect(warningsOf(`${HEAD}${screen}http: { listen: ${listen} }\n`)).toEqual([]);
  });
});
