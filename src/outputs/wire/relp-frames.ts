/**
 * The frames of RELP, the Reliable Event Logging Protocol, and what stands in those of a receiver. The specification is
 * `doc/relp.md` of librelp:
 *
 *     TXNR SP COMMAND SP DATALEN [SP DATA] LF
 *
 * DATALEN counts octets. Where it is 0, no space follows: librelp ends the session over one.
 */
import { lineOf } from './framing.ts';
import type { Message } from './wire.ts';

export interface RelpFrame {
  /** The number of the command that is answered; 0 for a hint, which answers none. */
  readonly txnr: number;
  readonly command: string;
  readonly data: Buffer;
}

/** Data may hold anything, line feeds included. */
export function encodeFrame(txnr: number, command: string, data: Message = ''): Buffer {
  const { head, tail } = lineOf(data);
  const size = Buffer.byteLength(head) + tail.length;
  const header = `${txnr} ${command} ${size}`;
  return size === 0 ? Buffer.from(`${header}\n`) : Buffer.concat([Buffer.from(`${header} ${head}`), tail, END]);
}

const LINE_FEED = 0x0a;
const END = Buffer.of(LINE_FEED);
const NOTHING = Buffer.alloc(0);

/** What came is no RELP. Shows nothing of it: a receiver may echo what we sent. */
export class RelpFrameError extends Error {}

/** NUMBER = 1*9DIGIT, COMMAND = 1*32ALPHA. */
const HEADER = /^(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})(?=([ \n]))/;
const BEGINNING_OF_HEADER = /^(\d{1,9}( ([A-Za-z]{1,32}( (\d{1,9})?)?)?)?)?$/;
/** The longest header, with the octet that ends it. */
const HEADER_ROOM = 9 + 1 + 32 + 1 + 9 + 1;
/**
 * librelp takes 128 KiB, but has a message to carry; the longest answer that is known, to `open`, has 93 octets. What is not
 * complete is looked at again with every piece, so a low limit also bounds the work that a hostile receiver can cause.
 */
const MOST_DATA = 16 * 1024;

/** Takes a stream apart into frames, wherever it is cut. */
export class RelpFrames {
  /** The beginning of a frame that is not complete yet. */
  #rest: Buffer = NOTHING;

  /**
   * The frames that this piece completes, one by one: those before garbage count. Throws a `RelpFrameError` at what is no frame;
   * nothing can follow it.
   */
  *push(piece: Buffer): Generator<RelpFrame> {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) yield frame;
  }

  #next(): RelpFrame | undefined {
    const header = parseHeader(this.#rest);
    if (header === undefined) return undefined;
    const { txnr, command, start, end } = header;
    if (this.#rest.length <= end) return undefined;
    if (this.#rest[end] !== LINE_FEED) throw new RelpFrameError('a frame does not end where it says');
    const data = this.#rest.subarray(start, end);
    this.#rest = this.#rest.subarray(end + 1);
    return { txnr, command, data };
  }
}

/** `start` and `end`: where the data stands. Undefined while the header is not complete. */
function parseHeader(bytes: Buffer) {
  const text = bytes.toString('latin1', 0, HEADER_ROOM);
  const [header, txnr, command, size, after] = HEADER.exec(text) ?? [];
  if (header === undefined || command === undefined) {
    if (BEGINNING_OF_HEADER.test(text)) return undefined;
    throw new RelpFrameError('what came is no RELP frame');
  }
  const length = Number(size);
  if (length > MOST_DATA) throw new RelpFrameError(`a frame has ${length} octets of data, more than ${MOST_DATA}`);
  if (length > 0 && after !== ' ') throw new RelpFrameError('a frame does not have the data that it announces');
  const start = length === 0 ? header.length : header.length + 1;
  return { txnr: Number(txnr), command, start, end: start + length };
}

/** What a `rsp` says. */
export interface RelpAnswer {
  /** 200 is yes, all else is no; undefined where there is none, as in the answer to `close`. */
  readonly code: number | undefined;
  /** What the receiver offers, by name; in the answer to `open` only. */
  readonly offers: ReadonlyMap<string, readonly string[]>;
}

/** CODE [SP HUMANMSG] [LF offers]. Never throws. The message is left out: it may repeat what we sent. */
export function parseAnswer(data: Buffer): RelpAnswer {
  const [head = '', ...offers] = data.toString('latin1').split('\n');
  const code = /^(\d{3})(?: |$)/.exec(head)?.[1];
  return { code: code === undefined ? undefined : Number(code), offers: new Map(offers.map(parseOffer)) };
}

/** FEATURENAME ["=" VALUE *("," VALUE)] */
function parseOffer(offer: string): [string, readonly string[]] {
  const equals = offer.indexOf('=');
  return equals < 0 ? [offer, []] : [offer.slice(0, equals), offer.slice(equals + 1).split(',')];
}

/** The data of an `open`: each offer after a line feed. */
export function encodeOffers(offers: Readonly<Record<string, string>>): string {
  return Object.entries(offers)
    .map(([name, value]) => `\n${name}=${value}`)
    .join('');
}
