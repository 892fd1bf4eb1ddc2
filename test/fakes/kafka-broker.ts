import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { listenOn } from '../ports.ts';
import { type KafkaRecord, type RecordBatch, readRecordBatch, WireReader, WireWriter } from './kafka-wire.ts';

/** Numbers of the requests that it knows, and of the errors that it answers by itself: https://kafka.apache.org/protocol.html */
export const API = {
  produce: 0,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  saslAuthenticate: 36,
};
export const ERRORS = {
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  NOT_ENOUGH_REPLICAS: 19,
  INVALID_REQUIRED_ACKS: 21,
  TOPIC_AUTHORIZATION_FAILED: 29,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_SASL_MECHANISM: 33,
  UNSUPPORTED_VERSION: 35,
  SASL_AUTHENTICATION_FAILED: 58,
  INVALID_RECORD: 87,
} as const;

/** The version of each request that it speaks; another one is answered with an error, or not at all. */
const VERSIONS = [
  [API.produce, 7],
  [API.metadata, 4],
  [API.saslHandshake, 1],
  [API.apiVersions, 2],
  [API.saslAuthenticate, 0],
] as const;

export interface StoredRecord extends KafkaRecord {
  readonly partition: number;
}

export interface KafkaBrokerOptions {
  readonly port?: number;
  readonly topic?: string;
  readonly partitions?: number;
  /** Who may log in by SASL PLAIN; nobody has to when absent. */
  readonly user?: { readonly name: string; password: string };
  readonly tls?: TlsOptions;
  /** The cluster that it joins, with the next free number; alone in one of its own when absent. */
  readonly cluster?: KafkaCluster;
}

/** What all brokers of a cluster know: each other, and by partition the number of its leader, the first broker (1) unless it says. */
export interface KafkaCluster {
  readonly brokers: KafkaBroker[];
  readonly leaders: number[];
}

/**
 * What becomes of a batch: 0 stored, another number that error · `hang` nothing, for good · `reset` a TCP reset before it is stored ·
 * `lose answer` stored, and then a reset · `leave out` not stored, and not a word of it in the answer.
 */
export type Fate = number | 'hang' | 'reset' | 'lose answer' | 'leave out';

