import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../src/canonical.ts';

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, shuffled(member)]),
  );
}

describe('canonicalJson', () => {
  it.each([
    ['{"b":1,"a":[{"d":null,"c":true}]}', '{"a":[{"c":true,"d":null}],"b":1}'],
    ['[ ]', '[]'],
    ['{ }', '{}'],
    ['"\\u0041\\/"', '"A/"'],
    ['1e3', '1000'],
    ['{"__proto__":{"b":1,"a":2},"A":1,"a":1,"é":1}', '{"A":1,"__proto__":{"a":2,"b":1},"a":1,"é":1}'],
  ])('writes %s as %s', (text, expected) => {
    expect(canonicalJson(JSON.parse(text))).toBe(expected);
  });

  it('leaves out members that are undefined, as JSON does', () => {
    expect(canonicalJson({ a: undefined, b: 1, c: undefined })).toBe('{"b":1}');
  });

  it('is the same for the same data in any order, and reads back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(shuffled(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('differs for different data', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        const same = JSON.stringify(shuffled(a)) === JSON.stringify(shuffled(b));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(same);
      }),
    );
  });

  it('follows nesting as deep as JSON.parse does', () => {
    const text = `${'{"a":['.repeat(100_000)}${']}'.repeat(100_000)}`;
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  });
});
