import { readFileSync } from 'node:fs';
import { ForwarderError } from './errors.ts';

/**
 * A secret from the config. It prints as `***` wherever it is printed, logged or turned into JSON; only `read()` tells it.
 */
export class Secret {
  readonly #file: string | undefined;
  #value: string;

  private constructor(value: string, file: string | undefined) {
    this.#value = value;
    this.#file = file;
  }

  static of(value: string): Secret {
    return new Secret(value, undefined);
  }

  /** The content of a file less one trailing newline. Throws a `ForwarderError` `SECRET_UNREADABLE` when it cannot be read or is empty. */
  static fromFile(path: string): Secret {
    return new Secret(readSecretFile(path), path);
  }

  read(): string {
    return this.#value;
  }

  /**
   * To be called when the other side has refused the secret: reads the file again, if it came from one.
   * Returns true when the value has changed, so that another try is worth it. A file that cannot be read now changes nothing.
   */
  refresh(): boolean {
    if (this.#file === undefined) return false;
    let value: string;
    try {
      value = readSecretFile(this.#file);
    } catch {
      return false;
    }
    const changed = value !== this.#value;
    this.#value = value;
    return changed;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***';
  }
}

function readSecretFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ForwarderError(`the secret file ${path} cannot be read`, { code: 'SECRET_UNREADABLE', cause });
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new ForwarderError(`the secret file ${path} is empty`, { code: 'SECRET_UNREADABLE' });
  return value;
}
