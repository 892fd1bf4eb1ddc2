import type { Report } from '../status/assess.ts';
import type { Note, Problem } from '../status/finding.ts';
import { clock, dayOf, duration } from '../status/words.ts';
import { type Html, html } from './html.ts';
import { smallMark } from './marks.ts';
import { timeOf } from './row.ts';

/** More are opened by who wants to see them. */
const MOST_SHOWN = 5;

/** What is wrong, since when, what to do; worst first. Nothing at all while there is nothing to do. */
export function toDoList({ problems, notes, now }: Report): Html {
  const all = [...problems, ...notes];
  if (all.length === 0) return html``;
  const rest = all.slice(MOST_SHOWN);
  return html`<section class="panel to-do" id="to-do" aria-label="What to do">${tableOf(all.slice(0, MOST_SHOWN), now)}${
    rest.length === 0
      ? null
      : html`<details data-key="rest"><summary>and ${rest.length} more</summary>${tableOf(rest, now)}</details>`
  }</section>`;
}

function tableOf(problems: readonly (Problem | Note)[], now: number): Html {
  return html`<table><thead><tr><th scope="col">What is wrong</th><th scope="col">Since</th><th scope="col">What to do</th></tr></thead><tbody>
${problems.map((problem) => rowOf(problem, now))}</tbody></table>`;
}

function rowOf(problem: Problem | Note, now: number): Html {
  const { severity, what, detail, since, sinceDetail } = problem;
  return html`<tr data-key="${nameOf(problem)}"><th scope="row">${smallMark(severity === 'note' ? 'idle' : severity)}<span class="what">${what}</span>${
    detail === null ? null : html`<span class="detail">${sentence(detail)}</span>`
  }</th><td class="since">${since === null ? html`<span class="unknown">–</span>` : html`<span class="label" aria-hidden="true">Since</span> ${timeOf(since, momentOf(since, now))} <span class="ago">${duration(now - since)} ago</span>`}${
    sinceDetail === null ? null : html`<span class="ago">${sinceDetail}</span>`
  }</td><td class="do"><p>${withCode(problem.do.sentence)}</p>${problem.do.command === null ? null : command(problem.do.command)}</td></tr>
`;
}

/** What it is about without its figures: a problem whose numbers move stays the same row, with the focus and the selection in it. */
function nameOf({ what }: Problem | Note): string {
  return what.replace(/(?<= )\d[\d.,:]*/g, '#');
}

/** A command and the button that copies it. It breaks before its options, so that a narrow screen shows each whole. */
export function command(text: string): Html {
  const parts = text.split(/ (?=--)/);
  return html`<div class="command"><code>${parts.map((part, index) => html`<span>${part}${index < parts.length - 1 ? ' ' : ''}</span>`)}</code><button type="button" class="copy" aria-label="Copy: ${text}">Copy</button></div>`;
}

/** `mount` in backticks is set as code. */
function withCode(text: string): Html {
  return html`${text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** To the second today, else with the day. */
function momentOf(at: number, now: number): string {
  return dayOf(at) === dayOf(now) ? clock(at) : `${dayOf(at)} ${clock(at).slice(0, 5)}`;
}
