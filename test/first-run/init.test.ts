import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { asked, isSecretKey, questionsOf } from '../../src/commands/init/destination.ts';
import { runProgram } from '../../src/commands/program.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tables } from '../../src/config/tables.ts';
import { baseUrlOf, REGIONS, SERVED_BY_GLOBAL } from '../../src/mimecast/regions.ts';
import { startSimulator } from '../collect/reading.ts';
import { testShell, type } from '../commands/shell.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

const SECRET = 'hush-hush: #1';

let folder: string;
let config: string;
beforeEach(() => {
  folder = temporaryFolder();
  config = join(folder, 'config', 'forwarder.yaml');
});

/** Types `init` where there is no terminal, with lines on standard input. */
function init(options: readonly string[], lines: readonly string[] = [], env: Record<string, string> = {}) {
  const stdin = new PassThrough();
  stdin.end(lines.map((line) => `${line}\n`).join(''));
  return type(['init', ...options], { cwd: folder, stdin, env });
}

const MIMECAST = ['--region', 'uk', '--client-id', 'an-id'];
const TO_FILE = ['--output', 'file', '--path', 'events.ndjson', '--yes'];

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

/** A person at a terminal. */
class Person {
  readonly stdin = Object.assign(new PassThrough(), { isTTY: true });
  readonly stderr = new MemoryStream({ isTTY: true });
  readonly ended: Promise<number>;
  readonly stop: AbortController;
  readonly stdout: MemoryStream;

  constructor(options: readonly string[] = []) {
    const { shell, stop, stdout } = testShell({ cwd: folder, stdin: this.stdin });
    this.stop = stop;
    this.stdout = stdout;
    this.ended = runProgram({ ...shell, stderr: this.stderr }, ['init', ...options]);
  }

