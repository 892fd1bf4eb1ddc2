import type { Line } from '../../formats/format.ts';

/** A syslog message with its header, not framed yet. */
export type Message = string | Line;

/** HOW syslog messages cross a network: one way of carrying them, and of knowing what became of them. */
export interface Wire {
  /**
   * Hands over messages in their order, and resolves once they count as accepted. Connects when needed.
   * Rejects with an `OutputError` when none of them may be counted, or with the signal's reason when aborted; a new
   * `deliver` is possible after either.
   */
  deliver(messages: readonly Message[], signal: AbortSignal): Promise<void>;
  /** Connects as `deliver` would and sends no message. Says what was reached, for people. */
  probe(signal: AbortSignal): Promise<string>;
  /** Lets go of sockets. Idempotent. */
  close(): Promise<void>;
}

/** How long a wire waits, in milliseconds. */
export interface Patience {
  /** For name lookup, TCP and TLS together. */
  readonly connectTimeout: number;
  /** For one batch, from its first byte to its acceptance. */
  readonly sendTimeout: number;
}

/** Where a wire leads. */
export interface Endpoint {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
}

/** `tls://qradar.example:6514`, `tcp://[::1]:514`. */
export function urlOf(endpoint: Endpoint): string {
  return `${endpoint.protocol}://${authorityOf(endpoint)}`;
}

/** Host and port, with the brackets that an IPv6 address needs (RFC 3986 §3.2.2). */
export function authorityOf({ host, port }: Pick<Endpoint, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
