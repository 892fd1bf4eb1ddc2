import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { formats } from '../../src/formats/index.ts';
import { outputTypes } from '../../src/outputs/index.ts';
import type { OutputType } from '../../src/outputs/output.ts';
import { metricOf } from '../collect/reading.ts';
import { addEvents, deliverAll, delivering, openStore, START } from '../deliver/delivering.ts';
import { type Harness, outputContext, patiently } from './output-harness.ts';

/**
 * A record of 5 MB, which is a thousand times a long one, through every output with its own format: it is shortened to the output's limit and told of,
 * or it is a reject with a reason; and what comes before and after it is delivered.
 */

const LARGE = 5_000_000;

const folder = new URL('./harnesses/', import.meta.url);
const members = await Promise.all(
  readdirSync(folder).map(async (file) => {
    const name = basename(file, '.ts');
    const { harness }: { harness: Harness } = await import(new URL(file, folder).href);
    return { name, harness, type: outputTypes[name.split('.')[0] ?? ''] as OutputType };
  }),
);

describe.each(members)('a record of 5 MB by $name', ({ harness, type }) => {
  it('reaches the receiver as far as it fits, or is a reject, and holds nothing up', async (context) => {
    context.skip(harness.unavailable !== undefined, harness.unavailable);
    const receiver = await harness.start();
    onTestFinished(() => receiver.stop());
    const options = type.options.parse(patiently(receiver.options));
    const format = buildFormat(formats[type.defaultFormat] as (typeof formats)[string]);
    const output = type.create(options, outputContext({ ...receiver.context, format }));
    onTestFinished(() => output.close());
    const store = openStore();
    addEvents(store, 2);
    addEvents(store, 1, 3, { subject: 'x'.repeat(LARGE) });
    addEvents(store, 2, 4);
    const { dispatcher, metrics } = delivering(store, output, {
      ...{
        batch: { maxEvents: 500, maxBytes: 1024 * 1024 },
        retry: { initialDelay: 1, maxDelay: 50 },
        now: () => START,
      },
      inFlight: type.inFlight?.(options),
    });
    await deliverAll(dispatcher);

    const texts = await receiver.received();
    const rejects = store.rejects.list();
    expect(texts.length + rejects.length).toBe(5);
    expect(rejects.map(({ event }) => event.seq)).toEqual(rejects.length === 0 ? [] : [3]);
    for (const { reason } of rejects) expect(reason).toMatch(/\w/);
    const longest = Math.max(...texts.map((text) => Buffer.byteLength(text)));
    const shortened = await metricOf(metrics, 'output_shortened_total');
    expect(longest < LARGE ? shortened + rejects.length : 1).toBe(1);
  });
});