  /** Waits for a question and answers it. */
  async answers(question: string, answer: string): Promise<void> {
    await vi.waitFor(() => expect(this.#asked()).toContain(question), { timeout: 5000, interval: 2 });
    this.stdin.write(`${answer}\r`);
    this.#answered = this.stderr.text.length;
  }

  #answered = 0;

  #asked(): string {
    return this.stderr.text.slice(this.#answered);
  }
}

describe('init at a terminal', () => {
  it('asks, asks again with the reason, writes a config that works, and tries it', async () => {
    const simulator = await startSimulator();
    const { clientId, clientSecret } = simulator.credentials;
    const person = new Person();
    await person.answers('Region', 'mars');
    await person.answers('expected global, us, uk, eu', 'https://eu-api.mimecast.com');
    await person.answers('a host of API 1.0', simulator.url);
    await person.answers('Client id:', '');
    await person.answers('expected an answer', 'my client');
    await person.answers('expected one word', clientId);
    await person.answers('Client secret (is not shown):', clientSecret);
    await person.answers('Output:', 'paper');
    await person.answers('expected one of syslog', 'file');
    await person.answers('path:', join(folder, 'events.ndjson'));
    await person.answers('format [json]:', 'xml');
    await person.answers('expected one of json', '');
    await person.answers('Try it now? [yes]:', '');
    expect(await person.ended).toBe(0);
    expect(person.stdout.text).toMatch(/^ok {4}mimecast: signed in at/m);
    expect(person.stdout.text).toMatch(/^ok {4}output file/m);
    expect(person.stdout.text).toMatch(
      /Next:\n {2}mimecast-forwarder check --send-test\n {2}mimecast-forwarder run\n$/,
    );
    expect(person.stderr.text).not.toContain(clientSecret);
    expect(readFileSync(config, 'utf8')).not.toContain(clientSecret);
    expect(loadConfig({ file: config, env: {} }).config.outputs.map(({ name }) => name)).toEqual(['file']);
  });

  it('leaves nothing behind on Ctrl-C', async () => {
    const person = new Person();
    await person.answers('Region', 'uk');
    await person.answers('Client id:', 'an-id');
    await person.answers('Client secret', SECRET);
    await person.answers('Output:', '\u0003');
    expect(await person.ended).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not show on arrow up what was typed as a secret', async () => {
    const person = new Person([...MIMECAST]);
    await person.answers('Client secret', SECRET);
    await person.answers('Output:', '\u001b[A');
    await person.answers('expected', '\u0003');
    expect(await person.ended).toBe(130);
    expect(person.stderr.text).not.toContain('hush');
  });

  it('tells QRadar what the log source has to be called, with the name of this machine', async () => {
    const person = new Person([...MIMECAST, '--output', 'qradar', '--host', 'siem.example', '--port', '514']);
    await person.answers('Client secret', SECRET);
    await person.answers('protocol [tls]', 'tcp');
    await person.answers('hostname [test-host]', '');
    await person.answers('Try it now?', 'no');
    expect(await person.ended).toBe(0);
    const [output] = parse(readFileSync(config, 'utf8')).outputs;
    expect(output).toEqual({
      ...{ name: 'qradar', type: 'syslog', profile: 'qradar', host: 'siem.example', port: 514 },
      ...{ protocol: 'tcp', hostname: 'test-host' },
    });
    expect(person.stdout.text).toContain('Log Source Identifier test-host and the type Universal LEEF');
  });
});

describe('init without a terminal', () => {
  it('takes options, and the rest from standard input, a line each', async () => {
    const { code, stdout } = await init(['--region', 'eu'], ['an-id', SECRET, 'file', 'events.ndjson', 'cef']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('mimecast-forwarder check --online\n')]);
    const { config: loaded } = loadConfig({ file: config, env: {} });
    expect(loaded.mimecast.baseUrl).toBe('https://api.services.mimecast.com');
    expect(loaded.mimecast.auth).toMatchObject({ type: 'oauth2', clientId: 'an-id' });
    expect(loaded.mimecast.auth.type === 'oauth2' && loaded.mimecast.auth.clientSecret.read()).toBe(SECRET);
    expect(loaded.outputs[0]?.options).toMatchObject({ path: join(folder, 'events.ndjson') });
    expect(loaded.outputs[0]?.format.type.name).toBe('cef');
    expect(loaded.store.path).toBe(join(folder, 'data', 'forwarder.db'));
  });

  it('keeps config and secrets for this user alone, each secret in a file of its own', async () => {
    const splunk = ['--output', 'splunk-hec', '--url', 'https://splunk.example:8088', '--yes'];
    const { code, stdout } = await init([...MIMECAST, ...splunk], [SECRET, 'a-token']);
    expect(code).toBe(0);
    const names = ['forwarder.yaml', 'mimecast-client-secret', 'splunk-hec-token'];
    expect(readdirSync(join(folder, 'config')).sort()).toEqual(names);
    for (const name of names) {
      expect(modeOf(join(folder, 'config', name)), name).toBe('600');
      expect(stdout).toContain(name);
    }
    const text = readFileSync(config, 'utf8');
    expect(text).toContain('clientSecretFile: mimecast-client-secret');
    expect(text).toContain('tokenFile: splunk-hec-token');
    expect(text + stdout).not.toMatch(/hush|a-token/);
  });

  it('ends at a bad answer, for the next line is for the next question', async () => {
    const { code, stderr } = await init([...MIMECAST], [SECRET, 'syslog', '', 'siem.example', 'carrier pigeon']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/protocol: expected one of udp, tcp.*\n.*--protocol/)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('ends when nobody answers, and says how else to', async () => {
    const { code, stderr } = await init(['--region', 'uk']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no answer to "Client id"\n.*--client-id ID/)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['--client-secret', SECRET],
    ['--output', 'splunk-hec', '--set', `token=${SECRET}`],
  ])('refuses a secret on the command line: %s %s …', async (...options) => {
    const { code, stderr } = await init([...MIMECAST, ...options], [SECRET]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('can be read by every user of this machine')]);
    expect(stderr).not.toContain('hush');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('lets no name of an output lead out of the folder', async () => {
    const { code, stderr } = await init([...MIMECAST, ...TO_FILE, '--name', '../up'], [SECRET]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--name: expected small letters')]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names secrets that are elsewhere, and tells which variables are missing', async () => {
    writeFileSync(join(folder, 'token'), 'abc\n');
    const elsewhere = ['--client-secret-env', 'MC_SECRET', '--set', 'tokenFile=token'];
    const splunk = ['--output', 'splunk-hec', '--url', 'https://splunk.example:8088', '--yes', ...elsewhere];
    const { code, stdout } = await init([...MIMECAST, ...splunk]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('needed where it runs: MC_SECRET')]);
    const { mimecast, outputs } = parse(readFileSync(config, 'utf8'));
    expect(mimecast.auth.clientSecret).toBe(['$', '{MC_SECRET}'].join(''));
    expect(outputs[0].tokenFile).toBe(join(folder, 'token'));
    expect(loadConfig({ file: config, env: { MC_SECRET: 'x' } }).warnings).toEqual([]);
  });

  it('says which file of a certificate is not there, before anything is written', async () => {
    const wrong = ['--output', 'syslog', '--host', 'h', '--protocol', 'tls', '--set', 'tls.caFile=none.pem', '--yes'];
    const { code, stderr } = await init([...MIMECAST, ...wrong], [SECRET]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${join(folder, 'none.pem')} is not`)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('writes nothing when the whole does not fit together, and tells the place where it would have stood', async () => {
    const wrong = ['--output', 'syslog', '--host', 'h', '--protocol', 'relp', '--set', 'confirm=write', '--yes'];
    const { code, stderr } = await init([...MIMECAST, ...wrong], [SECRET]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${config}:`)]);
    expect(stderr).toContain('Nothing was written');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes back what it had written when a later file is there already', async () => {
    mkdirSync(join(folder, 'config'));
    const tokenFile = join(folder, 'config', 'splunk-hec-token');
    writeFileSync(tokenFile, 'older');
    const splunk = ['--output', 'splunk-hec', '--url', 'https://splunk.example:8088', '--yes'];
    const { code, stderr } = await init([...MIMECAST, ...splunk], [SECRET, 'a-token']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${tokenFile} is there already`)]);
    expect([readdirSync(join(folder, 'config')), readFileSync(tokenFile, 'utf8')]).toEqual([
      ['splunk-hec-token'],
      'older',
    ]);
  });

  it('replaces nothing without --force', async () => {
    mkdirSync(join(folder, 'config'));
    const secretFile = join(folder, 'config', 'mimecast-client-secret');
    writeFileSync(secretFile, 'older');
    const again = () => init([...MIMECAST, ...TO_FILE], [SECRET]);
    expect(await again()).toMatchObject({ code: 2, stderr: expect.stringContaining(`${secretFile} is there already`) });
    expect([readdirSync(join(folder, 'config')), readFileSync(secretFile, 'utf8')]).toEqual([
      ['mimecast-client-secret'],
      'older',
    ]);

    writeFileSync(config, 'older');
    expect(await again()).toMatchObject({ code: 2, stderr: expect.stringContaining(`${config} is there already`) });
    expect(readFileSync(config, 'utf8')).toBe('older');

    expect(await init([...MIMECAST, ...TO_FILE, '--force'], [SECRET])).toMatchObject({ code: 0 });
    expect(readFileSync(secretFile, 'utf8')).toBe(`${SECRET}\n`);
    expect([modeOf(config), modeOf(secretFile)]).toEqual(['600', '600']);
    expect(readdirSync(join(folder, 'config')).sort()).toEqual(['forwarder.yaml', 'mimecast-client-secret']);
  });

  it('takes no folder for the config, with --force neither: the secret would be replaced and the config not written', async () => {
    mkdirSync(config, { recursive: true });
    const secretFile = join(folder, 'config', 'mimecast-client-secret');
    writeFileSync(secretFile, 'older');
    const { code, stderr } = await init([...MIMECAST, ...TO_FILE, '--force'], [SECRET]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${config} is a folder`)]);
    expect(readFileSync(secretFile, 'utf8')).toBe('older');
  });

  it('with --online exits 1 when something does not answer, and keeps what it wrote', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { code, stdout } = await init(['--region', url, '--client-id', 'a', ...TO_FILE, '--online'], [SECRET]);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}mimecast: .*ECONNREFUSED/m)]);
    expect(stdout).toMatch(/Mend what failed, in .*\n {2}mimecast-forwarder check --online/);
    expect(existsSync(config)).toBe(true);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('what is asked of an output', () => {
  it.each(Object.values(tables.outputTypes))('of $type: all that it cannot do without', (type) => {
    const required = Object.keys(type.options.shape).filter((key) => !asked(type, key).optional);
    const questions = [...questionsOf(type, new Map(), 'here')].map(({ key }) => key);
    expect(questions).toEqual(expect.arrayContaining(required));
  });

  it('knows a secret from the rest', () => {
    const { kafka, sumologic } = tables.outputTypes;
    expect(sumologic && isSecretKey(sumologic, 'url')).toBe(true);
    expect(kafka && isSecretKey(kafka, 'topic')).toBe(false);
  });
});

describe('the regions', () => {
  it.each([...Object.keys(REGIONS), ...SERVED_BY_GLOBAL, 'UK'])('%s has a host of API 2.0', (name) => {
    const found = baseUrlOf(name);
    expect('baseUrl' in found && new URL(found.baseUrl).hostname).toMatch(/^(?:us-|uk-)?api\.services\.mimecast\.com$/);
  });

  it.each(['https://de-api.mimecast.com', 'https://api.mimecast.com', 'http://api.services.mimecast.com', 'x'])(
    '%s is refused with what is expected',
    (text) => expect(baseUrlOf(text)).toEqual({ mistake: expect.stringContaining('expected') }),
  );
});
