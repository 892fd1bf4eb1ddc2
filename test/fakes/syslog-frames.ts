/**
 * Takes a syslog stream apart again, written from RFC 6587 alone, so that it shares no mistake with what it is used to test.
 * Pieces may be cut anywhere.
 */
export class SyslogFrames {
  readonly messages: string[] = [];
  readonly #framing: 'octet-counting' | 'newline';
  /** Digits of a length that is not complete yet. */
  #length = '';
  /** Octets of the message that are still to come; undefined between frames. */
  #missing: number | undefined;
  #pieces: Uint8Array[] = [];

  constructor(framing: 'octet-counting' | 'newline') {
    this.#framing = framing;
  }

  /** True when the stream may end here: no frame has begun. */
  get isBetweenFrames(): boolean {
    return this.#length === '' && this.#missing === undefined && this.#pieces.length === 0;
  }

  push(chunk: Uint8Array): void {
    for (let rest = chunk; rest.length > 0; ) {
      if (this.#framing === 'newline') rest = this.#takeOfLine(rest);
      else if (this.#missing === undefined) rest = this.#takeOfLength(rest);
      else rest = this.#takeOfMessage(rest, this.#missing);
    }
  }

  #takeOfLine(octets: Uint8Array): Uint8Array {
    const end = octets.indexOf(0x0a);
    if (end === -1) {
      this.#pieces.push(octets);
      return octets.subarray(octets.length);
    }
    this.#pieces.push(octets.subarray(0, end));
    this.#complete();
    return octets.subarray(end + 1);
  }

  /** MSG-LEN = NONZERO-DIGIT *DIGIT, then one space. */
  #takeOfLength(octets: Uint8Array): Uint8Array {
    const character = String.fromCharCode(octets[0] ?? 0);
    if (/[0-9]/.test(character)) this.#length += character;
    else if (character === ' ' && /^[1-9]/.test(this.#length)) this.#missing = Number(this.#length);
    else throw new Error(`not an octet count: ${JSON.stringify(this.#length + character)}`);
    return octets.subarray(1);
  }

  #takeOfMessage(octets: Uint8Array, missing: number): Uint8Array {
    const piece = octets.subarray(0, missing);
    this.#pieces.push(piece);
    this.#missing = missing - piece.length;
    if (this.#missing === 0) this.#complete();
    return octets.subarray(piece.length);
  }

  #complete(): void {
    this.messages.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(this.#pieces)));
    this.#pieces = [];
    this.#length = '';
    this.#missing = undefined;
  }
}
