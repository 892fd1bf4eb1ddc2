/**
 * How messages are told apart on a stream: by a count of octets before each (RFC 6587 §3.4.1, RFC 5425 §4.3), or by a line
 * feed after each (RFC 6587 §3.4.2). Never both on one connection: syslog-ng closes it at the first frame of the other kind
 * and drops what follows.
 */
export type Framing = 'octet-counting' | 'newline';

/**
 * A batch as the bytes of a stream, in one buffer: one allocation and one system call a batch.
 * Counts are of octets, not of UTF-16 units: `ü` is one unit and two octets.
 */
export function frameAll(messages: readonly string[], framing: Framing): Buffer {
  return framing === 'newline' ? endWithNewlines(messages) : countOctets(messages);
}

/** Room for a count and its space: ten digits are the most that syslog-ng reads. */
const COUNT_ROOM = 11;

/**
 * Each message is encoded once, into its place, and its count is put before it afterwards: to measure it first takes as long as to
 * write it (2.3 us of 36 for each event).
 */
function countOctets(messages: readonly string[]): Buffer {
  // A UTF-16 unit takes three octets at most.
  const bytes = Buffer.allocUnsafe(messages.reduce((total, { length }) => total + COUNT_ROOM + 3 * length, 0));
  let at = 0;
  for (const message of messages) {
    const size = bytes.write(message, at + COUNT_ROOM);
    const count = `${size} `;
    bytes.write(count, at, 'latin1');
    bytes.copyWithin(at + count.length, at + COUNT_ROOM, at + COUNT_ROOM + size);
    at += count.length + size;
  }
  return bytes.subarray(0, at);
}

function endWithNewlines(messages: readonly string[]): Buffer {
  return Buffer.from(messages.map((message) => `${onOneLine(message)}\n`).join(''));
}

/** Formats promise one line. Should one break its promise, the rest of the text must not become an event of its own. */
function onOneLine(message: string): string {
  return /[\r\n]/.test(message) ? message.replace(/[\r\n]+/g, ' ') : message;
}
