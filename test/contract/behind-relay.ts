import { onTestFinished } from 'vitest';
import { TcpRelay } from '../fakes/tcp-relay.ts';
import type { Receiver } from './output-harness.ts';

/** A relay before a receiver that listens on a network, and the output's options with its port in the place of the receiver's. */
export async function behindRelay({ port, options, advertise }: Receiver) {
  if (port === undefined) throw new Error('the harness does not say where its receiver listens');
  const relay = await TcpRelay.start({ port });
  onTestFinished(() => relay.close());
  advertise?.(relay.port);
  const text = JSON.stringify(options).replaceAll(new RegExp(`:${port}(?!\\d)`, 'g'), `:${relay.port}`);
  const relayed: Readonly<Record<string, unknown>> = JSON.parse(text);
  return { relay, options: relayed };
}
