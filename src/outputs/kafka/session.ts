import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactoryArgs, Kafka, KafkaConfig, Message, Producer, SASLOptions } from 'kafkajs';
import { STRICT_TLS } from '../../tls.ts';
import { optionalPackage } from '../broker/optional-package.ts';
import { readTlsFiles } from '../broker/tls.ts';
import { untilAborted } from '../broker/until-aborted.ts';
import { SentCredentials } from '../http/credentials.ts';
import { boundAnswers } from './answer-bound.ts';
import { answeredTooMuch, kafkaFault, leftOut, slowedDown, timedOut } from './faults.ts';
import type { KafkaOptions } from './options.ts';

/**
 * A producer and its connections. It does not outlive a failure.
 *
 * It repeats nothing by itself: that is the dispatcher's, and the client's own repeating loses messages. When a leader has moved to a
 * broker that has answered already, kafkajs 2.2.4 asks that broker for nothing more, and reports success (`sendMessages.js`,
 * `brokersWithoutResponse`). Requests are not numbered either (the idempotent producer): the client numbers only where it may repeat,
 * and numbers tell a repeat within one producer only, which a failure ends.
 *
 * The client (kafkajs 2.2.4) knows no abort, and waits for answers before it lets go of a connection. So its sockets are ours: to
 * drop a session they are destroyed under it.
 */
export class KafkaSession {
  readonly #options: KafkaOptions;
  readonly #target: string;
  readonly #credentials: SentCredentials;
  readonly #sockets = new Set<Socket>();
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  readonly #gzip: number;
  readonly #tooLong = new AbortController();
  /** Brokers that have asked for a pause, and for which a request waits: the client holds nothing back for another reason. */
  readonly #paused = new Set<string>();
  /** Partitions that the request under way writes to. */
  readonly #asked = new Set<number>();
  #dropped = false;

  private constructor(broker: string, options: KafkaOptions, kafkajs: typeof import('kafkajs')) {
    this.#options = options;
    this.#target = `kafka://${broker}`;
    this.#credentials = new SentCredentials(options.sasl ? [options.sasl.password] : []);
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
    this.#producer = this.#kafka.producer({
      idempotent: false,
      retry: { retries: 0 },
      allowAutoTopicCreation: false,
      // That of the Java client: a mail stays in its partition whoever writes.
      createPartitioner: () => {
        const choose = kafkajs.Partitioners.DefaultPartitioner();
        return (args) => {
          const partition = choose(args);
          this.#asked.add(partition);
          return partition;
        };
      },
    });
    this.#producer.on(this.#producer.events.REQUEST_QUEUE_SIZE, ({ payload: { broker, queueSize } }) => {
      if (queueSize > 0) this.#paused.add(broker);
      else this.#paused.delete(broker);
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

  /**
   * Resolves when all replicas in sync have all of the messages; rejects with an `OutputError`, or with the signal's reason.
   *
   * A broker whose quota is used up takes the messages and says how long to pause (`throttle_time_ms`, KIP-219). The client obeys, and
   * tells nobody for how long: the next request waits inside it. A pause that outlasts `timeout` fails that next request, unsent.
   */
  async produce(messages: Message[], signal: AbortSignal): Promise<void> {
    const { topic, timeout, compression } = this.#options;
    // The broker gives up a little earlier than we do, so that its reason is heard.
    const request = { topic, messages, acks: -1, timeout: Math.floor(timeout * 0.8) };
    this.#asked.clear();
    const sending = this.#producer.send(compression === 'gzip' ? { ...request, compression: this.#gzip } : request);
    const results = await this.#within(timeout, 'acknowledged the events', sending, signal);
    // The client looks for errors among the partitions that an answer names, and misses none that it leaves out.
    const acknowledged = new Set(
      results.filter(({ topicName }) => topicName === topic).map(({ partition }) => partition),
    );
    if (![...this.#asked].every((partition) => acknowledged.has(partition))) {
      this.drop();
      throw leftOut(this.#target);
    }
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
      return await untilAborted(promise, AbortSignal.any([signal, deadline, this.#tooLong.signal]));
    } catch (error) {
      const isPaused = this.#paused.size > 0;
      this.drop();
      signal.throwIfAborted();
      if (this.#tooLong.signal.aborted) throw answeredTooMuch(this.#target);
      if (deadline.aborted) throw isPaused ? slowedDown(this.#target) : timedOut(this.#target, what);
      const fault = kafkaFault(error, this.#target);
      throw this.#credentials.judge(fault);
    }
  }

  #socketFactory(): NonNullable<KafkaConfig['socketFactory']> {
    const { tls } = this.#options;
    const files = tls && readTlsFiles(tls);
    return ({ host, port, onConnect }: ISocketFactoryArgs) => {
      if (this.#dropped) throw new Error('dropped');
      const name = isIP(host) === 0 ? { servername: host } : {};
      const socket = files
        ? connectTls({ host, port, ...name, ...files, ...STRICT_TLS }, onConnect)
        : connect({ host, port }, onConnect);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      boundAnswers(socket, () => {
        this.#tooLong.abort();
        this.drop();
      });
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
