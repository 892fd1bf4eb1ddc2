import type { Command as CommanderCommand } from 'commander';
import type { FeedConfig, OutputConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { userAgentOf } from '../daemon/host.ts';
import { createOutput } from '../daemon/outputs.ts';
import { ForwarderError, messageOf } from '../errors.ts';
import { MimecastClient } from '../mimecast/client.ts';
import type { Output } from '../outputs/output.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { hostOf, type Options, printJson, readConfig, withConfigOption, withJsonOption } from './session.ts';
import { TEST_SUBJECT, testEvent } from './test-event.ts';

/** One thing that was looked at. */
interface Finding {
  readonly subject: string;
  /** Of an output: where events go. */
  readonly target?: string;
  readonly ok: boolean;
  /** What was found, or what is wrong. */
  readonly text: string;
  /** What to do, when something is wrong. */
  readonly hint?: string | undefined;
  /** Of an output: what "accepted" means there. */
  readonly accepted?: string;
}

/** How far the looking goes. */
interface Extent {
  readonly online: boolean;
  readonly sendTest: boolean;
  readonly json: boolean;
}

/** How far back the page that is read for a trial reaches, ms. */
const TRIAL_SPAN = 3_600_000;
/** After this, ms, a terminal is told what is waited for: an indexer acknowledgement may take minutes. */
const QUIET = 1000;

/**
 * `check`: is the config good, and with `--online`, does everything that it names answer?
 *
 * It sets no limit of its own to anybody's answer. Mimecast and the outputs have theirs in the config, made for what a healthy one
 * may take, and what they say when that is over has a target and a hint.
 */
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
    const sendTest = options.sendTest === true;
    const extent = { online: options.online === true || sendTest, sendTest, json: options.json === true };
    const findings: Finding[] = [];
    for await (const finding of look(shell, loaded, extent)) {
      findings.push(finding);
      // At once: the next one may take minutes.
      if (!extent.json) shell.stdout.write(linesOf(finding));
    }
    if (extent.json) printJson(shell, findings);
    return findings.every(({ ok }) => ok) ? 0 : 1;
  },
};

const HELP = `
Each output is shown with its target and what "accepted" means there. How long an answer may take
is for the config to say (timeout, sendTimeout, acknowledgement.timeout); Ctrl-C ends the wait.
With --json the test event of a stdout output goes to standard error.

Exit code: 0 all is good; 1 something did not answer or refused; 2 the config is wrong.

Examples:
  mimecast-forwarder check
  mimecast-forwarder check --online
  mimecast-forwarder check --send-test   # then look for "${TEST_SUBJECT}" in the SIEM
`;

async function* look(shell: Shell, loaded: LoadedConfig, extent: Extent): AsyncGenerator<Finding> {
  const { feeds, outputs } = loaded.config;
  const named = `feeds ${namesOf(feeds)}; outputs ${namesOf(outputs)}`;
  yield { subject: 'config', ok: true, text: `${loaded.file} is good: ${named}` };
  if (extent.online) yield* lookAtMimecast(shell, loaded);
  for (const output of outputs) yield await lookAtOutput(shell, output, feeds, extent);
}

async function* lookAtMimecast(shell: Shell, { config }: LoadedConfig): AsyncGenerator<Finding> {
  const metrics = new Metrics();
  const client = new MimecastClient(config.mimecast, { metrics, userAgent: userAgentOf(hostOf(shell)) });
  try {
    const signIn = await find(shell, 'mimecast', async () => {
      await client.authenticate(shell.signal);
      const skew = client.clockSkewMs ?? 0;
      const clocks =
        Math.abs(skew) < 2000 ? 'clocks agree' : `this clock is ${Math.round(skew / 1000)} s from Mimecast's`;
      return `signed in at ${config.mimecast.baseUrl}, ${clocks}`;
    });
    yield signIn;
    if (!signIn.ok) return;
    for (const feed of config.feeds) yield await readTrialPage(shell, client, feed);
  } finally {
    await client.close();
  }
}

