import fc from 'fast-check';
import { vi } from 'vitest';

/**
 * How much is tried. In the suite as many inputs as a test says, for two seconds at most; `FUZZ_RUNS=100000` tries so many, however
 * long it takes. A failure prints its seed and the input.
 */
const ASKED = process.env.FUZZ_RUNS;
const MOST_MS = 2000;

if (ASKED !== undefined) vi.setConfig({ testTimeout: 3_600_000 });

function limits(runs: number): fc.Parameters<unknown> {
  return ASKED === undefined ? { numRuns: runs, interruptAfterTimeLimit: MOST_MS } : { numRuns: Number(ASKED) };
}

export function fuzz<Values extends [unknown, ...unknown[]]>(
  property: fc.IPropertyWithHooks<Values>,
  runs = 400,
): void {
  fc.assert(property, limits(runs));
}

export async function fuzzAsync<Values extends [unknown, ...unknown[]]>(
  property: fc.IAsyncPropertyWithHooks<Values>,
  runs = 400,
): Promise<void> {
  await fc.assert(property, limits(runs));
}

/** One of the texts, damaged: parts cut out, doubled, exchanged for garbage or for a piece of another one. */
export function damaged(texts: readonly (string | Buffer)[]): fc.Arbitrary<Buffer> {
  const seeds = texts.map((text) => Buffer.from(text));
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(...TROUBLE).map((text) => Buffer.from(text)),
    fc.tuple(fc.constantFrom(...seeds), place, fc.nat(40)).map(([seed, at, length]) => slice(seed, at, length)),
  );
  const cut = fc.record({ at: place, length: fc.nat(12), put: garbage });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(cut, { maxLength: 5 })).map(([seed, cuts]) =>
    cuts.reduce((bytes, { at, length, put }) => {
      const from = Math.floor(at * bytes.length);
      return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + length)]);
    }, seed),
  );
}

function slice(seed: Buffer, at: number, length: number): Buffer {
  const from = Math.floor(at * seed.length);
  return seed.subarray(from, from + length);
}

/** What parsers have stumbled over before. */
const TROUBLE = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    'null',
    'true',
    '-1',
    '0',
    '1e999',
    '-0',
    '9007199254740993',
    '1'.repeat(400),
  ],
  ...['"__proto__":', '"constructor":{', '"toString":1', '{"a":'.repeat(40), '['.repeat(3000), '\\ud800', '\\u0000'],
  ...[
    '\r\n',
    '\n',
    '\0',
    '\ufeff',
    '\u2028',
    'ü',
    '😀',
    '<html>',
    '%00',
    ' ',
    '\t',
    '*',
    '&a',
    '!!js/function',
    '<<:',
    '---',
  ],
];
