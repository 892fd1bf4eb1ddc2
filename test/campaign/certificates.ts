import { Authority } from '../fakes/http-certificates.ts';

/** The name in the certificates, which the daemon asks for. */
export const TLS_NAME = 'localhost';

/** Paths of PEM files. */
interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What a receiver can show, all of one authority. */
export interface Certificates {
  readonly authority: Buffer;
  readonly current: KeyPair;
  /** Expired yesterday. */
  readonly expired: KeyPair;
}

/** Two authorities, which take turns when a certificate is rotated. Made once a process: openssl takes a moment. */
export function certificates(): readonly [Certificates, Certificates] {
  made ??= [issued(), issued()];
  return made;
}

let made: readonly [Certificates, Certificates] | undefined;

function issued(): Certificates {
  const authority = new Authority();
  process.once('exit', () => authority.remove());
  return {
    authority: authority.ca,
    current: authority.issue(TLS_NAME),
    expired: authority.issue(TLS_NAME, -1),
  };
}
