import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';

/** For the options of an output whose receiver understands `Content-Encoding: gzip`. */
export const gzipOption = z
  .boolean()
  .default(true)
  .meta({ description: 'Compress the body (`Content-Encoding: gzip`).' });

/** A body as it goes on the wire, with the header that says so. */
export interface EncodedBody {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Level 1: 500 records of 287 kB become 44 kB, at level 9 still 42 kB and in twice the time (measured on made-up mail). */
export async function encodeBody(plain: string | Buffer, compress: boolean): Promise<EncodedBody> {
  if (!compress) return { body: Buffer.from(plain), headers: {} };
  return { body: await promisify(gzip)(plain, { level: 1 }), headers: { 'content-encoding': 'gzip' } };
}
