import type { Logger } from 'pino';
import { diffConfigs, isEmpty, linesOf } from '../config/diff.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigError } from '../config/mistakes.ts';
import { ForwarderError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Daemon } from './daemon.ts';
import { judge, type Refusal } from './reload-rules.ts';
import type { StoreFacts } from './reload-step.ts';

/** How long a reload waits for an output that is taken out to have what is stored, ms. */
const PATIENCE = 5000;

/** Who asked: an operator wants an answer also when nothing has changed. */
export type Cause = 'signal' | 'file';

export interface ReloadParts {
  readonly daemon: Daemon;
  /** In force. */
  readonly loaded: LoadedConfig;
  /** Reads the config again. Throws a `ConfigError` with every mistake. */
  readonly read: () => LoadedConfig;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Brings what the config file says in force, or says why it does not. */
export class Reloader {
  readonly #parts: ReloadParts;
  #loaded: LoadedConfig;
  #working: Promise<void> | undefined;
  /** Asked for while one is under way, which may have read the file before it was written. */
  #next: Cause | undefined;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#loaded = parts.loaded;
  }

  /** The config in force. */
  get loaded(): LoadedConfig {
    return this.#loaded;
  }

  /** Asks for a reload; one is made after the other. Returns at once. */
  ask(cause: Cause): void {
    if (this.#parts.daemon.stopping.aborted) return;
    if (this.#working) {
      this.#next = this.#next === 'signal' ? 'signal' : cause;
      return;
    }
    this.#working = this.#reload(cause)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#working = undefined;
        const next = this.#next;
        this.#next = undefined;
        if (next) this.ask(next);
      });
  }

  async #reload(cause: Cause): Promise<void> {
    const { daemon, logger, read, now } = this.#parts;
    const { store } = daemon;
    // Also when nothing changes: `outputs forget` says that the next reload lets go of what was kept.
    store.cursors.forgetGone(new Set(daemon.outputs.map(({ config }) => config.name)));
    const next = read();
    const diff = diffConfigs(this.#loaded.comparable, next.comparable);
    if (isEmpty(diff)) {
      logger[cause === 'signal' ? 'info' : 'debug'](
        { config: next.file },
        'the config was read again: nothing changes',
      );
      this.#accepted(next);
      return;
    }
    for (const { text, fields } of linesOf(diff)) logger.info(fields, `new config: ${text}`);
    const upTo = await daemon.catchUp(diff.outputs.removed, PATIENCE);
    if (daemon.stopping.aborted) return;
    const { refusals, notes } = judge({
      ...{ before: this.#loaded.config, after: next.config, diff, now: now() },
      facts: factsOf(store, upTo),
    });
    if (refusals.length > 0) {
      this.#refused(refusals);
      return;
    }
    await daemon.apply(next.config, diff);
    // What was still to begin did not: the next start reads the file.
    if (daemon.stopping.aborted) return;
    for (const { subject, note } of notes) logger.info({ ...subject, note }, 'new config: to know');
    this.#accepted(next);
    logger.info({ config: next.file }, 'the new config is in force');
  }

  #accepted(next: LoadedConfig): void {
    this.#loaded = next;
    this.#parts.daemon.configAccepted();
  }

  #refused(refusals: readonly Refusal[]): void {
    const { daemon, logger } = this.#parts;
    for (const { rule, subject, reason, cure } of refusals) {
      logger.error({ ...subject, rule, reason, cure }, 'the new config cannot be applied');
    }
    const told = [...new Set(refusals.map(({ cure }) => cure))];
    daemon.configRefused(refusals.map(({ reason }) => reason).join('; '), told.join(' '));
    logger.error({ refusals: refusals.length }, REFUSED);
  }

  /** The config cannot be read, or what it names cannot be had: a file, a port. */
  #failed(error: unknown): void {
    const { daemon, logger } = this.#parts;
    const mistakes = error instanceof ConfigError && error.mistakes.length > 0 ? error.message.split('\n') : [];
    for (const mistake of mistakes) logger.error({ mistake }, 'the new config has a mistake');
    const hint = error instanceof ForwarderError ? (error.hint ?? null) : null;
    daemon.configRefused(messageOf(error), hint && `${hint} Then reload again (SIGHUP).`);
    logger.error({ reason: messageOf(error), ...(hint === null ? {} : { hint }) }, REFUSED);
  }
}

const REFUSED = 'the new config is refused; the old one stays in force';

/** What the rules want to know. `upTo`: events after that one came while it was waited. */
function factsOf(store: Store, upTo: number): StoreFacts {
  return {
    waiting: new Map([...store.cursors.all()].map(([name, cursor]) => [name, Math.max(0, upTo - cursor)])),
    feeds: new Map(
      store.checkpoints.all().map(({ feed, begunAt, doneUntil }) => {
        return [feed, { begunAt, readUntil: store.coverage.gaps(feed)[0]?.from ?? doneUntil }];
      }),
    ),
  };
}
