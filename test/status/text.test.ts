import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cells, cutMiddle, folded, foldedCommand, padded, visible } from '../../src/status/text.ts';

/** Texts with what attackers like: escapes, bidi, zero width, wide and combining characters. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\u001b', '\u202e', '\u200b', '\n', '漢', '\u0301', '🦊', ' '),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

describe('text in cells', () => {
  it('cuts in the middle', () => {
    expect(cutMiddle('siem-forwarder-eu-2', 11)).toBe('siem-…-eu-2');
    expect(cutMiddle('siem-forwarder-eu-2', 10, '..')).toBe('siem..eu-2');
    expect(cutMiddle('short', 11)).toBe('short');
    expect(cells(cutMiddle('漢字漢字漢字', 6))).toBeLessThanOrEqual(6);
  });

  it('shows what is invisible', () => {
    expect(visible('evil\u202etxt.exe')).toBe('evilU+202Etxt.exe');
    expect(visible('a\u001b[31mb\r\n✓ All is well.')).toBe('aU+001B[31mb ✓ All is well.');
    expect(visible('naïve', false)).toBe('na?ve');
  });

  it('folds a command so that it can be pasted', () => {
    const command = 'mimecast-forwarder backfill --feed attachment --from 2026-11-23T03:10Z --to 2026-11-23T03:57Z';
    expect(foldedCommand(command, 71)).toEqual([
      'mimecast-forwarder backfill --feed attachment \\',
      '  --from 2026-11-23T03:10Z --to 2026-11-23T03:57Z',
    ]);
    expect(foldedCommand('mimecast-forwarder rejects retry', 71)).toEqual(['mimecast-forwarder rejects retry']);
  });

  it('never takes more cells than given, and loses nothing when folding', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 4, max: 80 }), (text, width) => {
        const shown = visible(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(cells(cutMiddle(shown, width))).toBeLessThanOrEqual(width);
        expect(cells(padded(cutMiddle(shown, width), width))).toBe(width);
        const lines = folded(shown, width);
        for (const line of lines) expect(cells(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replaceAll(' ', '')).toBe(shown.replaceAll(' ', ''));
      }),
    );
  });
});
