import type { Socket } from 'node:net';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';

/**
 * A stream to a receiver and all that is known of it. What comes back is kept here for whoever asks: events that fire between two
 * awaits would be missed otherwise. A plain syslog receiver never sends, so what it sends is news of the connection's end.
 */
export class Connection {
  readonly socket: Socket;
  /** PEM of the client certificate that it was opened with, if any. */
  readonly certificate: string | undefined;
  /** Resolves, never rejects, once the receiver has ended its side or the socket is gone. */
  readonly over: Promise<void>;
  /**
   * How long the event loop sat idle between our SYN and its acknowledgement, ms: at most the round trip. The plain time
   * would count our own work too, and on a busy loop make loopback look like a far country. 0 until connected.
   */
  roundTripMs = 0;
  /** True once the receiver has ended its side in good order (FIN). */
  ended = false;
  /** Why the socket broke. */
  failure: Error | undefined;
  /** The first bytes that the other side sent, when nobody was to receive them. */
  answer: Buffer | undefined;

  /** `receive` takes what the other side sends, where the protocol has answers. */
  constructor(socket: Socket, certificate?: string, receive?: (chunk: Buffer) => void) {
    this.socket = socket;
    this.certificate = certificate;
    let atAttempt = performance.eventLoopUtilization();
    // The name lookup is over by then, and of several addresses only the last attempt counts.
    socket.on('connectionAttempt', () => {
      atAttempt = performance.eventLoopUtilization();
    });
    socket.on('connect', () => {
      this.roundTripMs = performance.eventLoopUtilization(atAttempt).idle;
    });
    const keep = (chunk: Buffer) => {
      this.answer ??= chunk;
    };
    socket.on('data', receive ?? keep);
    socket.on('error', (error) => {
      this.failure ??= error;
    });
    this.over = new Promise((resolve) => {
      socket.on('end', () => {
        this.ended = true;
        resolve();
      });
      socket.on('close', () => resolve());
    });
  }

  /** True when nothing can be written any more, or should not be. */
  get isOver(): boolean {
    return this.ended || this.socket.destroyed || this.failure !== undefined || this.answer !== undefined;
  }

  /** Resolves once the kernel has taken all the bytes. */
  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * Lets the event loop read what has arrived. Two turns: the first may close a poll that began before we asked.
   */
  async lookForNews(): Promise<void> {
    await turnOfTheLoop();
    await turnOfTheLoop();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /**
   * Runs a step that waits on this connection. An abort destroys the socket, which ends every wait on it, and the step
   * rejects with the signal's reason.
   */
  async until<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    const cut = () => this.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      signal.throwIfAborted();
      const result = await step();
      signal.throwIfAborted();
      return result;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
