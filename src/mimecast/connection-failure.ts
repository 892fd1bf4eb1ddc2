/** Why there was no whole answer: what undici, TLS, DNS and the kernel throw, told for an operator. Pure. */
import { errors } from 'undici';
import { codeOf, messageOf } from '../errors.ts';
import { formatDuration } from '../options.ts';
import { MimecastError, TOO_LARGE } from './errors.ts';

export interface Attempt {
  /** `POST /oauth/token at api.services.mimecast.com`. */
  readonly what: string;
  readonly requestId: string | undefined;
  readonly timeoutMs: number;
  /** True when the deadline over the whole exchange had passed. */
  readonly timedOut: boolean;
  /** True when what came began as a page does: status 200, and JSON by its header. */
  readonly isJson: boolean;
}

const CHECK_THE_WAY =
  'Check mimecast.baseUrl, DNS, the firewall and the proxy (mimecast.proxy, or HTTPS_PROXY and NO_PROXY). It is tried again by itself.';

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    "Nothing listens at that address: check mimecast.baseUrl, or the proxy (mimecast.proxy, HTTPS_PROXY) if the address is the proxy's.",
  ENOTFOUND:
    "The name is unknown: check the spelling of mimecast.baseUrl and this machine's DNS. Where only a proxy looks names up, set mimecast.proxy.",
  EAI_AGAIN:
    "The name server does not answer: check this machine's DNS. Where only a proxy looks names up, set mimecast.proxy.",
};

const NO_TLS_HINT =
  'Check the port in mimecast.baseUrl, and the proxy: a proxy that is itself reached without TLS has a URL with http://. The simulator is reached by http://.';

const UNTRUSTED_HINT =
  'Check that mimecast.baseUrl names the right host. If a proxy on the way inspects TLS, put its CA certificate into a file and name that in mimecast.caFile.';
const CLOCK_HINT = "Check this machine's clock first; if a proxy on the way inspects TLS, its certificate.";

/** Certificates that do not fit, by the codes of OpenSSL and Node. Waiting does not cure them. */
const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY|UND_ERR_PRX_TLS/;
/** How OpenSSL meets an answer that is not TLS, by the bytes of it. */
const NOT_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST/;

export function connectionFailure(thrown: unknown, attempt: Attempt): MimecastError {
  const code = codeOf(thrown) ?? '';
  if (thrown instanceof TooLarge || code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return tooLarge(attempt);
  if (thrown instanceof UnusableBody) return unusable(thrown, attempt);
  if (attempt.timedOut || code.endsWith('_TIMEOUT') || code === 'ETIMEDOUT') return timeout(attempt);
  if (thrown instanceof errors.HTTPParserError) return notHttp(attempt);
  if (CERTIFICATE.test(code)) return untrusted(thrown, code, attempt);
  if (NOT_TLS.test(code)) return notTls(code, attempt);
  const refusedByProxy = /Proxy response \((\d{3})\)/.exec(messageOf(thrown))?.[1];
  if (refusedByProxy !== undefined) return stoppedByProxy(refusedByProxy, attempt);
  return new MimecastError(`${attempt.what} did not get through: ${messageOf(thrown)}`, {
    code: 'MIMECAST_UNREACHABLE',
    reason: 'network',
    retryable: true,
    hint: HINTS[code] === undefined ? CHECK_THE_WAY : `${HINTS[code]} It is tried again by itself.`,
    requestId: attempt.requestId,
    cause: thrown,
  });
}

/** A body that arrived but is of no use; thrown while it is read, and named by `connectionFailure`. */
class UnusableBody extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(message: string, code: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** An answer that was longer unpacked than any may be. */
export class TooLarge extends Error {}

export function unreadableEncoding(): UnusableBody {
  return new UnusableBody(
    'brought an answer in a content encoding that cannot be read',
    'MIMECAST_UNREADABLE_ENCODING',
    'A proxy on the way may have changed the answer: check the proxy.',
  );
}

function unusable(body: UnusableBody, { what, requestId }: Attempt): MimecastError {
  return new MimecastError(`${what} ${body.message}`, {
    code: body.code,
    reason: 'malformed',
    retryable: false,
    hint: body.hint,
    requestId,
  });
}

/** A page can be asked for in smaller parts. What is no page would be as long again, and is somebody else's. */
function tooLarge({ what, requestId, isJson }: Attempt): MimecastError {
  return new MimecastError(`${what} brought an answer larger than 8 MiB, which was not read to its end`, {
    code: isJson ? TOO_LARGE : 'MIMECAST_ENDLESS_ANSWER',
    reason: 'malformed',
    retryable: false,
    hint: isJson
      ? 'It is asked for again in smaller pages by itself. A lower feeds[].pageSize spares the tries.'
      : 'It is no page of the API: something between this machine and Mimecast may have answered instead. Check mimecast.baseUrl and the proxy.',
    requestId,
  });
}

function timeout({ what, requestId, timeoutMs }: Attempt): MimecastError {
  return new MimecastError(`${what} was not answered in full within ${formatDuration(timeoutMs)}`, {
    code: 'MIMECAST_TIMEOUT',
    reason: 'timeout',
    retryable: true,
    hint: `${CHECK_THE_WAY} If Mimecast is merely slow, raise mimecast.requestTimeout or lower pageSize of the feed.`,
    requestId,
  });
}

/** The parser's error carries the bytes that it stumbled over, so it is not kept as a cause. */
function notHttp({ what, requestId }: Attempt): MimecastError {
  return new MimecastError(`${what} was answered with something that is not HTTP`, {
    code: 'MIMECAST_NOT_HTTP',
    reason: 'malformed',
    retryable: true,
    hint: CHECK_THE_WAY,
    requestId,
  });
}

/** OpenSSL's own words are thread ids and source lines, so only its code is kept. */
function notTls(code: string, { what, requestId }: Attempt): MimecastError {
  return new MimecastError(`${what} was not sent: what answers there does not speak TLS (${code})`, {
    code: 'MIMECAST_NO_TLS',
    reason: 'network',
    // A proxy that is being restarted can look like this too.
    retryable: true,
    hint: NO_TLS_HINT,
    requestId,
  });
}

function untrusted(cause: unknown, code: string, { what, requestId }: Attempt): MimecastError {
  const isAboutTime = code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID';
  // Node adds advice on its own command line, which nobody types here.
  const [fault] = messageOf(cause).split('; if the root CA');
  return new MimecastError(`${what} was not sent, the certificate is not trusted: ${fault}`, {
    code: 'MIMECAST_CERTIFICATE',
    reason: 'network',
    retryable: false,
    hint: isAboutTime ? CLOCK_HINT : UNTRUSTED_HINT,
    requestId,
  });
}

function stoppedByProxy(status: string, { what, requestId }: Attempt): MimecastError {
  const wantsLogin = status === '407';
  return new MimecastError(`${what} was not let through: the proxy answered ${status}`, {
    code: wantsLogin ? 'MIMECAST_PROXY_AUTHENTICATION' : 'MIMECAST_PROXY_REFUSED',
    reason: 'network',
    retryable: !wantsLogin,
    hint: wantsLogin
      ? 'The proxy wants a user name and a password: put them into the URL of mimecast.proxy.'
      : 'Let the proxy allow CONNECT to the Mimecast host, or set mimecast.proxy to another one.',
    requestId,
  });
}
