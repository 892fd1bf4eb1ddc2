import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToCodePoints, LOST_NAMES_BYTES, lostNames, type Part, shorten } from '../../src/formats/shorten.ts';
import { hostileText } from './records.ts';

/** Doubles every quote: an encoding whose length depends on the text. */
const encode = (text: string): string => text.toWellFormed().replaceAll('"', '""');

function part(name: string, text: string, rank = 0, divisible = true): Part {
  return { name, prefix: `;${name}=`, text, divisible, rank };
}

describe('shorten', () => {
  it('leaves alone what fits to the byte', () => {
    const parts = [part('a', 'ü'.repeat(50)), part('b', '"')];
    const bytes = ';a=;b='.length + 100 + 2;
    expect(shorten(parts, bytes, 20, encode)).toEqual({ text: `;a=${'ü'.repeat(50)};b=""`, lost: [] });
    expect(shorten(parts, bytes - 1, 0, encode).lost).toEqual(['a']);
  });

  it('cuts long texts to one length and gives them what short ones leave', () => {
    const parts = [part('a', 'x'.repeat(1000)), part('b', 'y'.repeat(90)), part('c', 'z'.repeat(2000))];
    expect(shorten(parts, 499, 0, encode)).toEqual({
      text: `;a=${'x'.repeat(200)};b=${'y'.repeat(90)};c=${'z'.repeat(200)}`,
      lost: ['a', 'c'],
    });
  });

  it('leaves no room unused while a text is cut', () => {
    const parts = [part('a', 'x'.repeat(300)), part('b', 'y'.repeat(2000))];
    expect(shorten(parts, 406, 0, encode)).toEqual({
      text: `;a=${'x'.repeat(200)};b=${'y'.repeat(200)}`,
      lost: ['a', 'b'],
    });
  });

  it('never cuts a short text or an indivisible one: it is whole or not there', () => {
    const parts = [
      part('hash', 'f'.repeat(80), 1),
      part('json', '1'.repeat(300), 2, false),
      part('free', 'x'.repeat(300), 0),
    ];
    expect(shorten(parts, 200, 0, encode)).toEqual({
      text: `;hash=${'f'.repeat(80)};free=${'x'.repeat(108)}`,
      lost: ['json', 'free'],
    });
    expect(shorten(parts, 80, 0, encode)).toEqual({ text: `;free=${'x'.repeat(74)}`, lost: ['hash', 'json', 'free'] });
  });

  it('leaves out the lowest rank first, and among equals the later', () => {
    const parts = ['a', 'b', 'c', 'd'].map((name, i) => part(name, name.repeat(70), i === 0 ? 1 : 0));
    expect(shorten(parts, 2 * 73, 0, encode)).toEqual({
      text: `;b=${'b'.repeat(70)};c=${'c'.repeat(70)}`,
      lost: ['a', 'd'],
    });
  });

  it('keeps to its room, on code points, for any parts', () => {
    const parts = fc.array(
      fc.tuple(hostileText, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 5 }), fc.boolean()),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(parts, fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 90 }), (drawn, room, markRoom) => {
        const all = drawn.map(([text, times, rank, divisible], i) => {
          const repeated = text.repeat(times).toWellFormed();
          return part(`p${i}`, divisible ? repeated : encode(repeated), rank, divisible);
        });
        const { text, lost } = shorten(all, room, markRoom, encode);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(lost.length > 0 ? Math.max(0, room - markRoom) : room);
        expect(text).not.toMatch(/\p{Surrogate}/u);
        if (!all.some((one) => one.text.includes('\ufffd'))) expect(text).not.toContain('\ufffd');
        for (const one of all) {
          const whole = one.prefix + (one.divisible ? encode(one.text) : one.text);
          if (!lost.includes(one.name)) expect(text).toContain(whole);
        }
      }),
    );
  });
});

describe('cutToCodePoints', () => {
  it.each([
    ['abc', 2, 'ab'],
    ['a😀b', 2, 'a😀'],
    ['😀😀', 1, '😀'],
    ['\ud83dx', 1, '\ud83d'],
    ['abc', 5, 'abc'],
    ['abc', 0, ''],
  ])('cuts %j to %i: %j', (text, count, expected) => {
    expect(cutToCodePoints(text, count)).toBe(expected);
  });
});

describe('lostNames', () => {
  it('lists names once, and everything that does not fit as *', () => {
    expect(lostNames(['details', 'subject', 'details'])).toEqual(['details', 'subject']);
    expect(lostNames(['details', 'x'.repeat(1000), 'a"b', '', 'subject'])).toEqual(['details', 'subject', '*']);
  });

  it('keeps to the room that is reserved for it', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (names) => {
        expect(JSON.stringify(lostNames(names)).length - 2).toBeLessThanOrEqual(LOST_NAMES_BYTES);
      }),
    );
  });
});
