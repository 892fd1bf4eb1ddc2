import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';

/**
 * Ports of 127.0.0.1 for those who may go and come back. They lie below those that Linux gives to outgoing connections (32768 and up):
 * one of these could take the port while its receiver is gone, or even connect to itself.
 */
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** Ports on which nobody listens, for TCP and for UDP. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = anyPort();
    if ((await isFree(createServer(), port)) && (await isFree(createSocket('udp4'), port))) ports.add(port);
  }
  return [...ports];
}

/** Has a server listen on that port; without one, on any that is free. */
export async function listenOn(server: Server, port?: number): Promise<void> {
  if (port !== undefined) {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return;
  }
  while (!(await listens(server, anyPort())));
}

function anyPort(): number {
  return LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
}

async function isFree(socket: Server | Socket, port: number): Promise<boolean> {
  if (!(await listens(socket, port))) return false;
  socket.close();
  await once(socket, 'close');
  return true;
}

/** False when somebody else has the port. */
async function listens(socket: Server | Socket, port: number): Promise<boolean> {
  try {
    if (socket instanceof Server) socket.listen(port, '127.0.0.1');
    else socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}
