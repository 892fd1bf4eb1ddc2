import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Datagrams } from '../../../src/outputs/wire/datagrams.ts';
import type { Endpoint } from '../../../src/outputs/wire/wire.ts';

const never = new AbortController().signal;
const batch = ['<13>1 - - - - - - first', '<13>1 - - - - - - zweites: größer'];

let receiver: Socket;
let received: string[];
let wire: Datagrams;

async function listen(type: 'udp4' | 'udp6', address: string, port = 0): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize: 4_000_000 });
  socket.on('message', (message) => received.push(message.toString()));
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

function wireTo(host: string, port = receiver.address().port): Datagrams {
  const endpoint: Endpoint = { protocol: 'udp', host, port };
  return new Datagrams(endpoint, 2_000);
}

beforeEach(async () => {
  received = [];
  receiver = await listen('udp4', '127.0.0.1');
  wire = wireTo('127.0.0.1');
});
afterEach(async () => {
  await wire.close();
  receiver.close();
});

describe('datagrams', () => {
  it('carry one message each, in order, and nothing else', async () => {
    await wire.deliver(batch, never);
    await wire.deliver(batch, never);
    await expect.poll(() => received).toEqual([...batch, ...batch]);
  });

  it('reach a receiver that has only an IPv6 address', async () => {
    const { port } = receiver.address();
    receiver.close();
    receiver = await listen('udp6', '::1', port);
    wire = wireTo('::1');
    await wire.deliver(batch, never);
    await expect.poll(() => received).toEqual(batch);
  });

  it('that the machine of the receiver refuses are to be sent again, and arrive once it listens', async () => {
    const { port } = receiver.address();
    receiver.close();
    await expect(wire.deliver(batch, never)).rejects.toMatchObject({ reason: 'connect', disposition: 'retry' });
    receiver = await listen('udp4', '127.0.0.1', port);
    await wire.deliver(batch, never);
    await expect.poll(() => received).toEqual(batch);
  });

  it('are not sent to a name that nobody knows', async () => {
    wire = wireTo('receiver.invalid');
    await expect(wire.deliver(batch, never)).rejects.toMatchObject({ disposition: 'retry' });
    await expect(wire.probe(never)).rejects.toMatchObject({ disposition: 'retry' });
  });

  it('stop at an abort, with the reason, and go on in the next batch', async () => {
    const reason = new Error('stopping');
    const stop = new AbortController();
    const many = Array.from({ length: 2_000 }, (_, index) => `<13>1 - - - - - - ${index}`);
    receiver.once('message', () => stop.abort(reason));
    const delivery = wire.deliver(many, stop.signal);
    await expect(delivery).rejects.toBe(reason);
    await wire.deliver(batch, never);
    await expect.poll(() => received.slice(-2)).toEqual(batch);
    expect(received.length).toBeLessThan(2_002);
  });

  it('a probe sends nothing and does not claim that anybody listens', async () => {
    await expect(wire.probe(never)).resolves.toContain('cannot be told');
    await wire.deliver(batch, never);
    await expect.poll(() => received).toEqual(batch);
  });
});
