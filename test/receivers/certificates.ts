import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  /** For `collector.lab` and 127.0.0.1, from an authority below the trusted one, whose own certificate is not sent along. */
  readonly orphan: KeyPair;
  /** For `collector.lab` and 127.0.0.1, signed with `client`, which is no authority, and sent with it. */
  readonly forged: KeyPair;
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
  const server = 'DNS:collector.lab,IP:127.0.0.1';
  const client = sign(authority, path('client'), 'sender.lab', 'DNS:sender.lab');
  const below = sign(authority, path('below'), 'Lab CA 2', 'DNS:ca.lab', { basicConstraints: 'critical,CA:TRUE' });
  const forged = sign(client, path('forged'), 'collector.lab', server);
  appendFileSync(forged.cert, readFileSync(client.cert));
  return {
    ca: authority.cert,
    server: sign(authority, path('server'), 'collector.lab', server),
    client,
    wrong: sign(authority, path('wrong'), 'other.lab', 'DNS:other.lab'),
    expired: sign(authority, path('expired'), 'collector.lab', server, {}, -1),
    orphan: sign(below, path('orphan'), 'collector.lab', server),
    forged,
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

function sign(
  authority: KeyPair,
  stem: string,
  name: string,
  altNames: string,
  extensions: Readonly<Record<string, string>> = { extendedKeyUsage: 'serverAuth,clientAuth' },
  days = 30,
): KeyPair {
  const pair = { cert: `${stem}.pem`, key: `${stem}.key` };
  openssl('req', '-new', ...newKey(pair.key), '-subj', `/CN=${name}`, '-out', `${stem}.csr`);
  const lines = Object.entries({ subjectAltName: altNames, ...extensions }).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(`${stem}.ext`, lines.join(''));
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
