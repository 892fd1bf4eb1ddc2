import type { Command as CommanderCommand } from 'commander';
import { ForwarderError, UsageError } from '../errors.ts';
import { parseDuration } from '../options.ts';
import { FAULT_SUMMARIES, type Fault, parseFaults } from '../simulate/faults.ts';
import { Simulator } from '../simulate/simulator.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { numberOption } from './session.ts';

/** `simulate`: a Mimecast API on this machine to practise on. What it prints to stdout is a config file that works with it. */
export const simulate: Command = {
  name: 'simulate',

  manual: {
    forms: ['[--port <port>] [--events <count>] [--rate <rate>] [--faults <faults>] [options]'],
    does: [
      'Runs a Mimecast API on this machine, with made-up mail, to practise on. What it prints to stdout is a config that works with it; requests go to stderr. Ctrl-C ends it.',
    ],
    sections: [
      {
        title: 'Faults',
        text: [
          'Faults are named with their settings, parted by commas: `--faults 429:every=7,5xx:p=0.02,late:p=0.1,by=90s`. Without a schedule they happen each time.',
        ],
        terms: [
          ['p=0.1', 'with this probability'],
          ['every=7', 'every seventh request'],
          ['first=3', 'only the first three requests'],
          ['count=2', 'twice at most'],
          ['by=90s', 'by how much, where it says so'],
          ['on=token', 'the token call, not the logs (on=any: both)'],
          ...FAULT_SUMMARIES,
        ],
      },
    ],
    examples: [
      {
        typed: 'mimecast-forwarder simulate --rate 10/s --faults 429:every=20,5xx:p=0.01 > practice.yaml',
        does: 'a busy one that fails now and then',
      },
      { typed: 'mimecast-forwarder run --config practice.yaml', does: 'in another terminal: read from it' },
    ],
    endless: true,
    reads: 'nothing',
    seeAlso: ['demo', 'run', 'CONTRIBUTING.md'],
  },

  define(command: CommanderCommand): void {
    command
      .description('run a local Mimecast API with made-up mail, to practise on')
      .option('--port <port>', 'port to listen on; 0 for any that is free', '8787')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--events <count>', 'how many records there are from the start', '1000')
      .option('--span <duration>', 'how far back they reach', '24h')
      .option('--rate <rate>', 'how fast new ones arrive: 10/s, 5/m, 100/h, or 0', '1/s')
      .option('--faults <faults>', 'what goes wrong, see below')
      .option('--seed <text>', 'same seed, same records and faults', 'practice');
  },

  async run(shell: Shell, _args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<ExitCode> {
    const settings = readSettings(options);
    const { port, host, seed, faults } = settings;
    const onLine = (line: string): void => void shell.stderr.write(`${new Date().toISOString()} ${line}\n`);
    const simulator = await Simulator.start({ port, host, seed, faults, onLine }).catch(explainPort);
    try {
      const to = simulator.now();
      const from = to - settings.span;
      simulator.seed(settings.events, { from, to });
      if (settings.ratePerSecond > 0) simulator.startTraffic({ ratePerSecond: settings.ratePerSecond });
      shell.stdout.write(configFor(simulator, from));
      await aborted(shell.signal);
    } finally {
      await simulator.stop();
    }
    onLine(`stopped: ${summary(simulator)}`);
    return 0;
  },
};

interface SimulateSettings {
  readonly port: number;
  readonly host: string;
  readonly events: number;
  /** ms. */
  readonly span: number;
  readonly ratePerSecond: number;
  readonly faults: readonly Fault[];
  readonly seed: string;
}

function readSettings(options: Readonly<Record<string, unknown>>): SimulateSettings {
  const span = parseDuration(String(options.span ?? '24h'));
  if (span === undefined) throw new UsageError('--span is not a duration', 'Write it as 90m, 24h or 30d.');
  return {
    port: numberOption(options.port ?? '8787', '--port', 0, 65_535),
    host: String(options.host ?? '127.0.0.1'),
    events: numberOption(options.events ?? '1000', '--events', 0, 50_000_000),
    span,
    ratePerSecond: parseRate(String(options.rate ?? '1/s')),
    faults: parseFaults(String(options.faults ?? '')),
    seed: String(options.seed ?? 'practice'),
  };
}

/** Records a second of `10/s`, `5/m`, `100/h` or `0`. Throws a `UsageError`. */
export function parseRate(text: string): number {
  if (text === '0') return 0;
  const [, count, unit] = /^(\d+(?:\.\d+)?)\/([smh])$/.exec(text) ?? [];
  if (count === undefined)
    throw new UsageError('--rate is not a rate', 'Write it as 10/s, 5/m or 100/h, or 0 for none.');
  return Number(count) / (unit === 's' ? 1 : unit === 'm' ? 60 : 3600);
}

/**
 * A config that reads from this simulator, with all that a person needs to know as comments in it. `from` (ms) is written as a
 * time, not as a duration: whoever starts the forwarder a while later still gets every record.
 */
function configFor({ url, credentials }: Simulator, from: number): string {
  const { clientId, clientSecret, hmac } = credentials;
  return `# A simulated Mimecast API is listening on ${url}; stop it with Ctrl-C.
# This is a config for it; its credentials are made up and open nothing else. Start a forwarder with it in another terminal.
mimecast:
  baseUrl: ${url}
  auth:
    type: oauth2
    clientId: ${clientId}
    clientSecret: ${clientSecret}
  # API 1.0 works as well:
  # auth: { type: hmac, applicationId: ${hmac.applicationId}, applicationKey: ${hmac.applicationKey},
  #         accessKey: ${hmac.accessKey}, secretKey: ${hmac.secretKey} }
feeds:
  - type: attachment
    startFrom: ${new Date(from).toISOString()}
outputs:
  - name: screen
    type: stdout
    startFrom: beginning
store:
  path: ./practice.db
`;
}

function summary({ stats }: Simulator): string {
  return `${stats.requests} requests, ${stats.records} records in ${stats.pages} pages, ${stats.refused} refused`;
}

function explainPort(error: unknown): never {
  if (!(error instanceof ForwarderError)) throw error;
  throw new UsageError(
    error.message,
    'Give another --port, or --port 0 for any that is free, and an address of this machine.',
  );
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
