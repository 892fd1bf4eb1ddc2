import { readFileSync, statSync } from 'node:fs';
import { type Dispatcher, EnvHttpProxyAgent, ProxyAgent } from 'undici';
import { Certificates } from '../../certificates.ts';
import { codeOf } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { STRICT_TLS } from '../../tls.ts';
import { OutputError } from '../output.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface ConnectionsOptions {
  /** Longest time to connect, ms. */
  readonly timeout: number;
  /** Default: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, which undici reads by itself. */
  readonly proxy?: Secret | undefined;
  readonly tls?: TlsFiles | undefined;
}

/**
 * The kept-alive connections of one output.
 *
 * Certificates are rotated under a running daemon, by cert-manager or by hand: a file that changed, or a proxy URL that was
 * read again, gives a new set of connections, and the old ones end once their answers are in.
 */
export class Connections {
  readonly certificates: Certificates;
  readonly #options: ConnectionsOptions;
  #open: { readonly dispatcher: Dispatcher; readonly stamp: string; readonly lifetime: AbortController } | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.certificates = new Certificates(options.tls);
  }

  /** What requests go through now. Throws an `OutputError` when a certificate file cannot be read. */
  current(): Dispatcher {
    const stamp = [...stampsOf(this.#options.tls), this.#options.proxy?.read()].join(' ');
    if (this.#open && this.#open.stamp !== stamp) {
      void this.#open.dispatcher.close();
      this.#open = undefined;
    }
    if (!this.#open) {
      const lifetime = new AbortController();
      this.#open = { dispatcher: dispatcherOf(this.#options, this.certificates, lifetime.signal), stamp, lifetime };
    }
    return this.#open.dispatcher;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    // Undici forgets a socket that is still connecting, which would keep the process alive until the connection times out.
    open?.lifetime.abort();
    await open?.dispatcher.destroy();
  }
}

function dispatcherOf(
  { timeout, proxy, tls }: ConnectionsOptions,
  { checkServerIdentity }: Certificates,
  lifetime: AbortSignal,
): Dispatcher {
  // One request after the other: HTTP/2 would bring nothing but a second way to fail.
  // The poster sets one deadline for the whole exchange; undici's own would be a second error for the same thing.
  const agent = { allowH2: false, headersTimeout: 0, bodyTimeout: 0 };
  const socket = { ...STRICT_TLS, timeout, signal: lifetime };
  const connect = { ...socket, ...readTlsFiles(tls), checkServerIdentity };
  // Our client certificate is for the receiver, not for a proxy on the way; nor is it a proxy's certificate that is asked about.
  const proxied = { ...agent, requestTls: connect, proxyTls: socket };
  try {
    return proxy === undefined
      ? new EnvHttpProxyAgent({ ...proxied, connect })
      : new ProxyAgent({ ...proxied, uri: proxy.read() });
  } catch (error) {
    // Node puts the text that is no URL, with the password in it, into its error: that stays here.
    throw new OutputError(`the proxy cannot be used (${codeOf(error) ?? 'no code'})`, {
      reason: 'connect',
      disposition: 'halt',
      hint: 'Check the proxy option of this output, or HTTPS_PROXY and HTTP_PROXY: expected http://host:port.',
    });
  }
}

/** Changes when one of the files does; a Kubernetes secret changes by way of a link, which `stat` follows. */
function stampsOf(files: TlsFiles = {}): string[] {
  return pathsOf(files).map(([option, path]) =>
    readable(option, path, () => {
      const { mtimeMs, ino, size } = statSync(path);
      return `${mtimeMs}/${ino}/${size}`;
    }),
  );
}

function readTlsFiles(files: TlsFiles = {}): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return Object.fromEntries(
    pathsOf(files).map(([option, path]) => [
      option.replace('File', ''),
      readable(option, path, () => readFileSync(path)),
    ]),
  );
}

function pathsOf(files: TlsFiles): [option: string, path: string][] {
  return Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
}

function readable<T>(option: string, path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new OutputError(`tls.${option} ${path} cannot be read (${codeOf(error) ?? 'no code'})`, {
      reason: 'tls',
      disposition: 'halt',
      hint: 'Check the path, and that the user of this process may read the file.',
    });
  }
}
