import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameAll } from '../../../src/outputs/wire/framing.ts';
import { SyslogFrames } from '../../fakes/syslog-frames.ts';

/** One line of anything that UTF-8 can carry, as formats promise. */
const message = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .map((text) => text.replace(/[\r\n]/g, '') || '<13>1');
const batch = fc.array(message, { maxLength: 20 });
const parts = fc.array(fc.tuple(message, message), { maxLength: 20 });
const cuts = fc.array(fc.nat(400), { maxLength: 10 });

function inPieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => Math.min(place, bytes.length)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

describe.each(['octet-counting', 'newline'] as const)('frames with %s', (framing) => {
  it('are reassembled wherever the stream is cut', () => {
    fc.assert(
      fc.property(batch, cuts, (messages, at) => {
        const frames = new SyslogFrames(framing);
        for (const piece of inPieces(frameAll(messages, framing), at)) frames.push(piece);
        expect(frames.messages).toEqual(messages);
        expect(frames.isBetweenFrames).toBe(true);
      }),
    );
  });

  it('are the same for a text and for its two pieces', () => {
    fc.assert(
      fc.property(parts, (pairs) => {
        const lines = pairs.map(([head, tail]) => ({ head, tail: Buffer.from(tail) }));
        const texts = pairs.map(([head, tail]) => head + tail);
        expect(frameAll(lines, framing).equals(frameAll(texts, framing))).toBe(true);
      }),
    );
  });
});

describe('frameAll', () => {
  it('counts octets, not UTF-16 units', () => {
    expect(frameAll(['<13>1 - - - - - - Zürich'], 'octet-counting').toString()).toBe('25 <13>1 - - - - - - Zürich');
  });

  it('puts nothing between counted frames', () => {
    expect(frameAll(['ab', 'c'], 'octet-counting').toString()).toBe('2 ab1 c');
  });

  it('counts the replacement character that a lone surrogate becomes', () => {
    const frames = new SyslogFrames('octet-counting');
    frames.push(frameAll(['a\ud800b', 'c'], 'octet-counting'));
    expect(frames.messages).toEqual(['a\ufffdb', 'c']);
  });

  it('never lets a line break inside a message end its frame', () => {
    const broken = 'one\r\n<13>two\nthree';
    expect(frameAll([broken], 'newline').toString()).toBe('one <13>two three\n');
    expect(frameAll([{ head: '', tail: Buffer.from(broken) }], 'newline').toString()).toBe('one <13>two three\n');
  });
});
