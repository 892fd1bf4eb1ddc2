/** What Mimecast's statuses and error codes mean, and what the operator can do about each. Tables only. */
import type { MimecastErrorReason } from './errors.ts';

export interface Refusal {
  readonly code: string;
  readonly reason: MimecastErrorReason;
  readonly retryable: boolean;
  /** Follows the name of the request in a sentence. */
  readonly says: string;
  readonly hint: string;
}

const UNAUTHORIZED: Refusal = {
  code: 'MIMECAST_UNAUTHORIZED',
  reason: 'auth',
  retryable: false,
  says: 'was refused as not authenticated',
  hint: 'Check the credentials in mimecast.auth and that mimecast.baseUrl is the host of your region: keys of another region are unknown there.',
};

/** The gateway of API 2.0 is known to say these now and then about a token that is good, so the next poll may well succeed. */
const TOKEN_NOT_ACCEPTED: Refusal = {
  code: 'MIMECAST_TOKEN_REFUSED',
  reason: 'auth',
  retryable: true,
  says: 'was refused with a token that Mimecast had just issued',
  hint: 'If it lasts, check that the API 2.0 application still exists and is enabled, and that mimecast.baseUrl is the host of your region.',
};

export const TOKEN_REFUSAL: Refusal = {
  code: 'MIMECAST_CREDENTIALS_REFUSED',
  reason: 'auth',
  retryable: false,
  says: 'was refused: the client id or the client secret is wrong',
  hint: 'Check mimecast.auth.clientId and clientSecret against the application in the Integrations Hub of the Mimecast console, and that mimecast.baseUrl is the host of your region: another one does not know them. A clientSecretFile is read again at the next try.',
};

const BINDING_EXPIRED: Refusal = {
  code: 'MIMECAST_BINDING_EXPIRED',
  reason: 'auth',
  retryable: false,
  says: 'was refused: the access key has expired',
  hint: "Create new keys for the API 1.0 application and set the Authentication Cache TTL of the service user's authentication profile to Never Expires.",
};

const SIGNATURE: Refusal = {
  code: 'MIMECAST_SIGNATURE_REFUSED',
  reason: 'auth',
  retryable: false,
  says: 'was refused: the signature does not match',
  hint: "Check accessKey, secretKey (base64, whole), applicationId and applicationKey, and this machine's clock: the signed date must be close to Mimecast's.",
};

const APPLICATION_KEY: Refusal = {
  code: 'MIMECAST_APPLICATION_REFUSED',
  reason: 'auth',
  retryable: false,
  says: 'was refused: the application is not known',
  hint: 'Check mimecast.auth.applicationId and applicationKey, and that mimecast.baseUrl is the host of your region.',
};

const PRODUCT_MISSING: Refusal = {
  code: 'MIMECAST_APP_FORBIDDEN',
  reason: 'forbidden',
  retryable: false,
  says: 'was refused: no product of the API application covers it',
  hint: 'The application needs the product Security Events. Products cannot be changed once saved: create a new application and use its client id and secret.',
};

const FORBIDDEN: Refusal = {
  code: 'MIMECAST_FORBIDDEN',
  reason: 'forbidden',
  retryable: false,
  says: 'was forbidden',
  hint: "Give the application's role the permission of the feed (attachment logs: Monitoring | Attachment Protection | Read), and check that the application has the product Security Events.",
};

const WRONG_REGION: Refusal = {
  code: 'MIMECAST_WRONG_REGION',
  reason: 'forbidden',
  retryable: false,
  says: 'was refused: the account lives in another region',
  hint: 'Set mimecast.baseUrl to the host of the region that your account lives in.',
};

const NOT_FOUND: Refusal = {
  code: 'MIMECAST_NOT_FOUND',
  reason: 'bad_request',
  retryable: false,
  says: 'was not found',
  hint: 'Check mimecast.baseUrl: it must be an API host such as https://api.services.mimecast.com, and that of API 1.0 for hmac keys.',
};

