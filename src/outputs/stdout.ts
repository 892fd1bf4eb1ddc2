import type { Writable } from 'node:stream';
import { z } from 'zod';
import { codeOf } from '../errors.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Rendered } from '../formats/format.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

const options = z.strictObject({});

/** For trying things out, and for a supervisor that collects what its children print. */
export const stdout = defineOutput({
  type: 'stdout',
  summary: 'Prints events to standard output, one on each line.',
  options,
  defaultFormat: 'json',
  accepted: () => 'written to standard output',
  // What a pipe has taken is lost with the process that should have read it.
  lossless: () => false,
  target: () => 'standard output',
  create: (_options, context) => new Stdout(context),
});

class Stdout implements Output {
  readonly #context: OutputContext;

  constructor(context: OutputContext) {
    this.#context = context;
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const rendered = events.map((event) => this.preview(event));
    await write(this.#context.stdout, rendered.map(({ text }) => `${text}\n`).join(''), signal);
    return { rejected: [], shortened: rendered.filter(({ shortened }) => shortened).length };
  }

  preview(event: ForwarderEvent): Rendered {
    return this.#context.format.render(event);
  }

  async probe(): Promise<string> {
    const { stdout } = this.#context;
    if (!stdout.writable) throw closed(stdout.errored);
    return 'standard output is open';
  }

  /** Standard output is the process's own: it stays open. */
  async close(): Promise<void> {}
}

/**
 * Resolves when the operating system has taken the text. A reader that is slow holds this back, which is what a pipe is for: no
 * time limit, only the signal ends it. What was queued before an abort is printed all the same.
 */
async function write(stream: Writable, text: string, signal: AbortSignal): Promise<void> {
  if (!stream.writable) throw closed(stream.errored);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  // A stream tells an error twice, to the callback and as an event, and an event that nobody listens to ends the process.
  const onError = (error: Error) => reject(closed(error));
  stream.once('error', onError);
  stream.write(text, (error) => {
    if (error) return onError(error);
    stream.off('error', onError);
    resolve();
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function closed(error: unknown): OutputError {
  return new OutputError(`standard output cannot be written (${codeOf(error) ?? 'closed'})`, {
    reason: 'io',
    disposition: 'halt',
    hint: 'The program that read it has ended: start both again.',
    cause: error,
  });
}
