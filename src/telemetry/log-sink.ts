import type { Writable } from 'node:stream';
import { destination as synchronousFile } from 'pino';

/** Where finished lines go. */
export interface LogSink {
  write(line: string): unknown;
}

export type LogDestination = Writable & { readonly isTTY?: boolean; readonly fd?: number };

/** A reader that stalls holds the program up for at most so many waits of 100 ms an entry; then lines are kept for later. */
const WAITS = 10;
/** How much is kept for a reader that stalls, or while the disk is full; what is more is dropped. */
const KEPT_BYTES = 1024 * 1024;

/**
 * A sink that has written a line when `write` returns, so that the last words before an exit are not lost.
 *
 * `process.stderr` does not promise that: when a pipe is full, Node 24 queues the rest and an exit drops it (measured on
 * Linux: up to 459 of 2,000 lines with a slow reader). So a stream with a file descriptor is written to by that.
 */
export function logSink(stream: LogDestination): LogSink {
  // Whoever reads the log may go away (EPIPE). That must not end the daemon, as an 'error' event without a listener would.
  stream.on('error', ignore);
  if (typeof stream.fd !== 'number') return stream;
  let waits = 0;
  const sink = synchronousFile({
    fd: stream.fd,
    sync: true,
    maxLength: KEPT_BYTES,
    retryEAGAIN: () => {
      waits += 1;
      return waits % WAITS !== 0;
    },
  });
  sink.on('error', ignore);
  return sink;
}

function ignore(): void {}
