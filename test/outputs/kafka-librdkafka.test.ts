import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildFormat } from '../../src/formats/format.ts';
import { json } from '../../src/formats/json.ts';
import { kafka } from '../../src/outputs/kafka.ts';
import type { Output } from '../../src/outputs/output.ts';
import { outputContext, someEvents, textsOf } from '../contract/output-harness.ts';
import { eventOf, hostileRecords, ID } from '../formats/records.ts';
import { KafkaMock, kcatIsInstalled } from '../receivers/kafka-mock.ts';

/**
 * What librdkafka, the other client library of the Kafka world, makes of what we produce: by way of the mock broker that it tests
 * itself with, which stores and serves for real but numbers no requests, checks no credentials and has no replicas.
 */

const never = new AbortController().signal;

describe.skipIf(!kcatIsInstalled)('librdkafka', () => {
  let mock: KafkaMock;
  const outputs: Output[] = [];
  beforeAll(async () => {
    mock = await KafkaMock.start('mail');
  });
  afterEach(async () => {
    for (const output of outputs.splice(0)) await output.close();
  });
  afterAll(() => mock.stop());

  function open(options: object = {}, context = {}): Output {
    const defaults = { brokers: [mock.address], topic: 'mail' };
    const output = kafka.create(kafka.options.parse({ ...defaults, ...options }), outputContext(context));
    outputs.push(output);
    return output;
  }
  /** What comes after the first `before` records, once there are as many as wanted. */
  async function arrivals(before: number, count: number) {
    await expect.poll(() => mock.records().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(before + count);
    return mock.records().slice(before);
  }

  it.each(['none', 'gzip'])('consumes what was produced, unchanged, with compression %s', async (compression) => {
    const before = mock.records().length;
    const events = someEvents(500);
    await open({ compression }).send(events, never);
    const records = await arrivals(before, 500);
    expect(records.map(({ payload }) => payload).toSorted()).toEqual(textsOf(events).toSorted());
    for (const { payload, ts, key, headers } of records) {
      const event = events[JSON.parse(payload).seq - 1];
      expect({ ts, key, headers }).toEqual({
        ts: event?.time,
        key: event?.id,
        headers: ['event_id', event?.id, 'content-type', 'application/json'],
      });
    }
  });

  it('consumes what a hostile sender wrote as one record each', async () => {
    const before = mock.records().length;
    const format = buildFormat(json);
    const events = Object.values(hostileRecords).map((record) => eventOf(record));
    await open({ maxMessageBytes: '64KiB' }, { format }).send(events, never);
    const records = await arrivals(before, events.length);
    expect(records).toHaveLength(events.length);
    for (const { payload, headers } of records) {
      expect(JSON.parse(payload)).toMatchObject({ eventId: ID });
      expect(headers).toEqual(['event_id', ID, 'content-type', 'application/json']);
    }
  });

  it('is probed: how many partitions the topic has', async () => {
    expect(await open().probe(never)).toMatch(/the topic has \d+ partitions/);
  });

  it('that is killed is not there, which is worth another try', async () => {
    const other = await KafkaMock.start('mail');
    const output = open({ brokers: [other.address] });
    await output.send(someEvents(1), never);
    await other.kill9();
    await output.send(someEvents(1), never).catch(() => {});
    await expect(output.send(someEvents(1), never)).rejects.toMatchObject({ disposition: 'retry', reason: 'connect' });
    await other.stop();
  });
});
