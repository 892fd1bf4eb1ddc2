import { createHash } from 'node:crypto';
import type { Message } from 'kafkajs';
import { Certificates, type CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { type KafkaOptions, kafkaOptions } from './kafka/options.ts';
import { KafkaSession } from './kafka/session.ts';
import { defineOutput, type Output, type OutputContext, type Sent } from './output.ts';

/**
 * How long connections are kept for the next batch, ms. Not for ever: on a connection that idles, kafkajs 2.2.4 sets a timer a
 * millisecond (880 in a second, 7 % of a core, measured with Node 24).
 */
const KEEP_FOR = 1000;
/** Longest message id that becomes a key as it is. RFC 5322 §2.1.1 allows a line of 998, a hostile sender sends what it likes. */
const MAX_KEY_BYTES = 512;
/** What an event costs in a request besides its text: key, headers, and the numbers round them, all at their longest. */
const ITEM_BYTES = MAX_KEY_BYTES + 188;

/** A topic of Apache Kafka. */
export const kafka = defineOutput({
  type: 'kafka',
  summary: 'Writes events to a topic of Apache Kafka.',
  options: kafkaOptions,
  defaultFormat: 'json',
  accepted: () => 'acknowledged by all replicas in sync (acks=all)',
  lossless: () => true,
  target: ({ brokers, topic }) => `kafka://${brokers.join(',')} ${topic}`,
  carriesId: () => true,
  clearText: ({ brokers, sasl, tls }) =>
    sasl && !tls ? { option: 'sasl', hosts: brokers.map((broker) => broker.replace(/:\d+$/, '')) } : undefined,
  create: (options, context) => new KafkaOutput(options, context),
});

class KafkaOutput implements Output {
  readonly #options: KafkaOptions;
  readonly #certificates: Certificates;
  readonly #context: OutputContext;
  #session: KafkaSession | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: KafkaOptions, context: OutputContext) {
    this.#options = options;
    this.#certificates = new Certificates(options.tls);
    this.#context = context;
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const { maxMessageBytes } = this.#options;
    const items = events.map((event): Item => {
      const { text, shortened } = this.#context.format.render(event, maxMessageBytes);
      return { event, text, shortened };
    });
    // A topic may have one partition only, and what a request holds for a partition is what the broker's limit is about.
    const limits = { maxItems: 10_000, maxBytes: maxMessageBytes + ITEM_BYTES, itemBytes: ITEM_BYTES };
    return await sendInChunks(items, limits, (chunk) => this.#produce(chunk, signal));
  }

  async probe(signal: AbortSignal): Promise<string> {
    const session = await this.#connected(signal);
    const partitions = await session.partitions(signal);
    this.#keepForAWhile();
    return `logged in to ${kafka.target(this.#options)}; the topic has ${partitions} partition${partitions === 1 ? '' : 's'}`;
  }

  /** Of the files only: the client library keeps its sockets to itself. */
  certificates(): readonly CertificateValidity[] {
    return this.#certificates.validities();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    this.#session?.drop();
    this.#session = undefined;
  }

  async #produce(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const session = await this.#connected(signal);
    await session.produce(
      chunk.map((item) => this.#message(item)),
      signal,
    );
    this.#keepForAWhile();
    return { rejected: [] };
  }

  async #connected(signal: AbortSignal): Promise<KafkaSession> {
    clearTimeout(this.#idle);
    if (!this.#session?.isOpen) this.#session = await KafkaSession.open(this.#options, signal);
    return this.#session;
  }

  #keepForAWhile(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), KEEP_FOR).unref();
  }

  #message({ event, text }: Item): Message {
    return {
      key: keyOf(event),
      value: text,
      headers: { event_id: event.id, 'content-type': this.#context.format.mediaType },
      timestamp: String(event.time),
    };
  }
}

/** One mail has an event for each attachment and recipient: they stay together, and in order, in one partition. */
function keyOf({ id, fields: { messageId } }: ForwarderEvent): string {
  if (messageId === undefined) return id;
  return Buffer.byteLength(messageId) <= MAX_KEY_BYTES
    ? messageId
    : createHash('sha256').update(messageId).digest('hex');
}
