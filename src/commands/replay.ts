import type { Command as CommanderCommand } from 'commander';
import type { OutputConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import { visible } from '../status/text.ts';
import { count, counted } from '../status/words.ts';
import type { EventSpan, Replay, ReplaySurvey } from '../store/replay.ts';
import { Store } from '../store/store.ts';
import type { Command, ExitCode, Shell } from './command.ts';
import { countPassing, replayHere, requestOf, watchReplay } from './replaying.ts';
import {
  hostOf,
  idArguments,
  type Options,
  printJson,
  readConfig,
  timeOption,
  withConfigOption,
  withJsonOption,
  withStore,
} from './session.ts';

/** `replay`: sends stored events to one output again; the daemon does it, or the command itself when none runs. */
export const replay: Command = {
  name: 'replay',

  manual: {
    forms: [
      '--output <name> --from <time> --to <time> [--dry-run] [options]',
      'list [--json] [options]',
      'cancel <id>... [options]',
    ],
    does: [
      "Sends stored events to one output again, chosen by their own time and filtered as the output's config says; the other outputs feel nothing. The SIEM gets the events under the ids that they had the first time.",
      'While the daemon runs, it sends them, a batch at a time, new events first; this command shows how far it is, and Ctrl-C leaves the replay standing. Without a daemon the command sends them itself.',
    ],
    examples: [
      {
        typed: 'mimecast-forwarder replay --output splunk --from 2026-11-22 --to 2026-11-23 --dry-run',
        does: 'how many events, the first and the last',
      },
      {
        typed: 'mimecast-forwarder replay --output splunk --from 2026-11-22T08:00Z --to 2026-11-22T09:30Z',
        does: 'send them',
      },
      { typed: 'mimecast-forwarder replay list', does: 'those that were asked for' },
      { typed: 'mimecast-forwarder replay cancel 3', does: 'end one' },
    ],
    bad: 'the replay was cancelled or stands, or there is none of that number under way',
    reads: 'store',
    seeAlso: ['backfill', 'rejects', 'docs/operations.md'],
  },

  define(command: CommanderCommand): void {
    withJsonOption(withConfigOption(command))
      .description('send stored events to one output again; the others feel nothing')
      .argument('[action]', 'list or cancel, for replays that were asked for')
      .argument('[ids...]', 'numbers, for cancel')
      .option('--output <name>', 'the output that gets them')
      .option('--from <time>', 'begin of the span of event times, as 2026-11-23T03:10Z')
      .option('--to <time>', 'end of the span')
      .option('--dry-run', 'only say what would be sent');
  },

  async run(shell: Shell, [action, ...rest]: readonly string[], options: Options): Promise<ExitCode> {
    const loaded = readConfig(shell, options);
    if (action === 'list') return withStore(loaded, (store) => list(shell, store, options));
    if (action === 'cancel') return withStore(loaded, (store) => cancel(shell, store, rest));
    if (action !== undefined) {
      throw new UsageError(
        `replay ${action} is unknown`,
        'There are `list` and `cancel ID`; a replay itself is `replay --output NAME --from TIME --to TIME`.',
      );
    }
    const output = outputOf(loaded, options);
    const span = { from: timeOption(options, 'from'), to: timeOption(options, 'to') };
    if (span.from >= span.to) throw new UsageError('--from must be before --to');
    return withStore(loaded, (store) =>
      options.dryRun === true
        ? dryRun(shell, loaded, store, output, span, options)
        : send(shell, loaded, store, output, span, options),
    );
  },
};

function outputOf({ config, file }: LoadedConfig, options: Options): OutputConfig {
  const names = config.outputs.map(({ name }) => name).join(', ');
  if (typeof options.output !== 'string') throw new UsageError('--output is missing', `The outputs are: ${names}.`);
  const output = config.outputs.find(({ name }) => name === options.output);
  if (!output) throw new UsageError(`there is no output ${options.output} in ${file}`, `The outputs are: ${names}.`);
  return output;
}

async function dryRun(
  shell: Shell,
  loaded: LoadedConfig,
  store: Store,
  output: OutputConfig,
  span: EventSpan,
  options: Options,
): Promise<ExitCode> {
  const request = requestOf(store, output, span);
  const survey = store.replays.survey(request);
  const sent = await countPassing(shell, loaded, store, output, request, survey);
  if (options.json === true) {
    const { pruned: noLongerStored, waiting } = survey;
    const [first, last] = [sent.first, sent.last].map((time) => (time === null ? null : iso(time)));
    printJson(shell, {
      output: output.name,
      ...spanOf(span),
      events: sent.events,
      first,
      last,
      noLongerStored,
      waiting,
    });
    return 0;
  }
  const filtered = survey.events - sent.events;
  shell.stdout.write(
    sent.first === null || sent.last === null
      ? `Nothing would be sent to ${output.name}.\n`
      : `${counted(sent.events, 'event')} would be sent to ${output.name} again, from ${iso(sent.first)} to ${iso(sent.last)}.\n`,
  );
  if (filtered > 0) shell.stdout.write(`${count(filtered)} more would be filtered.\n`);
  for (const line of remarks(output, survey)) shell.stdout.write(`${line}\n`);
  return 0;
}

async function send(
  shell: Shell,
  loaded: LoadedConfig,
  store: Store,
  output: OutputConfig,
  span: EventSpan,
  options: Options,
): Promise<ExitCode> {
  const holder = { pid: shell.pid, host: shell.hostname, startedAt: Date.now() };
  const isServed = Store.isServed(store.path);
  if (!isServed) {
    store.lock(holder);
    // As the daemon would: an output that is new to the store begins where its config says.
    if (store.cursors.get(output.name) === undefined) store.startOutput(output.name, output.startFrom);
  } else if (store.cursors.get(output.name) === undefined) {
    throw new UsageError(
      `the running daemon does not know output ${output.name} yet`,
      'Reload it (SIGHUP), then ask again.',
    );
  }
  const { survey, replay: asked } = store.replays.ask(requestOf(store, output, span, isServed), Date.now());
  for (const line of remarks(output, survey)) shell.stderr.write(`${line}\n`);
  if (asked === undefined) {
    if (options.json === true) printJson(shell, null);
    else shell.stdout.write(`Nothing of that span is there to be sent to ${output.name} again.\n`);
    return 0;
  }
  const queue = store.replays.openCount(output.name) - 1;
  shell.stderr.write(`Replay ${asked.id}: ${counted(survey.events, 'event')} to output ${output.name}.\n`);
  if (queue > 0) {
    const before = `${counted(queue, 'replay')} of this output`;
    shell.stderr.write(
      `${before} ${queue === 1 ? 'was' : 'were'} asked for before, and ${queue === 1 ? 'goes' : 'go'} first.\n`,
    );
  }
  const ended = isServed
    ? await watchReplay(shell, store, asked.id)
    : await replayHere(shell, loaded, store, output, asked.id, hostOf(shell));
  if (options.json === true) printJson(shell, forPeople(ended));
  else shell.stdout.write(`${sentenceOf(ended)}\n`);
  return ended.endedAt !== null && !ended.cancelled ? 0 : 1;
}

/** What the operator should know before: what the other side makes of it, and what is left out. */
function remarks(output: OutputConfig, { events, pruned, waiting }: ReplaySurvey): string[] {
  const repeated =
    output.type.repeated?.(output.options) ?? 'The receiver gets these events a second time, under the same event ids.';
  return [
    ...(events > 0 ? [repeated] : []),
    ...(waiting > 0
      ? [
          `${counted(waiting, 'event')} of that span ${waiting === 1 ? 'waits' : 'wait'} for the first delivery, which is not part of a replay.`,
        ]
      : []),
    ...(pruned > 0
      ? [
          `${counted(pruned, 'event')} of that span ${pruned === 1 ? 'is' : 'are'} no longer stored (store.retention). A backfill does not bring ` +
            'them back, since their ids are known. What Mimecast still has, its last 30 days, can be read into an empty store and ' +
            'replayed from there: see "Send events again" in docs/operations.md.',
        ]
      : []),
  ];
}

function list(shell: Shell, store: Store, options: Options): ExitCode {
  const replays = store.replays.list();
  if (options.json === true) printJson(shell, replays.map(forPeople));
  else shell.stdout.write(replays.length > 0 ? `${replays.map(lineOf).join('\n')}\n` : 'There are no replays.\n');
  return 0;
}

function cancel(shell: Shell, store: Store, args: readonly string[]): ExitCode {
  const ids = idArguments(args, 'a replay');
  if (ids.length === 0) throw new UsageError('replay cancel needs a number', '`replay list` shows them.');
  const missing = ids.filter((id) => !store.replays.cancel(id, Date.now()));
  for (const id of missing) shell.stderr.write(`There is no replay ${id} under way.\n`);
  shell.stdout.write(`${ids.length - missing.length} cancelled. A batch that is being sent just now is still sent.\n`);
  return missing.length > 0 ? 1 : 0;
}

function sentenceOf(replay: Replay): string {
  return `Replay ${replay.id} to ${replay.output}${stateOf(replay)}: ${outcomeOf(replay)}.`;
}

function lineOf(replay: Replay): string {
  const failure = replay.endedAt === null && replay.failure !== null ? `\n    ${visible(replay.failure)}` : '';
  const { id, output, from, to, total } = replay;
  return `${id}  output ${output}  ${iso(from)} to ${iso(to)}${stateOf(replay)}: ${outcomeOf(replay)} of ${count(total)}${failure}`;
}

function stateOf({ endedAt, cancelled }: Replay): string {
  if (endedAt === null) return ' stands';
  return cancelled ? ' was cancelled' : ' is done';
}

function outcomeOf({ delivered, rejected, filtered }: Replay): string {
  return [
    `${count(delivered)} delivered`,
    ...(rejected > 0 ? [`${count(rejected)} rejected (see \`rejects list\`)`] : []),
    ...(filtered > 0 ? [`${count(filtered)} filtered`] : []),
  ].join(', ');
}

function forPeople({ at: _at, fromSeq: _fromSeq, toSeq: _toSeq, ...replay }: Replay): unknown {
  const { askedAt, endedAt } = replay;
  return { ...replay, ...spanOf(replay), askedAt: iso(askedAt), endedAt: endedAt === null ? null : iso(endedAt) };
}

function spanOf({ from, to }: EventSpan): { from: string; to: string } {
  return { from: iso(from), to: iso(to) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
