import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The colours of the page, and what is read on what. Contrast is that of WCAG 2.2: 4.5 for text, 3 for marks and lines that mean something. */

const css = readFileSync(new URL('../../src/page/browser/css/colours.css', import.meta.url), 'utf8');
const THEMES = ['light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const calm = tokensOf(':root {');
const stale = new Map([...calm, ...tokensOf(':root[data-stale] .old {')]);

const TEXTS = [
  ...['ink-1', 'ink-2', 'ink-3'].flatMap((ink) => [`${ink} on bg`, `${ink} on surface`, `${ink} on sunk`]),
  ...['ink-1', 'ink-2'].flatMap((ink) => [`${ink} on warn-tint`, `${ink} on bad-tint`]),
  ...['warn-text on surface', 'bad-text on surface', 'surface on ink-1'],
];
const MARKS = [
  ...['ok on surface', 'ok on bg', 'warn on surface', 'warn on warn-tint', 'bad on surface', 'bad on bad-tint'],
  ...['data-line on surface', 'data-line on data-area', 'data-strip on surface', 'focus on bg', 'focus on bad-tint'],
];

describe.each(THEMES)('in the %s theme', (theme) => {
  it.each(TEXTS)('%s can be read', (pair) => {
    expect(contrast(pair, calm, theme)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(MARKS)('%s can be seen', (pair) => {
    expect(contrast(pair, calm, theme)).toBeGreaterThanOrEqual(3);
  });

  it.each(['ink-1', 'ink-2', 'ink-3'].flatMap((ink) => [`${ink} on surface`, `${ink} on bg`]))(
    '%s can be read when it is stale',
    (pair) => {
      expect(contrast(pair, stale, theme)).toBeGreaterThanOrEqual(4.5);
    },
  );

  it('what is on a mark can be seen', () => {
    expect(ratio(colour('on-mark', calm, theme), colour('ok', calm, theme))).toBeGreaterThanOrEqual(3);
    expect(ratio(colour('on-mark', calm, theme), colour('bad', calm, theme))).toBeGreaterThanOrEqual(3);
    expect(ratio('#15181c', colour('warn', calm, theme))).toBeGreaterThanOrEqual(3);
  });
});

function tokensOf(rule: string): Map<string, string> {
  const from = css.indexOf(rule);
  expect(from).toBeGreaterThanOrEqual(0);
  const body = css.slice(from, css.indexOf('}', from));
  return new Map([...body.matchAll(/--([\w-]+): ([^;]+);/g)].map(([, name = '', value = '']) => [name, value]));
}

/** Of `light-dark(#fff, #000)`. */
function colour(name: string, tokens: ReadonlyMap<string, string>, theme: Theme): string {
  const [, light, dark] = /^light-dark\((#\w{6}), (#\w{6})\)$/.exec(tokens.get(name) ?? '') ?? [];
  const value = theme === 'light' ? light : dark;
  if (value === undefined) throw new Error(`no colour ${name}`);
  return value;
}

function contrast(pair: string, tokens: ReadonlyMap<string, string>, theme: Theme): number {
  const [front = '', ground = ''] = pair.split(' on ');
  return ratio(colour(front, tokens, theme), colour(ground, tokens, theme));
}

function ratio(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
