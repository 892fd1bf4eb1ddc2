import type { View } from '../status/view.ts';
import { type Html, html } from './html.ts';
import { leadOf } from './lead.ts';
import { largeMark } from './marks.ts';

/** Times and counts: they move while the sentence stays. */
const FIGURE = /((?<= )\d[\d,:]*(?:\.\d+)?)/;

/** The answer to "is all well?": a mark, one or two sentences, and a line of figures or what else is wrong. */
export function headOf(view: View): Html {
  const { headline, verdict } = view.report;
  return html`${largeMark(verdict)}<div class="words"><div aria-live="polite" aria-atomic="true"><h1>${sentencesOf(
    headline,
  ).map(
    (sentence) => html`<span class="sentence">${spoken(sentence)}</span> `,
  )}</h1></div><p class="lead">${leadOf(view)}</p></div>`;
}

/** A live region speaks when its words change; of figures, which change with every update, it keeps silent. */
function spoken(sentence: string): Html[] {
  return sentence
    .split(FIGURE)
    .map((piece, index) =>
      index % 2 === 1 ? html`<span class="moving" aria-live="off">${piece}</span>` : html`${piece}`,
    );
}

/** Each goes to a line of its own where both do not fit on one. */
export function sentencesOf(text: string): string[] {
  return text.split(/(?<=[.:]) (?=[A-Z])/);
}

/** `✕ 2 problems · soc-fwd-01`: what a row of tabs shows. */
export function titleOf({ report }: View): string {
  const { verdict, problems, host } = report;
  const number = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
  const words = { ok: '✓ All is well', at_work: '… At work', warn: `! ${number}`, bad: `✕ ${number}` }[verdict];
  return `${verdict === 'ok' && report.notes.length > 0 ? '✓ Nothing fails' : words} · ${host}`;
}
