import { codeOf, messageOf } from '../../errors.ts';
import { namesInCertificate } from '../../tls.ts';
import { type Disposition, OutputError, type OutputErrorReason } from '../output.ts';
import type { Connection } from './connection.ts';
import { type Endpoint, urlOf, usesTls } from './wire.ts';

/** What an operator should read instead of OpenSSL's or the kernel's own words. */
interface Explanation {
  readonly what: string;
  readonly hint: string;
}

const UNTRUSTED: Explanation = {
  what: 'its certificate is not signed by an authority that is trusted here',
  hint: 'Set tls.caFile to the PEM file of the authority that signed it (of a self-signed certificate: to itself), or tls.fingerprint to its fingerprint.',
};
const CLIENT_CERTIFICATE: Explanation = {
  what: 'it wants a client certificate and does not accept ours, or got none',
  hint: 'Set tls.certFile and tls.keyFile to a certificate that the receiver trusts, and check its dates, its purpose and the name that the receiver permits.',
};
const NO_TLS_THERE: Explanation = {
  what: 'what answers there does not speak TLS',
  hint: 'Set port to the TLS port of the receiver, or protocol to the one without TLS (tcp, relp) if it has none.',
};
const VERSIONS: Explanation = {
  what: 'the two sides have no TLS version or cipher in common',
  hint: 'Check tls.minVersion here and what the receiver offers; TLS 1.0 and 1.1 are not supported.',
};
const OWN_CERTIFICATE: Explanation = {
  what: 'our own certificate files cannot be used',
  hint: 'Check that tls.caFile, tls.certFile and tls.keyFile are PEM, that the key belongs to the certificate and that it has no passphrase.',
};

/** Codes of Node and OpenSSL that waiting does not cure. */
const CERTIFICATE_FAULTS: Readonly<Record<string, Explanation>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_HAS_EXPIRED: {
    what: 'its certificate has expired',
    hint: "Renew the receiver's certificate; if it is new, check this machine's clock.",
  },
  CERT_NOT_YET_VALID: {
    what: 'its certificate is not valid yet',
    hint: "Check this machine's clock and the first date of the receiver's certificate.",
  },
  INVALID_PURPOSE: {
    what: 'its certificate is not meant for a server',
    hint: "Give the receiver a certificate whose extended key usage has serverAuth, or set tls.fingerprint to this one's and leave out tls.caFile.",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    what: 'its certificate is for another name',
    hint: 'If that is the receiver you mean, set host to a name that the certificate holds, or tls.servername where host has to stay an address.',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS_THERE,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS_THERE,
  ERR_SSL_HTTP_REQUEST: NO_TLS_THERE,
  ERR_SSL_UNSUPPORTED_PROTOCOL: VERSIONS,
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: VERSIONS,
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: OWN_CERTIFICATE,
  ERR_OSSL_PEM_NO_START_LINE: OWN_CERTIFICATE,
  ERR_OSSL_PEM_BAD_BASE64_DECODE: OWN_CERTIFICATE,
  ERR_OSSL_PEM_BAD_PASSWORD_READ: OWN_CERTIFICATE,
  ERR_OSSL_UNSUPPORTED: OWN_CERTIFICATE,
};

/** What a receiver says before it closes (RFC 8446 §6.2). OpenSSL 3.5 calls `SSL/TLS` what older ones call `SSLV3`. */
const ALERT = /^ERR_SSL_(?:SSLV3|SSL\/TLS|TLSV1|TLSV13)_ALERT_(.+)$/;
const ALERTS: Readonly<Record<string, Explanation>> = {
  HANDSHAKE_FAILURE: {
    what: 'it broke off the handshake',
    hint: `${CLIENT_CERTIFICATE.hint} ${VERSIONS.hint}`,
  },
  CERTIFICATE_REQUIRED: CLIENT_CERTIFICATE,
  UNKNOWN_CA: CLIENT_CERTIFICATE,
  ACCESS_DENIED: CLIENT_CERTIFICATE,
  DECRYPT_ERROR: CLIENT_CERTIFICATE,
  BAD_CERTIFICATE: CLIENT_CERTIFICATE,
  UNSUPPORTED_CERTIFICATE: CLIENT_CERTIFICATE,
  CERTIFICATE_REVOKED: CLIENT_CERTIFICATE,
  CERTIFICATE_EXPIRED: CLIENT_CERTIFICATE,
  CERTIFICATE_UNKNOWN: CLIENT_CERTIFICATE,
  PROTOCOL_VERSION: VERSIONS,
  UNRECOGNIZED_NAME: {
    what: 'it does not know the name that we ask for',
    hint: "Set tls.servername to one of the receiver's names.",
  },
};

const CONNECT_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: check host and port, and that the receiver is running.',
  ENOTFOUND: "The name is unknown: check the spelling of host and this machine's DNS.",
  EAI_AGAIN: "The name server does not answer: check this machine's DNS.",
  EHOSTUNREACH: 'There is no way to that address: check routes and firewalls.',
  ENETUNREACH: 'There is no way to that address: check routes and firewalls.',
  ETIMEDOUT: 'Nothing answers there: check host, port and firewalls on the way.',
};

