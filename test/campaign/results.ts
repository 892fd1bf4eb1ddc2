import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunResult } from './campaign.ts';

/** A line of a results file. Files are put together by writing one behind the other. */
type Line = RunResult & { readonly build: string };

/** The runs that are on the disk: what a long campaign goes on from after a stop. */
export class Results {
  /** Those of this build, the newest of each seed. */
  readonly bySeed = new Map<string, RunResult>();
  /** How many lines are of other builds; they say nothing about this one. */
  readonly otherBuilds: number;
  readonly #file: string | undefined;
  readonly #build: string;

  /** `file` undefined: nothing is kept. `program`: the program's entry file. */
  constructor(file: string | undefined, program: string, faults: number) {
    this.#file = file;
    this.#build = buildOf(program);
    const text = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '';
    const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
    const own = lines.filter((line) => line.build === this.#build && line.faults === faults);
    for (const line of own) this.bySeed.set(line.seed, line);
    this.otherBuilds = lines.length - own.length;
  }

  /** Was this seed run, without a violation? */
  has(seed: string): boolean {
    return this.bySeed.get(seed)?.violations.length === 0;
  }

  add(result: RunResult): void {
    this.bySeed.set(result.seed, result);
    const line: Line = { ...result, build: this.#build };
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** A short name of a program: of all that is built beside its entry file. */
function buildOf(program: string): string {
  const folder = dirname(program);
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort())
    if (name.endsWith('.js')) hash.update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 12);
}
