import type { Socket } from 'node:net';

/** What a broker has to say of one topic: 4 MiB is metadata of a hundred thousand partitions. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Bytes of the length that goes before each answer, unsigned and big-endian. */
const LENGTH_BYTES = 4;

/**
 * Calls back as soon as the socket announces an answer that is longer than any.
 *
 * The client (kafkajs 2.2.4) keeps whatever comes until the announced length is there, up to 2 GB. Most often the length is none:
 * the first bytes of `HTTP/1.1` read as 1.2 GB, those of a TLS alert as 352 MB.
 */
export function boundAnswers(socket: Socket, onTooLong: () => void): void {
  let length = Buffer.alloc(0);
  let toCome = 0;
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      if (toCome > 0) {
        const step = Math.min(toCome, chunk.length - at);
        toCome -= step;
        at += step;
        continue;
      }
      const part = chunk.subarray(at, at + LENGTH_BYTES - length.length);
      at += part.length;
      length = Buffer.concat([length, part]);
      if (length.length < LENGTH_BYTES) return;
      toCome = length.readUInt32BE();
      length = Buffer.alloc(0);
      if (toCome > MAX_ANSWER_BYTES) return onTooLong();
    }
  });
}
