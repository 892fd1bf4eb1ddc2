import type { Report } from '../status/assess.ts';
import { CHECK_ONLINE } from '../status/finding.ts';
import { type Html, html } from './html.ts';
import { smallMark } from './marks.ts';
import { command } from './to-do.ts';

/** What a first run has done and has yet to do; nothing once it is over. */
export function firstSteps({ steps }: Report): Html {
  if (steps.length === 0) return html``;
  return html`<section class="panel steps" aria-label="First run"><ol>${steps.map(
    ({ mark, what, detail }) =>
      html`<li class="${mark}">${smallMark(mark)}<span class="what">${what}</span>${detail === null ? null : html`<span class="detail">${detail}</span>`}</li>`,
  )}</ol><div class="foot"><span>Still here after two minutes? This says what is in the way:</span>${command(CHECK_ONLINE)}</div></section>`;
}