/** One broker of a cluster, on a loopback port. Written from the protocol's documentation; it takes nothing that is not in it. */
export class KafkaBroker {
  readonly records: StoredRecord[] = [];
  readonly batches: RecordBatch[] = [];
  /** Numbers of the requests that came, in order. */
  readonly asked: number[] = [];
  /** `max.message.bytes` of the topic: of a batch as it is on the wire. */
  maxMessageBytes = 1_048_588;
  decide: (batch: RecordBatch, partition: number) => Fate = () => 0;
  /** The answer to metadata about the topic. */
  topicError = 0;
  /** How long it asks to pause after each batch (`throttle_time_ms`), ms. */
  throttleMs = 0;
  /** Bytes that follow what there is to say to a request of this number. */
  readonly chatter = new Map<number, number>();
  /** The port that clients are told to use; its own when absent. */
  advertisedPort: number | undefined;
  /** Says nothing any more, to anybody. */
  silent = false;
  /** Complaints about requests that no broker would understand. */
  readonly complaints: string[] = [];
  readonly options: Required<Pick<KafkaBrokerOptions, 'topic' | 'partitions' | 'cluster'>> & KafkaBrokerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(options: KafkaBrokerOptions) {
    this.options = { topic: 'mail', partitions: 2, cluster: { brokers: [], leaders: [] }, ...options };
    this.options.cluster.brokers.push(this);
    const listener = (socket: Socket) => this.#serve(socket);
    this.#server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  }

  static async start(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
    const broker = new KafkaBroker(options);
    await listenOn(broker.#server, options.port);
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `${this.options.tls ? 'localhost' : '127.0.0.1'}:${this.port}`;
  }

  /** `node.id` */
  get id(): number {
    return this.options.cluster.brokers.indexOf(this) + 1;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let pending = Buffer.alloc(0);
    let loggedIn = this.options.user === undefined;
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE()) {
        const request = new WireReader(pending.subarray(4, 4 + pending.readInt32BE()));
        pending = pending.subarray(4 + pending.readInt32BE());
        if (this.silent) continue;
        try {
          loggedIn = this.#answer(request, socket, loggedIn);
        } catch (error) {
          this.complaints.push(String(error));
          socket.destroy();
          return;
        }
      }
    });
  }

  /** Answers one request; true when the connection is logged in afterwards. */
  #answer(request: WireReader, socket: Socket, loggedIn: boolean): boolean {
    const [api, version, correlation] = [request.int16(), request.int16(), request.int32()];
    request.nullableString(); // client id
    this.asked.push(api);
    const spoken = VERSIONS.find(([known]) => known === api)?.[1];
    if (version !== spoken) throw new Error(`request ${api} of version ${version}`);
    if (!loggedIn && !([API.apiVersions, API.saslHandshake, API.saslAuthenticate] as number[]).includes(api)) {
      throw new Error(`request ${api} before the login`);
    }
    const reply = (body: WireWriter) => {
      const bytes = Buffer.concat([body.done(), Buffer.alloc(this.chatter.get(api) ?? 0, 'x')]);
      const head = new WireWriter()
        .int32(bytes.length + 4)
        .int32(correlation)
        .done();
      socket.write(Buffer.concat([head, bytes]));
    };
    switch (api) {
      case API.apiVersions:
        reply(apiVersions());
        return loggedIn;
      case API.saslHandshake: {
        const known = request.string() === 'PLAIN';
        const body = new WireWriter().int16(known ? 0 : ERRORS.UNSUPPORTED_SASL_MECHANISM);
        reply(body.array(['PLAIN'], (mechanism) => body.string(mechanism)));
        return loggedIn;
      }
      case API.saslAuthenticate:
        return this.#logIn(request, reply);
      case API.metadata:
        reply(this.#metadata(request));
        return loggedIn;
      default:
        this.#produce(request, reply, socket);
        return loggedIn;
    }
  }

  /** RFC 4616: authorization identity, user and password, with NUL between them. */
  #logIn(request: WireReader, reply: (body: WireWriter) => void): boolean {
    const [, name, password] = request.bytes().toString('utf8').split('\0');
    const { user } = this.options;
    const right = name === user?.name && password === user?.password;
    const message = right ? null : `Authentication failed: ${password} is wrong`;
    reply(
      new WireWriter()
        .int16(right ? 0 : ERRORS.SASL_AUTHENTICATION_FAILED)
        .string(message)
        .bytes(Buffer.alloc(0)),
    );
    return right;
  }

  #metadata(request: WireReader): WireWriter {
    const topics = request.array(() => request.string());
    if (request.boolean()) throw new Error('a topic would be created');
    const { partitions, cluster } = this.options;
    const writer = new WireWriter().int32(0);
    writer.array(cluster.brokers, ({ id, address, advertisedPort }) => {
      const [host = '', port = ''] = address.split(':');
      return writer
        .int32(id)
        .string(host)
        .int32(advertisedPort ?? Number(port))
        .string(null);
    });
    writer.string('fake').int32(1); // the controller
    return writer.array(topics, (topic) => {
      const error = topic === this.options.topic ? this.topicError : ERRORS.UNKNOWN_TOPIC_OR_PARTITION;
      const numbers = error === 0 ? Array.from({ length: partitions }, (_, index) => index) : [];
      writer.int16(error).string(topic).int8(0);
      writer.array(numbers, (number) => {
        writer.int16(0).int32(number).int32(this.#leaderOf(number));
        for (const _ of ['replicas', 'in sync']) writer.array([1], (id) => writer.int32(id));
      });
    });
  }

  #produce(request: WireReader, reply: (body: WireWriter) => void, socket: Socket): void {
    request.nullableString(); // transactional id
    const acks = request.int16();
    request.int32(); // timeout
    const results: { partition: number; error: number }[] = [];
    let ending: Exclude<Fate, number | 'leave out'> | undefined;
    request.array(() => {
      if (request.string() !== this.options.topic) throw new Error('another topic');
      request.array(() => {
        const partition = request.int32();
        const fate = acks === -1 ? this.#store(request.bytes(), partition) : ERRORS.INVALID_REQUIRED_ACKS;
        if (typeof fate === 'number') results.push({ partition, error: fate });
        else if (fate !== 'leave out') ending = fate;
      });
    });
    if (!request.isAtEnd) throw new Error('something follows the request');
    if (ending === 'reset' || ending === 'lose answer') return void socket.resetAndDestroy();
    if (ending === 'hang') return;
    const writer = new WireWriter();
    writer.array([this.options.topic], (topic) => {
      writer.string(topic).array(results, ({ partition, error }) => {
        writer.int32(partition).int16(error).int64(0n).int64(-1n).int64(0n);
      });
    });
    reply(writer.int32(this.throttleMs));
  }

  #leaderOf(partition: number): number {
    return this.options.cluster.leaders[partition] ?? 1;
  }

  #store(bytes: Buffer, partition: number): Fate {
    if (this.#leaderOf(partition) !== this.id) return ERRORS.NOT_LEADER_OR_FOLLOWER;
    if (bytes.length > this.maxMessageBytes) return ERRORS.MESSAGE_TOO_LARGE;
    const batch = readRecordBatch(bytes);
    const fate = this.decide(batch, partition);
    if (fate !== 0 && fate !== 'lose answer') return fate;
    if (batch.producerId !== -1n) throw new Error('a numbered batch');
    this.batches.push(batch);
    this.records.push(...batch.records.map((record) => ({ ...record, partition })));
    return fate;
  }
}

function apiVersions(): WireWriter {
  const writer = new WireWriter().int16(0);
  return writer
    .array(VERSIONS, ([api, version]) =>
      writer
        .int16(api)
        .int16(api === API.apiVersions ? 0 : version)
        .int16(version),
    )
    .int32(0);
}
