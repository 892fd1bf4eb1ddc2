import { errors } from 'undici';
import { codeOf, messageOf } from '../../errors.ts';
import { namesInCertificate } from '../../tls.ts';
import { OutputError } from '../output.ts';
import { classify, statusText } from './status.ts';

/** No answer within the output's `timeout`. */
export function timedOut(target: string, timeout: number): OutputError {
  return new OutputError(`${target} has not answered within ${timeout} ms`, {
    reason: 'timeout',
    disposition: 'retry',
    hint: 'Check host, port and firewalls on the way; where only a proxy leads out, set proxy or HTTPS_PROXY. A slow receiver needs a longer timeout or a smaller batch.',
  });
}

/**
 * Translates what undici, the socket or OpenSSL threw when no answer came.
 *
 * Only system errors travel on as the cause. Undici's parser errors hold bytes of the answer and its argument errors name
 * headers, so of those nothing is kept but the code.
 */
export function transportFailure(error: unknown, target: string): OutputError {
  return (
    proxyFailure(error, target) ??
    certificateFailure(error, target) ??
    connectFailure(error, target) ??
    protocolFailure(error, target) ??
    new OutputError(`the connection to ${target} broke before an answer came (${codeOf(error) ?? 'no code'})`, {
      // The receiver may or may not have the batch; sending it again is what "at least once" means.
      reason: 'unconfirmed',
      disposition: 'retry',
      // With TLS 1.3 a receiver finds our certificate missing only after the handshake, and many then close without a word.
      hint: target.startsWith('https:')
        ? 'The receiver, a load balancer or a firewall closed the connection: look into its log. It may also want a client certificate (tls.certFile, tls.keyFile).'
        : 'The receiver, a load balancer or a firewall closed the connection: look into its log. If the port speaks TLS, use https:// in the url.',
    })
  );
}

const NO_ANSWER =
  'The host does not answer: check host, port and firewalls on the way; where only a proxy leads out, set proxy or HTTPS_PROXY.';

const CONNECT_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: check host and port, and that the receiver runs.',
  ENOTFOUND:
    'The host name is unknown: check its spelling and the name server of this machine. Where only a proxy looks names up, set proxy or HTTPS_PROXY.',
  EAI_AGAIN: 'The name server does not answer: check the network and the name server of this machine.',
  EHOSTUNREACH: 'No way leads to the host: check routes and firewalls.',
  ENETUNREACH: 'No way leads to the network: check routes and firewalls.',
  ETIMEDOUT: NO_ANSWER,
  UND_ERR_CONNECT_TIMEOUT: NO_ANSWER,
};

function connectFailure(error: unknown, target: string): OutputError | undefined {
  const code = codeOf(error) ?? '';
  const hint = CONNECT_HINTS[code];
  if (hint === undefined) return undefined;
  const timeout = code.includes('TIME');
  return new OutputError(`cannot connect to ${target}`, {
    reason: timeout ? 'timeout' : 'connect',
    disposition: 'retry',
    hint,
    cause: error,
  });
}

/**
 * Undici tells a proxy's refusal of a tunnel in words only ("Proxy response (407) !== 200 when HTTP Tunneling", and even names it
 * AbortError; without a tunnel "Proxy Authentication Required (407)"), so the words are read.
 */
function proxyFailure(error: unknown, target: string): OutputError | undefined {
  const status = Number(/^Proxy (?:response|Authentication Required) \((\d{3})\)/.exec(messageOf(error))?.[1]);
  if (!Number.isNaN(status)) {
    const message = `the proxy answered ${statusText(status)} when asked for ${target}`;
    const verdict = classify(status);
    if (status === 407 && !verdict.accepted) return new OutputError(message, verdict);
    return new OutputError(message, {
      reason: 'connect',
      disposition: status < 500 ? 'halt' : 'retry',
      hint: 'The proxy does not let this request through, or cannot reach the receiver: look into its log.',
    });
  }
  const untrusted = error instanceof errors.SecureProxyConnectionError;
  if (!untrusted && !(error instanceof errors.ProxyConnectionError)) return undefined;
  return new OutputError(`the connection to the proxy broke on the way to ${target}`, {
    reason: untrusted ? 'tls' : 'connect',
    disposition: untrusted ? 'halt' : 'retry',
    hint: 'Check the proxy URL, and that the proxy runs.',
  });
}