/** A connection that did not come about, or that was refused before anything was sent. */
export function connectFault(endpoint: Endpoint, cause: unknown): OutputError {
  if (cause instanceof OutputError) return cause;
  const url = urlOf(endpoint);
  const tls = tlsFault(endpoint, cause);
  if (tls !== undefined) return tls;
  if (isTimeout(cause)) {
    return fault(`${url} did not answer in time`, 'timeout', 'retry', {
      hint: usesTls(endpoint)
        ? 'Check host, port and firewalls on the way. A plain syslog port takes the connection and never answers a TLS handshake: check that the port is the TLS port.'
        : 'Check host, port and firewalls on the way; connectTimeout can be raised.',
      cause,
    });
  }
  const code = codeOf(cause);
  if (usesTls(endpoint) && code === 'ECONNRESET') {
    return fault(`${url} closed the connection during the TLS handshake`, 'tls', 'retry', {
      hint: 'Check that the port speaks TLS, and whether the receiver limits who may connect.',
      cause,
    });
  }
  return fault(`cannot connect to ${url}: ${messageOf(cause)}`, 'connect', 'retry', {
    hint: code === undefined ? undefined : CONNECT_HINTS[code],
    cause,
  });
}

/**
 * The receiver closed a new TLS connection by itself before anything was sent. Not every receiver says why: rsyslog resets
 * the connection when the name in our certificate is not permitted, without an alert.
 */
export function refusedAfterHandshake(endpoint: Endpoint, cause: unknown): OutputError {
  return (
    tlsFault(endpoint, cause) ??
    fault(
      `${urlOf(endpoint)} closed the connection right after the TLS handshake, before anything was sent`,
      'tls',
      'halt',
      {
        hint: 'Most often the receiver does not accept our client certificate: check tls.certFile, tls.keyFile, the peer names that the receiver permits, and its own log.',
        cause,
      },
    )
  );
}

/** A batch that may have arrived or not: the connection broke, ended or stood still before the confirmation. */
export function sendFault(endpoint: Endpoint, connection: Connection, error: unknown): OutputError {
  if (connection.answer !== undefined) return notASyslogReceiver(endpoint, connection.answer);
  const url = urlOf(endpoint);
  if (isTimeout(error)) {
    return fault(`${url} did not confirm the batch in time`, 'unconfirmed', 'retry', {
      hint: 'The receiver took the connection but does not read, or does not close after us: check that it is not hung or overloaded, or raise sendTimeout. If it never closes a connection, set confirm to write.',
      cause: error,
    });
  }
  const cause = connection.failure ?? error;
  return (
    tlsFault(endpoint, cause) ??
    fault(`${url} did not confirm the batch: ${messageOf(cause)}`, 'unconfirmed', 'retry', {
      hint: usesTls(endpoint)
        ? 'If it goes on: a receiver closes like this when it expects the other framing (octet-counting or newline) on this port.'
        : 'If it goes on: a receiver closes like this when it expects something else on this port, TLS (set protocol to tls) or the other framing (octet-counting or newline).',
      cause,
    })
  );
}

/** A syslog receiver never sends (RFC 6587 §3.1, RFC 5425 §4.4): what does is something else, and its close confirms nothing. */
export function notASyslogReceiver(endpoint: Endpoint, answer: Buffer): OutputError {
  return (
    answeredWithTls(endpoint, answer) ??
    fault(`${urlOf(endpoint)} sent data, which a syslog receiver never does`, 'connect', 'halt', {
      hint: 'Something other than a syslog receiver listens there: check host and port.',
    })
  );
}

/** A TLS record of type alert (21) or handshake (22), RFC 8446 §5.1, where plain text was expected; undefined for all else. */
export function answeredWithTls(endpoint: Endpoint, answer: Buffer): OutputError | undefined {
  if (usesTls(endpoint) || !(answer[0] === 21 || answer[0] === 22) || answer[1] !== 3) return undefined;
  return fault(`${urlOf(endpoint)} answered with TLS`, 'tls', 'halt', {
    hint: `This is a TLS port: set protocol to ${endpoint.protocol === 'relp' ? 'relp-tls' : 'tls'}, or port to the plain one.`,
  });
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** A fault of TLS itself, whenever it shows; undefined for all others. A code that is not in the table may pass by itself. */
export function tlsFault(endpoint: Endpoint, cause: unknown): OutputError | undefined {
  const code = codeOf(cause) ?? '';
  const known = CERTIFICATE_FAULTS[code] ?? ALERTS[ALERT.exec(code)?.[1] ?? ''];
  if (known !== undefined) {
    const message = `no TLS with ${urlOf(endpoint)}: ${known.what}${namesInCertificate(cause)} (${code})`;
    return fault(message, 'tls', 'halt', { hint: known.hint });
  }
  if (!usesTls(endpoint) || !code.startsWith('ERR_SSL_')) return undefined;
  return fault(`no TLS with ${urlOf(endpoint)}: ${opensslReason(cause)}`, 'tls', 'retry', { cause });
}

/** OpenSSL's message has thread ids and source lines; its `reason` is the part for people. */
function opensslReason(error: unknown): string {
  return error instanceof Error && 'reason' in error && typeof error.reason === 'string'
    ? error.reason
    : messageOf(error);
}

export function fault(
  message: string,
  reason: OutputErrorReason,
  disposition: Disposition,
  more: { readonly hint?: string | undefined; readonly cause?: unknown },
): OutputError {
  // What Node says of a time-out, "The operation was aborted due to timeout", sounds as if somebody had stopped us.
  const cause = isTimeout(more.cause) ? undefined : more.cause;
  return new OutputError(message, { reason, disposition, hint: more.hint, cause });
}
