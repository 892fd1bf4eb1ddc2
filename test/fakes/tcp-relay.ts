import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A relay on a loopback port, between a client and a server that cannot misbehave by itself. */
export class TcpRelay {
  /**
   * Looks at what the client sends, before it goes on: `reset` breaks both connections, `swallow` keeps it, and all that follows on
   * the connection, from the server.
   */
  inspect: (chunk: Buffer) => 'pass' | 'reset' | 'swallow' = () => 'pass';
  /** How many connections were made. */
  connections = 0;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#relay(client));

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(to: { readonly port: number }, options: { readonly port?: number } = {}): Promise<TcpRelay> {
    const relay = new TcpRelay(to.port);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(client: Socket): void {
    this.connections += 1;
    const server = connect(this.#port, '127.0.0.1');
    let swallowing = false;
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one
        .on('error', () => other.destroy())
        .on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
    }
    server.on('data', (chunk) => client.write(chunk));
    client.on('data', (chunk) => {
      const verdict = swallowing ? 'swallow' : this.inspect(chunk);
      if (verdict === 'reset') client.resetAndDestroy();
      else if (verdict === 'pass') server.write(chunk);
      else swallowing = true;
    });
  }
}
