/**
 * How messages are told apart on a stream: by a count of octets before each (RFC 6587 §3.4.1, RFC 5425 §4.3), or by a line
 * feed after each (RFC 6587 §3.4.2). Never both on one connection: syslog-ng closes it at the first frame of the other kind
 * and drops what follows.
 */
import type { Line } from '../../formats/format.ts';
import type { Message } from './wire.ts';

export type Framing = 'octet-counting' | 'newline';

/**
 * A batch as the bytes of a stream, in one buffer: one allocation and one system call a batch.
 * Counts are of octets, not of UTF-16 units: `ü` is one unit and two octets.
 */
export function frameAll(messages: readonly Message[], framing: Framing): Buffer {
  const lines = messages.map(lineOf);
  const bytes = Buffer.allocUnsafe(lines.reduce((total, line) => total + roomFor(line), 0));
  const put = framing === 'newline' ? putWithNewline : putCounted;
  let at = 0;
  for (const line of lines) at += put(line, bytes, at);
  return bytes.subarray(0, at);
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
 * The text is encoded once, and moved behind its count afterwards: to measure it first takes as long as to write it. Returns the
 * octets that the frame has, as `putWithNewline` does.
 */
function putCounted({ head, tail }: Line, bytes: Buffer, at: number): number {
  const encoded = at + FRAME_ROOM;
  const headSize = bytes.write(head, encoded);
  const size = headSize + tail.length;
  const countSize = bytes.write(`${size} `, at, 'latin1');
  bytes.copyWithin(at + countSize, encoded, encoded + headSize);
  bytes.set(tail, at + countSize + headSize);
  return countSize + size;
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
