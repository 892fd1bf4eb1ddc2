import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfirmByWrite } from '../../../src/outputs/wire/confirm-by-write.ts';
import { Dialer } from '../../../src/outputs/wire/dialer.ts';
import { SyslogReceiver } from '../../fakes/syslog-receiver.ts';

const never = new AbortController().signal;
const batch = ['<13>1 - - - - - - first', '<13>1 - - - - - - second'];
const hugeBatch = Array.from({ length: 16 }, () => 'x'.repeat(1_000_000));

let receiver: SyslogReceiver;
let wire: ConfirmByWrite;

beforeEach(async () => {
  receiver = await SyslogReceiver.start({ framing: 'newline' });
  const dialer = new Dialer(
    { protocol: 'tcp', host: '127.0.0.1', port: receiver.port },
    { minVersion: 'TLSv1.2' },
    5_000,
  );
  wire = new ConfirmByWrite(dialer, 'newline', 300);
});
afterEach(async () => {
  await wire.close();
  await receiver.stop();
});

describe('a batch confirmed by write', () => {
  it('goes over one connection with all others', async () => {
    for (let i = 0; i < 3; i += 1) await wire.deliver(batch, never);
    await expect.poll(() => receiver.messages).toEqual([...batch, ...batch, ...batch]);
    expect(receiver.streams).toHaveLength(1);
  });

  it('goes over a new connection when the receiver has ended the old one', async () => {
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.messages).toEqual(batch);
    receiver.endAll();
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.messages).toEqual([...batch, ...batch]);
    expect(receiver.streams).toHaveLength(2);
  });

  it('goes over a new connection when the receiver was started again', async () => {
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.messages).toEqual(batch);
    const { port } = receiver;
    await receiver.stop();
    receiver = await SyslogReceiver.start({ framing: 'newline', port });
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.messages).toEqual(batch);
  });

  it('does not count when the kernel does not take it in time, and the next one starts a new stream', async () => {
    receiver.manner = 'hangs';
    await expect(wire.deliver(hugeBatch, never)).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    receiver.manner = 'well';
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.streams[1]?.messages).toEqual(batch);
  });

  it('does not count when the receiver resets the connection in the middle', async () => {
    receiver.manner = 'resets';
    await expect(wire.deliver(hugeBatch, never)).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
  });

  it('does not count when the receiver answers, were it 10 MB, and the connection is dropped', async () => {
    receiver.manner = 'answers hugely';
    await expect(wire.deliver(batch, never)).rejects.toMatchObject({ reason: 'connect', disposition: 'halt' });
    await expect.poll(() => receiver.connections).toBe(0);
  });

  it('can be aborted in the middle, with the reason, and used again', async () => {
    receiver.manner = 'hangs';
    const stop = new AbortController();
    const delivery = wire.deliver(hugeBatch, stop.signal);
    await expect.poll(() => receiver.connections).toBe(1);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(delivery).rejects.toBe(reason);
    receiver.manner = 'well';
    await wire.deliver(batch, never);
    await expect.poll(() => receiver.streams.at(-1)?.messages).toEqual(batch);
  });

  it('closes in good order: nothing that the kernel has taken is cut off', async () => {
    await wire.deliver(hugeBatch.slice(0, 1), never);
    await wire.close();
    await expect.poll(() => receiver.messages.length).toBe(1);
    await wire.close();
  });
});
