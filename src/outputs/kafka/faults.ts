import { connectFault } from '../broker/connect-fault.ts';
import { type Disposition, OutputError, type OutputErrorReason } from '../output.ts';

type Meaning = readonly [disposition: Disposition, reason: OutputErrorReason, hint?: string];

const TOO_LARGE =
  'Lower maxMessageBytes of this output, or raise max.message.bytes of the topic and message.max.bytes of the brokers.';
const MAY_NOT_WRITE = 'Grant the user Write and Describe on the topic.';
const NO_TOPIC = 'Create the topic, or correct topic. Without the right to describe it, it looks the same.';
const CREDENTIALS = 'Check mechanism, username and password under sasl.';

/**
 * Error codes of the protocol that a producer meets, by name (https://kafka.apache.org/protocol.html, "Error Codes"). What is not
 * here is worth another try: leaders that move, replicas that are missing.
 */
const PROTOCOL_ERRORS: Readonly<Record<string, Meaning>> = {
  MESSAGE_TOO_LARGE: ['split', 'refused', TOO_LARGE],
  RECORD_LIST_TOO_LARGE: ['split', 'refused', TOO_LARGE],
  INVALID_RECORD: ['split', 'refused', 'The broker checks records of this topic, and one of them does not pass.'],
  INVALID_TIMESTAMP: ['split', 'refused', 'The topic takes no event this old: see message.timestamp.before.max.ms.'],
  TOPIC_AUTHORIZATION_FAILED: ['halt', 'auth', MAY_NOT_WRITE],
  CLUSTER_AUTHORIZATION_FAILED: ['halt', 'auth', MAY_NOT_WRITE],
  SASL_AUTHENTICATION_FAILED: ['halt', 'auth', CREDENTIALS],
  UNSUPPORTED_SASL_MECHANISM: ['halt', 'auth', CREDENTIALS],
  ILLEGAL_SASL_STATE: ['halt', 'auth', CREDENTIALS],
  UNKNOWN_TOPIC_OR_PARTITION: ['halt', 'refused', NO_TOPIC],
  INVALID_TOPIC_EXCEPTION: ['halt', 'refused', NO_TOPIC],
  UNSUPPORTED_VERSION: ['halt', 'refused', 'The broker is too old for this request: bring it up to date.'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: ['halt', 'refused', 'The topic keeps an old message format, which has no headers.'],
  UNSUPPORTED_COMPRESSION_TYPE: ['halt', 'refused', 'Set compression to none.'],
  POLICY_VIOLATION: ['halt', 'refused', 'A policy of the cluster forbids it: look into the log of the broker.'],
  REQUEST_TIMED_OUT: ['retry', 'timeout', 'The replicas of the topic do not keep up: check them, or raise timeout.'],
  NOT_ENOUGH_REPLICAS: ['retry', 'server', 'Fewer replicas are in sync than min.insync.replicas asks for.'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [
    'retry',
    'server',
    'Fewer replicas are in sync than min.insync.replicas asks for; the events may be there twice in the end.',
  ],
};

/**
 * What an error of the client library means. They are told apart by name and code: the library is loaded only when it is used, so
 * its classes are not at hand, and its messages may repeat what a broker says.
 */
export function kafkaFault(error: unknown, target: string): OutputError {
  const chain = causes(error);
  const type = textOf(chain, 'type');
  if (type !== undefined) return protocolFault(type, target);
  if (isIn(chain, 'KafkaJSSASLAuthenticationError')) {
    return fault(`${target} refused the credentials`, ['halt', 'auth', CREDENTIALS]);
  }
  if (isIn(chain, 'KafkaJSServerDoesNotSupportApiKey')) {
    return fault(`${target} does not offer a request that is needed`, [
      'halt',
      'refused',
      'The broker is too old, or has no SASL: bring it up to date, or leave sasl out.',
    ]);
  }
  if (isIn(chain, 'KafkaJSBrokerNotFound')) {
    return fault(`${target} names a leader that is not among its brokers`, [
      'retry',
      'server',
      'The cluster is choosing one. If that lasts, a partition of the topic has lost all its replicas.',
    ]);
  }
  if (isIn(chain, 'KafkaJSRequestTimeoutError')) return timedOut(target, 'answered');
  if (chain.some((one) => one.message === 'Connection timeout')) return timedOut(target, 'taken the connection');
  if (isIn(chain, 'KafkaJSConnectionClosedError') || ['ECONNRESET', 'EPIPE'].includes(textOf(chain, 'code') ?? '')) {
    return fault(`the connection to ${target} broke before an answer came`, [
      'retry',
      'unconfirmed',
      'If it goes on: check that the port is the right one, with or without TLS.',
    ]);
  }
  return connectFault(target, error) ?? fault(`${target} failed (${chain[0]?.name ?? 'no name'})`, ['retry', 'server']);
}

/** An answer that says nothing of a partition that was written to. */
export function leftOut(target: string): OutputError {
  return fault(`${target} answered without acknowledging every partition that was written to`, [
    'retry',
    'unconfirmed',
    'Check that these are brokers of Apache Kafka itself, and what stands before them.',
  ]);
}

/** `what` says how far it came: it has not … */
export function timedOut(target: string, what: string): OutputError {
  return fault(`${target} has not ${what} in time`, [
    'retry',
    'timeout',
    'Check the load of the brokers, firewalls on the way, and that the port is the right one, with or without TLS.',
  ]);
}

/** A broker has asked for a pause that is longer than we wait for an answer. */
export function slowedDown(target: string): OutputError {
  return fault(`a quota of ${target} holds us back for longer than timeout`, [
    'retry',
    'rate_limited',
    'Raise the quota (producer_byte_rate, request_percentage) of this user or clientId, or raise timeout.',
  ]);
}

/** Something else than a broker, or one that has gone mad. */
export function answeredTooMuch(target: string): OutputError {
  return fault(`${target} announced an answer of more than 4 MiB`, [
    'halt',
    'server',
    'No broker has so much to say: check that the port is that of a Kafka broker, with or without TLS.',
  ]);
}

/** Names of errors are the client's own, by their numbers; nothing else is shown. */
function wordOf(type: string): string {
  return /^[A-Z_]{1,60}$/.test(type) ? type : 'with an error that has no name';
}

function protocolFault(type: string, target: string): OutputError {
  const meaning = Object.hasOwn(PROTOCOL_ERRORS, type) ? PROTOCOL_ERRORS[type] : undefined;
  return fault(`${target} answered ${wordOf(type)}`, meaning ?? ['retry', 'server']);
}

/** The error, what it wraps, and so on; the client wraps what ended its tries. */
function causes(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

function isIn(chain: readonly Error[], name: string): boolean {
  return chain.some((error) => error.name === name);
}

/** The first text under this key: `type` is the name of a protocol error, `code` that of a socket's. */
function textOf(chain: readonly Error[], key: 'type' | 'code'): string | undefined {
  const values = chain.map((error): unknown => Reflect.get(error, key));
  return values.find((value): value is string => typeof value === 'string');
}

function fault(message: string, [disposition, reason, hint]: Meaning): OutputError {
  return new OutputError(message, { disposition, reason, hint });
}
