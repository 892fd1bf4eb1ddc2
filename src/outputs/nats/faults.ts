import { connectFault } from '../broker/connect-fault.ts';
import { OutputError, type OutputErrorReason } from '../output.ts';

/**
 * What the client library's errors mean. They are told apart by name and code: the library is loaded only when it is used, so its
 * classes are not at hand, and its messages may name subjects and users.
 */

/** Error codes of JetStream: https://github.com/nats-io/nats-server, `server/errors.json`. */
const MESSAGE_TOO_LARGE = 10054;
const EXPECTED_STREAM_DIFFERS = 10060;
const STORE_FAILED = 10077;

/** Why the stream will never take a message, or `undefined` when that is not so. */
export function rejectionOf(error: unknown): string | undefined {
  if (isNamed(error, 'JetStreamApiError') && numberOf(error, 'code') === MESSAGE_TOO_LARGE) {
    return 'the message is larger than the stream takes (max_msg_size)';
  }
  // All that the library checks in a message by itself.
  if (isNamed(error, 'InvalidArgumentError')) return 'the message is larger than the server takes (max_payload)';
  return undefined;
}

/** An answer that is no acknowledgement of a stream. */
class NoAcknowledgement extends Error {}

/**
 * The client takes any JSON without an `error` for an acknowledgement. Who has subscribed to the subject and answers as services do is no
 * stream, and has stored nothing: a stream gives its name and the number of the message (`PubAck`).
 */
export function requireAcknowledgement(answer: unknown): void {
  const { stream, seq } = (answer ?? {}) as { readonly stream?: unknown; readonly seq?: unknown };
  if (typeof stream === 'string' && stream !== '' && Number.isInteger(seq) && Number(seq) > 0) return;
  throw new NoAcknowledgement();
}

/** A message that was not acknowledged. */
export function publishFault(error: unknown, target: string, timeout: number): OutputError {
  if (isNamed(error, 'JetStreamApiError')) return streamFault(error, target);
  if (isNamed(error, 'JetStreamNotEnabled') || isNamed(error, 'StreamNotFoundError')) {
    return halt(
      'refused',
      `no stream listens to ${target}`,
      'Bind a stream to the subject (nats stream add), or correct subject. A server without JetStream answers the same.',
    );
  }
  if (causes(error).some((one) => isNamed(one, 'PermissionViolationError'))) {
    return halt(
      'auth',
      `${target} does not let this user publish to the subject, or listen for acknowledgements`,
      'The user must be allowed to publish to the subject and to subscribe to _INBOX.>.',
    );
  }
  // What is not even JSON, or JSON and no object, the client stumbles over.
  if (error instanceof NoAcknowledgement || error instanceof SyntaxError || error instanceof TypeError) {
    return halt(
      'refused',
      `what answers at ${target} is no stream of JetStream`,
      'Somebody else has subscribed to the subject and answers before the stream does: give the events a subject of their own.',
    );
  }
  if (isNamed(error, 'TimeoutError')) {
    return retry('timeout', `${target} has not acknowledged within ${timeout} ms`, {
      hint: 'Check the load of the server and its disk; in a cluster, that the stream has a leader.',
    });
  }
  return retry('unconfirmed', `the connection to ${target} broke before the events were acknowledged`);
}

function streamFault(error: Error, target: string): OutputError {
  const code = numberOf(error, 'code');
  const status = numberOf(error, 'status') ?? 0;
  const message = `the stream behind ${target} refused an event (error code ${code ?? 'unknown'})`;
  if (code === EXPECTED_STREAM_DIFFERS) {
    return halt('refused', message, 'Another stream is bound to the subject: correct stream or subject.');
  }
  if (code === STORE_FAILED) {
    return retry('server', message, {
      hint: 'The stream is full and discards what is new, or its disk is: raise its limits, or let its consumers catch up.',
    });
  }
  if (status === 429) return retry('rate_limited', message);
  if (status >= 500) return retry('server', message);
  return halt('refused', message, 'Look the code up in the documentation of NATS, and into the log of the server.');
}

/** A connection that did not come about although the server had introduced itself. */
export function loginFault(error: unknown, target: string, timeout: number): OutputError {
  const known = connectFault(target, error);
  if (known) return known;
  const name = error instanceof Error ? error.name : undefined;
  switch (name) {
    case 'AuthorizationError':
    case 'UserAuthenticationExpiredError':
      return halt(
        'auth',
        `${target} refused the credentials`,
        'Check user and password, token, nkeySeed or credentials.',
      );
    case 'TimeoutError':
      return retry('timeout', `${target} has not let us in within ${timeout} ms`);
    case 'ProtocolError': // Such as 'maximum connections exceeded'.
      return retry('server', `${target} turned us away`, { hint: 'Look into the log of the server.' });
    case 'ConnectionError':
      return halt(
        'tls',
        `no TLS with ${target}`,
        'Check that the server offers TLS, and that the files of tls exist and may be read.',
      );
    case undefined: // The library passes on what it was told, and a connection that just closes told it nothing.
      return retry('connect', `${target} closed the connection`);
    default:
      return halt('auth', 'the credentials cannot be used', 'Check that nkeySeed or credentials holds what it should.');
  }
}

function isNamed(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name;
}

function causes(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

function numberOf(error: Error, key: string): number | undefined {
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'number' ? value : undefined;
}

function halt(reason: OutputErrorReason, message: string, hint: string): OutputError {
  return new OutputError(message, { reason, disposition: 'halt', hint });
}

function retry(reason: OutputErrorReason, message: string, { hint }: { readonly hint?: string } = {}): OutputError {
  return new OutputError(message, { reason, disposition: 'retry', hint });
}
