import { OutputError } from '../output.ts';
import { answeredWithTls, fault, isTimeout, refusedAfterHandshake, tlsFault } from './faults.ts';
import { RelpFrameError } from './relp-frames.ts';
import { type Endpoint, urlOf, usesTls } from './wire.ts';

/** The receiver's answer to `open` says that it cannot take our messages. */
export class SessionRefused extends Error {}

/** A connection on which no session came about; nothing was sent. `opening`: the first octets that the other side sent. */
export function openFault(endpoint: Endpoint, opening: Buffer | undefined, cause: unknown): OutputError {
  if (cause instanceof OutputError) return cause;
  const url = urlOf(endpoint);
  if (isTimeout(cause)) {
    return fault(`${url} took the connection and did not open a RELP session in time`, 'timeout', 'retry', {
      hint: 'Check that the port is the one of RELP, which a plain syslog port is not, and that the receiver is not hung.',
      cause,
    });
  }
  if (cause instanceof SessionRefused) {
    return fault(`no RELP session with ${url}: it ${cause.message}`, 'connect', 'halt', {
      hint: 'Check what listens there, and its own log; protocol tcp or tls may be what it takes.',
    });
  }
  if (cause instanceof RelpFrameError) {
    return (
      (opening && answeredWithTls(endpoint, opening)) ??
      fault(`${url} does not speak RELP`, 'connect', 'halt', {
        hint: 'Something other than a RELP receiver listens there: check host and port.',
        cause,
      })
    );
  }
  // With a certificate that it does not want, rsyslog ends the session inside TLS, without an alert and without a reason.
  if (usesTls(endpoint)) return refusedAfterHandshake(endpoint, cause);
  return fault(`${url} closed the connection before a RELP session was open`, 'connect', 'retry', {
    hint: 'If it is a TLS port, set protocol to relp-tls. If not, check the port, and whether the receiver limits who may connect.',
    cause,
  });
}

/** Messages that may have arrived or not: the session broke, ended or stood still before they were acknowledged. */
export function transferFault(endpoint: Endpoint, cause: unknown): OutputError {
  const url = urlOf(endpoint);
  if (isTimeout(cause)) {
    return fault(`${url} did not acknowledge the whole batch in time`, 'unconfirmed', 'retry', {
      hint: 'Check that the receiver is not hung or overloaded, or raise sendTimeout.',
      cause,
    });
  }
  return (
    tlsFault(endpoint, cause) ??
    fault(`${url} ended the RELP session before it acknowledged the whole batch`, 'unconfirmed', 'retry', {
      hint: 'If it goes on, look into its own log: it ends sessions when it is stopped, and when it finds fault with a message.',
      cause,
    })
  );
}
