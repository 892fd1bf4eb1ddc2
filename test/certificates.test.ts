import { X509Certificate } from 'node:crypto';
import { appendFileSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Certificates, type CertificateValidity } from '../src/certificates.ts';
import { temporaryFolder } from './deliver/delivering.ts';
import { Authority, type Pair } from './fakes/http-certificates.ts';

const authority = new Authority();
const short = authority.issue('short', 5);
const long = authority.issue('long', 90);
const ended = authority.issue('ended', -1);

afterAll(() => authority.remove());

/** What should be known of a certificate, from the openssl command's own words. */
function validityOf({ cert }: Pick<Pair, 'cert'>): Omit<CertificateValidity, 'certificate'> {
  const { validFrom, validTo } = new X509Certificate(cert);
  return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) };
}

/** A file that holds these, in this order. */
function bundle(...pairs: readonly Pick<Pair, 'cert'>[]): string {
  const file = join(temporaryFolder(), 'bundle.pem');
  writeFileSync(file, pairs.map(({ cert }) => `# a note, as bundles have them\n${cert}`).join('\n'));
  return file;
}

describe('certificates in files', () => {
  it('are none where none is configured', () => {
    expect(new Certificates().validities()).toEqual([]);
  });

  it('are our own, the first of its chain, and the authority that ends first', () => {
    const certificates = new Certificates({ certFile: bundle(long, short), caFile: bundle(long, short) });
    expect(certificates.validities()).toEqual([
      { certificate: 'client', ...validityOf(long) },
      { certificate: 'ca', ...validityOf(short) },
    ]);
  });

  it('count no authority that has ended beside one that has not', () => {
    const certificates = new Certificates({ caFile: bundle(ended, short, long) });
    expect(certificates.validities()).toEqual([{ certificate: 'ca', ...validityOf(short) }]);
    expect(new Certificates({ caFile: ended.certFile }).validities()).toEqual([
      { certificate: 'ca', ...validityOf(ended) },
    ]);
  });

  it('are read again when the file has changed', () => {
    const certFile = bundle(short);
    const certificates = new Certificates({ certFile });
    expect(certificates.validities()).toEqual([{ certificate: 'client', ...validityOf(short) }]);
    rmSync(certFile);
    expect(certificates.validities()).toEqual([]);
    copyFileSync(long.certFile, certFile);
    expect(certificates.validities()).toEqual([{ certificate: 'client', ...validityOf(long) }]);
  });

  it('that cannot be parsed are left out', () => {
    const caFile = bundle({ cert: Buffer.from('-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----') });
    const certificates = new Certificates({ caFile, certFile: '/nowhere/at.all' });
    expect(certificates.validities()).toEqual([]);
    appendFileSync(caFile, `\n${long.cert}`);
    expect(certificates.validities()).toEqual([{ certificate: 'ca', ...validityOf(long) }]);
  });
});
