import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Html } from '../../src/page/html.ts';
import { address, mailText, maskedAddress, maskedFile } from '../../src/page/mail-text.ts';

/** As it is read: chips in square brackets. */
function read(markup: Html): string {
  return markup
    .toString()
    .replace(/<span class="chip">([^<]*)<\/span>/g, '[$1]')
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? "'");
}

describe('text of a mail', () => {
  it.each([
    ['Statement_\u202efdp.exe', 'Statement_[U+202E]fdp.exe'],
    ['a\u0000b\nc', 'a[U+0000]b[U+000A]c'],
    ['pay\u200bpal', 'pay[U+200B]pal'],
    ['\u2066x\u2069', '[U+2066]x[U+2069]'],
    ['a\u00a0b\u3000c', 'a[U+00A0]b[U+3000]c'],
    ['\u3164\u115f\u2800', '[U+3164][U+115F][U+2800]'],
    ['x\ud800y', 'x[U+D800]y'],
    ['tag \u{e0041}', 'tag [U+E0041]'],
    ['\u202e'.repeat(5000), '[U+202E ×5000]'],
    ['Größe 報告.pdf', 'Größe 報告.pdf'],
  ])('%j is shown as %s', (text, shown) => {
    expect(read(mailText(text, 60))).toBe(shown);
  });

  it('is set apart from its neighbours', () => {
    expect(mailText('a', 9).toString()).toBe('<bdi>a</bdi>');
  });

  it('is cut in the middle, so that both ends are there', () => {
    expect(read(mailText(`invoice-${'0'.repeat(200)}.pdf.exe`, 21))).toBe('invoice-00…00.pdf.exe');
  });

  it('stays short, and shows nothing that cannot be seen, whatever it is', () => {
    const chars = [...'\u202e\u200b\u0301\u3164\ufe0f<&a.報 ', '\u{e0041}', '\ud800'];
    const text = fc.array(fc.constantFrom(...chars), { maxLength: 300 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text, (name) => {
        const shown = read(mailText(name, 30));
        expect([...shown].length).toBeLessThan(140);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
  });
});

describe('an address', () => {
  it('has its domain set back, by its last @', () => {
    expect(address('"a@b"@evil.example', 40).toString()).toContain(
      '<span class="domain"><bdi>@evil.example</bdi></span>',
    );
    expect(read(address('nobody', 40))).toBe('nobody');
  });

  it.each([
    ['billing@portline.example', 'b•••@portline.example'],
    ['\u202egnillib@portline.example', '•••@portline.example'],
    ['"who@where"@portline.example', '•••@portline.example'],
    ['Somebody Secret', 'S•••'],
    ['', '•••'],
    ['a@\u202eelpmaxe', 'a•••@[U+202E]elpmaxe'],
  ])('%j is masked as %s', (text, shown) => {
    expect(read(maskedAddress(text, 40))).toBe(shown);
  });
});

it.each([
  ['Salary list Miller.xlsm', '•••.xlsm'],
  ['no type', '•••'],
  ['a.Secret name', '•••'],
  ['x.pdf\u202e', '•••'],
  ['.profile', '•••.profile'],
])('the file %j is masked as %s', (name, shown) => {
  expect(maskedFile(name)).toBe(shown);
});
