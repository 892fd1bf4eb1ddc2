import type { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import { RelpAnswers } from './relp-answers.ts';
import { openFault, SessionRefused } from './relp-faults.ts';
import { encodeFrame, encodeOffers, type RelpAnswer } from './relp-frames.ts';
import type { Message, Messages } from './wire.ts';

/** What one session allows. A test makes it smaller. */
export interface RelpLimits {
  /** Commands that may wait for their answers. The sender sets it; librelp's own senders have the same. */
  readonly window: number;
  /**
   * The highest transaction number. The specification goes on with 1 after it; librelp (to 1.13 at least) expects 1,000,000,000
   * then, which no frame can say. So a session ends before it gets there, and the next one begins with 1.
   */
  readonly lastTxnr: number;
}

export const RELP_LIMITS: RelpLimits = { window: 128, lastTxnr: 999_999_999 };

/** The longest wait for the answer to our `close`, ms. Everything is acknowledged by then: it is a courtesy. */
const CLOSE_PATIENCE_MS = 1000;

/** A connection on which a receiver has agreed to take syslog messages and to acknowledge each of them. */
export class RelpSession {
  readonly connection: Connection;
  readonly #answers: RelpAnswers;
  readonly #limits: RelpLimits;
  #nextTxnr = 1;
  #software = '';

  private constructor(connection: Connection, answers: RelpAnswers, limits: RelpLimits) {
    this.connection = connection;
    this.#answers = answers;
    this.#limits = limits;
    void connection.over.then(() => answers.end(connection.failure ?? new Error('it closed the connection')));
  }

  /**
   * Connects, and offers what we can do: nothing else may be sent before the answer. `software` is our name, and may have a version
   * after a comma. Rejects with an `OutputError`, or with the signal's reason when aborted.
   */
  static async open(
    dialer: Dialer,
    software: string,
    signal: AbortSignal,
    limits: RelpLimits = RELP_LIMITS,
  ): Promise<RelpSession> {
    const deadline = performance.now() + dialer.connectTimeout;
    const answers = new RelpAnswers();
    const connection = await dialer.connect(signal, (piece) => answers.take(piece));
    const session = new RelpSession(connection, answers, limits);
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())));
    try {
      await connection.until(AbortSignal.any([signal, timeout]), () => session.#open(software));
      return session;
    } catch (error) {
      connection.destroy();
      signal.throwIfAborted();
      throw openFault(dialer.endpoint, answers.opening, error);
    }
  }

  /** Name and version of the receiver's software, as it says: `librelp 1.11.0`. */
  get software(): string {
    return this.#software;
  }

  /** True when nothing can be sent any more. */
  get isOver(): boolean {
    return this.#answers.failure !== undefined || this.connection.isOver;
  }

  /** True when it has numbers left for so many messages and for the `close`. */
  hasNumbersFor(messages: number): boolean {
    return this.#nextTxnr + messages <= this.#limits.lastTxnr;
  }

  /**
   * Sends messages, with `window` of them unanswered at most, and resolves when each has its answer; `settle` is told the index and
   * the code of each as it comes. Rejects when the session ends before that. One transfer at a time.
   */
  transfer(messages: Messages, settle: (index: number, code: number) => void): Promise<unknown> {
    const { window } = this.#limits;
    const left = messages[Symbol.iterator]();
    let begun = 0;
    let answered = 0;
    // At once, however few there is room for: what we send carries our TCP acknowledgement, which the receiver's next answers may
    // wait for (Nagle's algorithm there, delayed acknowledgements here). Waiting for half a window to be free made 10,000
    // messages to an rsyslog on loopback take 3.7 s; like this they take 0.4 s.
    const sendMore = () => {
      if (this.isOver) return;
      const frames: Buffer[] = [];
      for (; begun < answered + window; begun += 1) {
        const { done, value: message } = left.next();
        if (done) break;
        const index = begun;
        const onAnswer = ({ code }: RelpAnswer): void => {
          if (code === undefined) throw new Error('it answered a message without a code');
          answered += 1;
          settle(index, code);
        };
        frames.push(this.#command('syslog', message, onAnswer));
      }
      if (frames.length > 0) this.connection.socket.write(Buffer.concat(frames));
    };
    return this.#until(() => {
      if (answered === messages.length) return 'done';
      sendMore();
      return undefined;
    });
  }

  /** Ends the session in good order, as far as the receiver joins in; never rejects. Nothing may be unanswered. */
  async close(): Promise<void> {
    if (this.isOver) {
      this.connection.destroy();
      return;
    }
    const timeout = AbortSignal.timeout(CLOSE_PATIENCE_MS);
    await this.connection.until(timeout, () => this.#ask('close')).catch(() => undefined);
    this.connection.socket.destroySoon();
  }

  async #open(software: string): Promise<void> {
    const offers = encodeOffers({ relp_version: '0', relp_software: software, commands: 'syslog' });
    const { code, offers: granted } = await this.#ask('open', offers);
    if (code !== 200) throw new SessionRefused(`refused it with code ${code ?? 'none'}`);
    // "experimental" according to the specification, which calls itself 1, and the only version that any software speaks.
    if (granted.get('relp_version')?.[0] !== '0') throw new SessionRefused('does not speak version 0 of it');
    if (!granted.get('commands')?.includes('syslog')) throw new SessionRefused('takes no syslog over it');
    this.#software = nameOf(granted.get('relp_software'));
  }

  /** Sends a command and resolves with its answer. */
  #ask(command: string, data = ''): Promise<RelpAnswer> {
    let answer: RelpAnswer | undefined;
    const frame = this.#command(command, data, (given) => {
      answer = given;
    });
    this.connection.socket.write(frame);
    return this.#until(() => answer);
  }

  /** The frame of a command, with the next number. Its answer goes to `onAnswer`. */
  #command(command: string, data: Message, onAnswer: (answer: RelpAnswer) => void): Buffer {
    const txnr = this.#nextTxnr;
    this.#nextTxnr += 1;
    this.#answers.expect(txnr, onAnswer);
    return encodeFrame(txnr, command, data);
  }

  /** Resolves once there is a result; it is looked for with every piece that comes. Rejects when the session ends without one. */
  #until<T>(result: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = result();
        if (found !== undefined) resolve(found);
        else if (this.#answers.failure !== undefined) reject(this.#answers.failure);
        else return;
        // What it holds on to, a whole batch, can go.
        this.#answers.onNews = () => {};
      };
      this.#answers.onNews = look;
      look();
    });
  }
}

/** Of name, version and URL, the first two, as far as they are plain text. */
function nameOf(software: readonly string[] = []): string {
  const name = software
    .slice(0, 2)
    .join(' ')
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, 80);
  return name === '' ? 'software without a name' : name;
}
