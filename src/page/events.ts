import { cutMiddle } from '../status/text.ts';
import type { RecentEvent, View } from '../status/view.ts';
import { count, exactMoment } from '../status/words.ts';
import { type Html, html } from './html.ts';
import { address, mailText, maskedAddress, maskedFile } from './mail-text.ts';
import { timeOf } from './row.ts';

/** Longest texts of mails, in characters as wide as most; what is longer is cut in the middle. */
const FILE = 34;
const ADDRESS = 40;
const WORD = 14;
const OUTPUT = 16;
const ID_SHOWN = 8;
const MOST_NAMED = 2;

/** The newest that passed, each with the outputs that have accepted it. */
export function newestEvents(view: View, masked: boolean): Html {
  const { events } = view.recent;
  if (events.length === 0) {
    return html`<div class="panel quiet"><h3>No event yet</h3><p>The newest eight appear here as Mimecast logs them, with the outputs that have accepted each.</p></div>`;
  }
  return html`<div class="panel"><table class="events"><caption class="unseen">Newest events</caption>
<thead><tr>${['Logged', 'Result', 'File', 'From → to', 'Route', 'Accepted by', 'Event id'].map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>
${events.map((event) => rowOf(event, view, masked))}</tbody></table></div>`;
}

function rowOf(event: RecentEvent, { report }: View, masked: boolean): Html {
  const who = masked ? maskedAddress : address;
  return html`<tr data-key="${event.id}"><td class="logged">${timeOf(event.at, exactMoment(event.at, report.now))}</td><td class="result">${resultOf(event.result)}</td><td class="file">${
    masked ? maskedFile(event.file) : mailText(event.file, FILE)
  }</td><td class="way">${who(event.sender, ADDRESS)} <span class="to">→</span> ${who(event.recipient, ADDRESS)}</td><td class="route">${mailText(event.route, WORD)}</td><td class="taken">${acceptance(
    event,
    report.outputs.length,
  )}</td><td class="id">${shortId(event.id)}</td></tr>
`;
}

const SIGNS: Readonly<Record<string, Html>> = {
  malicious: html`<path class="fill" d="M6 .8L11.2 6 6 11.2.8 6z"/>`,
  unsafe: html`<path class="line" d="M6 1.9L10.1 6 6 10.1 1.9 6z" stroke-width="1.9"/>`,
};
const NO_SIGN = html`<path class="line" d="M2.5 6h7" stroke-width="1.8"/>`;

/** A bad mail is no trouble of the forwarder: it is told in bold and by its sign, never in a colour. */
function resultOf(result: string): Html {
  const sign = SIGNS[result];
  return html`<span class="${sign === undefined ? 'plain' : 'strong'}"><svg class="sign" viewBox="0 0 12 12" aria-hidden="true" focusable="false">${sign ?? NO_SIGN}</svg>${mailText(result, WORD)}</span>`;
}

/** Its end, as its beginning is the time: what was logged in one second begins alike. */
export function shortId(id: string): Html {
  return html`<code>…${id.slice(-ID_SHOWN)}</code>`;
}

/** `all 4`, `3 of 4, splunk next`, `3, qradar filters it`. */
export function acceptance({ acceptedBy, pending }: RecentEvent, outputs: number): string {
  const taken = acceptedBy.length;
  const filtered = pending.filter(({ why }) => why === 'filtered');
  const rest = pending.filter(({ why }) => why !== 'filtered');
  const words = [...rest.slice(0, MOST_NAMED), ...filtered.slice(0, rest.length === 0 ? MOST_NAMED : 0)].map(
    ({ output, why }) => `${cutMiddle(output, OUTPUT)} ${WHY[why]}`,
  );
  const wanted = outputs - filtered.length;
  const number =
    taken >= outputs
      ? `all ${count(outputs)}`
      : rest.length === 0
        ? count(taken)
        : `${count(taken)} of ${count(wanted)}`;
  return [outputs === 1 && taken === 1 ? (acceptedBy[0] ?? number) : number, ...words].join(', ');
}

const WHY: Readonly<Record<RecentEvent['pending'][number]['why'], string>> = {
  next: 'next',
  waits: 'waits',
  filtered: 'filters it',
  rejected: 'refused it',
};
