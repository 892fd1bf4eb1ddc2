import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A small world of certificates. All are EC P-256, which openssl makes in milliseconds. */
export interface Certificates {
  /** The authority that everybody trusts. */
  readonly ca: string;
  /** For `collector.lab` and 127.0.0.1. */
  readonly server: KeyPair;
  /** For `sender.lab`. */
  readonly client: KeyPair;
  /** From the same authority, for `other.lab`. */
  readonly wrong: KeyPair;
  /** For `collector.lab` and 127.0.0.1, expired yesterday. */
  readonly expired: KeyPair;
  /** For `collector.lab`, signed by itself. */
  readonly selfSigned: KeyPair;
  /** An authority that nobody trusts, and a `sender.lab` from it. */
  readonly stranger: { readonly ca: string; readonly client: KeyPair };
}

export function makeCertificates(directory: string): Certificates {
  mkdirSync(directory, { recursive: true });
  const path = (name: string) => join(directory, name);
  const authority = selfSign(path('ca'), 'Lab CA', [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign',
  ]);
  const stranger = selfSign(path('stranger-ca'), 'Strange CA', ['basicConstraints=critical,CA:TRUE']);
  return {
    ca: authority.cert,
    server: sign(authority, path('server'), 'collector.lab', 'DNS:collector.lab,IP:127.0.0.1'),
    client: sign(authority, path('client'), 'sender.lab', 'DNS:sender.lab'),
    wrong: sign(authority, path('wrong'), 'other.lab', 'DNS:other.lab'),
    expired: sign(authority, path('expired'), 'collector.lab', 'DNS:collector.lab,IP:127.0.0.1', -1),
    selfSigned: selfSign(path('self-signed'), 'collector.lab', ['subjectAltName=DNS:collector.lab']),
    stranger: { ca: stranger.cert, client: sign(stranger, path('stranger-client'), 'sender.lab', 'DNS:sender.lab') },
  };
}

function selfSign(stem: string, name: string, extensions: readonly string[]): KeyPair {
  const pair = { cert: `${stem}.pem`, key: `${stem}.key` };
  const added = extensions.flatMap((extension) => ['-addext', extension]);
  openssl('req', '-x509', ...newKey(pair.key), '-subj', `/CN=${name}`, '-days', '30', '-out', pair.cert, ...added);
  return pair;
}

function sign(authority: KeyPair, stem: string, name: string, altNames: string, days = 30): KeyPair {
  const pair = { cert: `${stem}.pem`, key: `${stem}.key` };
  openssl('req', '-new', ...newKey(pair.key), '-subj', `/CN=${name}`, '-out', `${stem}.csr`);
  writeFileSync(`${stem}.ext`, `subjectAltName=${altNames}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  const signer = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${stem}.csr`,
    ...signer,
    '-days',
    `${days}`,
    '-extfile',
    `${stem}.ext`,
    '-out',
    pair.cert,
  );
  return pair;
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
