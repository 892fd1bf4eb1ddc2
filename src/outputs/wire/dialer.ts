import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { Certificates } from '../../certificates.ts';
import { Connection } from './connection.ts';
import { connectFault, notASyslogReceiver, refusedAfterHandshake } from './faults.ts';
import { checkFingerprint, connectionOptions, decidedByFingerprint, readCredentials, type TlsOptions } from './tls.ts';
import { type Endpoint, urlOf, usesTls } from './wire.ts';

/**
 * How long a connection that is not trusted yet is watched, ms, on top of two round trips. A receiver that does not want us
 * says so by closing, a round trip or so after the fact.
 */
const WATCH_MS = 250;

/** Opens connections to one endpoint. */
export class Dialer {
  readonly endpoint: Endpoint;
  readonly #tls: TlsOptions;
  readonly #certificates: Certificates;
  /** Longest time for name lookup, TCP and TLS handshake together, ms. */
  readonly connectTimeout: number;
  /** The client certificate, if any, of the last connection that the receiver took a batch from. */
  #trusted: { readonly certificate: string | undefined } | undefined;

  /** `certificates` takes note of what the receiver shows. */
  constructor(endpoint: Endpoint, tls: TlsOptions, connectTimeout: number, certificates = new Certificates(tls)) {
    this.endpoint = endpoint;
    this.#certificates = certificates;
    this.#tls = tls;
    this.connectTimeout = connectTimeout;
  }

  /**
   * A connection that can be written to without another word from the receiver. Over TLS, one that is not trusted is first watched for a refusal: in TLS 1.3 the
   * client is done before the server has seen the client's certificate (RFC 8446 §2), so Node reports a secure connection
   * and takes our bytes, and by the time the refusal arrives they are gone.
   * Rejects with an `OutputError`, or with the signal's reason when aborted.
   */
  async dial(signal: AbortSignal): Promise<Connection> {
    const connection = await this.connect(signal);
    if (!usesTls(this.endpoint)) return connection;
    await connection.until(signal, () => this.watch(connection));
    if (!connection.isOver) return connection;
    connection.destroy();
    this.distrust();
    throw connection.answer === undefined
      ? refusedAfterHandshake(this.endpoint, connection.failure)
      : notASyslogReceiver(this.endpoint, connection.answer);
  }

  /** Resolves when the receiver has ended the connection, or has left it open for so long. */
  async watch(connection: Connection, ms = this.watchMs(connection)): Promise<void> {
    if (ms > 0) await Promise.race([connection.over, once(AbortSignal.timeout(ms), 'abort')]);
  }

  /**
   * How long the connection is to be watched: not at all when the receiver has taken a batch since the last failure, from
   * a connection with the same client certificate.
   */
  watchMs({ certificate, roundTripMs }: Connection): number {
    const isTrusted = this.#trusted !== undefined && this.#trusted.certificate === certificate;
    return isTrusted ? 0 : Math.ceil(WATCH_MS + 2 * roundTripMs);
  }

  /** To be called when the receiver has taken a batch from this connection. */
  trust({ certificate }: Connection): void {
    this.#trusted = { certificate };
  }

  /** To be called when a connection failed: whoever answers next has to show again that it takes what we send. */
  distrust(): void {
    this.#trusted = undefined;
  }

  /**
   * A connection as soon as the handshake is done, for protocols in which the receiver speaks before it gets anything: its
   * answers go to `receive`. Rejects as `dial` does.
   */
  async connect(signal: AbortSignal, receive?: (chunk: Buffer) => void): Promise<Connection> {
    const timeout = AbortSignal.timeout(this.connectTimeout);
    let connection: Connection | undefined;
    try {
      connection = usesTls(this.endpoint) ? await this.#startTls(receive) : this.#startTcp(receive);
      const { socket } = connection;
      const ready = socket instanceof TLSSocket ? 'secureConnect' : 'connect';
      await once(socket, ready, { signal: AbortSignal.any([signal, timeout]) });
      if (socket instanceof TLSSocket) this.#check(socket);
      return connection;
    } catch (error) {
      connection?.destroy();
      this.distrust();
      signal.throwIfAborted();
      throw connectFault(this.endpoint, timeout.aborted ? timeout.reason : error);
    }
  }

  #check(socket: TLSSocket): void {
    checkFingerprint(this.#tls, socket, urlOf(this.endpoint));
    // Where the fingerprint alone decides, a certificate that has ended is as good as before.
    if (!decidedByFingerprint(this.#tls)) this.#certificates.shown(socket.getPeerCertificate());
  }

  #startTcp(receive?: (chunk: Buffer) => void): Connection {
    return new Connection(prepared(connectTcp(this.#address())), undefined, receive);
  }

  async #startTls(receive?: (chunk: Buffer) => void): Promise<Connection> {
    const credentials = await readCredentials(this.#tls);
    const socket = connectTls({ ...this.#address(), ...connectionOptions(this.#tls, credentials) });
    return new Connection(prepared(socket), credentials.cert, receive);
  }

  #address() {
    // Half-open: the receiver's end must not close our side by itself, since the order of the two ends is the confirmation.
    return { host: this.endpoint.host, port: this.endpoint.port, allowHalfOpen: true };
  }
}

function prepared<S extends Socket>(socket: S): S {
  // A batch is one write: there is nothing that Nagle's algorithm could gather, only its wait for an acknowledgement.
  socket.setNoDelay(true);
  // A receiver that vanished without a word is noticed on an idle connection too (RFC 1122 §4.2.3.6).
  socket.setKeepAlive(true, 60_000);
  return socket;
}
