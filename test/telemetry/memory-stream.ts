import { Writable } from 'node:stream';

/** Keeps what is written, at once: a write that came later than the call would be missing. */
export class MemoryStream extends Writable {
  readonly isTTY: boolean;
  text = '';

  constructor({ isTTY = false } = {}) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  /** The entries of a JSON log. */
  get entries(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line));
  }
}
