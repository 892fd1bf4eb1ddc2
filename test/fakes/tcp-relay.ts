import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { listenOn } from '../ports.ts';

/** A relay on a loopback port, between a client and a server that cannot misbehave by itself. */
export class TcpRelay {
  /**
   * Looks at what the client sends, before it goes on: `reset` breaks both connections, `swallow` keeps it, and all that follows on
   * the connection, from the server.
   */
  inspect: (chunk: Buffer) => 'pass' | 'reset' | 'swallow' = () => 'pass';
  /**
   * True while the machine behind it is gone without a word: no byte passes, either way, and no end of a connection. Those that were
   * open then never come alive again, as a firewall forgets them; others are taken in and left in silence until this is false again.
   */
  isVanished = false;
  /** How many connections were made. */
  connections = 0;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#relay(client));

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(to: { readonly port: number }, options: { readonly port?: number } = {}): Promise<TcpRelay> {
    const relay = new TcpRelay(to.port);
    await listenOn(relay.#server, options.port);
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
    const server = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true });
    let swallowing = false;
    let dead = false;
    const isDead = () => {
      dead ||= this.isVanished;
      if (dead) client.pause(); // So that what is written fills the buffers on its way, as with a machine that is gone.
      return dead;
    };
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one
        // An end goes on as an end: some receivers are told by it that all was sent.
        .on('end', () => isDead() || swallowing || other.end())
        .on('error', () => isDead() || other.destroy())
        .on('close', () => {
          this.#sockets.delete(one);
          if (!isDead()) other.destroySoon();
        });
    }
    server.on('data', (chunk) => isDead() || client.write(chunk));
    client.on('data', (chunk) => {
      if (isDead()) return;
      const verdict = swallowing ? 'swallow' : this.inspect(chunk);
      if (verdict === 'reset') client.resetAndDestroy();
      else if (verdict === 'pass') server.write(chunk);
      else swallowing = true;
    });
  }
}
