import { TLSSocket } from 'node:tls';
import type { Dialer } from './dialer.ts';
import { describeSession } from './tls.ts';
import { authorityOf } from './wire.ts';

/** Connects, ends the connection, and says what was there: `connected to 10.0.0.7:6514, TLSv1.3, certificate CN=…`. */
export async function probeStream(dialer: Dialer, signal: AbortSignal): Promise<string> {
  // A probe is there to find out, so nothing from before counts: over TLS the connection is watched for a refusal.
  dialer.distrust();
  const { socket } = await dialer.dial(signal);
  const reached = `connected to ${authorityOf(dialer.endpoint)}`;
  const said = socket instanceof TLSSocket ? `${reached}, ${describeSession(socket)}` : reached;
  // In good order, so that the receiver logs no broken connection. Nobody waits for its answer.
  socket.destroySoon();
  return said;
}