const BAD_REQUEST: Refusal = {
  code: 'MIMECAST_BAD_REQUEST',
  reason: 'bad_request',
  retryable: false,
  says: 'was refused',
  hint: 'A page token that has expired is dropped by itself. Otherwise check pageSize and maxWindow of the feed.',
};

const RATE_LIMITED: Refusal = {
  code: 'MIMECAST_RATE_LIMITED',
  reason: 'rate_limited',
  retryable: true,
  says: 'exceeded the quota',
  hint: 'It goes on by itself. If it lasts, lower mimecast.requestsPerMinute, or find out what else uses the same API application.',
};

const SERVER: Refusal = {
  code: 'MIMECAST_SERVER_ERROR',
  reason: 'server',
  retryable: true,
  says: 'failed on the side of Mimecast',
  hint: "It is tried again by itself. If it lasts, look at Mimecast's service status.",
};

const PROXY_AUTHENTICATION: Refusal = {
  code: 'MIMECAST_PROXY_AUTHENTICATION',
  reason: 'network',
  retryable: false,
  says: 'was stopped by the proxy',
  hint: 'The proxy wants a user name and a password: put them into the URL of mimecast.proxy.',
};

const REDIRECTED: Refusal = {
  code: 'MIMECAST_REDIRECTED',
  reason: 'malformed',
  retryable: false,
  says: 'was redirected, which is not followed so that credentials go nowhere else',
  hint: 'mimecast.baseUrl names a host that is not the API, or a proxy wants a login: set it to the host of your region.',
};

const UNEXPECTED: Refusal = {
  code: 'MIMECAST_UNEXPECTED_STATUS',
  reason: 'malformed',
  retryable: true,
  says: 'was answered with a status that the API does not use',
  hint: 'Something between this machine and Mimecast may have answered instead: check mimecast.baseUrl and the proxy.',
};

/** Codes that were seen in answers, in lower case. What is not here is judged by its status. */
const BY_CODE: Readonly<Record<string, Refusal>> = {
  invalidclientidentifier: TOKEN_REFUSAL,
  invalid_client: TOKEN_REFUSAL,
  token_expired: TOKEN_NOT_ACCEPTED,
  token_verification_failed: TOKEN_NOT_ACCEPTED,
  'unauthorized request': TOKEN_NOT_ACCEPTED,
  unauthorized: UNAUTHORIZED,
  err_xdk_binding_expired: BINDING_EXPIRED,
  err_xdk_invalid_signature: SIGNATURE,
  err_developer_key: APPLICATION_KEY,
  app_forbidden: PRODUCT_MISSING,
  err_xdk_forbidden: FORBIDDEN,
  err_xdk_client_unauthorized: FORBIDDEN,
  err_xdk_operation_forbidden_for_address: FORBIDDEN,
  err_audit_log_incorrect_region: WRONG_REGION,
};

const BY_STATUS: Readonly<Record<number, Refusal>> = {
  // A `fail` list in an answer that is otherwise good.
  200: BAD_REQUEST,
  401: UNAUTHORIZED,
  403: FORBIDDEN,
  404: NOT_FOUND,
  // We always send the right method, so a 405 is the service's doing; healthy ones were seen to answer so at random.
  405: SERVER,
  407: PROXY_AUTHENTICATION,
  408: SERVER,
  418: BINDING_EXPIRED,
  429: RATE_LIMITED,
};

export function refusalOfCode(code: string | undefined): Refusal | undefined {
  const key = code?.trim().toLowerCase();
  return key !== undefined && Object.hasOwn(BY_CODE, key) ? BY_CODE[key] : undefined;
}

export function refusalOfStatus(status: number): Refusal {
  const exact = BY_STATUS[status];
  if (exact !== undefined) return exact;
  if (status >= 500 && status <= 599) return SERVER;
  if (status >= 400 && status <= 499) return BAD_REQUEST;
  if (status >= 300 && status <= 399) return REDIRECTED;
  return UNEXPECTED;
}
