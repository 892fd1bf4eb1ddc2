import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { OutputConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { eventSources } from '../daemon/feeds.ts';
import type { Host } from '../daemon/host.ts';
import { buildOutput } from '../daemon/outputs.ts';
import { compileFilter } from '../deliver/filter.ts';
import { ForwarderError } from '../errors.ts';
import { ForwarderEvent } from '../event.ts';
import { Backoff, sleep } from '../retry.ts';
import { visible } from '../status/text.ts';
import { count, counted } from '../status/words.ts';
import type { EventSpan, Replay, ReplayRequest, ReplaySurvey } from '../store/replay.ts';
import { Store } from '../store/store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Shell } from './command.ts';
import { Progress } from './progress.ts';

/** Failures in a row after which the command gives up; the replay stands. */
const TRIES = 8;
/** How long a batch in hand may take once the command is to stop. */
const STOP_PATIENCE = 7000;
/** How often a replay that the daemon serves is looked at. */
const LOOK_EVERY = 500;
/** How long the daemon may be away: a restart takes it away for a moment. */
const DAEMON_PATIENCE = 10_000;

export function requestOf(
  store: Store,
  output: OutputConfig,
  span: EventSpan,
  isServed = Store.isServed(store.path),
): ReplayRequest {
  const { name, type, batch } = output;
  // A daemon may have sent its batches in flight, and has written no cursor for the one before them.
  const batches = isServed ? (type.inFlight?.(output.options) ?? 1) + 1 : 0;
  // An output that is new to the store, and is to begin now, has all before now to catch up on by a replay.
  const isNew = store.cursors.get(name) === undefined && output.startFrom === 'now';
  return { output: name, span, underWay: isNew ? Number.MAX_SAFE_INTEGER : batches * batch.maxEvents };
}

/** Serves an output's replays in this process, up to the one of that number. The store is locked by the caller. */
export async function replayHere(
  shell: Shell,
  { config }: LoadedConfig,
  store: Store,
  output: OutputConfig,
  id: number,
  host: Host,
): Promise<Replay> {
  const logger = createLogger({ ...config.log, level: 'warn', destination: shell.stderr });
  const sourceOf = eventSources(config.feeds, store);
  const { dispatcher } = buildOutput(output, { store, sourceOf, metrics: new Metrics(), logger, host });
  const backoff = new Backoff({ initialDelay: 1000, maxDelay: 60_000 });
  const progress = new ReplayProgress(shell);
  const abort = abortAfter(shell.signal, STOP_PATIENCE);
  try {
    for (;;) {
      const replay = replayOf(store, id);
      progress.show(replay);
      if (replay.endedAt !== null) return replay;
      shell.signal.throwIfAborted();
      try {
        await dispatcher.replayOnce(abort.signal);
        backoff.reset();
      } catch (error) {
        if (!(error instanceof ForwarderError) || !error.retryable || backoff.failures >= TRIES) throw error;
        await sleep(backoff.next(error.retryAfterMs), shell.signal);
      }
    }
  } catch (error) {
    progress.stop();
    tellItStands(shell, replayOf(store, id), 'The next `run` goes on with it');
    throw error;
  } finally {
    progress.stop();
    abort.drop();
    await dispatcher.output.close();
  }
}

/** Shows how far the daemon is with a replay, until it has ended. Gives it back as it is when the daemon has gone. */
export async function watchReplay(shell: Shell, store: Store, id: number): Promise<Replay> {
  const progress = new ReplayProgress(shell);
  let awaySince: number | undefined;
  try {
    for (;;) {
      const replay = replayOf(store, id);
      progress.show(replay);
      if (replay.endedAt !== null) return replay;
      awaySince = Store.isServed(store.path) ? undefined : (awaySince ?? performance.now());
      if (awaySince !== undefined && performance.now() - awaySince > DAEMON_PATIENCE) {
        progress.stop();
        tellItStands(shell, replay, 'The daemon has stopped; the next `run` goes on with it');
        return replay;
      }
      await sleep(LOOK_EVERY, shell.signal);
    }
  } catch (error) {
    progress.stop();
    tellItStands(shell, replayOf(store, id), 'The daemon goes on with it');
    throw error;
  } finally {
    progress.stop();
  }
}

/** Counts what would pass the output's filter. Reads every event of the span when there is one. */
export async function countPassing(
  shell: Shell,
  { config }: LoadedConfig,
  store: Store,
  output: OutputConfig,
  request: ReplayRequest,
  survey: ReplaySurvey,
): Promise<Pick<ReplaySurvey, 'events' | 'first' | 'last'>> {
  const passes = compileFilter(output.filter);
  if (!passes) return survey;
  const sourceOf = eventSources(config.feeds, store);
  let events = 0;
  let first: number | null = null;
  let last: number | null = null;
  for (const batch of store.replays.eventsOf(request, output.batch)) {
    for (const row of batch) {
      if (!passes(new ForwarderEvent({ ...row, source: sourceOf(row.feed) }))) continue;
      events += 1;
      first ??= row.time;
      last = row.time;
    }
    await turnOfTheLoop();
    shell.signal.throwIfAborted();
  }
  return { events, first, last };
}

/** How far a replay is, and its failures, each once. */
class ReplayProgress {
  readonly #shell: Shell;
  #progress: Progress | undefined;
  #failure: string | null = null;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  show(replay: Replay): void {
    this.#progress ??= new Progress(this.#shell, {
      label: replay.output,
      total: replay.total,
      amountOf: (done, total) => `${count(done)} of ${counted(total, 'event')}`,
    });
    this.#progress.update(doneOf(replay));
    if (replay.failure !== null && replay.failure !== this.#failure) {
      this.#progress.say(`${visible(replay.failure)}; it is tried again`);
    }
    this.#failure = replay.failure;
  }

  /** Idempotent. */
  stop(): void {
    this.#progress?.stop();
  }
}

function replayOf(store: Store, id: number): Replay {
  const replay = store.replays.get(id);
  if (replay === undefined) throw new TypeError(`replay ${id} has vanished from the store`);
  return replay;
}

function doneOf({ delivered, rejected, filtered }: Replay): number {
  return delivered + rejected + filtered;
}

function tellItStands(shell: Shell, replay: Replay, who: string): void {
  if (replay.endedAt !== null) return;
  const { id, total } = replay;
  shell.stderr.write(
    `Replay ${id} stands at ${count(doneOf(replay))} of ${count(total)}. ${who}; \`replay cancel ${id}\` ends it.\n`,
  );
}

/** A signal that follows another one late, so that what is in hand can be finished. */
function abortAfter(signal: AbortSignal, patience: number): { readonly signal: AbortSignal; drop(): void } {
  const [late, dropped] = [new AbortController(), new AbortController()];
  const begin = (): void => {
    void sleep(patience, dropped.signal).then(
      () => late.abort(signal.reason),
      () => undefined,
    );
  };
  signal.addEventListener('abort', begin, { once: true });
  const drop = (): void => {
    signal.removeEventListener('abort', begin);
    dropped.abort();
  };
  return { signal: late.signal, drop };
}
