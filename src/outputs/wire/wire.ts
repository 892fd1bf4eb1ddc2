import type { Line } from '../../formats/format.ts';
import type { OutputError } from '../output.ts';

/** A syslog message with its header, not framed yet. */
export type Message = string | Line;

/**
 * Messages in their order, each composed when its turn comes. Held as texts for as long as they are on their way, they outlive two young
 * collections: 44 % of all bytes that V8 moved to its old generation were theirs.
 */
export type Messages = Iterable<Message> & { readonly length: number };

/** HOW syslog messages cross a network: one way of carrying them, and of knowing what became of them. */
export interface Wire {
  /**
   * Hands over messages in their order, and resolves once they count as accepted, but for what the delivery says. Connects
   * when needed. Rejects with an `OutputError` when none of them may be counted, or with the signal's reason when aborted; a
   * new `deliver` is possible after either.
   */
  deliver(messages: Messages, signal: AbortSignal): Promise<Delivery>;
  /** Connects as `deliver` would and sends no message. Says what was reached, for people. */
  probe(signal: AbortSignal): Promise<string>;
  /** Lets go of sockets. Idempotent. */
  close(): Promise<void>;
}

/** What became of messages, each named by its index among them. Those that are not named were accepted. */
export interface Delivery {
  /** Refused for good, one by one, and why. */
  readonly refused: ReadonlyMap<number, string>;
  /** Neither accepted nor refused, when that is not all of them, and what came between. */
  readonly unsettled?: { readonly indexes: ReadonlySet<number>; readonly error: OutputError };
}

/** The delivery of a wire whose messages count together or not at all. */
export const ALL_ACCEPTED: Delivery = { refused: new Map() };

/** How long a wire waits, in milliseconds. */
export interface Patience {
  /** For name lookup, TCP and TLS together. */
  readonly connectTimeout: number;
  /** For one batch, from its first byte to its acceptance. */
  readonly sendTimeout: number;
}

/** Where a wire leads. */
export interface Endpoint {
  readonly protocol: 'udp' | 'tcp' | 'tls' | 'relp' | 'relp-tls';
  readonly host: string;
  readonly port: number;
}

export function usesTls({ protocol }: Pick<Endpoint, 'protocol'>): boolean {
  return protocol === 'tls' || protocol === 'relp-tls';
}

/** `tls://qradar.example:6514`, `tcp://[::1]:514`. */
export function urlOf(endpoint: Endpoint): string {
  return `${endpoint.protocol}://${authorityOf(endpoint)}`;
}

/** Host and port, with the brackets that an IPv6 address needs (RFC 3986 §3.2.2). */
export function authorityOf({ host, port }: Pick<Endpoint, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
