import type { Secret } from '../../secret.ts';
import { OutputError } from '../output.ts';

/**
 * The secrets that something was sent with: a request, a log-in, the wish for a token. A rotation needs no restart because their
 * files are read again here, whichever way the other side has of saying no: by a status, by a code in the answer, for one event.
 */
export class SentCredentials {
  readonly #sent: ReadonlyMap<Secret, string>;

  /** To be made before the secrets are used: it keeps what they are now. */
  constructor(secrets: Iterable<Secret>) {
    this.#sent = new Map([...secrets].map((secret) => [secret, secret.read()]));
  }

  /** False once one of the secrets holds another value than was sent. Reads no file. */
  get areCurrent(): boolean {
    return [...this.#sent].every(([secret, sent]) => secret.read() === sent);
  }

  /**
   * The error as the dispatcher is to see it. When it says that the credentials were refused (`auth`), their files are read again, and
   * if one holds another secret by now the same batch is worth another try at once. Any other error is given back as it is.
   */
  judge(error: OutputError): OutputError {
    if (error.reason !== 'auth') return error;
    for (const secret of this.#sent.keys()) secret.refresh();
    // Compared with what was sent, not with what `refresh` found before: a send beside this one may have refreshed first.
    if (this.areCurrent) return error;
    return new OutputError(`${error.message}; the credentials have been replaced since`, {
      reason: 'auth',
      disposition: 'retry',
      retryAfterMs: 0,
    });
  }
}
