import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { connectFault } from './faults.ts';
import {
  ALL_ACCEPTED,
  authorityOf,
  type Delivery,
  type Endpoint,
  type Message,
  type Messages,
  type Wire,
} from './wire.ts';

/** Largest payload of a datagram over IPv4: 65,535 less 20 octets of IP header and 8 of UDP header. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** A datagram to where nobody is any more raises no error, so the name is looked up again this often, ms. */
const LOOK_UP_AGAIN_MS = 60_000;

/**
 * One message a datagram (RFC 5426 §3.1), sent and not heard of again.
 *
 * The socket is connected, for only then does the kernel hand on that the receiver's machine refused a datagram: an ICMP
 * port unreachable, which reaches us as `ECONNREFUSED` a little later.
 */
export class Datagrams implements Wire {
  readonly #endpoint: Endpoint;
  readonly #connectTimeout: number;
  #socket: Socket | undefined;
  #openedAt = 0;
  /** A refusal that came when nobody was waiting for one. */
  #refusal: Error | undefined;

  constructor(endpoint: Endpoint, connectTimeout: number) {
    this.#endpoint = endpoint;
    this.#connectTimeout = connectTimeout;
  }

  async deliver(messages: Messages, signal: AbortSignal): Promise<Delivery> {
    try {
      const socket = await this.#connected(signal);
      for (const message of messages) {
        signal.throwIfAborted();
        await sendDatagram(socket, payloadOf(message));
        // Node calls back at once when the kernel took it at once. The turn lets everything else go on, spares the receiver's
        // buffer the worst of a burst, and brings a refusal by this machine or a near one.
        await turnOfTheLoop();
        if (this.#refusal !== undefined) throw this.#refusal;
      }
      return ALL_ACCEPTED;
    } catch (error) {
      await this.close();
      signal.throwIfAborted();
      throw connectFault(this.#endpoint, error);
    }
  }

  async probe(signal: AbortSignal): Promise<string> {
    try {
      await this.#connected(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw connectFault(this.#endpoint, error);
    }
    return `ready to send datagrams to ${authorityOf(this.#endpoint)}; whether anybody listens there cannot be told`;
  }

  async close(): Promise<void> {
    this.#socket?.close();
    this.#socket = undefined;
    this.#refusal = undefined;
  }

  async #connected(signal: AbortSignal): Promise<Socket> {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (performance.now() - this.#openedAt > LOOK_UP_AGAIN_MS) await this.close();
    this.#socket ??= await this.#open(AbortSignal.any([signal, AbortSignal.timeout(this.#connectTimeout)]));
    return this.#socket;
  }

  async #open(signal: AbortSignal): Promise<Socket> {
    const { address, family } = await unlessAborted(lookup(this.#endpoint.host), signal);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('error', (error) => {
      this.#refusal ??= error;
    });
    this.#openedAt = performance.now();
    socket.connect(this.#endpoint.port, address);
    try {
      await once(socket, 'connect');
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }
}

function payloadOf(message: Message): Buffer {
  return typeof message === 'string' ? Buffer.from(message) : Buffer.concat([Buffer.from(message.head), message.tail]);
}

function sendDatagram(socket: Socket, payload: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(payload, (error) => (error ? reject(error) : resolve()));
  });
}

/** A name lookup cannot be called off, but nobody has to wait for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
