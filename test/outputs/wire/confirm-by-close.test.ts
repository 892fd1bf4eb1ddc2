import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { OutputError } from '../../../src/outputs/output.ts';
import { ConfirmByClose } from '../../../src/outputs/wire/confirm-by-close.ts';
import type { Connection } from '../../../src/outputs/wire/connection.ts';
import { Dialer } from '../../../src/outputs/wire/dialer.ts';
import { SyslogReceiver } from '../../fakes/syslog-receiver.ts';

const TLS = { minVersion: 'TLSv1.2' } as const;
const never = new AbortController().signal;
const batch = ['<13>1 - - - - - - first', '<13>1 - - - - - - zweites: größer'];
/** More than the kernel's buffers take, so that a receiver that does not read is felt. */
const hugeBatch = Array.from({ length: 16 }, () => 'x'.repeat(1_000_000));

let receiver: SyslogReceiver;

beforeEach(async () => {
  receiver = await SyslogReceiver.start();
});
afterEach(() => receiver.stop());

function wire({ sendTimeout = 10_000, dialer = dialerTo(receiver.port) } = {}): ConfirmByClose {
  return new ConfirmByClose(dialer, 'octet-counting', sendTimeout);
}

function dialerTo(port: number): Dialer {
  return new Dialer({ protocol: 'tcp', host: '127.0.0.1', port }, TLS, 5_000);
}

/** A receiver as far away as this: loopback answers in microseconds, and no test can slow its handshakes down. */
class FarAway extends Dialer {
  readonly #roundTripMs: number;

  constructor(port: number, roundTripMs: number) {
    super({ protocol: 'tcp', host: '127.0.0.1', port }, TLS, 5_000);
    this.#roundTripMs = roundTripMs;
  }

  override async dial(signal: AbortSignal): Promise<Connection> {
    const connection = await super.dial(signal);
    connection.roundTripMs = this.#roundTripMs;
    return connection;
  }
}

/** Trusts every connection at once, as after a batch that was confirmed. */
class Trusting extends Dialer {
  constructor(port: number) {
    super({ protocol: 'tcp', host: '127.0.0.1', port }, TLS, 5_000);
  }

  override watchMs(): number {
    return 0;
  }
}

async function errorOf(work: Promise<unknown>): Promise<OutputError> {
  const error = await work.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(OutputError);
  return error as OutputError;
}

