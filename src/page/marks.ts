import type { Mark } from '../status/condition.ts';
import { type Html, html } from './html.ts';

/** The six silhouettes: they differ in outline, not in colour alone, and words follow each. Drawn on 24 × 24. */

/** The mark of the headline, 48 px; `ok` is filled there. */
export function largeMark(mark: Mark): Html {
  return drawn(mark, 'mark large', mark === 'ok' ? FILLED_OK : SHAPES[mark]);
}

/** The mark of a row. */
export function smallMark(mark: Mark): Html {
  return drawn(mark, 'mark', SHAPES[mark]);
}

/** As an icon of the browser's tab: the colours are those of the light theme, which hold on both. */
export function iconOf(mark: Mark): string {
  const shape = mark === 'ok' ? FILLED_OK : SHAPES[mark];
  const [main = '', inner = ''] = ICON_COLOURS[mark];
  const coloured = shape.toString().replace(/class="([^"]*)"/g, (_, names: string) => {
    const colour = names.includes('on') ? inner : main;
    return names.includes('line') ? `fill="none" stroke="${colour}"` : `fill="${colour}"`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${coloured}</svg>`;
}

function drawn(mark: Mark, classes: string, shape: Html): Html {
  return html`<svg class="${classes} ${mark}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${shape}</svg>`;
}

const FILLED_OK = html`<circle class="fill" cx="12" cy="12" r="11"/><path class="on line" d="M7 12.4l3.5 3.5 6.6-7.2" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/>`;

const SHAPES: Readonly<Record<Mark, Html>> = {
  ok: html`<circle class="line" cx="12" cy="12" r="9.6" stroke-width="2"/><path class="line" d="M7.8 12.4l2.9 2.9 5.5-6" stroke-width="2.1" stroke-linecap="round" stroke-linejoin="round"/>`,
  at_work: html`<circle class="track line" cx="12" cy="12" r="9.6" stroke-width="3"/><path class="quarter line" d="M12 2.4a9.6 9.6 0 0 1 9.6 9.6" stroke-width="3" stroke-linecap="round"/>`,
  warn: html`<path class="fill" d="M10.5 2.6a1.75 1.75 0 0 1 3 0l9.2 16.6a1.75 1.75 0 0 1-1.5 2.6H2.8a1.75 1.75 0 0 1-1.5-2.6z"/><path class="on line" d="M12 8.6v5.2" stroke-width="2.4" stroke-linecap="round"/><circle class="on" cx="12" cy="17.6" r="1.45"/>`,
  bad: html`<path class="fill" d="M7.9 1h8.2a1.6 1.6 0 0 1 1.1.5l5.3 5.3a1.6 1.6 0 0 1 .5 1.1v8.2a1.6 1.6 0 0 1-.5 1.1l-5.3 5.3a1.6 1.6 0 0 1-1.1.5H7.9a1.6 1.6 0 0 1-1.1-.5l-5.3-5.3a1.6 1.6 0 0 1-.5-1.1V7.9a1.6 1.6 0 0 1 .5-1.1l5.3-5.3A1.6 1.6 0 0 1 7.9 1z"/><path class="on line" d="M8.2 8.2l7.6 7.6M15.8 8.2l-7.6 7.6" stroke-width="2.6" stroke-linecap="round"/>`,
  idle: html`<circle class="line" cx="12" cy="12" r="9.6" stroke-width="2" stroke-dasharray="3.6 2.43"/>`,
  paused: html`<rect class="fill" x="4" y="3" width="5.6" height="18" rx="1.4"/><rect class="fill" x="14.4" y="3" width="5.6" height="18" rx="1.4"/>`,
};

/** The shape, and what is drawn on it. */
const ICON_COLOURS: Readonly<Record<Mark, readonly [string, string]>> = {
  ok: ['#0A7350', '#FFFFFF'],
  at_work: ['#54708C', '#FFFFFF'],
  warn: ['#BD8200', '#15181C'],
  bad: ['#CF4417', '#FFFFFF'],
  idle: ['#77808A', '#FFFFFF'],
  paused: ['#CF4417', '#FFFFFF'],
};
