import { readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { outputTypes } from '../../src/outputs/index.ts';
import type { Output, OutputType } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { eventId } from '../../src/store/key.ts';
import type { Store } from '../../src/store/store.ts';
import { deliverAll, delivering, NEVER, openStore, START, temporaryFolder } from '../deliver/delivering.ts';
import { behindRelay } from './behind-relay.ts';
import {
  type Behaviour,
  BUSY_SECONDS,
  CANARY,
  type Harness,
  isMarked,
  MAIL_CANARY,
  MARK,
  outputContext,
  patiently,
  type Receiver,
} from './output-harness.ts';

/**
 * What an operator is promised of every output, seen from the outbox: a real store, the real dispatcher, the output, and a receiver
 * that misbehaves. `outputs.test.ts` looks at the outputs alone.
 */

const SOON = { timeout: 15_000, interval: 5 };

const folder = new URL('./harnesses/', import.meta.url);
const members = await Promise.all(
  readdirSync(folder).map(async (file) => {
    const name = basename(file, '.ts');
    const { harness }: { harness: Harness } = await import(new URL(file, folder).href);
    return { name, harness, type: outputTypes[name.split('.')[0] ?? ''] as OutputType };
  }),
);

describe.each(members)('delivery by $name', ({ harness, type }) => {
  let receiver: Receiver;
  let output: Output;
  let store: Store;

  beforeEach(async (context) => {
    const unavailable: unknown = Reflect.get(harness, 'unavailable');
    if (typeof unavailable === 'string') context.skip(unavailable);
    receiver = await harness.start();
    store = openStore();
  });

  afterEach(async () => {
    await output?.close();
    await receiver?.stop();
  });

  /** The output with its dispatcher. `options` go over those of the harness. */
  function begin(options = patiently(receiver.options)) {
    const checked = type.options.parse(options);
    output = type.create(checked, outputContext(receiver.context));
    const retry = { initialDelay: 1, maxDelay: 50 };
    const running = delivering(store, output, { retry, inFlight: type.inFlight?.(checked), now: () => START });
    /** All that an operator could come to see of it. */
    const shown = async () => [
      running.log.text,
      await running.metrics.registry.metrics(),
      JSON.stringify(running.failures()),
    ];
    return { ...running, shown };
  }

  const whenever = (behaviour: Behaviour, name: string, test: () => Promise<void>) => {
    if (!harness.behaviours[behaviour].startsWith('not applicable')) it(name, test);
  };

  /** Stores events from `first` on, and gives their texts as the receiver will see them. */
  function add(count: number, { first = 1, marked = -1 } = {}): string[] {
    const records = Array.from({ length: count }, (_, index) => ({
      seq: first + index,
      subject: `${MAIL_CANARY} ${first + index}`,
      recipientAddress: `somebody-${first + index}@example.net`,
      ...(index === marked && MARK),
    }));
    const candidates = records.map((record) => {
      const time = START + record.seq * 1000;
      const id = eventId('attachment', time, [String(record.seq)]);
      return { raw: Buffer.from(JSON.stringify(record)), value: { id, time } };
    });
    store.storePage({ feed: 'mail', type: 'attachment', candidates, variants: 'suppress', now: START });
    return candidates.map(({ raw }) => raw.toString());
  }

  function rejects(): string[] {
    return store.rejects.list().map(({ event }) => event.raw.toString());
  }

  it('sends each event once, in order, but for batches that wait side by side', async () => {
    const { dispatcher } = begin();
    const texts = [...add(25), ...add(3, { first: 26 })];
    await deliverAll(dispatcher);
    const received = await receiver.received();
    const ordered = type.inFlight?.(type.options.parse(receiver.options)) === undefined;
    expect(ordered ? received : received.toSorted()).toEqual(ordered ? texts : texts.toSorted());
    expect(dispatcher.cursor).toBe(28);
  });

  whenever(
    'refuses one event',
    'finds the one event that is refused, keeps it, and sends each other once',
    async () => {
      const { dispatcher, shown } = begin();
      await receiver.behave('refuses one event');
      const texts = add(9, { marked: 5 });
      await deliverAll(dispatcher);
      expect(rejects()).toEqual(texts.filter(isMarked));
      expect((await receiver.received()).toSorted()).toEqual(texts.filter((text) => !isMarked(text)).toSorted());
      const reasons = store.rejects.list().map(({ reason }) => reason);
      for (const reason of reasons) expect(reason).toMatch(/\S/);
      expectQuiet(...(await shown()), ...reasons);
    },
  );

  whenever('is busy', 'waits no shorter than it is asked to', async () => {
    const { dispatcher, failures, start, stopping, shown } = begin();
    await receiver.behave('is busy');
    const texts = add(2);
    const running = start();
    await vi.waitFor(() => expect(failures()).toHaveLength(1), SOON);
    expect(failures()[0]?.nextTryAt).toBeGreaterThanOrEqual(START + BUSY_SECONDS * 1000);
    expect(dispatcher.cursor).toBe(0);
    stopping.abort();
    await running;
    await receiver.behave('well');
    await deliverAll(dispatcher);
    expect(await receiver.received()).toEqual(texts);
    expectQuiet(...(await shown()));
  });

  if (!harness.credentials.startsWith('not applicable'))
    it('holds events while its credentials are refused, says so, and goes on once the secret file holds others', async () => {
      const file = join(temporaryFolder(), 'secret');
      const textWith = (secret: string) => receiver.withSecret?.(secret) ?? secret;
      writeFileSync(file, `${textWith(CANARY)}\n`, { mode: 0o600 });
      const secret = Secret.fromFile(file);
      const { dispatcher, failures, start, shown } = begin(
        withOption(patiently(receiver.options), harness.credentials, secret),
      );
      void start();
      const before = add(2);
      await vi.waitFor(() => expect(dispatcher.cursor).toBe(2), SOON);

      const rotated = `${CANARY}-rotated`;
      await receiver.expectSecret?.(rotated);
      const after = add(2, { first: 3 });
      await vi.waitFor(() => expect(failures().length).toBeGreaterThan(0), SOON);
      expect(failures()[0]).toMatchObject({ reason: 'auth', retryable: false });
      expect(dispatcher.cursor).toBe(2);

      writeFileSync(file, `${textWith(rotated)}\n`);
      await vi.waitFor(() => expect(dispatcher.cursor).toBe(4), SOON);
      expect(await receiver.received()).toEqual([...before, ...after]);
      expectQuiet(...(await shown()));
    });

  const TROUBLES = ['is gone', 'resets', 'hangs', 'is half-open', 'answers hugely'] as const;
  for (const trouble of TROUBLES)
    whenever(trouble, `loses nothing when the receiver ${trouble}, and tells no secret of it`, async () => {
      const relayed = trouble === 'is half-open' ? await behindRelay(receiver) : undefined;
      const behave = async (how: typeof trouble | 'well') => {
        if (relayed) relayed.relay.isVanished = how === 'is half-open';
        else await receiver.behave(how);
      };
      const options = relayed?.options ?? receiver.options;
      const { dispatcher, start, failures, shown } = begin(trouble === 'answers hugely' ? patiently(options) : options);
      const texts = add(3);
      await deliverAll(dispatcher);
      await behave(trouble);
      texts.push(...add(12, { first: 4 }));
      void start();
      if (trouble !== 'answers hugely' && !harness.noLimit) {
        await vi.waitFor(() => expect(failures().length).toBeGreaterThan(0), SOON);
      }
      await behave('well');
      await vi.waitFor(() => expect(dispatcher.cursor).toBe(15), SOON);
      // At least once, and in order but for what was sent again.
      expect([...new Set(await receiver.received())].toSorted()).toEqual(texts.toSorted());
      expect(rejects()).toEqual([]);
      expectQuiet(...(await shown()));
    });

  whenever('hangs', 'lets go of a batch at an abort, and the next start sends it again', async () => {
    const first = begin();
    const texts = add(3);
    await receiver.behave('hangs');
    const running = first.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    first.abort.abort();
    first.stopping.abort();
    await running;
    expect(first.dispatcher.cursor).toBe(0);
    await output.close();
    await receiver.behave('well');
    const second = begin();
    await deliverAll(second.dispatcher);
    expect(await second.dispatcher.deliverOnce(NEVER)).toBe(false);
    expect([...new Set(await receiver.received())]).toEqual(texts);
  });
});

function expectQuiet(...texts: readonly string[]): void {
  for (const text of texts) {
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(MAIL_CANARY);
    expect(text).not.toContain('somebody-');
  }
}

/** Options with one of them replaced; the path's dots lead into maps. */
function withOption(
  options: Readonly<Record<string, unknown>>,
  path: string,
  value: unknown,
): Readonly<Record<string, unknown>> {
  const [key = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...options, [key]: value };
  return { ...options, [key]: withOption(options[key] as Readonly<Record<string, unknown>>, rest.join('.'), value) };
}
