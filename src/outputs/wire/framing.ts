/**
 * How messages are told apart on a stream: by a count of octets before each (RFC 6587 §3.4.1, RFC 5425 §4.3), or by a line
 * feed after each (RFC 6587 §3.4.2). Never both on one connection: syslog-ng closes it at the first frame of the other kind
 * and drops what follows.
 */
export type Framing = 'octet-counting' | 'newline';

/**
 * A batch as the bytes of a stream, in one buffer of the exact size: one allocation and one system call a batch.
 * Counts are of octets, not of UTF-16 units: `ü` is one unit and two octets.
 */
export function frameAll(messages: readonly string[], framing: Framing): Buffer {
  return framing === 'newline' ? endWithNewlines(messages) : countOctets(messages);
}

function countOctets(messages: readonly string[]): Buffer {
  const sizes = messages.map((message) => Buffer.byteLength(message));
  const bytes = Buffer.allocUnsafe(sizes.reduce((total, size) => total + String(size).length + 1 + size, 0));
  let at = 0;
  messages.forEach((message, index) => {
    at += bytes.write(`${sizes[index]} `, at, 'latin1');
    at += bytes.write(message, at);
  });
  return bytes;
}

function endWithNewlines(messages: readonly string[]): Buffer {
  return Buffer.from(messages.map((message) => `${onOneLine(message)}\n`).join(''));
}

/** Formats promise one line. Should one break its promise, the rest of the text must not become an event of its own. */
function onOneLine(message: string): string {
  return /[\r\n]/.test(message) ? message.replace(/[\r\n]+/g, ' ') : message;
}
