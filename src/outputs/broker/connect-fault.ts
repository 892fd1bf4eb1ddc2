import { codeOf } from '../../errors.ts';
import { OutputError } from '../output.ts';

/**
 * A connection that did not come about, by the code of the socket or of OpenSSL; undefined for an error that has none of them.
 * The code is all that is shown: what a library writes into its messages is not ours to vouch for.
 */
export function connectFault(target: string, error: unknown): OutputError | undefined {
  const code = codeOf(error) ?? '';
  const connect = CONNECT_HINTS[code];
  if (connect !== undefined) {
    const reason = code === 'ETIMEDOUT' ? 'timeout' : 'connect';
    return new OutputError(`cannot connect to ${target} (${code})`, { reason, disposition: 'retry', hint: connect });
  }
  const hint = CERTIFICATE_HINTS[code] ?? (TLS_CODE.test(code) ? OTHER_TLS_HINT : undefined);
  if (hint === undefined) return undefined;
  return new OutputError(`no TLS with ${target} (${code})`, { reason: 'tls', disposition: 'halt', hint });
}

const CONNECT_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: check host and port, and that the server runs.',
  ECONNRESET: 'The server closed the connection: check that the port is the right one, with or without TLS.',
  EPIPE: 'The server closed the connection: check that the port is the right one, with or without TLS.',
  ENOTFOUND: 'The host name is unknown: check its spelling and the name server of this machine.',
  EAI_AGAIN: 'The name server does not answer: check the network and the name server of this machine.',
  EHOSTUNREACH: 'No way leads to the host: check routes and firewalls.',
  ENETUNREACH: 'No way leads to the network: check routes and firewalls.',
  ETIMEDOUT: 'The host does not answer: check host, port and firewalls on the way.',
};

const OWN_CA_HINT = 'Set tls.caFile to the PEM file of the authority that signed the certificate of the server.';
const CERTIFICATE_HINTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'It is self-signed: set tls.caFile to the certificate itself, as PEM.',
  SELF_SIGNED_CERT_IN_CHAIN: OWN_CA_HINT,
  UNABLE_TO_GET_ISSUER_CERT: OWN_CA_HINT,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OWN_CA_HINT,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OWN_CA_HINT,
  CERT_HAS_EXPIRED: "The certificate of the server has expired: renew it; check this machine's clock.",
  CERT_NOT_YET_VALID: "The certificate is not valid yet: check this machine's clock and the server's.",
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for another name: use the name that it is for as the host.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'What answers there does not speak TLS: use its TLS port, or leave tls out.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'What answers there does not speak TLS: use its TLS port, or leave tls out.',
};
const TLS_CODE = /^(ERR_(SSL|TLS|OSSL)_|CERT_|CRL_|UNABLE_TO_|INVALID_)/;
const OTHER_TLS_HINT =
  'The server may want a client certificate that it trusts: check tls.certFile and tls.keyFile, that they are PEM and belong together, and the log of the server.';
