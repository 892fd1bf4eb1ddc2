import { availableParallelism, release, totalmem, type } from 'node:os';
import type { Command as CommanderCommand } from 'commander';
import { request } from 'undici';
import { printConfig } from '../config/effective.ts';
import type { LoadedConfig } from '../config/load.ts';
import { SNAPSHOT_NOTE } from '../daemon/snapshot.ts';
import { codeOf } from '../errors.ts';
import { assess } from '../status/assess.ts';
import { readiness } from '../status/readiness.ts';
import type { Snapshot } from '../status/snapshot.ts';
import { renderTerminal } from '../status/terminal.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { type Options, readConfig, withConfigOption } from './session.ts';

/**
 * `support-bundle`: what somebody needs who shall help, as one text that can be read before it is sent.
 *
 * Left out: every secret, and all that is about somebody's mail. In it: names of hosts, outputs and files.
 */
export const supportBundle: Command = {
  name: 'support-bundle',

  manual: {
    forms: ['[options]'],
    does: [
      'Prints what somebody needs who shall help, as one text: versions, the config with every secret masked, status, figures of the store, metrics. Secrets, records, addresses, subjects, file names of mail and logs are not in it.',
      'Read it before you send it: names of hosts, outputs and files are in it.',
    ],
    examples: [{ typed: 'mimecast-forwarder support-bundle > bundle.txt', does: 'write it to a file' }],
    reads: 'store',
    seeAlso: ['status', 'config', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withConfigOption(command).description(
      'print what somebody needs who shall help: versions, config, status, figures; no secrets, no mail',
    );
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    const sections = [
      ['program', programFacts(shell)],
      ['config, secrets masked', printConfig(loaded.effective, 'yaml')],
      ['warnings about the config', loaded.warnings.join('\n') || 'none'],
      ...storeSections(loaded),
      ['metrics of the running daemon', await metricsOf(loaded)],
    ];
    shell.stdout.write(PREFACE);
    for (const [title = '', text = ''] of sections) shell.stdout.write(`\n===== ${title} =====\n${text.trimEnd()}\n`);
    return 0;
  },
};

const PREFACE = `mimecast-forwarder support bundle
In it: versions, the config with every secret masked, status, figures of the store, metrics. Names of hosts, outputs and files are shown.
Not in it: secrets, records, addresses, subjects, file names of mail, logs.
`;

/** How long a daemon that hangs is waited for, ms. */
const METRICS_PATIENCE = 3000;

function programFacts({ version, node }: Shell): string {
  const memory = `${Math.round(totalmem() / 1024 ** 2)} MiB`;
  return [
    `version ${version}`,
    `node ${node}`,
    `${type()} ${release()}`,
    `${availableParallelism()} cores, ${memory}`,
  ].join('\n');
}

function storeSections({ config }: LoadedConfig): [string, string][] {
  let store: Store;
  try {
    store = Store.open(config.store.path, { mustExist: true });
  } catch (error) {
    return [['store', `cannot be read: ${codeOf(error) ?? 'no code'}`]];
  }
  try {
    const noted = store.note<Snapshot>(SNAPSHOT_NOTE);
    const served = Store.isServed(store.path) ? 'a daemon serves it' : 'no daemon serves it';
    const facts = { served, bytes: store.usedBytes(), freeDisk: store.freeDisk(), ...store.inventory() };
    return [
      ['store', JSON.stringify(facts, null, 2)],
      [
        'status',
        noted
          ? renderTerminal(assess(noted.data), { color: false, unicode: true, width: 100 })
          : 'the daemon has not run yet',
      ],
      ['readiness', noted ? JSON.stringify(readiness(noted.data), null, 2) : 'the daemon has not run yet'],
      ['snapshot', noted ? JSON.stringify(noted.data, null, 2) : 'the daemon has not run yet'],
    ];
  } finally {
    store.close();
  }
}

/** Read over HTTP: they live in the daemon's memory. */
async function metricsOf({ config }: LoadedConfig): Promise<string> {
  if (config.http === false) return 'http is turned off';
  const { listen, token } = config.http;
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? '127.0.0.1' : listen.host;
  const authority = host.includes(':') ? `[${host}]` : host;
  try {
    const { statusCode, body } = await request(`http://${authority}:${listen.port}/metrics`, {
      headers: token ? { authorization: `Bearer ${token.read()}` } : {},
      signal: AbortSignal.timeout(METRICS_PATIENCE),
    });
    const text = await body.text();
    return statusCode === 200 ? text : `answered with ${statusCode}`;
  } catch (error) {
    return `no answer at ${authority}:${listen.port} (${codeOf(error) ?? 'timeout'})`;
  }
}
