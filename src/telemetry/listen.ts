import { ForwarderError } from '../errors.ts';

/** Where the HTTP endpoints listen. */
export interface ListenAddress {
  readonly host: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
}

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Says of a failed `listen` what can be done about it. */
export function listenFailure(
  error: Error & { readonly code?: string },
  { host, port }: ListenAddress,
): ForwarderError {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new ForwarderError(`cannot serve status and metrics on ${place}`, {
    code: 'HTTP_LISTEN',
    hint: HINTS[error.code ?? ''] ?? 'Correct http.listen, or set http: false to do without.',
    cause: error,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'Another process listens there already, perhaps another forwarder. Stop it, or choose another port in http.listen.',
  EACCES: 'Ports below 1024 need a privilege. Choose a higher port in http.listen.',
  EADDRNOTAVAIL: 'This machine does not have that address. Correct http.listen.',
  ENOTFOUND: 'That host name is not known here. Write an address in http.listen.',
};
