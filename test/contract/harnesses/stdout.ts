import { Writable } from 'node:stream';
import { type Harness, linesOf } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a pipe takes every text',
    'is busy': 'not applicable: a pipe does not ask to come back',
    'refuses credentials': 'not applicable: a pipe has no credentials',
    'is gone': 'not applicable: a pipe without a reader stays so; tested with the member',
    resets: 'not applicable: a pipe without a reader stays so; tested with the member',
    hangs: 'applies',
    'is half-open': 'not applicable: a pipe is no network',
    'answers hugely': 'not applicable: a pipe does not answer',
  },
  noLimit: 'a reader that is slow holds the output back for as long as it likes',
  credentials: 'not applicable: a pipe has none',
  async start() {
    let text = '';
    let held: (() => void) | undefined;
    let holding = false;
    const stream = new Writable({
      write(chunk, _encoding, done) {
        const take = () => {
          text += chunk;
          done();
        };
        if (holding) held = take;
        else take();
      },
    });
    return {
      options: {},
      context: { stdout: stream },
      received: () => linesOf(text),
      behave(behaviour) {
        holding = behaviour === 'hangs';
        if (holding) return;
        held?.();
        held = undefined;
      },
      async stop() {
        stream.destroy();
      },
    };
  },
};
