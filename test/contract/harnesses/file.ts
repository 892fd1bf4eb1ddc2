import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Harness, linesOf } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a disk takes every text',
    'is busy': 'not applicable: a disk does not ask to come back',
    'refuses credentials': 'not applicable: a file has no credentials; permissions are tested with the member',
    'is gone': 'not applicable: a file that is missing is made; a path that cannot be is tested with the member',
    resets: 'not applicable: a write that fails half-way is tested with the member, on a full disk',
    hangs: 'not applicable: a write to a disk cannot be called back',
    'is half-open': 'not applicable: a disk is no network',
    'answers hugely': 'not applicable: a disk does not answer',
  },
  credentials: 'not applicable: a file has none',
  async start() {
    const directory = await mkdtemp(join(tmpdir(), 'output-file-'));
    const path = join(directory, 'made', 'by-output.log');
    return {
      options: { path },
      received: () => linesOf(readFileSync(path, 'utf8')),
      behave() {},
      stop: () => rm(directory, { recursive: true }),
    };
  },
};
