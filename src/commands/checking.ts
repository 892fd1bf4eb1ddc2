import type { FeedConfig, OutputConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { userAgentOf } from '../daemon/host.ts';
import { createOutput } from '../daemon/outputs.ts';
import { ForwarderError, messageOf } from '../errors.ts';
import { MimecastClient } from '../mimecast/client.ts';
import type { Output } from '../outputs/output.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Shell } from './command.ts';
import { hostOf, printJson } from './session.ts';
import { testEvent } from './test-event.ts';

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
  /** Of an output: what its answers cannot tell, and somebody has to look at. */
  readonly notes?: readonly string[];
}

/** How far the looking goes. */
export interface Extent {
  readonly online: boolean;
  readonly sendTest: boolean;
  readonly json: boolean;
}

/** How far back the page that is read for a trial reaches, ms. */
const TRIAL_SPAN = 3_600_000;
/** After this, ms, a terminal is told what is waited for: an indexer acknowledgement may take minutes. */
const QUIET = 1000;

/** Looks at everything that a config names, prints what was found, and tells whether all of it is good. */
export async function printFindings(shell: Shell, loaded: LoadedConfig, extent: Extent): Promise<boolean> {
  const findings: Finding[] = [];
  for await (const finding of look(shell, loaded, extent)) {
    findings.push(finding);
    // At once: the next one may take minutes.
    if (!extent.json) shell.stdout.write(linesOf(finding));
  }
  if (extent.json) printJson(shell, findings);
  return findings.every(({ ok }) => ok);
}

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
  const told = { ...finding, target: type.target(options), accepted: type.accepted(options) };
  const { profile, format } = config;
  const about = { hostname: shell.hostname, format: format.type.name, profile, sent: sendTest };
  const notes = finding.ok ? (type.notes?.(options, about) ?? []) : [];
  return notes.length > 0 ? { ...told, notes } : told;
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

/** What "accepted" means is left out where nothing is: read in a hurry, it looks as if something had been. */
function linesOf({ subject, target, ok, text, hint, accepted, notes = [] }: Finding): string {
  const place = target === undefined ? '' : ` (${target})`;
  const meaning = accepted === undefined || !ok ? '' : `; accepted = ${accepted}`;
  const line = `${ok ? 'ok  ' : 'FAIL'}  ${subject}${place}: ${text}${meaning}\n`;
  return line + [hint, ...notes].map((more) => (more === undefined ? '' : `      ${more}\n`)).join('');
}

function namesOf(entries: readonly { readonly name: string }[]): string {
  return entries.map(({ name }) => name).join(', ');
}
