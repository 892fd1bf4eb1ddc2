import { parseAnswer, type RelpAnswer, RelpFrameError, RelpFrames } from './relp-frames.ts';

/** What a receiver sends over one connection, brought to the commands that it answers. */
export class RelpAnswers {
  /** Called after each piece that came, and when nothing more will come. */
  onNews: () => void = () => {};
  /** Why nothing more will come, or can be read. */
  failure: Error | undefined;
  /** The first octets that came, to tell what speaks there if it is not RELP. */
  opening: Buffer | undefined;
  readonly #frames = new RelpFrames();
  readonly #expected = new Map<number, (answer: RelpAnswer) => void>();

  /** `onAnswer` is called when the command with this number is answered; what it throws ends the session. */
  expect(txnr: number, onAnswer: (answer: RelpAnswer) => void): void {
    this.#expected.set(txnr, onAnswer);
  }

  /** Takes the next piece of the stream, cut anywhere. */
  take(piece: Buffer): void {
    if (this.failure !== undefined) return;
    this.opening ??= Buffer.from(piece.subarray(0, 2));
    try {
      for (const { txnr, command, data } of this.#frames.push(piece)) {
        if (txnr === 0) takeHint(command);
        else this.#takeAnswer(txnr, command, data);
      }
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
    this.onNews();
  }

  /** To be called when the connection is over. */
  end(cause: Error): void {
    this.failure ??= cause;
    this.onNews();
  }

  #takeAnswer(txnr: number, command: string, data: Buffer): void {
    const onAnswer = this.#expected.get(txnr);
    // An echo, for one, sends our own commands back.
    if (command !== 'rsp' || onAnswer === undefined)
      throw new RelpFrameError('what came answers nothing that was sent');
    this.#expected.delete(txnr);
    onAnswer(parseAnswer(data));
  }
}

/** Hints want no answer, and one that is not known may be ignored. This one comes before the receiver closes the connection. */
function takeHint(command: string): void {
  if (command === 'serverclose') throw new Error('it ended the session');
}
