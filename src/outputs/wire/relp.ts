import { TLSSocket } from 'node:tls';
import type { OutputError } from '../output.ts';
import type { Dialer } from './dialer.ts';
import { transferFault } from './relp-faults.ts';
import { RELP_LIMITS, type RelpLimits, RelpSession } from './relp-session.ts';
import { describeSession } from './tls.ts';
import { authorityOf, type Delivery, type Messages, type Wire } from './wire.ts';

const OK = 200;

/**
 * One session for all batches, and every message acknowledged by itself. A batch counts once each of its messages has its
 * acknowledgement; when the session breaks, those that have theirs count, and the others are left over.
 *
 * Acknowledged means that the receiver has taken the message over: rsyslog's imrelp says so when it has put it into its queue,
 * which need not be on disk.
 */
export class Relp implements Wire {
  readonly #dialer: Dialer;
  readonly #software: string;
  readonly #sendTimeout: number;
  readonly #limits: RelpLimits;
  #session: RelpSession | undefined;

  /** `software`: our name, and after a comma our version, for the receiver. */
  constructor(dialer: Dialer, software: string, sendTimeout: number, limits: RelpLimits = RELP_LIMITS) {
    this.#dialer = dialer;
    this.#software = software;
    this.#sendTimeout = sendTimeout;
    this.#limits = limits;
  }

  async deliver(messages: Messages, signal: AbortSignal): Promise<Delivery> {
    const session = await this.#sessionFor(messages.length, signal);
    const codes = new Map<number, number>();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#sendTimeout)]);
    try {
      await session.connection.until(limit, () =>
        session.transfer(messages, (index, code) => {
          codes.set(index, code);
        }),
      );
    } catch (error) {
      // Answers to this batch must not meet the next one: that needs new numbers.
      this.#session = undefined;
      session.connection.destroy();
      signal.throwIfAborted();
      const fault = transferFault(this.#dialer.endpoint, error);
      if (![...codes.values()].includes(OK)) throw fault;
      // The last answer and the end of our patience can come together.
      if (codes.size < messages.length) return deliveryOf(messages.length, codes, fault);
    }
    // A code is all that a receiver says. Where it refuses everything, which is about itself and not about the messages, the
    // dispatcher notices: it holds what is refused in a row.
    return deliveryOf(messages.length, codes);
  }

  /** Opens a session of its own: `connected to 10.0.0.7:2514, TLSv1.3, certificate CN=…, RELP session with librelp 1.11.0`. */
  async probe(signal: AbortSignal): Promise<string> {
    const session = await this.#open(signal);
    const { socket } = session.connection;
    const tls = socket instanceof TLSSocket ? `, ${describeSession(socket)}` : '';
    const said = `connected to ${authorityOf(this.#dialer.endpoint)}${tls}, RELP session with ${session.software}`;
    await session.close();
    return said;
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  /** The kept session if it is still good for so many messages, else a new one. */
  async #sessionFor(messages: number, signal: AbortSignal): Promise<RelpSession> {
    // Without a look, an end that came meanwhile would be noticed only after the batch was written to nobody.
    await this.#session?.connection.lookForNews();
    if (this.#session?.isOver || this.#session?.hasNumbersFor(messages) === false) await this.close();
    this.#session ??= await this.#open(signal);
    return this.#session;
  }

  #open(signal: AbortSignal): Promise<RelpSession> {
    return RelpSession.open(this.#dialer, this.#software, signal, this.#limits);
  }
}

/** What became of so many messages, from the code that each was answered with; `error`: why there are some without. */
function deliveryOf(messages: number, codes: ReadonlyMap<number, number>, error?: OutputError): Delivery {
  const refused = new Map(
    [...codes]
      .filter(([, code]) => code !== OK)
      .map(([index, code]) => [index, `the receiver refused it with code ${code}`]),
  );
  if (error === undefined) return { refused };
  const indexes = new Set(Array.from({ length: messages }, (_, index) => index).filter((index) => !codes.has(index)));
  return { refused, unsettled: { indexes, error } };
}
