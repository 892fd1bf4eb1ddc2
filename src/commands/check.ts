import type { Command as CommanderCommand } from 'commander';
import type { FeedConfig, OutputConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { userAgentOf } from '../daemon/host.ts';
import { createOutput } from '../daemon/outputs.ts';
import { ForwarderError, messageOf } from '../errors.ts';
import { ForwarderEvent } from '../event.ts';
import { MimecastClient } from '../mimecast/client.ts';
import { eventId } from '../store/key.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { hostOf, type Options, printJson, readConfig, withConfigOption, withJsonOption } from './session.ts';

/** One thing that was looked at. */
interface Finding {
  readonly subject: string;
  readonly ok: boolean;
  /** What was found, or what is wrong. */
  readonly text: string;
  /** What to do, when something is wrong. */
  readonly hint?: string | undefined;
}

/** How long one output or Mimecast may take. */
const PATIENCE = 30_000;
/** How far back the page that is read for a trial reaches. */
const TRIAL_SPAN = 3_600_000;

/** `check`: is the config good, and with `--online`, does everything that it names answer? */
export const check: Command = {
  name: 'check',

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('validate the config; with --online also sign in, read a page and connect to every output')
      .option('--online', 'try Mimecast and every output; nothing is stored, no event is sent')
      .option('--send-test', 'send one labelled test event to each output (implies --online)')
      .addHelpText('after', HELP);
  },

  async run(shell: Shell, _args: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    const { feeds, outputs } = loaded.config;
    const findings: Finding[] = [
      {
        subject: 'config',
        ok: true,
        text: `${loaded.file} is good: feeds ${namesOf(feeds)}; outputs ${namesOf(outputs)}`,
      },
    ];
    const sendTest = options.sendTest === true;
    if (options.online === true || sendTest) {
      findings.push(...(await checkMimecast(shell, loaded)));
      for (const output of outputs) findings.push(await checkOutput(shell, output, feeds, sendTest));
    }
    if (options.json === true) printJson(shell, findings);
    else for (const finding of findings) shell.stdout.write(linesOf(finding));
    return findings.every(({ ok }) => ok) ? 0 : 1;
  },
};

const HELP = `
Exit code: 0 all is good; 1 something did not answer or refused; 2 the config is wrong.

Examples:
  mimecast-forwarder check
  mimecast-forwarder check --online
  mimecast-forwarder check --send-test   # then look for "mimecast-forwarder test event" in the SIEM
`;

async function checkMimecast(shell: Shell, { config }: LoadedConfig): Promise<Finding[]> {
  const metrics = new Metrics();
  const client = new MimecastClient(config.mimecast, { metrics, userAgent: userAgentOf(hostOf(shell)) });
  const signal = AbortSignal.any([shell.signal, AbortSignal.timeout(PATIENCE)]);
  try {
    const signIn = await find('mimecast', async () => {
      await client.authenticate(signal);
      const skew = client.clockSkewMs ?? 0;
      const clocks =
        Math.abs(skew) < 2000 ? 'clocks agree' : `this clock is ${Math.round(skew / 1000)} s from Mimecast's`;
      return `signed in at ${config.mimecast.baseUrl}, ${clocks}`;
    });
    if (!signIn.ok) return [signIn];
    const findings = [signIn];
    for (const feed of config.feeds) findings.push(await readTrialPage(client, feed, signal));
    return findings;
  } finally {
    await client.close();
  }
}

function readTrialPage(client: MimecastClient, config: FeedConfig, signal: AbortSignal): Promise<Finding> {
  return find(`feed ${config.name}`, async () => {
    const feed = config.type.create({ name: config.name, key: config.dedupe.key });
    const to = Math.floor(((await client.serverNow(signal)) - config.settle) / 1000) * 1000;
    const { records, next, failure } = await client.fetchPage({
      feed: feed.name,
      path: feed.path,
      recordsKey: feed.recordsKey,
      read: (record) => feed.identify(record),
      filter: feed.filter({ from: to - TRIAL_SPAN, to }),
      pageSize: config.pageSize,
      signal,
    });
    if (failure) throw failure;
    if (records.length === 0) return `may be read; no records in the last hour (${feed.permission})`;
    const malformed = records.filter(({ value }) => 'malformed' in value).length;
    const odd = malformed > 0 ? `, ${malformed} of them malformed` : '';
    return `may be read; ${records.length}${next === undefined ? '' : ' or more'} records in the last hour${odd}`;
  });
}

function checkOutput(
  shell: Shell,
  config: OutputConfig,
  feeds: readonly FeedConfig[],
  sendTest: boolean,
): Promise<Finding> {
  return find(`output ${config.name}`, async () => {
    const output = createOutput(config, hostOf(shell));
    const signal = AbortSignal.any([shell.signal, AbortSignal.timeout(PATIENCE)]);
    try {
      const reached = await output.probe(signal);
      const accepted = `accepted = ${config.type.accepted(config.options)}`;
      if (!sendTest) return `${reached}; ${accepted}`;
      const event = testEvent(feeds, Date.now());
      const { rejected } = await output.send([event], signal);
      const [refused] = rejected;
      if (refused) {
        throw new ForwarderError(`the test event was refused: ${refused.reason}`, {
          code: 'TEST_REFUSED',
          hint: 'The receiver is reached and does not take this kind of event: look at its index, mapping or parser.',
        });
      }
      return `${reached}; test event ${event.id} accepted (${accepted})`;
    } finally {
      await output.close();
    }
  });
}

/** A made-up record that says what it is wherever it is read. */
function testEvent(feeds: readonly FeedConfig[], now: number): ForwarderEvent {
  const [config] = feeds;
  if (!config) throw new TypeError('a config has at least one feed');
  const time = Math.floor(now / 1000) * 1000;
  const words = 'mimecast-forwarder test event';
  const record = {
    senderAddress: 'test@mimecast-forwarder.invalid',
    recipientAddress: 'test@mimecast-forwarder.invalid',
    fileName: 'mimecast-forwarder-test.txt',
    fileType: 'text/plain',
    result: 'safe',
    actionTriggered: 'none',
    date: new Date(time).toISOString().replace('.000Z', '+0000'),
    details: `${words}: made by \`check --send-test\`, no mail is behind it`,
    route: 'internal',
    messageId: `<${time}.test@mimecast-forwarder.invalid>`,
    subject: words,
    fileHash: '0'.repeat(64),
    definition: words,
  };
  const source = config.type.create({ name: config.name, key: config.dedupe.key });
  const id = eventId(source.type, time, ['test', String(now)]);
  return new ForwarderEvent({ seq: 0, id, source, time, raw: Buffer.from(JSON.stringify(record)), record });
}

async function find(subject: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { subject, ok: true, text: await look() };
  } catch (error) {
    const hint = error instanceof ForwarderError ? error.hint : undefined;
    return { subject, ok: false, text: messageOf(error), hint };
  }
}

function linesOf({ subject, ok, text, hint }: Finding): string {
  const line = `${ok ? 'ok  ' : 'FAIL'}  ${subject}: ${text}\n`;
  return hint === undefined ? line : `${line}      ${hint}\n`;
}

function namesOf(entries: readonly { readonly name: string }[]): string {
  return entries.map(({ name }) => name).join(', ');
}
