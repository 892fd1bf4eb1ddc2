import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startSimulator } from '../collect/reading.ts';
import { type } from '../commands/shell.ts';
import { openDaemon, writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { pageAt } from '../docs/markdown.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { Certificates } from './listeners.ts';
import { MIMECAST_MISTAKES, type Mistake, OUTPUT_MISTAKES } from './mistakes.ts';

/** The mistakes of a first run, each made for real: `check` has to say what is wrong and what to do. */

const ALL = [...MIMECAST_MISTAKES, ...OUTPUT_MISTAKES];
/** What `check` printed about each, for the page that quotes it. */
const printed = new Map<Mistake, string>();

let certificates: Certificates;
beforeAll(() => {
  certificates = new Certificates();
});
afterAll(() => certificates.authority.remove());

/** The sections of a config that has the mistake and no other. */
async function configWith({ setUp }: Mistake) {
  const { mimecast, output } = await setUp(certificates);
  const simulator = await startSimulator();
  simulator.seed(1, { from: simulator.now() - 60_000, to: simulator.now() });
  const { clientId, clientSecret } = simulator.credentials;
  const sections = {
    mimecast: { baseUrl: simulator.url, auth: { type: 'oauth2', clientId, clientSecret }, ...mimecast },
    ...(output && { outputs: [{ startFrom: 'beginning', ...output }] }),
  };
  return { simulator, sections };
}

it.each(ALL)('$done', async (mistake) => {
  const { simulator, sections } = await configWith(mistake);
  const config = writeConfig(temporaryFolder(), simulator, sections);
  const { code, stdout } = await type(['check', mistake.sendTest ? '--send-test' : '--online', '--config', config]);
  printed.set(mistake, stdout);
  expect(code).toBe(1);
  for (const words of mistake.says) expect(stdout).toContain(words);
  const lines = stdout.split('\n');
  const failed = lines.findIndex((line) => line.startsWith('FAIL'));
  expect(lines[failed + 1], 'the cure stands below the fault').toMatch(/^ {6}\S.{20}/);
  // Neither OpenSSL's thread ids and source lines nor Node's advice about its own command line is for an operator.
  expect(stdout).not.toMatch(/deps\/openssl|[0-9A-F]{12}:error|--use-system-ca/);
});

describe('what no answer tells', () => {
  const siem = { name: 'siem', type: 'syslog', host: '127.0.0.1', protocol: 'tcp', startFrom: 'beginning' };

  async function sendTest({ port }: { readonly port: number }, output: object): Promise<string> {
    const simulator = await startSimulator();
    const config = writeConfig(temporaryFolder(), simulator, { outputs: [{ ...siem, port, ...output }] });
    const { code, stdout } = await type(['check', '--send-test', '--config', config]);
    expect(code).toBe(0);
    return stdout;
  }

  it('counted messages at a receiver of lines: how they look there, and what to set', async () => {
    let received = '';
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('end', () => socket.end()).on('error', () => {});
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const stdout = await sendTest(server.address() as { port: number }, { framing: 'octet-counting' });
    expect(stdout).toMatch(/^ {6}.*a number before the header \(251 <110>1 …\).*set framing to newline/m);
    expect(received).toMatch(/^\d+ <110>1 [^\n]+$/);
  });

  it('lines: what to set when nothing arrives', async () => {
    const receiver = await SyslogReceiver.start({ framing: 'newline' });
    onTestFinished(() => receiver.stop());
    expect(await sendTest(receiver, { framing: 'newline' })).toMatch(/^ {6}.*set framing to octet-counting/m);
  });

  it.each([
    [{ profile: 'qradar' }, 'test-host and the type Universal LEEF'],
    [{ profile: 'qradar', format: 'cef', hostname: 'relay01' }, 'relay01 and the type Universal CEF'],
    [{ format: 'leef', envelope: 'rfc3164' }, 'test-host and the type Universal LEEF'],
  ])('what the log source of QRadar has to be: %j', async (output, words) => {
    const simulator = await startSimulator();
    const config = writeConfig(temporaryFolder(), simulator, { outputs: [{ ...siem, ...output }] });
    const { stdout } = await type(['check', '--config', config]);
    expect(stdout).toContain(`its log source needs the Log Source Identifier ${words}.`);
  });

  it('and nothing is said of QRadar to anybody else', async () => {
    const simulator = await startSimulator();
    const config = writeConfig(temporaryFolder(), simulator, { outputs: [siem] });
    expect((await type(['check', '--config', config])).stdout).not.toContain('QRadar');
  });
});

describe('the log of the daemon has fault and cure of', () => {
  const chosen = ['client id or secret of another', 'syslog: an authority of the company', 'http: wrong credentials'];

  it.each(ALL.filter(({ done }) => chosen.some((start) => done.startsWith(start))))('$done', async (mistake) => {
    const { simulator, sections } = await configWith(mistake);
    const { daemon, log } = openDaemon(simulator, { config: sections });
    await daemon.start();
    const told = () => log.entries.map(({ error, hint }) => `${error} ${hint}`).join('\n');
    await vi.waitFor(() => expect(told()).toContain(mistake.says.at(-1)), { timeout: 10_000, interval: 10 });
    for (const words of mistake.says) expect(told()).toContain(words);
    await daemon.stop();
  });
});

describe('docs/troubleshooting.md', () => {
  const rows = [...pageAt('docs/troubleshooting.md').text.matchAll(/^\| `([^`]+)` \|/gm)].map(
    ([, quote = '']) => quote,
  );
  const found = (quote: string, text: string): boolean =>
    new RegExp(
      quote
        .split('…')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.+'),
    ).test(text);
  /** Good news that may be bad: no mistake brings it about. */
  const NO_FAILURE = 'may be read; no records in the last hour';

  it('quotes what check says', ({ skip }) => {
    if (printed.size < ALL.length) skip('not every mistake was made');
    const texts = [...printed.values()];
    const unsaid = rows.filter((quote) => quote !== NO_FAILURE && !texts.some((text) => found(quote, text)));
    expect(unsaid).toEqual([]);
  });

  it('has every mistake', ({ skip }) => {
    if (printed.size < ALL.length) skip('not every mistake was made');
    const missing = ALL.filter((mistake) => !rows.some((quote) => found(quote, printed.get(mistake) ?? '')));
    expect(missing.map(({ done }) => done)).toEqual([]);
  });
});