describe('a batch confirmed by close', () => {
  it('arrives whole and in order, one connection a batch', async () => {
    const close = wire();
    await close.deliver(batch, never);
    await close.deliver(batch, never);
    expect(receiver.streams.map(({ messages }) => messages)).toEqual([batch, batch]);
  });

  it('counts only when the receiver has closed too', async () => {
    receiver.manner = 'closes late';
    let confirmed = false;
    const delivery = wire()
      .deliver(batch, never)
      .then(() => {
        confirmed = true;
      });
    await expect.poll(() => receiver.messages).toEqual(batch);
    expect(confirmed).toBe(false);
    await receiver.release();
    await delivery;
    expect(confirmed).toBe(true);
  });

  it('arrives whole at a receiver that reads slowly', async () => {
    receiver.manner = 'hangs';
    const delivery = wire().deliver(hugeBatch, never);
    await expect.poll(() => receiver.connections).toBe(1);
    receiver.readOn();
    await delivery;
    expect(receiver.messages.map((message) => message.length)).toEqual(hugeBatch.map(() => 1_000_000));
  });

  it.each([
    ['ends at once', /closed the connection before we did/],
    ['ends in the middle', /closed the connection before we did/],
    ['resets', /ECONNRESET|EPIPE/],
  ] as const)('does not count when the receiver %s', async (manner, message) => {
    receiver.manner = manner;
    const error = await errorOf(wire().deliver(hugeBatch, never));
    expect(error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(error.message).toMatch(message);
  });

  it.each(['never closes', 'hangs'] as const)('does not count when the receiver %s', async (manner) => {
    receiver.manner = manner;
    const error = await errorOf(wire({ sendTimeout: 150 }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(error.hint).toContain('sendTimeout');
  });

  it('does not count when something other than a syslog receiver answers', async () => {
    receiver.manner = 'answers';
    const error = await errorOf(wire().deliver(batch, never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'halt' });
  });

  it('does not count when 10 MB are answered, of which the first bytes are kept', async () => {
    receiver.manner = 'answers hugely';
    const dialed: Connection[] = [];
    const dialer = dialerTo(receiver.port);
    const dial = dialer.dial.bind(dialer);
    dialer.dial = async (signal) => {
      const connection = await dial(signal);
      dialed.push(connection);
      return connection;
    };
    const since = performance.now();
    const error = await errorOf(wire({ dialer }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'halt', hint: expect.stringContaining('syslog') });
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(dialed[0]?.answer?.length).toBeLessThanOrEqual(64 * 1024);
    await expect.poll(() => receiver.connections).toBe(0);
  });

  it('does not count when the close comes sooner than our own could have got there', async () => {
    const far = wire({ dialer: new FarAway(receiver.port, 100) });
    // Seven handshakes are not enough to be sure that the receiver is far away.
    for (let i = 0; i < 7; i += 1) await far.deliver(batch, never);
    const error = await errorOf(far.deliver(batch, never));
    expect(error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(error.message).toContain('too soon');
  });

  it('does not count when the close was on its way before our bytes could have got there', async () => {
    // It closes of its own accord, at once. On loopback that is seen; far away it would come when our end is gone.
    const hasty = createServer((socket) => socket.once('data', () => socket.end()).on('error', () => undefined));
    await once(hasty.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      hasty.close();
    });
    const { port } = hasty.address() as AddressInfo;
    const outcomes = new Set<string>();
    const far = new FarAway(port, 50);
    far.watchMs = () => 0;
    const close = wire({ dialer: far });
    for (let i = 0; i < 5; i += 1) outcomes.add((await errorOf(close.deliver(batch, never))).reason);
    expect(outcomes).toEqual(new Set(['unconfirmed']));
  });

  it('is not short of time because our own end is held back', async () => {
    const far = new FarAway(receiver.port, 400);
    far.watchMs = () => 0;
    await wire({ dialer: far, sendTimeout: 300 }).deliver(batch, never);
    expect(receiver.messages).toEqual(batch);
  });

  it('counts from far away when the close takes its time', async () => {
    receiver.manner = 'closes late';
    const far = wire({ dialer: new FarAway(receiver.port, 40) });
    for (let sent = 1; sent <= 9; sent += 1) {
      const startedAt = performance.now();
      const delivery = far.deliver(batch, never);
      await expect.poll(() => receiver.messages.length, { interval: 1 }).toBe(2 * sent);
      // Our end is held back for 41 ms, and no answer may come within 20 more.
      await expect.poll(() => performance.now() - startedAt, { interval: 5 }).toBeGreaterThan(80);
      await receiver.release();
      await delivery;
    }
  });

  it('does not mistake a busy moment of ours for a long way', async () => {
    const dialer = new FarAway(receiver.port, 0);
    const close = wire({ dialer });
    await close.deliver(batch, never);
    const slow = new FarAway(receiver.port, 5_000);
    dialer.dial = (signal) => slow.dial(signal);
    for (let i = 0; i < 9; i += 1) await close.deliver(batch, never);
  });

  it('never counts when the receiver closes and has read nothing, however fast', async () => {
    // In a process of its own: in ours, the receiver could close only when the sender pauses.
    const script =
      "require('net').createServer((s) => s.destroy()).listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
    const closer = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      closer.kill();
    });
    const [port] = await once(closer.stdout, 'data');
    const close = wire({ dialer: new Trusting(Number(port)) });
    const outcomes = [];
    for (let i = 0; i < 200; i += 1) {
      outcomes.push(
        await close.deliver(batch, never).then(
          () => 'confirmed',
          (error) => error.reason,
        ),
      );
    }
    expect(new Set(outcomes)).toEqual(new Set(['unconfirmed']));
  });

  it('says that nothing listens', async () => {
    const { port } = receiver;
    await receiver.stop();
    const error = await errorOf(wire({ dialer: dialerTo(port) }).deliver(batch, never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'retry' });
    expect(error.message).toContain(`tcp://127.0.0.1:${port}`);
    expect(error.hint).toContain('Nothing listens');
  });

  it('can be aborted in the middle, with the reason, and used again', async () => {
    receiver.manner = 'hangs';
    const stop = new AbortController();
    const close = wire();
    const delivery = close.deliver(hugeBatch, stop.signal);
    await expect.poll(() => receiver.connections).toBe(1);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(delivery).rejects.toBe(reason);
    receiver.readOn();
    await expect.poll(() => receiver.connections).toBe(0);
    receiver.manner = 'well';
    await close.deliver(batch, never);
    expect(receiver.streams.at(-1)?.messages).toEqual(batch);
  });

  it('can be aborted while it waits for the close', async () => {
    receiver.manner = 'never closes';
    const stop = new AbortController();
    const delivery = wire().deliver(batch, stop.signal);
    await expect.poll(() => receiver.messages).toEqual(batch);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(delivery).rejects.toBe(reason);
  });

  it('does not even connect when it was aborted before', async () => {
    const reason = new Error('stopping');
    await expect(wire().deliver(batch, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(receiver.messages).toEqual([]);
  });
});
