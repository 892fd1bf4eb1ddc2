import type { Mark } from '../status/condition.ts';
import { tries } from '../status/finding.ts';
import type { Trouble } from '../status/snapshot.ts';
import { iso } from '../status/words.ts';
import { type Axis, axisLabels } from './axis.ts';
import { type Html, html, type Inset } from './html.ts';
import { smallMark } from './marks.ts';

/** A figure and the line below it. */
export interface Figure {
  readonly value: Inset;
  readonly below: string | null;
  /** True when this figure is the trouble itself: only then it is coloured. */
  readonly isTrouble?: boolean;
  /** True when it says that there is nothing: it steps back. */
  readonly isPlain?: boolean;
}

export interface Row {
  readonly subject: { readonly name: string; readonly mark: Mark; readonly state: string };
  /** Paragraphs below the name. */
  readonly about: readonly Html[];
  /** The head of the table, the name's column first; on a phone each figure brings its own. */
  readonly columns: readonly string[];
  readonly figures: readonly Figure[];
  /** On a phone it folds to one line. */
  readonly isCalm: boolean;
  /** The one figure that is left of it then. */
  readonly folded: string;
  readonly picture: Html;
  readonly axis: Axis;
  /** Lines across the whole row. */
  readonly notes: readonly Html[];
}

/** A feed or an output in its table: its name, figures, and the timeline. */
export function row({ subject, about, columns, figures, isCalm: calm, folded, picture, axis, notes }: Row): Html {
  const { name, mark, state } = subject;
  const cells = figures.map(
    (figure, index) =>
      html`<td class="number"><span class="label" aria-hidden="true">${columns[index + 1] ?? ''}</span>${drawn(figure)}</td>`,
  );
  return html`<tbody class="row ${mark}" data-key="${name}" ${calm ? html`data-calm=""` : null}>
<tr><th scope="row">${smallMark(mark)}<span class="name">${name}</span> <span class="state">${state}</span>${calm ? foldButton(name, folded) : null}${about}</th>
${cells}<td class="picture">${picture}${axisLabels(axis)}</td></tr>
${notes.map((note) => html`<tr class="note"><td colspan="5">${note}</td></tr>`)}</tbody>
`;
}

/** A table of rows; `head` names its columns, and the axis stands once above all timelines. */
export function table(caption: string, head: readonly string[], axis: Axis, rows: readonly Html[]): Html {
  return html`<table class="rows"><caption class="unseen">${caption}</caption>
<thead><tr>${head.map((title) => html`<th scope="col">${title}</th>`)}<th scope="col" class="picture"><span class="unseen">Timeline</span>${axisLabels(axis)}</th></tr></thead>
${rows}</table>`;
}

/** What goes wrong now, in the words of who told it, and when it is tried again. */
export function troubleNote(trouble: Trouble, mark: Mark, now: number): Html {
  const message = trouble.message.replace(/\.$/, '');
  const tried = tries(trouble, now);
  const rest = `${tried.charAt(0).toUpperCase()}${tried.slice(1)}.`;
  const link = mark === 'bad' ? html` <a href="#to-do">What to do</a>` : null;
  return html`<strong>${message}.</strong> ${rest}${link}`;
}

/** Nothing to do here: what is told on one line of a phone is enough until somebody wants more. */
export function isCalm(mark: Mark): boolean {
  return mark === 'ok' || mark === 'warn' || mark === 'idle';
}

/** The whole line is the button: it covers the cell. The script turns it on, as without one nothing is folded. */
export function foldButton(name: string, folded: string): Html {
  return html`<button type="button" class="fold" aria-expanded="false" aria-label="Details of ${name}"><span>${folded}</span><svg class="chevron" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M3.5 6l4.5 4.5L12.5 6"/></svg></button>`;
}

/** A time that machines can read as well. */
export function timeOf(at: number, words: string): Html {
  return html`<time datetime="${iso(at)}">${words}</time>`;
}

function drawn({ value, below, isTrouble, isPlain }: Figure): Html {
  const weight = isTrouble ? 'figure trouble' : isPlain ? 'figure plain' : 'figure';
  return html`<span class="${weight}">${value}</span>${below === null ? null : html`<span class="below-figure">${below}</span>`}`;
}
