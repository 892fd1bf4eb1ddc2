import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** How long a certificate is good that connections rest on. Times are ms since 1970. */
export interface CertificateValidity {
  /**
   * `receiver`: what the other side showed in the last full handshake that was good · `client`: our own · `ca`: of the authorities in a
   * file that the config names, the first to end.
   */
  readonly certificate: 'receiver' | 'client' | 'ca';
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Paths of PEM files. */
export interface CertificatePaths {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
}

type Validity = Omit<CertificateValidity, 'certificate'>;

/** The certificates that the connections to one other side rest on: what it has shown, and what the configured files hold. */
export class Certificates {
  readonly #authorities: PemFile | undefined;
  readonly #client: PemFile | undefined;
  #shown: Validity | undefined;

  /** No I/O. */
  constructor({ caFile, certFile }: CertificatePaths = {}) {
    this.#authorities = caFile === undefined ? undefined : new PemFile(caFile);
    this.#client = certFile === undefined ? undefined : new PemFile(certFile);
  }

  /** To be called when the other side has shown a certificate that was found good. */
  shown({ valid_from, valid_to }: Pick<PeerCertificate, 'valid_from' | 'valid_to'>): void {
    this.#shown = validityOf(valid_from, valid_to);
  }

  /**
   * An option of `tls.connect`: Node's own check of the name, and what passes it was `shown`. Node asks only after the chain was found
   * good, and never in a resumed session, in which no certificate is sent.
   */
  readonly checkServerIdentity = (host: string, certificate: PeerCertificate): Error | undefined => {
    const refusal = checkServerIdentity(host, certificate);
    if (refusal === undefined) this.shown(certificate);
    return refusal;
  };

  /** Reads files that have changed. What cannot be read or parsed is left out: the connection that needs it says so. */
  validities(): CertificateValidity[] {
    // Of a chain, the first is our own (RFC 8446 §4.4.2): the others may be old ones that nobody looks at any more.
    const client = this.#client?.read()[0];
    const authority = firstToEnd(this.#authorities?.read() ?? [], Date.now());
    return [
      ...(this.#shown ? [{ certificate: 'receiver', ...this.#shown } as const] : []),
      ...(client ? [{ certificate: 'client', ...client } as const] : []),
      ...(authority ? [{ certificate: 'ca', ...authority } as const] : []),
    ];
  }
}

/**
 * The next to end; of those that have all ended, the last. One that has ended beside others that have not is what a change of
 * authorities leaves behind: nothing rests on it.
 */
function firstToEnd(validities: readonly Validity[], now: number): Validity | undefined {
  const byEnd = validities.toSorted((a, b) => a.notAfter - b.notAfter);
  return byEnd.find(({ notAfter }) => notAfter > now) ?? byEnd.at(-1);
}

/** What a PEM file holds, parsed anew when it has changed. */
class PemFile {
  readonly #path: string;
  #stamp = '';
  #held: readonly Validity[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** In the order of the file; nothing when it cannot be read. */
  read(): readonly Validity[] {
    try {
      const { mtimeMs, ino, size } = statSync(this.#path);
      const stamp = `${mtimeMs}/${ino}/${size}`;
      if (stamp !== this.#stamp) {
        this.#held = parsePem(readFileSync(this.#path, 'latin1'));
        this.#stamp = stamp;
      }
      return this.#held;
    } catch {
      return [];
    }
  }
}

/** OpenSSL's own words for the times. Undefined where they are none: a session without certificates, a time that it cannot read. */
function validityOf(from: string, to: string): Validity | undefined {
  const [notBefore, notAfter] = [Date.parse(from), Date.parse(to)];
  return Number.isNaN(notBefore) || Number.isNaN(notAfter) ? undefined : { notBefore, notAfter };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function parsePem(text: string): Validity[] {
  return (text.match(PEM) ?? []).flatMap((pem) => {
    try {
      const { validFrom, validTo } = new X509Certificate(pem);
      return validityOf(validFrom, validTo) ?? [];
    } catch {
      return [];
    }
  });
}
