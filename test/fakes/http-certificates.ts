import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One certificate and its key: where they are, and what is in them. */
export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** An authority in a temporary folder that issues what a test needs, by way of the openssl command. */
export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'authority-'));
  readonly caFile = join(this.#folder, 'ca.crt');
  #issued = 0;

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      ...this.#newKey('ca'),
      '-out',
      this.caFile,
      '-days',
      '2',
      '-subj',
      '/CN=Test Authority',
    );
  }

  get ca(): Buffer {
    return readFileSync(this.caFile);
  }

  /** A certificate for a host name; `days` may be negative: it has expired then. */
  issue(name: string, days = 2): Pair {
    this.#issued += 1;
    const at = (ending: string) => join(this.#folder, `${this.#issued}.${ending}`);
    this.#openssl(
      'req',
      ...this.#newKey(String(this.#issued)),
      '-out',
      at('csr'),
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
    );
    const signer = ['-CA', this.caFile, '-CAkey', join(this.#folder, 'ca.key'), '-set_serial', String(this.#issued)];
    this.#openssl(
      'x509',
      '-req',
      '-in',
      at('csr'),
      ...signer,
      '-copy_extensions',
      'copy',
      '-days',
      String(days),
      '-out',
      at('crt'),
    );
    return this.#pair(at('crt'), at('key'));
  }

  selfSigned(name: string): Pair {
    this.#issued += 1;
    const certFile = join(this.#folder, `${this.#issued}.crt`);
    this.#openssl(
      'req',
      '-x509',
      ...this.#newKey(String(this.#issued)),
      '-out',
      certFile,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
    );
    return this.#pair(certFile, join(this.#folder, `${this.#issued}.key`));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #newKey(name: string): string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    return [...curve, '-nodes', '-keyout', join(this.#folder, `${name}.key`)];
  }

  #pair(certFile: string, keyFile: string): Pair {
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'ignore' });
  }
}
