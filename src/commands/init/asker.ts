import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from '../../errors.ts';
import type { Shell } from '../command.ts';

/** What is made of an answer: its value, or why it cannot be taken, as `expected …`. */
export type Reading<T> = { readonly value: T } | { readonly mistake: string };

export interface Question<T> {
  /** One line, without the colon. */
  readonly text: string;
  /** Lines that explain it, shown before it. */
  readonly about?: readonly string[];
  /** How to answer it on the command line: `--region eu`. */
  readonly flag: string;
  /** What an empty answer stands for; without one, something has to be answered. */
  readonly fallback?: string | undefined;
  /** An empty answer leaves it out. */
  readonly optional?: boolean;
  /** Not shown while it is typed. */
  readonly secret?: boolean;
  read(answer: string): Reading<T>;
}

/**
 * Asks a person, or whatever is at the other end of standard input. On a terminal a bad answer is asked for again; elsewhere it ends
 * the asking, since the next line answers the next question. Questions go to stderr: results alone go to stdout.
 */
export class Asker {
  readonly #shell: Shell;
  readonly #isTerminal: boolean;
  readonly #screen: Screen;
  readonly #lines: string[] = [];
  readonly #interface: ReturnType<typeof createInterface>;
  #waiting: ((line: string | undefined) => void) | undefined;
  #ended = false;

  constructor(shell: Shell) {
    const { stdin, stderr } = shell;
    this.#shell = shell;
    this.#isTerminal = stdin.isTTY === true;
    this.#screen = new Screen(stderr);
    this.#interface = createInterface({
      input: stdin,
      ...(this.#isTerminal && { output: this.#screen, terminal: true }),
      // Arrow up would show a secret that was typed before.
      historySize: 0,
    });
    this.#interface.on('line', (line) => this.#take(line));
    this.#interface.on('close', () => this.#end());
    // A terminal that is read key by key makes no signal of Ctrl-C.
    this.#interface.on('SIGINT', () => shell.interrupt());
    shell.signal.addEventListener('abort', this.#stop, { once: true });
  }

  get isTerminal(): boolean {
    return this.#isTerminal;
  }

  say(text: string): void {
    this.#shell.stderr.write(`${text}\n`);
  }

  /** Rejects with a `UsageError` when there is nobody left to ask, and with the signal's reason when stopped. */
  async ask<T>(question: Question<T>): Promise<T | undefined> {
    const { text, about = [], flag, fallback, optional = false } = question;
    if (this.#isTerminal && about.length > 0) this.say(['', ...about].join('\n'));
    const shown = fallback === undefined ? (optional ? ' (optional)' : '') : ` [${fallback}]`;
    for (;;) {
      const line = await this.#line(`${text}${shown}: `, question.secret === true);
      const answer = line?.trim() || fallback;
      if (answer === undefined && optional) return undefined;
      if (line === undefined && answer === undefined) {
        throw new UsageError(`no answer to "${text}"`, `Give it as ${flag}, or answer on standard input, a line each.`);
      }
      const reading = answer === undefined ? { mistake: 'expected an answer' } : question.read(answer);
      if ('value' in reading) return reading.value;
      if (!this.#isTerminal) throw new UsageError(`${text}: ${reading.mistake}`, `It can also be given as ${flag}.`);
      this.say(`  ${reading.mistake}`);
    }
  }

  /** Gives the terminal back. Idempotent. */
  close(): void {
    this.#shell.signal.removeEventListener('abort', this.#stop);
    this.#interface.close();
  }

  /** The next line; undefined when there is none any more. */
  async #line(prompt: string, secret: boolean): Promise<string | undefined> {
    this.#shell.signal.throwIfAborted();
    if (this.#isTerminal) {
      this.#interface.setPrompt(prompt);
      this.#interface.prompt();
      this.#screen.muted = secret;
    }
    const line = this.#lines.shift() ?? (await this.#nextLine());
    if (this.#screen.muted) {
      this.#screen.muted = false;
      this.#screen.write('\n');
    }
    this.#shell.signal.throwIfAborted();
    return line;
  }

  #nextLine(): Promise<string | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #take(line: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(line);
    else this.#lines.push(line);
  }

  #end(): void {
    this.#ended = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(undefined);
  }

  readonly #stop = (): void => {
    // The cursor stands behind a question.
    if (this.#isTerminal) this.#shell.stderr.write('\n');
    this.#end();
  };
}

/** What readline draws on: the terminal, unless a secret is being typed. */
class Screen extends Writable {
  muted = false;
  readonly #terminal: Shell['stderr'];

  constructor(terminal: Shell['stderr']) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
  }

  /** Readline breaks long lines by it. */
  get columns(): number {
    return this.#terminal.columns ?? 80;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    if (!this.muted) this.#terminal.write(chunk);
    done();
  }
}
