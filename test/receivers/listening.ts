import { readFileSync } from 'node:fs';

/** One socket of this machine, as the kernel sees it: proc(5), `/proc/net/tcp`. */
interface SocketRow {
  readonly local: string;
  readonly state: string;
  /** Bytes that have arrived and that its process has not read. */
  readonly unread: number;
}

const LISTEN = '0A';

/** True when all these ports of 127.0.0.1 are listened on. Nobody is connected to for it. */
export function isListening(ports: { readonly tcp: readonly number[]; readonly udp: readonly number[] }): boolean {
  return (
    ports.tcp.every((port) => table('tcp').some(({ local, state }) => local === inHex(port) && state === LISTEN)) &&
    ports.udp.every((port) => table('udp').some(({ local }) => local === inHex(port)))
  );
}

/** Bytes that have arrived for the TCP port of 127.0.0.1, on any of its connections, and that nobody has read. */
export function bytesWaitingAt(port: number): number {
  const connections = table('tcp').filter(({ local, state }) => local === inHex(port) && state !== LISTEN);
  return connections.reduce((bytes, { unread }) => bytes + unread, 0);
}

function table(protocol: 'tcp' | 'udp'): SocketRow[] {
  const rows = readFileSync(`/proc/net/${protocol}`, 'latin1').trim().split('\n').slice(1);
  return rows.map((row) => {
    const [, local = '', , state = '', queues = ''] = row.trim().split(/\s+/);
    return { local, state, unread: Number.parseInt(queues.split(':')[1] ?? '0', 16) };
  });
}

/** 127.0.0.1 in the byte order of the machine, and the port. */
function inHex(port: number): string {
  return `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}
