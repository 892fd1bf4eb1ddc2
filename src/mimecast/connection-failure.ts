/** Why there was no whole answer: what undici, TLS, DNS and the kernel throw, told for an operator. Pure. */
import { errors } from 'undici';
import { codeOf, messageOf } from '../errors.ts';
import { formatDuration } from '../options.ts';
import { MimecastError } from './errors.ts';

export interface Attempt {
  /** `POST /oauth/token at api.services.mimecast.com`. */
  readonly what: string;
  readonly requestId: string | undefined;
  readonly timeoutMs: number;
  /** True when the deadline over the whole exchange had passed. */
  readonly timedOut: boolean;
}

const CHECK_THE_WAY =
  'Check mimecast.baseUrl, DNS, the firewall and the proxy (mimecast.proxy, or HTTPS_PROXY and NO_PROXY). It is tried again by itself.';

const CERTIFICATE_HINT =
  'Check that mimecast.baseUrl names the right host. If a proxy on the way inspects TLS, put its CA certificate into a file and name that in mimecast.caFile.';

/** Certificates that do not fit, by the codes of OpenSSL and Node. Waiting does not cure them. */
const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY|UND_ERR_PRX_TLS/;

export function connectionFailure(thrown: unknown, attempt: Attempt): MimecastError {
  if (thrown instanceof UnusableBody) return unusable(thrown, attempt);
  const code = codeOf(thrown) ?? '';
  if (attempt.timedOut || code.endsWith('_TIMEOUT') || code === 'ETIMEDOUT') return timeout(attempt);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return unusable(tooLarge(), attempt);
  if (thrown instanceof errors.HTTPParserError) return notHttp(attempt);
  if (CERTIFICATE.test(code)) return untrusted(thrown, attempt);
  const refusedByProxy = /Proxy response \((\d{3})\)/.exec(messageOf(thrown))?.[1];
  if (refusedByProxy !== undefined) return stoppedByProxy(refusedByProxy, attempt);
  return new MimecastError(`${attempt.what} did not get through: ${messageOf(thrown)}`, {
    code: 'MIMECAST_UNREACHABLE',
    reason: 'network',
    retryable: true,
    hint: CHECK_THE_WAY,
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

export function tooLarge(): UnusableBody {
  return new UnusableBody(
    'brought an answer larger than 64 MiB, which was not read to its end',
    'MIMECAST_ANSWER_TOO_LARGE',
    'Lower pageSize of the feed.',
  );
}

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

function untrusted(cause: unknown, { what, requestId }: Attempt): MimecastError {
  return new MimecastError(`${what} was not sent, the certificate is not trusted: ${messageOf(cause)}`, {
    code: 'MIMECAST_CERTIFICATE',
    reason: 'network',
    retryable: false,
    hint: CERTIFICATE_HINT,
    requestId,
    cause,
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
