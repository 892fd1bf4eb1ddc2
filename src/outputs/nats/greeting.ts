import { connect } from 'node:net';
import { connectFault } from '../broker/connect-fault.ts';
import { OutputError } from '../output.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** No server has more to say of itself: a big cluster lists some hundred addresses. */
const MAX_GREETING_BYTES = 256 * 1024;

/**
 * Waits until a NATS server has introduced itself, which it does before anything is said to it (`INFO {…}`), and leaves again.
 *
 * The client library cannot be aborted while it connects, and of a server that takes the connection and says nothing it keeps
 * the socket for ever (3.4.0). So it is let near only those that answer.
 *
 * Throws an `OutputError`, or the signal's reason when aborted.
 */
export async function awaitGreeting(address: Address, timeout: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const name = `nats://${address.host}:${address.port}`;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Over the whole wait: a name server or a far host that drops packets would hold it up as well.
  const ending = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  ending.addEventListener('abort', () => reject(signal.aborted ? signal.reason : silent(name, timeout)));
  const socket = connect(address);
  let seen = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    seen += chunk;
    if (!'INFO '.startsWith(seen.slice(0, 5).toUpperCase())) reject(notNats(name));
    else if (seen.includes('\r\n')) resolve();
    else if (seen.length > MAX_GREETING_BYTES) reject(notNats(name));
  });
  socket.on('error', (error) => reject(connectFault(name, error) ?? closed(name)));
  socket.on('close', () => reject(closed(name)));
  try {
    await promise;
  } finally {
    socket.destroy();
  }
}

function silent(name: string, timeout: number): OutputError {
  return new OutputError(`${name} has not introduced itself within ${timeout} ms`, {
    reason: 'timeout',
    disposition: 'retry',
    hint: 'Check host, port and firewalls on the way, and that the server is not stopped or overloaded.',
  });
}

function closed(name: string): OutputError {
  return new OutputError(`${name} closed the connection before it introduced itself`, {
    reason: 'connect',
    disposition: 'retry',
    hint: 'Check that this is the client port of a NATS server (4222), and that it is not at its limit of connections.',
  });
}

function notNats(name: string): OutputError {
  return new OutputError(`${name} is no NATS server: it does not begin with INFO`, {
    reason: 'connect',
    disposition: 'halt',
    hint: 'Check host and port: the client port of a NATS server is 4222 unless it was changed.',
  });
}
