import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command as CommanderCommand } from 'commander';
import { request } from 'undici';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { tables } from '../config/tables.ts';
import { Daemon } from '../daemon/daemon.ts';
import { ForwarderError } from '../errors.ts';
import { sleep } from '../retry.ts';
import { parseFaults } from '../simulate/faults.ts';
import { Simulator } from '../simulate/simulator.ts';
import { assess } from '../status/assess.ts';
import { renderTerminal } from '../status/terminal.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { hostOf, loggerFor, type Options } from './session.ts';

/** `demo`: a made-up Mimecast, the daemon, and what it does when things go wrong. No credentials, no config, nothing is left behind. */
export const demo: Command = {
  name: 'demo',

  manual: {
    forms: ['[--keep]'],
    does: [
      'Starts a made-up Mimecast and the daemon, and shows what happens when mail arrives, when Mimecast is over quota, and after a restart. It needs no credentials and no config, takes some seconds, and leaves nothing behind. What it tells goes to stderr, the events go to stdout.',
    ],
    examples: [{ typed: 'mimecast-forwarder demo --keep', does: 'and stay up, with a status page to visit' }],
    bad: 'the events did not arrive in time',
    endless: true,
    reads: 'nothing',
    seeAlso: ['simulate', 'run', 'README.md'],
  },

  define(command: CommanderCommand): void {
    command
      .description('see it work: a simulated Mimecast, the daemon and your screen; no credentials, no config')
      .option(
        '--keep',
        'stay up at the end until Ctrl-C, so that the addresses can be visited (default on a terminal)',
      );
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const folder = mkdtempSync(join(tmpdir(), 'mimecast-forwarder-demo-'));
    const simulator = await Simulator.start({ seed: 'view' });
    const show = new Show(shell, simulator, folder);
    try {
      await show.play(options.keep === true || shell.stdout.isTTY === true);
      return 0;
    } finally {
      await show.end();
      await simulator.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const DEADLINE = 20_000;

class Show {
  readonly #shell: Shell;
  readonly #simulator: Simulator;
  readonly #folder: string;
  readonly #config: LoadedConfig;
  #daemon: Daemon | undefined;
  #served = 0;

  constructor(shell: Shell, simulator: Simulator, folder: string) {
    this.#shell = shell;
    this.#simulator = simulator;
    this.#folder = folder;
    const file = join(folder, 'forwarder.yaml');
    writeFileSync(file, configText(simulator, folder), { mode: 0o600 });
    this.#config = loadConfig({ file, env: {}, cwd: folder, tables });
  }

  async play(keep: boolean): Promise<void> {
    this.#mailArrives(12);
    this.#tell(`1. A made-up Mimecast answers at ${this.#simulator.url}. It has 12 records of the last half hour.
   The daemon starts. All events go to this screen as CEF, the suspicious ones also as JSON, and all to a file.`);
    await this.#start();
    await this.#allDelivered();

    this.#simulator.inject(...parseFaults('429:count=1,by=2s'));
    this.#mailArrives(6);
    this.#tell(`2. Six more mails, and Mimecast says 429: over quota, come back in 2 s.
   The daemon waits as long as it is told, asks once, and goes on where it was.`);
    await this.#allDelivered();

    this.#tell(
      '3. The daemon is stopped. Six mails arrive meanwhile. It starts again, reads what it knows once more, and skips it.',
    );
    await this.#daemon?.stop();
    this.#mailArrives(6);
    await this.#start();
    await this.#allDelivered();
    const delivered = this.#delivered();
    this.#tell(
      `   Mimecast had ${this.#served} records, ${delivered.length} were delivered, ${new Set(delivered).size} of them different: ` +
        'nothing lost, nothing doubled.',
    );
    await this.#showMetrics();
    if (keep) await this.#stayUp();
    else
      this.#tell('That was the demo. `mimecast-forwarder demo --keep` stays up. Next: README.md, "Run it for real".');
  }

  async end(): Promise<void> {
    await this.#daemon?.stop();
  }

  async #start(): Promise<void> {
    const { config } = this.#config;
    const logger = loggerFor(this.#shell, this.#config);
    this.#daemon = Daemon.open({ config, host: hostOf(this.#shell), logger });
    await this.#daemon.start();
  }

  #mailArrives(count: number): void {
    // Spread over the half hour before: also what surfaces late is found, within the overlap.
    const to = this.#simulator.now() - 2000;
    this.#simulator.seed(count, { from: to - 30 * 60_000 + this.#served * 1000, to });
    this.#served += count;
  }

  /** The event ids in the file, one for each line. */
  #delivered(): string[] {
    try {
      return readFileSync(join(this.#folder, 'events.ndjson'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => String((JSON.parse(line) as { eventId?: unknown }).eventId));
    } catch {
      return [];
    }
  }

  /** Waits until the file has every record and the other outputs have nothing left to do. */
  async #allDelivered(): Promise<void> {
    const deadline = Date.now() + DEADLINE;
    const isDone = (): boolean =>
      this.#delivered().length >= this.#served &&
      this.#daemon?.snapshot().outputs.every(({ backlog }) => backlog === 0) === true;
    while (!isDone()) {
      if (Date.now() > deadline) {
        throw new ForwarderError('the demo did not get all its events in time', { code: 'DEMO_LATE' });
      }
      await sleep(100, this.#shell.signal);
    }
  }

  async #showMetrics(): Promise<void> {
    const url = this.#daemon?.url;
    if (!this.#daemon || !url) return;
    const { body } = await request(`${url}/metrics`);
    const wanted =
      /^mimecast_forwarder_(feed_lag_seconds|api_rate_limited_total|api_errors_total|records_total|output_events_total)\{/;
    // What has not happened is left out: a screen of zeros shows nothing.
    const lines = (await body.text()).split('\n').filter((line) => wanted.test(line) && !line.endsWith(' 0'));
    this.#tell(`4. What Prometheus scrapes at ${url}/metrics, in part:`);
    this.#shell.stderr.write(`${lines.map((line) => `     ${line}`).join('\n')}\n`);
    this.#tell(`5. What \`mimecast-forwarder status\` says (also at ${url}/ and, as JSON, at ${url}/api/status):`);
    const look = { color: false, unicode: true, width: 80 };
    this.#shell.stderr.write(indent(renderTerminal(assess(this.#daemon.snapshot()), look)));
  }

  async #stayUp(): Promise<void> {
    this.#tell(`It stays up, with a mail every five seconds. Visit ${this.#daemon?.url}/ or stop it with Ctrl-C.`);
    this.#simulator.startTraffic({ ratePerSecond: 0.2 });
    if (this.#shell.signal.aborted) return;
    await new Promise<void>((resolve) => this.#shell.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  #tell(text: string): void {
    this.#shell.stderr.write(`\n${text}\n\n`);
  }
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '     ');
}

function configText({ url, credentials }: Simulator, folder: string): string {
  return `
mimecast:
  baseUrl: ${url}
  auth: { type: oauth2, clientId: ${credentials.clientId}, clientSecret: ${credentials.clientSecret} }
  requestsPerMinute: 600
feeds:
  - { type: attachment, schedule: "* * * * * *", startFrom: 1h, settle: 0s, overlap: 45m, sweep: false }
outputs:
  - { name: screen, type: stdout, format: cef, startFrom: beginning }
  - { name: alerts, type: stdout, format: json, startFrom: beginning, filter: { result: [malicious, unsafe] } }
  - { name: disk, type: file, path: ${JSON.stringify(join(folder, 'events.ndjson'))}, startFrom: beginning }
store: { path: ${JSON.stringify(join(folder, 'forwarder.db'))}, minFreeDisk: 1MiB }
http: { listen: "127.0.0.1:0" }
log: { level: warn, format: pretty }
`;
}
