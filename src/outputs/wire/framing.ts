/**
 * How messages are told apart on a stream: by a count of octets before each (RFC 6587 §3.4.1, RFC 5425 §4.3), or by a line
 * feed after each (RFC 6587 §3.4.2). Never both on one connection: syslog-ng closes it at the first frame of the other kind
 * and drops what follows.
 */
import type { Line } from '../../formats/format.ts';
import type { Message, Messages } from './wire.ts';

export type Framing = 'octet-counting' | 'newline';

/** What a message of a usual record takes; memory that is not written to costs nothing. */
const USUAL_BYTES = 1500;

/**
 * A batch as the bytes of a stream, in one buffer: one system call a batch.
 * Counts are of octets, not of UTF-16 units: `ü` is one unit and two octets.
 */
export function frameAll(messages: Messages, framing: Framing): Buffer {
  const put = framing === 'newline' ? putWithNewline : putCounted;
  let bytes: Buffer = Buffer.allocUnsafe(messages.length * USUAL_BYTES);
  let at = 0;
  for (const message of messages) {
    const line = lineOf(message);
    const room = roomFor(line);
    if (at + room > bytes.length) bytes = enlarged(bytes, at, room);
    at += put(line, bytes, at);
  }
  return bytes.subarray(0, at);
}

function enlarged(bytes: Buffer, used: number, room: number): Buffer {
  const larger = Buffer.allocUnsafe(2 * bytes.length + room);
  bytes.copy(larger, 0, 0, used);
  return larger;
}

const NOTHING = Buffer.alloc(0);

/** A message in the two pieces that it is sent in. */
export function lineOf(message: Message): Line {
  return typeof message === 'string' ? { head: message, tail: NOTHING } : message;
}

/** Room for a count and its space, or for a line feed: ten digits are the most that syslog-ng reads. */
const FRAME_ROOM = 11;

/** At least what a line takes in its frame. A UTF-16 unit takes three octets at most. */
function roomFor({ head, tail }: Line): number {
  return FRAME_ROOM + 3 * head.length + tail.length;
}

/**
 * To measure a text takes as long as to encode it, so it is encoded behind the count that is right for ASCII, and the count is mended
 * where that was wrong. Returns the octets that the frame has, as `putWithNewline` does.
 */
function putCounted({ head, tail }: Line, bytes: Buffer, at: number): number {
  const guess = `${head.length + tail.length} `;
  const headSize = bytes.write(guess + head, at) - guess.length;
  const size = headSize + tail.length;
  const count = headSize === head.length ? guess : `${size} `;
  if (count !== guess) {
    if (count.length !== guess.length) {
      bytes.copyWithin(at + count.length, at + guess.length, at + guess.length + headSize);
    }
    bytes.write(count, at, 'latin1');
  }
  bytes.set(tail, at + count.length + headSize);
  return count.length + size;
}

const LINE_FEED = 0x0a;

function putWithNewline({ head, tail }: Line, bytes: Buffer, at: number): number {
  const headSize = bytes.write(onOneLine(head), at);
  const rest = bytesOnOneLine(tail);
  bytes.set(rest, at + headSize);
  const size = headSize + rest.length;
  bytes[at + size] = LINE_FEED;
  return size + 1;
}

/** Formats promise one line. Should one break its promise, the rest of the text must not become an event of its own. */
function onOneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
}

function bytesOnOneLine(bytes: Buffer): Buffer {
  return bytes.includes('\n') || bytes.includes('\r')
    ? Buffer.from(onOneLine(bytes.toString('latin1')), 'latin1')
    : bytes;
}
