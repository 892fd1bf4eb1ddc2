import { SingleBar } from 'cli-progress';
import type { Shell } from './command.ts';
import { lookOf } from './look.ts';
import { Pace, type ProgressFigures, plainProgress, progressLine } from './progress-line.ts';

/** A piece of work whose end is known. */
export interface Work {
  readonly label: string;
  readonly total: number;
  /** `3 h of 24 h` */
  amountOf(done: number, total: number): string;
  /** `4,210 records`; undefined where `done` itself counts them. */
  readonly countedOf?: (counted: number) => string;
}

/** How often a line is written where there is no terminal, ms: the log of a night's work stays short. */
const PLAIN_EVERY = 30_000;
const DRAWN_PER_SECOND = 8;

/**
 * Shows on stderr how far a piece of work is: a bar on a terminal, which is gone when the work ends or is to stop; elsewhere now and
 * then a line.
 */
export class Progress {
  readonly #shell: Shell;
  readonly #work: Work;
  readonly #now: () => number;
  readonly #pace = new Pace();
  readonly #rate = new Pace();
  readonly #bar: SingleBar | undefined;
  readonly #stop = (): void => this.stop();
  #done = 0;
  #counted = 0;
  #plainAt: number;

  /** `now`: ms, on a clock that only goes forward. */
  constructor(shell: Shell, work: Work, now: () => number = () => performance.now()) {
    this.#shell = shell;
    this.#work = work;
    this.#now = now;
    this.#plainAt = now();
    this.#pace.add(now(), 0);
    this.#rate.add(now(), 0);
    if (!shell.stderr.isTTY || shell.signal.aborted) return;
    this.#bar = new SingleBar({
      format: () => progressLine(this.#figures(), lookOf(shell, shell.stderr)),
      fps: DRAWN_PER_SECOND,
      hideCursor: true,
      clearOnComplete: true,
      stream: shell.stderr as NodeJS.WritableStream,
    });
    this.#bar.start(work.total, 0);
    // At once: a second signal ends the process without asking, and would leave the cursor hidden.
    shell.signal.addEventListener('abort', this.#stop, { once: true });
  }

  /** `counted`: what the rate is of; default `done`. */
  update(done: number, counted = done): void {
    this.#done = done;
    this.#counted = counted;
    const now = this.#now();
    this.#pace.add(now, done);
    this.#rate.add(now, counted);
    this.#bar?.update(done);
    if (this.#shell.stderr.isTTY || now - this.#plainAt < PLAIN_EVERY) return;
    this.#plainAt = now;
    this.#shell.stderr.write(`${plainProgress(this.#figures())}\n`);
  }

  /** A line of its own, above the bar. */
  say(line: string): void {
    const isDrawn = this.#bar?.isActive === true;
    if (isDrawn) this.#bar?.stop();
    this.#shell.stderr.write(`${line}\n`);
    if (isDrawn) this.#bar?.start(this.#work.total, this.#done);
  }

  /** Takes the bar away. Idempotent. */
  stop(): void {
    this.#shell.signal.removeEventListener('abort', this.#stop);
    if (this.#bar?.isActive) this.#bar.stop();
  }

  #figures(): ProgressFigures {
    const { label, total, amountOf, countedOf } = this.#work;
    const now = this.#now();
    const pace = this.#pace.perSecond(now);
    const open = total - this.#done;
    return {
      label,
      part: total > 0 ? Math.min(1, Math.max(0, this.#done / total)) : 0,
      amount: amountOf(this.#done, total),
      counted: countedOf?.(this.#counted),
      perSecond: this.#rate.perSecond(now),
      // Whole seconds, rounded up: what is not yet done takes a while.
      left: pace === undefined || pace <= 0 || open <= 0 ? undefined : Math.ceil(open / pace) * 1000,
    };
  }
}
