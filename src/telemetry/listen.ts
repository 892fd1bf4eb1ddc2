import { ForwarderError, UsageError } from '../errors.ts';

export interface ListenAddress {
  /** Undefined: all addresses of the machine. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464` and `:9464`. Throws a `UsageError` on anything else. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new UsageError(
      `cannot listen on ${JSON.stringify(text)}`,
      'Write host:port, such as 127.0.0.1:9464 or [::1]:9464.',
    );
  }
  return { host: match[1] ?? (match[2] || undefined), port };
}

/** Says of a failed `listen` what can be done about it. */
export function listenFailure(error: Error & { readonly code?: string }, listen: string): ForwarderError {
  return new ForwarderError(`cannot serve status and metrics on ${listen}`, {
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
