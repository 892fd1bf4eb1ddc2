import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactoryArgs, Kafka, KafkaConfig, Message, Producer, SASLOptions } from 'kafkajs';
import { optionalPackage } from '../broker/optional-package.ts';
import { readTlsFiles } from '../broker/tls.ts';
import { untilAborted } from '../broker/until-aborted.ts';
import { OutputError } from '../output.ts';
import { kafkaFault, timedOut } from './faults.ts';
import type { KafkaOptions } from './options.ts';

/**
 * How often the client may repeat a request by itself: not at all, for that is the dispatcher's; or once, where it numbers its
 * requests, without which it refuses to number them.
 */
const CLIENT_RETRIES = { numbered: 1, plain: 0 };

/**
 * A producer and its connections. It does not outlive a failure: with it go the sequence numbers, so that brokers never take
 * another batch for one that they have seen.
 *
 * The client (kafkajs 2.2.4) knows no abort, and waits for answers before it lets go of a connection. So its sockets are ours: to
 * drop a session they are destroyed under it.
 */
export class KafkaSession {
  readonly #options: KafkaOptions;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  readonly #gzip: number;
  #dropped = false;

  private constructor(broker: string, options: KafkaOptions, kafkajs: typeof import('kafkajs')) {
    this.#options = options;
    this.#target = `kafka://${broker}`;
    this.#kafka = new kafkajs.Kafka({
      brokers: [broker],
      clientId: options.clientId,
      ...(options.sasl && { sasl: saslOf(options.sasl) }),
      connectionTimeout: options.connectTimeout,
      authenticationTimeout: options.connectTimeout,
      requestTimeout: options.timeout,
      retry: { retries: 0 },
      socketFactory: this.#socketFactory(),
      logLevel: kafkajs.logLevel.NOTHING,
      logCreator: () => () => {},
    });
    const { idempotent } = options;
    this.#producer = this.#kafka.producer({
      idempotent,
      retry: { retries: idempotent ? CLIENT_RETRIES.numbered : CLIENT_RETRIES.plain, initialRetryTime: 100 },
      allowAutoTopicCreation: false,
      // That of the Java client: a mail stays in its partition whoever writes.
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    this.#gzip = kafkajs.CompressionTypes.GZIP;
  }

  /** Connects and logs in to the first broker that answers. Throws the `OutputError` of the last one when none does. */
  static async open(options: KafkaOptions, signal: AbortSignal): Promise<KafkaSession> {
    signal.throwIfAborted();
    // A CommonJS package: Node finds its names by reading ahead, which does not find all of them; `default` has them.
    const { default: kafkajs } = await optionalPackage('kafkajs', () => import('kafkajs'));
    let failure: unknown;
    for (const broker of options.brokers) {
      const session = new KafkaSession(broker, options, kafkajs);
      try {
        await session.#within(options.connectTimeout, 'let us in', session.#producer.connect(), signal);
        return session;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  /** False once something has gone wrong with it. */
  get isOpen(): boolean {
    return !this.#dropped;
  }

  /** Resolves when all replicas in sync have all of the messages; rejects with an `OutputError`, or with the signal's reason. */
  async produce(messages: Message[], signal: AbortSignal): Promise<void> {
    const { topic, timeout, compression } = this.#options;
    // The broker gives up a little earlier than we do, so that its reason is heard.
    const request = { topic, messages, acks: -1, timeout: Math.floor(timeout * 0.8) };
    const sending = this.#producer.send(compression === 'gzip' ? { ...request, compression: this.#gzip } : request);
    await this.#within(timeout, 'acknowledged the events', sending, signal);
  }

  /** How many partitions the topic has. */
  async partitions(signal: AbortSignal): Promise<number> {
    const { topic, timeout } = this.#options;
    const admin = this.#kafka.admin({ retry: { retries: 0 } });
    const asking = admin.connect().then(() => admin.fetchTopicMetadata({ topics: [topic] }));
    const { topics } = await this.#within(timeout, 'answered', asking, signal);
    await admin.disconnect();
    return topics[0]?.partitions.length ?? 0;
  }

  /** Ends all connections at once. Idempotent. */
  drop(): void {
    this.#dropped = true;
    // As an error: the client listens to those, forgets what it waits for, and stops its timers.
    for (const socket of this.#sockets) socket.destroy(new Error('dropped'));
  }

  /** What a promise of the client gives; whatever ends it otherwise drops the session. */
  async #within<T>(timeout: number, what: string, promise: Promise<T>, signal: AbortSignal): Promise<T> {
    const deadline = AbortSignal.timeout(timeout);
    try {
      return await untilAborted(promise, AbortSignal.any([signal, deadline]));
    } catch (error) {
      this.drop();
      signal.throwIfAborted();
      if (deadline.aborted) throw timedOut(this.#target, what);
      const fault = kafkaFault(error, this.#target);
      throw fault.reason === 'auth' && this.#options.sasl?.password.refresh() ? credentialsReplaced(fault) : fault;
    }
  }

  #socketFactory(): NonNullable<KafkaConfig['socketFactory']> {
    const { tls } = this.#options;
    const files = tls && readTlsFiles(tls);
    return ({ host, port, onConnect }: ISocketFactoryArgs) => {
      if (this.#dropped) throw new Error('dropped');
      const name = isIP(host) === 0 ? { servername: host } : {};
      const socket = files
        ? connectTls({ host, port, ...name, ...files }, onConnect)
        : connect({ host, port }, onConnect);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      return socket.setKeepAlive(true, 60_000).setNoDelay(true);
    };
  }
}

function saslOf({ mechanism, username, password }: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  const credentials = { username, password: password.read() };
  switch (mechanism) {
    case 'plain':
      return { mechanism, ...credentials };
    case 'scram-sha-256':
      return { mechanism, ...credentials };
    case 'scram-sha-512':
      return { mechanism, ...credentials };
  }
}

function credentialsReplaced({ message }: OutputError): OutputError {
  return new OutputError(`${message}, which have been replaced since`, {
    reason: 'auth',
    disposition: 'retry',
    retryAfterMs: 0,
  });
}
