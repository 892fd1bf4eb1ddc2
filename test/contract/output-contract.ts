import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import type { ForwarderEvent } from '../../src/event.ts';
import { type Output, OutputError, type OutputType, type Sent } from '../../src/outputs/output.ts';
import { behindRelay } from './behind-relay.ts';
import {
  type Behaviour,
  BUSY_SECONDS,
  CANARY,
  type Harness,
  MAIL_CANARY,
  OWN_LIMIT,
  outputContext,
  patiently,
  type Receiver,
  rawFormat,
  someEvents,
  textsOf,
} from './output-harness.ts';

/** The promises of `output.ts`, as tests of one member against the receiver of its harness. */
export function describeOutput(name: string, member: OutputType, harness: Harness): void {
  describe(`output ${name}`, () => {
    let receiver: Receiver;
    let output: Output;

    beforeEach(async (context) => {
      context.skip(harness.unavailable !== undefined, harness.unavailable);
      receiver = await harness.start();
      output = open(member, receiver);
    });

    /** From now on the output has no more time than its harness gives it, to see that it ends by itself. */
    const hurry = async (options = receiver.options) => {
      await output.close();
      output = member.create(member.options.parse(options), outputContext(receiver.context));
    };

    afterEach(async () => {
      if (harness.unavailable !== undefined) return;
      await output.close();
      await receiver.stop();
    });

    const send = (events: readonly ForwarderEvent[], signal = new AbortController().signal) =>
      output.send(events, signal);
    /** A test of a behaviour that this output's other side can show; the harness says why it cannot show the others. */
    const whenever = (behaviour: Behaviour, name: string, test: () => Promise<void>) => {
      if (!harness.behaviours[behaviour].startsWith('not applicable')) it(name, test);
    };

    it('says what it is, without its secrets', () => {
      const options = member.options.parse(receiver.options);
      for (const text of [member.summary, member.accepted(options), member.target(options)]) {
        expect(text).toMatch(/\S/);
        expect(text).not.toContain(CANARY);
      }
      expect(member.accepted(options)).not.toMatch(/\.$/);
      expect(typeof member.lossless(options)).toBe('boolean');
    });

    it('delivers batch after batch, in order and unchanged', async () => {
      const batches = [someEvents(3), someEvents(1, { first: 4 }), someEvents(500, { first: 5 })];
      for (const batch of batches) expect(await send(batch)).toEqual({ rejected: [], shortened: 0 } satisfies Sent);
      expect(await receiver.received()).toEqual(textsOf(batches.flat()));
    });

    it('tells how many events were shortened', async () => {
      await output.close();
      const format = {
        ...rawFormat,
        render: ({ raw, seq }: ForwarderEvent) => ({ text: raw.toString(), shortened: seq % 2 === 0 }),
      };
      output = open(member, receiver, { format });
      expect(await send(someEvents(5))).toEqual({ rejected: [], shortened: 2 });
    });

    it('sends no event when probed, and says what it reached', async () => {
      expect(await output.probe(new AbortController().signal)).toMatch(/\S/);
      await send(someEvents(1));
      expect(await receiver.received()).toEqual(textsOf(someEvents(1)));
    });

    it('can be closed more than once, and before it was used', async () => {
      await output.close();
      await output.close();
      const another = open(member, receiver);
      await another.send(someEvents(1), new AbortController().signal);
      await another.close();
      await another.close();
    });

    it('rejects with the reason of a signal that was aborted before, and delivers nothing', async () => {
      const reason = new Error('stopping');
      await expect(send(someEvents(2), AbortSignal.abort(reason))).rejects.toBe(reason);
      await send(someEvents(1, { first: 3 }));
      expect(await receiver.received()).toEqual(textsOf(someEvents(1, { first: 3 })));
    });

    whenever('hangs', 'rejects at once when aborted in the middle, and can be used again', async () => {
      await receiver.behave('hangs');
      const reason = new Error('stopping');
      const stop = new AbortController();
      const sending = send(someEvents(2), stop.signal);
      sending.catch(() => {});
      await new Promise(setImmediate);
      const since = performance.now();
      stop.abort(reason);
      await expect(sending).rejects.toBe(reason);
      // Far below any limit of its own.
      expect(performance.now() - since).toBeLessThan(2_000);
      await receiver.behave('well');
      await send(someEvents(2, { first: 3 }));
      expect(await receiver.received()).toEqual(expect.arrayContaining(textsOf(someEvents(2, { first: 3 }))));
    });

    if (harness.behaviours['refuses one event'] === 'names it')
      it('tells which event is refused, and that the others are taken', async () => {
        await receiver.behave('refuses one event');
        const events = someEvents(4, { marked: 2 });
        const { rejected, unsettled } = await send(events);
        expect(rejected.map(({ event }) => event)).toEqual([events[2]]);
        expect(unsettled).toBeUndefined();
        expect(await receiver.received()).toEqual(textsOf(events.filter((_, index) => index !== 2)));
      });
    else
      whenever('refuses one event', 'leaves it to the dispatcher to find the one event that is refused', async () => {
        await receiver.behave('refuses one event');
        expect(await failure(send(someEvents(4, { marked: 2 })))).toMatchObject({
          disposition: 'split',
          reason: 'refused',
        });
        expect(await failure(send(someEvents(1, { marked: 0 })))).toMatchObject({
          disposition: 'split',
          reason: 'refused',
        });
        await expect(send(someEvents(2))).resolves.toMatchObject({ rejected: [] });
      });

    whenever('is busy', 'waits as long as a busy receiver asks for', async () => {
      await receiver.behave('is busy');
      expect(await failure(send(someEvents(2)))).toMatchObject({
        disposition: 'retry',
        retryable: true,
        retryAfterMs: BUSY_SECONDS * 1000,
      });
    });

    whenever('refuses credentials', 'halts when credentials are refused', async () => {
      await receiver.behave('refuses credentials');
      expect(await failure(send(someEvents(2)))).toMatchObject({ disposition: 'halt', reason: 'auth' });
    });

    whenever('is gone', 'retries while nothing listens, and delivers once something does', async () => {
      await send(someEvents(1));
      await receiver.behave('is gone');
      // The first attempt may still find the connection that the receiver has just closed.
      await failure(send(someEvents(2, { first: 2 })));
      expect(await failure(send(someEvents(2, { first: 2 })))).toMatchObject({
        disposition: 'retry',
        reason: 'connect',
      });
      expect(await failure(output.probe(new AbortController().signal))).toMatchObject({ reason: 'connect' });
      await receiver.behave('well');
      await send(someEvents(2, { first: 2 }));
      expect(await receiver.received()).toEqual(textsOf(someEvents(3)));
    });

    whenever('resets', 'retries when the connection breaks in the middle of a batch', async () => {
      await receiver.behave('resets');
      expect(await failure(send(someEvents(2)))).toMatchObject({ disposition: 'retry' });
      await receiver.behave('well');
      await send(someEvents(2));
      expect(await receiver.received()).toEqual(textsOf(someEvents(2)));
    });

    if (!harness.noLimit)
      whenever('hangs', 'gives up on a receiver that hangs', async () => {
        await hurry();
        await receiver.behave('hangs');
        const since = performance.now();
        // `unconfirmed` where the batch was written before the wait began.
        expect(['timeout', 'unconfirmed']).toContain((await failure(send(someEvents(2)))).reason);
        expect(performance.now() - since).toBeGreaterThan(OWN_LIMIT * 0.9);
        expect(performance.now() - since).toBeLessThan(OWN_LIMIT * 5);
        await receiver.behave('well');
        await send(someEvents(1));
      });

    whenever('is half-open', 'gives up in time on a machine that has vanished, and sends again', async () => {
      const { relay, options } = await behindRelay(receiver);
      await hurry(options);
      await send(someEvents(1));
      relay.isVanished = true;
      const since = performance.now();
      const error = await failure(send(someEvents(2, { first: 2 })));
      expect(error.disposition).toBe('retry');
      expect(['timeout', 'unconfirmed']).toContain(error.reason);
      expect(performance.now() - since).toBeGreaterThan(OWN_LIMIT * 0.9);
      expect(performance.now() - since).toBeLessThan(OWN_LIMIT * 5);
      relay.isVanished = false;
      await send(someEvents(2, { first: 2 }));
      expect(await receiver.received()).toEqual(textsOf(someEvents(3)));
    });

    whenever('answers hugely', 'takes no harm from an endless answer', async () => {
      await receiver.behave('answers hugely');
      collectGarbage();
      const before = process.memoryUsage().arrayBuffers;
      for (let count = 0; count < 3; count += 1) await send(someEvents(1));
      // The receiver's 10 MB are in this process too, until the connection is gone.
      const keeps = () => {
        collectGarbage();
        return process.memoryUsage().arrayBuffers - before;
      };
      await expect.poll(keeps, { timeout: 10_000 }).toBeLessThan(5_000_000);
    });
  });
}

/** What is garbage and what is kept are told apart by nothing else, and a busy machine collects late. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

function open(member: OutputType, receiver: Receiver, changes = {}): Output {
  const options = member.options.parse(patiently(receiver.options));
  return member.create(options, outputContext({ ...receiver.context, ...changes }));
}

/** The `OutputError` that a send fails with, searched for what it must not show. */
async function failure(sending: Promise<unknown>): Promise<OutputError> {
  const error = await sending.then(
    () => expect.unreachable('it was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OutputError)) throw error;
  // Everything that a logger, a status page or a stack trace could print of it, its causes included.
  const shown = [messageOf(error), error.hint, error.stack, JSON.stringify(error)].join('\n');
  for (const text of [shown, inspect(error, { depth: 12, showHidden: true })]) {
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(MAIL_CANARY);
  }
  return error;
}