const OWN_CA_HINT = 'Set tls.caFile to the PEM file of the authority that signed it.';
const CERTIFICATE_FAULTS: Readonly<Record<string, readonly [fault: string, hint: string]>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: ['it is self-signed', 'Set tls.caFile to the certificate itself, as PEM.'],
  SELF_SIGNED_CERT_IN_CHAIN: ['its authority is not known here', OWN_CA_HINT],
  UNABLE_TO_GET_ISSUER_CERT: ['its authority is not known here', OWN_CA_HINT],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['its authority is not known here', OWN_CA_HINT],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'its authority is not known here, or the receiver leaves out a certificate between',
    `${OWN_CA_HINT} With a public authority: let the receiver send the whole chain.`,
  ],
  CERT_HAS_EXPIRED: ['it has expired', "Renew the receiver's certificate; check this machine's clock."],
  CERT_NOT_YET_VALID: ['it is not valid yet', "Check this machine's clock and the receiver's."],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'it is for another name',
    'Use in the url the name that the certificate is for, or let it be issued for this name.',
  ],
};

/** Certificates, the handshake, and our own certificate files. None of it is cured by waiting. */
function certificateFailure(error: unknown, target: string): OutputError | undefined {
  const code = codeOf(error) ?? '';
  const halt = (message: string, hint: string) =>
    new OutputError(message, { reason: 'tls', disposition: 'halt', hint });

  const fault = CERTIFICATE_FAULTS[code];
  if (fault)
    return halt(`the certificate of ${target} is refused: ${fault[0]}${namesInCertificate(error)} (${code})`, fault[1]);
  // OpenSSL meets an answer that is not TLS in one of these two ways, depending on the bytes.
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code) || messageOf(error).includes('wrong version number')) {
    return halt(`${target} does not speak TLS (${code})`, 'Use http:// in the url, or the port that speaks TLS.');
  }
  if (/ALERT.*(CERTIFICATE|UNKNOWN_CA)|ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return halt(
      `${target} refused our side of the TLS handshake (${code})`,
      'The receiver may want a client certificate: set tls.certFile and tls.keyFile to one that it trusts.',
    );
  }
  if (code.startsWith('ERR_OSSL_')) {
    return halt(
      `the certificate files for ${target} are unusable (${code})`,
      'Check that they are PEM, that the key has no passphrase and belongs to the certificate.',
    );
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || /^(CERT|CRL|UNABLE|INVALID)_/.test(code)) {
    return halt(
      `the TLS handshake with ${target} failed (${code})`,
      "Look into the receiver's log for its side of the story.",
    );
  }
  // Node's own words; the code is ECONNRESET, as for any reset.
  if (messageOf(error).includes('before secure TLS connection')) {
    return new OutputError(`${target} closed the connection during the TLS handshake`, {
      reason: 'tls',
      // A restarting load balancer does the same, so it is worth waiting.
      disposition: 'retry',
      hint: 'Check that the port speaks TLS; the receiver may also want a client certificate.',
    });
  }
  return undefined;
}

/** Something answered, but not as HTTP would. */
function protocolFailure(error: unknown, target: string): OutputError | undefined {
  if (error instanceof errors.HTTPParserError) {
    return new OutputError(`${target} does not answer in HTTP`, {
      reason: 'server',
      disposition: 'halt',
      hint: 'Check the port: it may speak TLS (use https://) or another protocol.',
    });
  }
  if (error instanceof errors.HeadersOverflowError) {
    return new OutputError(`${target} answered with more than 16 KiB of headers`, {
      reason: 'server',
      disposition: 'retry',
    });
  }
  return undefined;
}
