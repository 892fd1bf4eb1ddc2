import type { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import { sendFault } from './faults.ts';
import { type Framing, frameAll } from './framing.ts';
import { probeStream } from './probe.ts';
import { ALL_ACCEPTED, type Delivery, type Messages, type Wire } from './wire.ts';

/**
 * One connection for all batches, and a batch counts once this machine's kernel has taken its bytes: what most syslog
 * senders do. What is in the kernel or on its way when the connection breaks is lost, and nobody is told.
 */
export class ConfirmByWrite implements Wire {
  readonly #dialer: Dialer;
  readonly #framing: Framing;
  readonly #sendTimeout: number;
  #kept: Connection | undefined;

  constructor(dialer: Dialer, framing: Framing, sendTimeout: number) {
    this.#dialer = dialer;
    this.#framing = framing;
    this.#sendTimeout = sendTimeout;
  }

  async deliver(messages: Messages, signal: AbortSignal): Promise<Delivery> {
    const bytes = frameAll(messages, this.#framing);
    const connection = await this.#connection(signal);
    const timeout = AbortSignal.timeout(this.#sendTimeout + this.#dialer.watchMs(connection));
    try {
      await connection.until(AbortSignal.any([signal, timeout]), () => this.#hand(bytes, connection));
      this.#dialer.trust(connection);
      return ALL_ACCEPTED;
    } catch (error) {
      // Part of a frame may be out: the next batch needs a new stream.
      this.#drop();
      this.#dialer.distrust();
      signal.throwIfAborted();
      throw sendFault(this.#dialer.endpoint, connection, error);
    }
  }

  probe(signal: AbortSignal): Promise<string> {
    return probeStream(this.#dialer, signal);
  }

  async close(): Promise<void> {
    // `end` and not `destroy`, which could cut off what the kernel has taken and not yet sent.
    this.#kept?.socket.destroySoon();
    this.#kept = undefined;
  }

  /** The kept connection if the receiver has not ended it meanwhile, else a new one. */
  async #connection(signal: AbortSignal): Promise<Connection> {
    // Without a look, a write to a connection that the receiver has closed succeeds, and only the next one fails.
    await this.#kept?.lookForNews();
    if (this.#kept?.isOver) {
      this.#drop();
      this.#dialer.distrust();
    }
    this.#kept ??= await this.#dialer.dial(signal);
    return this.#kept;
  }

  async #hand(bytes: Buffer, connection: Connection): Promise<void> {
    await connection.write(bytes);
    // Once, long enough to see that the receiver does not close because it cannot read us (TLS expected, other framing).
    await this.#dialer.watch(connection);
    // A reset for these very bytes may be here already: cheaper to see it now than to lose the batch.
    await connection.lookForNews();
    if (connection.isOver) throw new Error('it closed the connection while the batch was written');
  }

  #drop(): void {
    this.#kept?.destroy();
    this.#kept = undefined;
  }
}
