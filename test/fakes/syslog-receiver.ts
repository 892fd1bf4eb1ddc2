import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { listenOn } from '../ports.ts';
import { SyslogFrames } from './syslog-frames.ts';

/** What the receiver does with a connection. */
export type Manner =
  | 'well' // reads to the end, then closes
  | 'closes late' // as well, but only when `release` is called
  | 'never closes' // reads to the end and stays
  | 'hangs' // does not even read
  | 'ends at once' // closes in good order as soon as it is connected
  | 'ends in the middle' // ends its side as soon as the first bytes come, and reads on
  | 'resets' // breaks the connection when the first bytes come
  | 'answers' // speaks HTTP
  | 'answers hugely'; // sends 10 MB of something as soon as the first bytes come

interface Setup {
  readonly framing?: 'octet-counting' | 'newline';
  readonly tls?: TlsOptions;
  readonly port?: number;
}

/** A syslog receiver on 127.0.0.1 that can misbehave. Well-behaved until told otherwise. */
export class SyslogReceiver {
  manner: Manner = 'well';
  /** One for each connection, in order. */
  readonly streams: SyslogFrames[] = [];
  readonly #framing: 'octet-counting' | 'newline';
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #sockets = new Set<Socket>();

  private constructor(setup: Setup) {
    this.#framing = setup.framing ?? 'octet-counting';
    const listener = (socket: Socket) => this.#serve(socket);
    this.#server = setup.tls
      ? createTlsServer({ ...setup.tls, allowHalfOpen: true }, listener)
      : createServer({ allowHalfOpen: true }, listener);
    // Of a TLS server, the socket below TLS: one whose handshake fails never gets to `#serve`, and is open all the same.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(setup: Setup = {}): Promise<SyslogReceiver> {
    const receiver = new SyslogReceiver(setup);
    await listenOn(receiver.#server, setup.port);
    return receiver;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the receiver does not listen');
    return address.port;
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#open.size;
  }

  /** Whole messages of all connections, in order. */
  get messages(): string[] {
    return this.streams.flatMap((stream) => stream.messages);
  }

  /** Closes the connections that `closes late` keeps, once each sender has ended its side. */
  async release(): Promise<void> {
    for (const socket of this.#open) {
      if (!socket.readableEnded) await once(socket, 'end');
      socket.end();
    }
  }

  /** Lets the connections that hang read after all. */
  readOn(): void {
    for (const socket of this.#open) socket.resume();
  }

  /** Ends our side of all connections in good order, as a receiver that shuts down. */
  endAll(): void {
    for (const socket of this.#open) socket.end();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    const { manner } = this;
    const stream = new SyslogFrames(this.#framing);
    this.streams.push(stream);
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => {});
    if (manner === 'ends at once') socket.end();
    socket.on('data', (chunk) => {
      if (manner === 'resets') socket.resetAndDestroy();
      if (manner === 'ends in the middle') socket.end();
      if (manner === 'answers hugely' && socket.bytesWritten === 0) socket.write(Buffer.alloc(10_000_000, 'x'));
      stream.push(chunk);
    });
    socket.on('end', () => {
      if (manner === 'answers') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else if (manner !== 'never closes' && manner !== 'closes late') socket.end();
    });
    if (manner === 'hangs') socket.pause();
  }
}