function readTrialPage(shell: Shell, client: MimecastClient, config: FeedConfig): Promise<Finding> {
  return find(shell, `feed ${config.name}`, async () => {
    const feed = config.type.create({ name: config.name, key: config.dedupe.key });
    const to = Math.floor(((await client.serverNow(shell.signal)) - config.settle) / 1000) * 1000;
    const { records, next, failure } = await client.fetchPage({
      feed: feed.name,
      path: feed.path,
      recordsKey: feed.recordsKey,
      read: (record) => feed.identify(record),
      filter: feed.filter({ from: to - TRIAL_SPAN, to }),
      pageSize: config.pageSize,
      signal: shell.signal,
    });
    if (failure) throw failure;
    if (records.length === 0) return `may be read; no records in the last hour (${feed.permission})`;
    const malformed = records.filter(({ value }) => 'malformed' in value).length;
    const odd = malformed > 0 ? `, ${malformed} of them malformed` : '';
    return `may be read; ${records.length}${next === undefined ? '' : ' or more'} records in the last hour${odd}`;
  });
}

async function lookAtOutput(
  shell: Shell,
  config: OutputConfig,
  feeds: readonly FeedConfig[],
  { online, sendTest, json }: Extent,
): Promise<Finding> {
  const { type, options } = config;
  const finding = await find(shell, `output ${config.name}`, async () => {
    if (!online) return 'not tried (--online does)';
    // Where the result is JSON, standard output is for that alone.
    const stdout = json && sendTest ? shell.stderr : shell.stdout;
    const output = createOutput(config, { ...hostOf(shell), stdout });
    try {
      const reached = await output.probe(shell.signal);
      return sendTest ? `${reached}; ${await sendTestEvent(shell, output, feeds)}` : reached;
    } finally {
      await output.close();
    }
  });
  return { ...finding, target: type.target(options), accepted: type.accepted(options) };
}

async function sendTestEvent(shell: Shell, output: Output, feeds: readonly FeedConfig[]): Promise<string> {
  const event = testEvent(feeds, Date.now());
  // One event is never taken in part: what is neither taken nor refused has thrown.
  const { rejected } = await output.send([event], shell.signal);
  const [refused] = rejected;
  if (refused) {
    throw new ForwarderError(`the test event was refused: ${refused.reason}`, {
      code: 'TEST_REFUSED',
      hint: 'The receiver is reached and does not take this kind of event: look at its index, mapping or parser.',
    });
  }
  return `test event ${event.id} accepted`;
}

/** What a look at something gives, good or bad. Rejects only when the command is stopped. */
async function find(shell: Shell, subject: string, look: () => Promise<string>): Promise<Finding> {
  const quiet = tellAfterAWhile(shell, subject);
  try {
    return { subject, ok: true, text: await look() };
  } catch (error) {
    shell.signal.throwIfAborted();
    const hint = error instanceof ForwarderError ? error.hint : undefined;
    return { subject, ok: false, text: messageOf(error), hint };
  } finally {
    quiet();
  }
}

/** Says on a terminal what is waited for, if it takes long, and takes it back when the function that it returns is called. */
function tellAfterAWhile({ stderr }: Shell, subject: string): () => void {
  if (!stderr.isTTY) return () => {};
  let told = false;
  const timer = setTimeout(() => {
    told = true;
    stderr.write(`      ${subject}: waiting for an answer …`);
  }, QUIET);
  return () => {
    clearTimeout(timer);
    // To the start of the line, and clear it.
    if (told) stderr.write('\r\u001b[K');
  };
}

function linesOf({ subject, target, ok, text, hint, accepted }: Finding): string {
  const place = target === undefined ? '' : ` (${target})`;
  const meaning = accepted === undefined ? '' : `; accepted = ${accepted}`;
  const line = `${ok ? 'ok  ' : 'FAIL'}  ${subject}${place}: ${text}${meaning}\n`;
  return hint === undefined ? line : `${line}      ${hint}\n`;
}

function namesOf(entries: readonly { readonly name: string }[]): string {
  return entries.map(({ name }) => name).join(', ');
}
