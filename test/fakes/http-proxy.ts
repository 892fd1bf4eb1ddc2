import { createServer, request as forward } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** An HTTP proxy on a loopback port: tunnels for https, forwards for http, and wants `authorization` when it is set. */
export class HttpProxy {
  /** Where it was asked to go, in order: `host:port` of a tunnel, the URL of a forwarded request. */
  readonly asked: string[] = [];
  /** The `Proxy-Authorization` that it wants. */
  authorization: string | undefined;
  /** Answers every wish for a tunnel with this status. */
  tunnelStatus: number | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => {
    this.asked.push(request.url ?? '');
    if (this.#refuses(request.headers['proxy-authorization'])) return void response.writeHead(407).end();
    const { method, headers } = request;
    const onward = forward(request.url ?? '', { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });

  static async start(): Promise<HttpProxy> {
    const proxy = new HttpProxy();
    proxy.#server.on('connect', (request, socket: Socket) => proxy.#tunnel(request.url ?? '', request.headers, socket));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #tunnel(target: string, headers: Readonly<Record<string, unknown>>, socket: Socket): void {
    this.asked.push(target);
    socket.on('error', () => {});
    if (this.#refuses(headers['proxy-authorization'])) {
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    }
    if (this.tunnelStatus) return void socket.end(`HTTP/1.1 ${this.tunnelStatus} No\r\n\r\n`);
    const [host = '', port = ''] = target.split(':');
    const onward = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    for (const one of [socket, onward]) this.#sockets.add(one);
    socket.pipe(onward).pipe(socket);
  }

  #refuses(authorization: unknown): boolean {
    return this.authorization !== undefined && authorization !== this.authorization;
  }
}
