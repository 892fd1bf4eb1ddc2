import type { JetStreamClient } from '@nats-io/jetstream';
import type { Authenticator, NatsConnection, TlsOptions } from '@nats-io/transport-node';
import type { Secret } from '../../secret.ts';
import { STRICT_TLS } from '../../tls.ts';
import { optionalPackage } from '../broker/optional-package.ts';
import { untilAborted } from '../broker/until-aborted.ts';
import { SentCredentials } from '../http/credentials.ts';
import { loginFault, requireAcknowledgement } from './faults.ts';
import { type Address, awaitGreeting } from './greeting.ts';
import { addressOf, type NatsOptions } from './options.ts';

/** A message on its way, or what became of it. */
export interface Message {
  /** `Nats-Msg-Id`. */
  readonly id: string;
  readonly text: string;
}

/** Room for `NATS/1.0`, our two headers and their line ends, less the name of the stream. */
const HEADER_BYTES = 120;

/** One connection, logged in. It does not outlive a failure: the client's own reconnecting is off, the dispatcher comes again. */
export class NatsSession {
  /** What it was opened with. */
  readonly credentials: SentCredentials;
  readonly #connection: NatsConnection;
  readonly #jetStream: JetStreamClient;
  readonly #options: NatsOptions;

  private constructor(
    connection: NatsConnection,
    jetStream: JetStreamClient,
    options: NatsOptions,
    credentials: SentCredentials,
  ) {
    this.credentials = credentials;
    this.#connection = connection;
    this.#jetStream = jetStream;
    this.#options = options;
  }

  /** Connects to the first server that answers. Throws the `OutputError` of the last one when none does. */
  static async open(options: NatsOptions, signal: AbortSignal): Promise<NatsSession> {
    let failure: unknown;
    for (const server of options.servers) {
      try {
        return await NatsSession.#openAt(addressOf(server) as Address, options, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  static async #openAt(address: Address, options: NatsOptions, signal: AbortSignal): Promise<NatsSession> {
    const { transport, jetStream } = await library();
    await awaitGreeting(address, options.connectTimeout, signal);
    const credentials = new SentCredentials(secretsOf(options));
    const opening = transport.connect({
      servers: [urlOf(address)],
      name: 'mimecast-forwarder',
      timeout: options.connectTimeout,
      reconnect: false,
      maxReconnectAttempts: 0,
      // A list of servers that one of them sends is of no use without reconnecting.
      ignoreClusterUpdates: true,
      // A stack for each message that waits would cost more than the message.
      noAsyncTraces: true,
      authenticator: authenticatorsOf(options, transport),
      ...(options.tls && { tls: tlsOf(options.tls, address) }),
    });
    try {
      const connection = await untilAborted(opening, signal);
      const client = jetStream.jetstream(connection, { timeout: options.timeout });
      return new NatsSession(connection, client, options, credentials);
    } catch (error) {
      signal.throwIfAborted();
      const fault = loginFault(error, `nats://${urlOf(address)}`, options.connectTimeout);
      throw credentials.judge(fault);
    } finally {
      // Nobody waits for a connection that comes after all.
      if (signal.aborted) opening.then((late) => late.close()).catch(() => {});
    }
  }

  get isOpen(): boolean {
    return !this.#connection.isClosed();
  }

  /** The longest text that the server takes with our headers. */
  get maxTextBytes(): number {
    const { max_payload: maxPayload = Number.POSITIVE_INFINITY } = this.#connection.info ?? {};
    return maxPayload - HEADER_BYTES - Buffer.byteLength(this.#options.stream ?? '');
  }

  /**
   * Publishes all of them at once, in order, and waits for each acknowledgement. A duplicate that the stream has recognised by its id
   * is acknowledged like any other. Rejects only with the signal's reason.
   */
  async publish(messages: readonly Message[], signal: AbortSignal): Promise<PromiseSettledResult<unknown>[]> {
    const { subject, stream } = this.#options;
    const expect = stream === undefined ? {} : { streamName: stream };
    const publishing = messages.map(({ id, text }) =>
      this.#jetStream.publish(subject, text, { msgID: id, expect }).then(requireAcknowledgement),
    );
    return await untilAborted(Promise.allSettled(publishing), signal);
  }

  /** The name of the stream that is bound to the subject. Throws the library's errors. */
  async streamName(signal: AbortSignal): Promise<string> {
    const looking = this.#jetStream
      .jetstreamManager(false)
      .then((manager) => manager.streams.find(this.#options.subject));
    return await untilAborted(looking, signal);
  }

  /** Drops the connection and what is still waiting on it. */
  async close(): Promise<void> {
    await this.#connection.close();
  }
}

async function library() {
  return await optionalPackage('@nats-io/transport-node @nats-io/jetstream', async () => ({
    transport: await import('@nats-io/transport-node'),
    jetStream: await import('@nats-io/jetstream'),
  }));
}

function authenticatorsOf(
  { user, password, token, nkeySeed, credentials }: NatsOptions,
  transport: typeof import('@nats-io/transport-node'),
): Authenticator[] {
  const bytes = (secret: Secret) => new TextEncoder().encode(`${secret.read().trim()}\n`);
  return [
    ...(user !== undefined && password ? [transport.usernamePasswordAuthenticator(user, password.read())] : []),
    ...(token ? [transport.tokenAuthenticator(token.read())] : []),
    ...(nkeySeed ? [transport.nkeyAuthenticator(new TextEncoder().encode(nkeySeed.read().trim()))] : []),
    // The library looks for a line end after the last line, and a secret from a file has lost its own.
    ...(credentials ? [transport.credsAuthenticator(bytes(credentials))] : []),
  ];
}

/** For an address the library asks for no name, and Node would then look for `localhost` in the certificate. */
function tlsOf(files: NonNullable<NatsOptions['tls']>, { host }: Address): TlsOptions {
  return Object.fromEntries(
    Object.entries({ ...files, ...STRICT_TLS, host }).filter(([, value]) => value !== undefined),
  );
}

function secretsOf({ password, token, nkeySeed, credentials }: NatsOptions): Secret[] {
  return [password, token, nkeySeed, credentials].filter((secret) => secret !== undefined);
}

function urlOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
