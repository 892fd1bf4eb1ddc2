import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { codeOf } from '../../errors.ts';
import { httpOptions } from '../http/options.ts';
import { OutputError } from '../output.ts';

/** The files of a TLS client, as with the HTTP outputs; that they are given at all turns TLS on. */
export const tlsFiles = httpOptions.tls.unwrap().meta({
  description:
    "Speak TLS, with these certificates; `{}` trusts the system's authorities. Files are read again when a connection is made.",
});

export type TlsFiles = z.infer<typeof tlsFiles>;

/** What the files hold now. Throws an `OutputError` when one cannot be read. */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(caFile !== undefined && { ca: read('tls.caFile', caFile) }),
    ...(certFile !== undefined && { cert: read('tls.certFile', certFile) }),
    ...(keyFile !== undefined && { key: read('tls.keyFile', keyFile) }),
  };
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OutputError(`${option} ${path} cannot be read (${codeOf(error) ?? 'no code'})`, {
      reason: 'tls',
      disposition: 'halt',
      hint: 'Check the path, and that the user of this process may read the file.',
    });
  }
}
