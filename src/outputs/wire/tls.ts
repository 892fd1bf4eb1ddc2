import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { OutputError } from '../output.ts';

/** `sha-1:` and 20 octets, or `sha-256:` and 32, in hex with colons: RFC 5425 §4.2.2 and its obvious extension. */
const FINGERPRINT = /^(sha-1:([0-9A-F]{2}:){19}|sha-256:([0-9A-F]{2}:){31})[0-9A-F]{2}$/i;

const path = () => z.string().min(1);

export const tlsOptions = z
  .strictObject({
    caFile: path().optional().meta({ description: "PEM file with the authorities to trust, instead of the system's." }),
    certFile: path()
      .optional()
      .meta({ description: 'PEM file with the client certificate, its chain after it. Needs `keyFile`.' }),
    keyFile: path()
      .optional()
      .meta({ description: 'PEM file with the key of the client certificate, without a passphrase.' }),
    servername: z
      .string()
      .min(1)
      .refine((name) => isIP(name) === 0, 'expected a host name, not an IP address (RFC 6066 §3)')
      .optional()
      .meta({ description: "Name to ask for (SNI) and to look for in the receiver's certificate. Default: `host`." }),
    fingerprint: z
      .string()
      .regex(FINGERPRINT, 'expected sha-256: or sha-1: and the fingerprint in hex with colons, such as sha-256:E1:2D:…')
      .transform(canonical)
      .optional()
      .meta({
        description:
          "Fingerprint of the receiver's own certificate (RFC 5425 §4.2.2): `sha-256:E1:2D:…` or `sha-1:E1:2D:…`. With `caFile`, " +
          'chain, name and fingerprint are all checked. Without `caFile`, the fingerprint alone decides: a self-signed ' +
          'certificate is accepted if it matches, whatever its name and its dates, and no other certificate is.',
      }),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .default('TLSv1.2')
      .meta({ description: 'Oldest TLS version to accept.' }),
  })
  .refine((tls) => (tls.certFile === undefined) === (tls.keyFile === undefined), {
    error: 'expected certFile and keyFile together, or neither',
  });

export type TlsOptions = z.infer<typeof tlsOptions>;

/** PEM texts, as they were on disk a moment ago. */
export interface Credentials {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/**
 * Reads the files that the options name. Called for every new connection, so that renewed certificates are taken up without
 * a restart. Throws an `OutputError` when one cannot be read.
 */
export async function readCredentials(tls: TlsOptions): Promise<Credentials> {
  const [ca, cert, key] = await Promise.all([
    readPem('tls.caFile', tls.caFile),
    readPem('tls.certFile', tls.certFile),
    readPem('tls.keyFile', tls.keyFile),
  ]);
  return { ca, cert, key };
}

async function readPem(option: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new OutputError(`${option} cannot be read: ${messageOf(cause)}`, {
      reason: 'tls',
      disposition: 'halt',
      hint: `Check that the file ${file} exists and that this program's user may read it.`,
      cause,
    });
  }
}

/** What `tls.connect` needs besides the address. */
export function connectionOptions(tls: TlsOptions, { ca, cert, key }: Credentials): ConnectionOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
    minVersion: tls.minVersion,
    // False only where the fingerprint stands in for the chain: Node would refuse a self-signed certificate before
    // anybody could look at its fingerprint. `checkFingerprint` then decides, before the first byte of ours.
    rejectUnauthorized: !decidedByFingerprint(tls),
  };
}

/** Throws an `OutputError` unless the receiver's own certificate is the pinned one; does nothing when none is pinned. */
export function checkFingerprint(tls: TlsOptions, socket: TLSSocket, url: string): void {
  if (tls.fingerprint === undefined) return;
  const seen = fingerprintOf(socket.getPeerCertificate(), tls.fingerprint);
  if (seen === tls.fingerprint) return;
  throw new OutputError(`the certificate of ${url} has the fingerprint ${seen}, not that of tls.fingerprint`, {
    reason: 'tls',
    disposition: 'halt',
    hint: "If the receiver's certificate was renewed, ask its owner for the new fingerprint and set tls.fingerprint. If not, something else answers there.",
  });
}

/** `TLSv1.3, certificate CN=collector.lab until 2027-01-01`. */
export function describeSession(socket: TLSSocket): string {
  const certificate = socket.getPeerCertificate();
  const name = certificate.subject?.CN
    ? `CN=${certificate.subject.CN}`
    : (certificate.subjectaltname ?? 'without a name');
  const until = new Date(certificate.valid_to).toISOString().slice(0, 10);
  return `${socket.getProtocol()}, certificate ${name} until ${until}`;
}

/** True where no authority vouches for the receiver: neither the name nor the dates of its certificate count. */
export function decidedByFingerprint(tls: TlsOptions): boolean {
  return tls.fingerprint !== undefined && tls.caFile === undefined;
}

function fingerprintOf(certificate: PeerCertificate, wanted: string): string {
  return wanted.startsWith('sha-1:') ? `sha-1:${certificate.fingerprint}` : `sha-256:${certificate.fingerprint256}`;
}

/** RFC 5425 writes the hash's name in lower case and the octets in upper case, and so does Node for the octets. */
function canonical(fingerprint: string): string {
  const hash = fingerprint.slice(0, fingerprint.indexOf(':'));
  return hash.toLowerCase() + fingerprint.slice(hash.length).toUpperCase();
}
